//! The answer of `nsm workers`.

use common::{heartbeat::CurrentTask, status::WorkerLine};
use jiff::Timestamp;

use super::{
    table::{Cell, Table},
    time_format::{age, relative},
};

/// The workers as a table.
pub(crate) fn table(lines: &[WorkerLine], now: Timestamp) -> Table {
    let mut table = Table::new(["INSTANCE", "AGE", "STATE", "LAST HEARTBEAT", "DONE", "FAILED", "DOING"]);
    for line in lines {
        let state = if line.alive { Cell::from("alive") } else { Cell::bad("dead") };
        table.row([
            line.instance.as_str().into(),
            age(line.since, now).into(),
            state,
            relative(line.last_heartbeat, now).into(),
            line.done.into(),
            line.failed.into(),
            doing(line, now).into(),
        ]);
    }
    table
}

fn doing(line: &WorkerLine, now: Timestamp) -> String {
    match (&line.doing, &line.admission_error) {
        (Some(CurrentTask { task, namespace, since }), _) => {
            let about = namespace.as_ref().map_or(String::new(), |name| format!("`{name}`, "));
            format!("{about}{task}, for {}", age(*since, now))
        }
        (None, Some(why)) => format!("deletes nothing: {why}"),
        (None, None) if line.alive => "nothing to do".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::at, *};

    #[test]
    fn a_worker_shows_what_it_is_at_and_whether_it_lives() {
        let line = |instance: &str, alive, doing, admission_error| WorkerLine {
            instance: instance.into(),
            since: at("09:00:00"),
            last_heartbeat: at("09:59:50"),
            alive,
            doing,
            done: 12,
            failed: 1,
            config: "c".into(),
            admission_error,
        };
        let doing = CurrentTask { task: "u1/delete/3".into(), namespace: Some("ci-1".into()), since: at("09:59:48") };
        let lines = [
            line("host-1.0", true, Some(doing), None),
            line("host-1.1", true, None, None),
            line("host-1.2", true, None, Some("the admission policy `x` is not in force".into())),
            line("host-1.3", false, None, None),
        ];
        let text = anstream::adapter::strip_str(&table(&lines, at("10:00:00")).text(None)).to_string();
        insta::assert_snapshot!(text);
    }
}
