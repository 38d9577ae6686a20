//! What keeps workers from being started, each reason with a pause of its own that grows: whatever is wrong, nothing is
//! hammered, and people see it.

use std::{collections::BTreeMap, time::Duration};

use common::{heartbeat::JobRetry, jobs::Outcome};
use jiff::{SignedDuration, Timestamp};
use lifecycle::time::saturating_add;
use tokio::time::Instant;
use tracing::warn;

/// The pause after the first and after many in a row.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// What did not come again for so long is over.
const RECOVERED_AFTER: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(crate) struct RetryStates(BTreeMap<&'static str, RetryState>);

#[derive(Debug)]
struct RetryState {
    what: String,
    since: Timestamp,
    last: Instant,
    times: u64,
    pause: Duration,
}

impl RetryStates {
    /// Something went wrong once more.
    pub(crate) fn add(&mut self, outcome: Outcome, what: String, now: Timestamp) {
        let reason = outcome.as_str();
        let before = self.0.remove(reason).filter(|before| before.last.elapsed() < RECOVERED_AFTER);
        let state = match before {
            None => RetryState { what, since: now, last: Instant::now(), times: 1, pause: PAUSES.0 },
            Some(before) => RetryState {
                what,
                since: before.since,
                last: Instant::now(),
                times: before.times + 1,
                pause: (before.pause * 2).min(PAUSES.1),
            },
        };
        let (what, pause) = (&state.what, state.pause.as_secs());
        warn!("no worker is started for {pause} s ({reason}, {} in a row): {what}", state.times);
        self.0.insert(reason, state);
    }

    /// It went well.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.0.remove(outcome.as_str());
    }

    /// How long nothing is to be tried; `None`: it may be.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let left = |state: &RetryState| state.pause.saturating_sub(state.last.elapsed());
        self.0.values().map(left).max().filter(|left| !left.is_zero())
    }

    /// For people, the latest first.
    pub(crate) fn told(&mut self, now: Timestamp) -> Vec<JobRetry> {
        self.0.retain(|_, state| state.last.elapsed() < RECOVERED_AFTER);
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, state)| std::cmp::Reverse(state.last));
        let told = |(reason, state): (&&'static str, &RetryState)| JobRetry {
            reason: (*reason).to_owned(),
            what: state.what.clone(),
            since: state.since,
            times: state.times,
            not_before: {
                let left = state.pause.saturating_sub(state.last.elapsed());
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
