//! The lines of `nsm ls`.

use api::queries::listing::Line;
use jiff::Timestamp;
use lifecycle::{
    Status,
    record::{Phase, comes_back_lately},
    time::human_text,
};

use super::{
    table::{Cell, Table},
    time_format,
};

/// A new namespace is of the status `unknown`, which nobody should take for something wrong.
pub(crate) const NOT_CHECKED: &str = "not checked yet";

/// How much a table shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    /// Those that are gone, too: one name may stand for several lives, so each shows when it began.
    pub(crate) all: bool,
    /// Columns that most do not need.
    pub(crate) wide: bool,
}

/// The lines as a table.
pub(crate) fn table(lines: &[Line], shape: Shape, now: Timestamp) -> Table {
    let Shape { all, wide } = shape;
    let began = all.then_some("BEGAN");
    let more: &[&str] = if wide { &["POLICY", "UID"] } else { &[] };
    let more = more.iter().copied();
    let mut table =
        Table::new(["NAME", "STATUS"].into_iter().chain(began).chain(["AGE", "OWNER"]).chain(more).chain(["NEXT"]));
    for line in lines {
        let or_none = |text: Option<&str>| Cell::from(text.unwrap_or("-"));
        let age = line.created.map_or_else(|| "-".to_owned(), |created| time_format::age(created, now));
        let status = match line.phase {
            Phase::Gone => Cell::dim("gone"),
            Phase::Released => Cell::dim("released"),
            Phase::New | Phase::Managed => Cell::status(line.status),
        };
        let mut row = vec![line.name.as_str().into(), status];
        if all {
            row.push(or_none(line.created.map(human_text).as_deref()));
        }
        row.extend([age.into(), or_none(line.owner.as_deref())]);
        if wide {
            row.extend([or_none(line.policy.as_deref()), line.uid.as_str().into()]);
        }
        row.push(next(line, now).into());
        table.row(row);
    }
    table
}

/// What happens next to a namespace, and what else is to be known at a glance.
pub(crate) fn next(line: &Line, now: Timestamp) -> String {
    let mut next = match line.next.at {
        Some(at) => format!("{} {}", line.next.what, time_format::relative(at, now)),
        None => line.next.what.clone(),
    };
    if line.phase == Phase::Managed {
        if line.status == Status::Unknown {
            next = format!("{next} ({NOT_CHECKED})");
        }
        if let Some(comes_back) = comes_back_lately(line.deleted_before, line.created, now) {
            next = format!("{next}; {comes_back}");
        }
    }
    next
}

/// The names, as kubectl writes and takes them.
pub(crate) fn names(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("namespace/{}\n", line.name)).collect()
}

#[cfg(test)]
mod tests {
    use lifecycle::Mode;
    use serde_json::json;

    use super::{
        super::fixtures::{adopted, at, changed, policies, record},
        *,
    };

    #[test]
    fn a_line_holds_what_comes_next_and_folds_to_the_width() {
        let policies = policies(Mode::Enforce, &json!({}));
        let policy = policies.iter().next();
        let now = at("10:05:00");
        let well = record(&[adopted(&policies), changed("08:00:02", "unknown", "ok", "its health is not checked")]);
        let gone = record(&[adopted(&policies), ("09:00:00", "Gone", json!({}))]);
        let lines = [&well, &gone].map(|record| Line::of(record, &policies.keys, policy, None, now));
        let plain = |width| anstream::adapter::strip_str(&table(&lines, Shape::default(), now).text(width)).to_string();
        insta::assert_snapshot!(format!("{}\n{}", plain(None), plain(Some(44))));
    }

    #[test]
    fn each_life_of_a_name_shows_when_it_began_and_whether_it_comes_back() {
        let policies = policies(Mode::Enforce, &json!({}));
        let policy = policies.iter().next();
        let now = at("10:05:00");
        let (time, kind, mut data) = adopted(&policies);
        let before = record(&[(time, kind, data.clone()), ("09:00:00", "Gone", json!({}))]);
        data["created"] = json!(at("09:59:59"));
        data["deleted_before"] = json!(2);
        let again = record(&[("10:00:00", kind, data.clone())]);
        data["deleted_before"] = json!(3);
        let thrice = record(&[("10:00:00", kind, data)]);
        let lines = [&before, &again, &thrice].map(|record| Line::of(record, &policies.keys, policy, None, now));
        let plain =
            |all| anstream::adapter::strip_str(&table(&lines, Shape { all, wide: all }, now).text(None)).to_string();
        insta::assert_snapshot!(format!("{}\n{}", plain(true), plain(false)));
    }

    #[test]
    fn one_that_has_stayed_for_an_hour_comes_back_no_more() {
        let policies = policies(Mode::Enforce, &json!({}));
        let (time, kind, mut data) = adopted(&policies);
        data["created"] = json!(at("09:00:00"));
        data["deleted_before"] = json!(3);
        let record = record(&[(time, kind, data)]);
        let text = |now| {
            let line = Line::of(&record, &policies.keys, policies.iter().next(), None, now);
            table(&[line], Shape::default(), now).text(None)
        };
        assert!(text(at("09:59:59")).contains("comes back"));
        assert!(!text(at("10:00:00")).contains("comes back"));
    }

    #[test]
    fn colours_are_written_for_a_terminal_to_show() {
        let policies = policies(Mode::Enforce, &json!({}));
        let line = Line::of(&record(&[adopted(&policies)]), &policies.keys, None, None, at("10:00:00"));
        assert!(table(&[line], Shape::default(), at("10:00:00")).text(None).contains("\u{1b}["));
    }
}
