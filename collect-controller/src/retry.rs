//! What keeps jobs from being as they should, for each of them: nothing is hammered, and people see it.

use std::{collections::BTreeMap, time::Duration};

use common::{heartbeat::JobRetry, jobs::Outcome};
use jiff::{SignedDuration, Timestamp};
use lifecycle::time::saturating_add;
use tokio::time::Instant;
use tracing::warn;

/// The pause after the first and after many in a row: a cluster in which nobody watches is one in which nothing ends.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What did not come again for so long is over.
const RECOVERED_AFTER: Duration = Duration::from_secs(600);

/// By what they are about.
#[derive(Debug, Default)]
pub(crate) struct RetryStates(BTreeMap<String, RetryState>);

#[derive(Debug)]
struct RetryState {
    outcome: Outcome,
    what: String,
    since: Timestamp,
    last: Instant,
    times: u64,
    pause: Duration,
}

impl RetryStates {
    /// Something went wrong once more.
    pub(crate) fn add(&mut self, about: &str, outcome: Outcome, what: String, now: Timestamp) {
        let before = self.0.remove(about).filter(|before| before.last.elapsed() < RECOVERED_AFTER);
        let last = Instant::now();
        let state = match before {
            None => RetryState { outcome, what, since: now, last, times: 1, pause: PAUSES.0 },
            Some(RetryState { since, times, pause, .. }) => {
                RetryState { outcome, what, since, last, times: times + 1, pause: (pause * 2).min(PAUSES.1) }
            }
        };
        let RetryState { what, pause, times, .. } = &state;
        warn!("`{about}` is tried again in {} s ({}, {times} in a row): {what}", pause.as_secs(), outcome.as_str());
        self.0.insert(about.to_owned(), state);
    }

    /// It is going well, for as long as it was to be left alone at least.
    pub(crate) fn end(&mut self, about: &str) {
        if self.0.get(about).is_some_and(|state| state.last.elapsed() >= PAUSES.1) {
            self.0.remove(about);
        }
    }

    /// How long nothing is to be tried about this; `None`: it may be.
    pub(crate) fn pause(&self, about: &str) -> Option<Duration> {
        let state = self.0.get(about)?;
        Some(state.pause.saturating_sub(state.last.elapsed())).filter(|left| !left.is_zero())
    }

    /// How long until something may be tried again.
    pub(crate) fn shortest_pause(&self) -> Option<Duration> {
        self.0.keys().filter_map(|about| self.pause(about)).min()
    }

    /// For people, the latest first.
    pub(crate) fn told(&mut self, now: Timestamp) -> Vec<JobRetry> {
        self.0.retain(|_, state| state.last.elapsed() < RECOVERED_AFTER);
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, state)| std::cmp::Reverse(state.last));
        let told = |(about, state): (&String, &RetryState)| JobRetry {
            reason: state.outcome.as_str().to_owned(),
            what: format!("`{about}`: {}", state.what),
            since: state.since,
            times: state.times,
            not_before: {
                let left = self.pause(about).unwrap_or_default();
                saturating_add(now, SignedDuration::try_from(left).unwrap_or_default())
            },
        };
        all.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
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
