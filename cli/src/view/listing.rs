//! The lines of `nsm ls`.

use api::answers::listing::Line;
use jiff::Timestamp;
use lifecycle::record::Phase;

use super::{
    moment,
    table::{Cell, Table},
};

/// The lines as a table.
pub(crate) fn table(lines: &[Line], now: Timestamp) -> Table {
    let mut table = Table::new(["NAME", "STATUS", "AGE", "OWNER", "NEXT"]);
    for line in lines {
        let age = line.created.map_or_else(|| "-".to_owned(), |created| moment::age(created, now));
        let status = match line.phase {
            Phase::Gone => Cell::dim("gone"),
            Phase::Released => Cell::dim("released"),
            Phase::New | Phase::Managed => Cell::status(line.status),
        };
        let next = match line.next.at {
            Some(at) => format!("{} {}", line.next.what, moment::relative(at, now)),
            None => line.next.what.clone(),
        };
        let owner = line.owner.as_deref().unwrap_or("-");
        table.row([line.name.as_str().into(), status, age.into(), owner.into(), next.into()]);
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
        let plain = |width| anstream::adapter::strip_str(&table(&lines, now).text(width)).to_string();
        insta::assert_snapshot!(format!("{}\n{}", plain(None), plain(Some(44))));
    }

    #[test]
    fn colours_are_written_for_a_terminal_to_show() {
        let policies = policies(Mode::Enforce, &json!({}));
        let line = Line::of(&record(&[adopted(&policies)]), &policies.keys, None, false, at("10:00:00"));
        assert!(table(&[line], at("10:00:00")).text(None).contains("\u{1b}["));
    }
}
