//! Slots of time: each has its own job with a run loop, so that nobody stays for ever.

use std::{fmt, num::ParseIntError, str::FromStr, time::Duration};

use jiff::Timestamp;

/// A slot of time, told by when it began. Which one it is follows from the time alone, so that every caller gives its job
/// the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSlot {
    /// In seconds of Unix time.
    begins: i64,
}

impl TimeSlot {
    /// The slot of this length, in whole seconds, that `now` is in.
    #[must_use]
    pub fn of(now: Timestamp, length: Duration) -> Self {
        let now = now.as_second();
        Self { begins: now - now.rem_euclid(seconds(length)) }
    }

    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp::from_second(self.begins).unwrap_or(Timestamp::MIN)
    }

    /// The slot before it.
    #[must_use]
    pub fn before(self, length: Duration) -> Self {
        Self { begins: self.begins.saturating_sub(seconds(length)) }
    }

    /// How long until it is over; nothing if it is.
    #[must_use]
    pub fn left(self, length: Duration, now: Timestamp) -> Duration {
        let left = self.begins.saturating_add(seconds(length)).saturating_sub(now.as_second());
        Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(length)
    }

    /// How long its run loop stays from `now` on: never for less than `overlap`, whatever a clock says. Its successor's
    /// program begins and lists meanwhile.
    #[must_use]
    pub fn stay(self, length: Duration, overlap: Duration, now: Timestamp) -> Duration {
        self.left(length, now) + overlap
    }
}

impl fmt::Display for TimeSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.begins.fmt(f)
    }
}

impl FromStr for TimeSlot {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|begins| Self { begins })
    }
}

fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(1_800);
    const OVERLAP: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn all_who_ask_within_a_slot_name_the_same() {
        for (now, begins) in [(0, 0), (1_799, 0), (1_800, 1_800), (5_000, 3_600), (-1, -1_800)] {
            assert_eq!(TimeSlot::of(at(now), LENGTH).to_string(), begins.to_string(), "{now}");
        }
        assert_eq!("3600".parse(), Ok(TimeSlot::of(at(5_000), LENGTH)));
        assert_eq!(TimeSlot::of(at(5_000), LENGTH).before(LENGTH).begins(), at(1_800));
    }

    #[test]
    fn a_run_loop_stays_until_its_successor_is_there() {
        let slot = TimeSlot::of(at(3_600), LENGTH);
        let stay = |now| slot.stay(LENGTH, OVERLAP, at(now)).as_secs();
        assert_eq!([stay(3_600), stay(5_000), stay(5_400)], [1_860, 460, 60]);
    }

    /// Were it to end at once, another would be started at once, and so on.
    #[test]
    fn a_run_loop_with_a_wrong_clock_stays_for_a_while_and_not_for_ever() {
        let slot = TimeSlot::of(at(3_600), LENGTH);
        assert_eq!(slot.stay(LENGTH, OVERLAP, at(1_000_000)), OVERLAP);
        assert_eq!(slot.stay(LENGTH, OVERLAP, at(0)), LENGTH + OVERLAP);
    }
}
