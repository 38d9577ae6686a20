//! How long to wait after an attempt that brought nothing (docs/design/protocol.md section 2).

use jiff::{SignedDuration, Timestamp};

use crate::{Record, policy::hash, time::saturating_add};

/// Refusals before the daily rhythm.
const REFUSALS_IN_A_ROW: u32 = 5;

/// Conflicts that are tried again at once.
const MAX_IMMEDIATE_CONFLICTS: u32 = 3;

/// When to try again after one more refusal by a live apiserver: 1, 2, 4, 8, 16 minutes, then once a day.
#[must_use]
pub fn after_refusal(record: &Record, now: Timestamp) -> Timestamp {
    let refused = record.attempts.refused;
    let wait = if refused < REFUSALS_IN_A_ROW {
        SignedDuration::from_mins(1_i64 << refused)
    } else {
        SignedDuration::from_hours(24)
    };
    saturating_add(now, wait)
}

/// When to try again after one more conflict on the resourceVersion: at once, and after three in a row within a minute,
/// each namespace at another moment of it.
#[must_use]
pub fn after_conflict(record: &Record, now: Timestamp) -> Option<Timestamp> {
    if record.attempts.busy + 1 < MAX_IMMEDIATE_CONFLICTS {
        return None;
    }
    let seed = hash(&(record.uid.as_str(), record.head));
    let second = i64::from_str_radix(&seed[..4], 16).unwrap_or(0) % 50;
    Some(saturating_add(now, SignedDuration::from_secs(10 + second)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uid;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn refusals_double_and_then_come_once_a_day() {
        let mut record = Record::new(Uid::new("a"));
        let waits: Vec<_> = (0..7)
            .map(|refused| {
                record.attempts.refused = refused;
                after_refusal(&record, at(0)).as_second() / 60
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 1440, 1440]);
    }

    #[test]
    fn the_third_conflict_in_a_row_waits_less_than_a_minute() {
        let mut record = Record::new(Uid::new("a"));
        assert_eq!(after_conflict(&record, at(0)), None);
        record.attempts.busy = 2;
        let again = after_conflict(&record, at(0)).unwrap().as_second();
        assert!((10..60).contains(&again), "{again}");
    }
}
