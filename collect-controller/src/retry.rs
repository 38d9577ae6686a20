//! What keeps jobs from being as they should, for each of them: nothing is hammered, and people see it.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use common::{
    heartbeat::JobRetry,
    jobs::{Outcome, RetryState},
};
use jiff::Timestamp;
use tracing::warn;

/// The pause after the first and after many in a row: a cluster in which nobody watches is one in which nothing ends.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// By what they are about, each with how it ended last.
#[derive(Debug, Default)]
pub(crate) struct RetryStates(BTreeMap<String, (Outcome, RetryState)>);

impl RetryStates {
    /// Something went wrong once more.
    pub(crate) fn add(&mut self, about: &str, outcome: Outcome, what: String, now: Timestamp) {
        let before = self.0.remove(about).map(|(_, state)| state);
        let state = RetryState::after(before, what, PAUSES, now);
        let RetryState { what, backoff, times, .. } = &state;
        warn!("`{about}` is tried again in {} s ({}, {times} in a row): {what}", backoff.as_secs(), outcome.as_str());
        self.0.insert(about.to_owned(), (outcome, state));
    }

    /// It is going well, for as long as it was to be left alone at least.
    pub(crate) fn end(&mut self, about: &str) {
        if self.0.get(about).is_some_and(|(_, state)| state.last.elapsed() >= PAUSES.1) {
            self.0.remove(about);
        }
    }

    /// How long nothing is to be tried about this; `None`: it may be.
    pub(crate) fn pause(&self, about: &str) -> Option<Duration> {
        let (_, state) = self.0.get(about)?;
        Some(state.left()).filter(|left| !left.is_zero())
    }

    /// How long until something may be tried again.
    pub(crate) fn shortest_pause(&self) -> Option<Duration> {
        self.0.keys().filter_map(|about| self.pause(about)).min()
    }

    /// For people, the latest first.
    pub(crate) fn told(&mut self, now: Timestamp) -> Vec<JobRetry> {
        self.0.retain(|_, (_, state)| !state.is_over());
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, (_, state))| Reverse(state.last));
        let report = |(about, (outcome, state)): (&String, &(Outcome, RetryState))| {
            state.report(outcome.as_str(), format!("`{about}`: {}", state.what), now)
        };
        all.into_iter().map(report).collect()
    }
}

#[cfg(test)]
mod tests {
    use common::jobs::RECOVERED_AFTER;
    use tokio::time::advance;

    use super::*;

    fn add(retries: &mut RetryStates, about: &str) -> u64 {
        retries.add(about, Outcome::Failed, "it is so".into(), Timestamp::UNIX_EPOCH);
        retries.pause(about).unwrap_or_default().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_a_minute_for_each_job_apart() {
        let mut retries = RetryStates::default();
        let pauses: Vec<_> = (0..8).map(|_| add(&mut retries, "collector-0")).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(add(&mut retries, "collector-1"), 1);
        assert_eq!(retries.shortest_pause(), Some(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_well_for_a_minute_is_over() {
        let mut retries = RetryStates::default();
        add(&mut retries, "collector-0");
        retries.end("collector-0");
        assert_eq!(retries.told(Timestamp::UNIX_EPOCH).len(), 1, "it may fail again the next moment");
        advance(PAUSES.1).await;
        retries.end("collector-0");
        assert_eq!(retries.told(Timestamp::UNIX_EPOCH), []);
    }

    #[tokio::test(start_paused = true)]
    async fn people_are_told_what_is_about_what() {
        let mut retries = RetryStates::default();
        add(&mut retries, "prune");
        add(&mut retries, "prune");
        let told = retries.told(Timestamp::UNIX_EPOCH).remove(0);
        assert_eq!((told.reason.as_str(), told.what.as_str(), told.times), ("failed", "`prune`: it is so", 2));
        assert_eq!(told.not_before.as_second(), 2);
        advance(RECOVERED_AFTER).await;
        assert_eq!(retries.told(Timestamp::UNIX_EPOCH), []);
    }
}
