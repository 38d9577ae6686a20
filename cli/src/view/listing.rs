//! The lines of `nsm ls`.

use api::answers::listing::Line;
use jiff::Timestamp;
use lifecycle::{
    record::{Phase, comes_back_lately},
    time::human_text,
};

use super::{
    moment,
    table::{Cell, Table},
};

/// The lines as a table. With those that are gone (`all`) one name may stand for several lives, so each shows when it began.
pub(crate) fn table(lines: &[Line], all: bool, now: Timestamp) -> Table {
    let mut table = match all {
        true => Table::new(["NAME", "STATUS", "BEGAN", "AGE", "OWNER", "NEXT"]),
        false => Table::new(["NAME", "STATUS", "AGE", "OWNER", "NEXT"]),
    };
    for line in lines {
        let age = line.created.map_or_else(|| "-".to_owned(), |created| moment::age(created, now));
        let status = match line.phase {
            Phase::Gone => Cell::dim("gone"),
            Phase::Released => Cell::dim("released"),
            Phase::New | Phase::Managed => Cell::status(line.status),
        };
        let mut next = match line.next.at {
            Some(at) => format!("{} {}", line.next.what, moment::relative(at, now)),
            None => line.next.what.clone(),
        };
        let comes_back = comes_back_lately(line.deleted_before, line.created, now);
        if let Some(comes_back) = comes_back.filter(|_| line.phase == Phase::Managed) {
            next = format!("{next}; {comes_back}");
        }
        let (name, owner) = (line.name.as_str(), line.owner.as_deref().unwrap_or("-"));
        if all {
            let began = line.created.map_or_else(|| "-".to_owned(), human_text);
            table.row([name.into(), status, began.into(), age.into(), owner.into(), next.into()]);
        } else {
            table.row([name.into(), status, age.into(), owner.into(), next.into()]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use lifecycle::Mode;
    use serde_json::json;

    use super::{
        super::told::{adopted, at, changed, policies, record},
        *,
    };

    #[test]
    fn a_line_holds_what_comes_next_and_folds_to_the_width() {
        let policies = policies(Mode::Enforce, &json!({}));
        let policy = policies.iter().next();
        let now = at("10:05:00");
        let well = record(&[adopted(&policies), changed("08:00:02", "unknown", "ok", "its health is not checked")]);
        let gone = record(&[adopted(&policies), ("09:00:00", "Gone", json!({}))]);
        let lines = [&well, &gone].map(|record| Line::of(record, &policies.keys, policy, false, now));
        let plain = |width| anstream::adapter::strip_str(&table(&lines, false, now).text(width)).to_string();
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
        let lines = [&before, &again, &thrice].map(|record| Line::of(record, &policies.keys, policy, false, now));
        let plain = |all| anstream::adapter::strip_str(&table(&lines, all, now).text(None)).to_string();
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
            let line = Line::of(&record, &policies.keys, policies.iter().next(), false, now);
            table(&[line], false, now).text(None)
        };
        assert!(text(at("09:59:59")).contains("comes back"));
        assert!(!text(at("10:00:00")).contains("comes back"));
    }

    #[test]
    fn colours_are_written_for_a_terminal_to_show() {
        let policies = policies(Mode::Enforce, &json!({}));
        let line = Line::of(&record(&[adopted(&policies)]), &policies.keys, None, false, at("10:00:00"));
        assert!(table(&[line], false, at("10:00:00")).text(None).contains("\u{1b}["));
    }
}
