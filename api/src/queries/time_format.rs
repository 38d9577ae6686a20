//! Instants and ages as people read them at a terminal.

use jiff::{SignedDuration, Timestamp};
use lifecycle::time::{between, human_text};

const UNITS: [(i64, &str, &str); 5] =
    [(7 * 86_400, "week", "w"), (86_400, "day", "d"), (3_600, "hour", "h"), (60, "minute", "m"), (1, "second", "s")];

/// How far away an instant is: `in 4 minutes`, `in 1 hour 55 minutes`, `2 days ago`, `now`.
#[must_use]
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let distance = between(now, at);
    let text = words(distance);
    match (text.is_empty(), distance.is_negative()) {
        (true, _) => "now".to_owned(),
        (false, true) => format!("{text} ago"),
        (false, false) => format!("in {text}"),
    }
}

/// An instant with how far away it is: `2026-08-17 09:50:41 UTC (4 minutes ago)`.
#[must_use]
pub fn both(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", human_text(at), relative(at, now))
}

/// An age in its two largest units: `3d4h`, `5m10s`.
#[must_use]
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let mut rest = between(since, now).as_secs().max(0);
    let mut text = String::new();
    let mut parts = 0;
    for (length, _, short) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 && parts < 2 {
            text.push_str(&format!("{count}{short}"));
            parts += 1;
        } else if parts > 0 {
            break;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A distance in its largest unit, and the next one where there are so few that it matters. Days count up to two
/// weeks, as people do.
fn words(distance: SignedDuration) -> String {
    let mut rest = distance.abs().as_secs();
    let weeks = rest >= 14 * 86_400;
    let mut parts: Vec<String> = Vec::new();
    for (length, unit, _) in UNITS.into_iter().filter(|(_, unit, _)| *unit != "week" || weeks) {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
        if parts.len() > 1 || (parts.len() == 1 && (count == 0 || count >= if length < 3_600 { 3 } else { 10 })) {
            break;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-08-17T09:00:00Z".parse().unwrap()
    }

    #[track_caller]
    fn reads(seconds: i64, text: &str) {
        assert_eq!(relative(now() + SignedDuration::from_secs(seconds), now()), text);
    }

    #[test]
    fn distances_have_few_units_and_a_direction() {
        reads(0, "now");
        reads(1, "in 1 second");
        reads(-59, "59 seconds ago");
        reads(299, "in 4 minutes");
        reads(-3_600, "1 hour ago");
        reads(6_900, "in 1 hour 55 minutes");
        reads(-90, "1 minute 30 seconds ago");
        reads(3 * 3_600 + 3_000, "in 3 hours 50 minutes");
        reads(11 * 3_600 + 3_000, "in 11 hours");
        reads(86_400 + 60, "in 1 day");
        reads(13 * 86_400, "in 13 days");
        reads(-15 * 86_400, "2 weeks 1 day ago");
        let at = now() + SignedDuration::from_millis(400);
        assert_eq!(relative(at, now()), "now");
    }

    #[test]
    fn ages_have_two_units_at_most() {
        let old = |seconds| age(now() - SignedDuration::from_secs(seconds), now());
        assert_eq!(old(0), "0s");
        assert_eq!(old(12), "12s");
        assert_eq!(old(310), "5m10s");
        assert_eq!(old(3_600), "1h");
        assert_eq!(old(3_605), "1h");
        assert_eq!(old(8 * 86_400 + 3_600), "1w1d");
        assert_eq!(age(now() + SignedDuration::from_secs(60), now()), "0s", "created in the future");
    }
}
