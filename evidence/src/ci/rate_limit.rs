//! How often a CI system is queried: so often a minute at most, and not at all while it wants to be left alone or is ill.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::CiError;

const MINUTE: Duration = Duration::from_secs(60);

/// How long it is left alone at first after an answer that says nothing, where a pipeline is not asked for more often; each
/// time twice as long.
const MIN_BACKOFF: Duration = Duration::from_secs(5);

/// How many times as long as a pipeline is left alone it is left alone at most.
const MAX_DOUBLINGS: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The queries of the last minute.
    asked: VecDeque<Instant>,
    not_before: Option<Instant>,
    /// Questions in a row that would have been answered alike for any pipeline: with nothing.
    failures: u32,
}

impl Pace {
    /// From when on another question may be asked.
    pub(super) fn ready_at(&mut self, now: Instant, per_minute: u32) -> Instant {
        while self.asked.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            self.asked.pop_front();
        }
        let most = usize::try_from(per_minute).unwrap_or(usize::MAX);
        let in_way = self.asked.len().checked_sub(most).and_then(|first| self.asked.get(first));
        let by_budget = in_way.map_or(now, |first| *first + MINUTE);
        self.not_before.map_or(by_budget, |at| at.max(by_budget)).max(now)
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.push_back(now);
    }

    pub(super) const fn went_well(&mut self) {
        self.failures = 0;
    }

    /// `every`: so long a pipeline is left alone.
    pub(super) fn went_wrong(&mut self, error: &CiError, every: Duration, now: Instant) {
        if !error.is_of_all {
            return self.went_well();
        }
        let backoff =
            MIN_BACKOFF.min(every).saturating_mul(1 << self.failures.min(8)).min(every.saturating_mul(MAX_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        let until = now + error.wait.unwrap_or_default().max(backoff);
        self.not_before = Some(self.not_before.map_or(until, |at| at.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(is_of_all: bool, wait: Option<u64>) -> CiError {
        CiError { why: String::new(), is_of_all, wait: wait.map(Duration::from_secs) }
    }

    #[test]
    fn so_often_a_minute_is_asked_and_no_more() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 10] {
            assert_eq!(pace.ready_at(after(second), 2), after(second));
            pace.asked(after(second));
        }
        assert_eq!(pace.ready_at(after(20), 2), after(60));
        // A second request that follows from the first is not held back, but counts.
        pace.asked(after(20));
        assert_eq!(pace.ready_at(after(60), 2), after(70));
        assert_eq!(pace.ready_at(after(200), 2), after(200));
    }

    #[test]
    fn who_is_ill_is_left_alone_ever_longer() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let mut backoffs = Vec::new();
        for _ in 0..9 {
            pace.went_wrong(&error(true, None), MINUTE, now);
            backoffs.push(pace.ready_at(now, 9).duration_since(now).as_secs());
        }
        assert_eq!(backoffs, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn who_asks_to_be_left_alone_is() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.went_wrong(&error(true, Some(90)), MINUTE, now);
        assert_eq!(pace.ready_at(now, 9).duration_since(now).as_secs(), 90);
        // Another question was under way then.
        pace.went_well();
        pace.went_wrong(&error(true, None), MINUTE, now);
        assert_eq!(pace.ready_at(now, 9).duration_since(now).as_secs(), 90);
    }

    #[test]
    fn one_project_that_is_closed_to_us_closes_no_other() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.went_wrong(&error(false, None), MINUTE, now);
        assert_eq!(pace.ready_at(now, 9), now);
    }
}
