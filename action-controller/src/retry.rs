//! What keeps workers from being started, each reason with a pause of its own that grows: whatever is wrong, nothing is
//! hammered, and people see it.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use common::{
    heartbeat::JobRetry,
    jobs::{Outcome, RetryState},
};
use jiff::Timestamp;
use tracing::warn;

/// The pause after the first and after many in a row.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

#[derive(Debug, Default)]
pub(crate) struct RetryStates(BTreeMap<&'static str, RetryState>);

impl RetryStates {
    /// Something went wrong once more.
    pub(crate) fn add(&mut self, outcome: Outcome, what: String, now: Timestamp) {
        let reason = outcome.as_str();
        let state = RetryState::after(self.0.remove(reason), what, PAUSES, now);
        let (what, pause) = (&state.what, state.backoff.as_secs());
        warn!("no worker is started for {pause} s ({reason}, {} in a row): {what}", state.times);
        self.0.insert(reason, state);
    }

    /// It went well.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.0.remove(outcome.as_str());
    }

    /// How long nothing is to be tried; `None`: it may be.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.0.values().map(RetryState::left).max().filter(|left| !left.is_zero())
    }

    /// For people, the latest first.
    pub(crate) fn told(&mut self, now: Timestamp) -> Vec<JobRetry> {
        self.0.retain(|_, state| !state.is_over());
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, state)| Reverse(state.last));
        all.into_iter().map(|(reason, state)| state.report(reason, state.what.clone(), now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use common::jobs::RECOVERED_AFTER;
    use tokio::time::advance;

    use super::*;

    fn add(retries: &mut RetryStates, outcome: Outcome) -> u64 {
        retries.add(outcome, "it is so".into(), Timestamp::UNIX_EPOCH);
        retries.pause().unwrap_or_default().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_five_minutes_for_each_reason_apart() {
        let mut retries = RetryStates::default();
        let pauses: Vec<_> = (0..10).map(|_| add(&mut retries, Outcome::Failed)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(add(&mut retries, Outcome::Refused), 300, "the longest pause counts");
        retries.end(Outcome::Failed);
        assert_eq!(retries.pause(), Some(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_did_not_come_again_is_over() {
        let mut retries = RetryStates::default();
        add(&mut retries, Outcome::Failed);
        add(&mut retries, Outcome::Failed);
        let told = retries.told(Timestamp::UNIX_EPOCH);
        assert_eq!((told[0].reason.as_str(), told[0].times, told[0].not_before.as_second()), ("failed", 2, 2));
        advance(Duration::from_secs(2)).await;
        assert_eq!(retries.pause(), None);
        advance(RECOVERED_AFTER).await;
        assert_eq!(retries.told(Timestamp::UNIX_EPOCH), []);
        assert_eq!(add(&mut retries, Outcome::Failed), 1, "it begins anew");
    }
}
