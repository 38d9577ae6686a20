//! How the play looks: a table of all lives on a terminal, elsewhere a line for each thing that is new.

use jiff::Timestamp;

use crate::nsm::Outlook;
use crate::play::Life;
use crate::screen::Ink;

/// About how many seconds a play takes.
const ALL: u32 = 72;

/// The table at an instant.
pub(crate) fn table(lives: &[Life], began: Timestamp, now: Timestamp) -> Vec<String> {
    let head = format!("{:12}  {:11}  {:32}  {}", "NAMESPACE", "STATUS", "NEXT", "LAST EVENT");
    let rows = lives.iter().map(|life| {
        let (status, ink) = status(life);
        let status = ink.paint(&format!("{status:11}"));
        let last = life.history.last().map_or("", |entry| &entry.text);
        format!("{:12}  {status}  {:32}  {last}", life.title, next(life, now))
    });
    let clock = format!("{:.0} of about {ALL} s", seconds(began, now));
    [clock, Ink::Bold.paint(&head)].into_iter().chain(rows).collect()
}

/// A line about something that happened.
pub(crate) fn line(began: Timestamp, at: Timestamp, who: &str, what: &str) -> String {
    format!("{:5.1} s  {who:12}  {what}", seconds(began, at))
}

fn status(life: &Life) -> (&str, Ink) {
    match (life.phase.as_deref(), &life.listed) {
        (None, _) => ("gone", Ink::Dim),
        (Some("Terminating"), _) => ("terminating", Ink::Red),
        (Some(_), None) => ("not managed", Ink::Dim),
        (Some(_), Some(listed)) => match listed.status.as_str() {
            "ok" => ("ok", Ink::Green),
            other => (other, Ink::Yellow),
        },
    }
}

fn next(life: &Life, now: Timestamp) -> String {
    let Outlook { what, at } = match (life.phase.as_deref(), &life.listed) {
        (None, _) | (Some(_), None) => return String::new(),
        (Some("Terminating"), _) => return "going away".to_owned(),
        (Some(_), Some(listed)) => &listed.next,
    };
    let what = what.strip_prefix("it is ").unwrap_or(what);
    match at.map(|at| seconds(now, at).ceil()) {
        Some(seconds) if seconds > 7200.0 => format!("{what} in {:.0} h", seconds / 3600.0),
        Some(seconds) if seconds > 0.0 => format!("{what} in {seconds} s"),
        Some(_) | None => what.to_owned(),
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
