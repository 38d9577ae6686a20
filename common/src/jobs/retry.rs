//! How long something is left alone that failed: longer each time in a row, so that nothing is hammered.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lifecycle::time::saturating_add;
use tokio::time::Instant;

use super::JobRetry;

/// What did not fail again for so long is over.
pub const RECOVERED_AFTER: Duration = Duration::from_secs(600);

/// One thing that failed, once or several times in a row.
#[derive(Debug)]
pub struct RetryState {
    /// What was said last.
    pub what: String,
    /// When the first of them failed.
    since: Timestamp,
    /// When the last of them did, by the monotonic clock.
    pub last: Instant,
    /// How many there were.
    pub times: u64,
    /// How long it is left alone after the last.
    pub backoff: Duration,
}

impl RetryState {
    /// The state after another failure. `limits` are the backoff after the first, and the longest.
    #[must_use]
    pub fn after(before: Option<Self>, what: String, limits: (Duration, Duration), now: Timestamp) -> Self {
        let last = Instant::now();
        match before.filter(|before| !before.is_over()) {
            None => Self { what, since: now, last, times: 1, backoff: limits.0 },
            Some(Self { since, times, backoff, .. }) => {
                Self { what, since, last, times: times + 1, backoff: (backoff * 2).min(limits.1) }
            }
        }
    }

    /// Whether it did not fail again for so long that the next failure is the first of others.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.last.elapsed() >= RECOVERED_AFTER
    }

    /// How long it is left alone from now on; zero: it may be tried.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.backoff.saturating_sub(self.last.elapsed())
    }

    /// What people are told of it.
    #[must_use]
    pub fn report(&self, reason: &str, what: String, now: Timestamp) -> JobRetry {
        let left = SignedDuration::try_from(self.left()).unwrap_or_default();
        let (since, times, not_before) = (self.since, self.times, saturating_add(now, left));
        JobRetry { reason: reason.to_owned(), what, since, times, not_before }
    }
}
