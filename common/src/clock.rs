//! The time of this machine, and what the apiserver thinks of it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Condition, Truth, duration,
    time::{between, cut_to_millis, saturating_add},
};
use tokio::time::{Duration, Instant};

/// The most that our clock and the apiserver's may differ before nothing is decided on time (docs/design/protocol.md
/// section 2).
pub const MAX_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// How long a comparison is good for. A jump of our clock shows at once against the monotonic one; this bounds how
/// long a jump of the apiserver's can stay unseen.
const VALID_FOR: Duration = Duration::from_secs(600);

/// Where a role gets the time from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

/// Compares our clock with the `Date` of the apiserver's answers.
#[derive(Clone, Debug, Default)]
pub struct ApiClock {
    sight: Arc<Mutex<Option<Sight>>>,
    /// Since when our clock is known to be off.
    off_since: Arc<Mutex<Option<Timestamp>>>,
}

/// One `Date`, and the monotonic instant it was seen at.
#[derive(Clone, Copy, Debug)]
struct Sight {
    date: Timestamp,
    at: Instant,
}

impl Clock {
    /// The machine's own.
    #[must_use]
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
        Self(Arc::new(|| cut_to_millis(Timestamp::now())))
    }

    /// One that is told, for tests.
    #[must_use]
    pub fn from_fn(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || cut_to_millis(tell())))
    }

    /// Now, in UTC, cut to milliseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl ApiClock {
    /// Takes in the headers of an answer.
    pub fn see(&self, headers: &HeaderMap) {
        let date = headers.get(http::header::DATE).and_then(|value| value.to_str().ok()).and_then(parse_date);
        if let Some(date) = date {
            *lock(&self.sight) = Some(Sight { date, at: Instant::now() });
        }
    }

    /// The apiserver's time now, if it is known: the last `Date` and what the monotonic clock counted since.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let sight = (*lock(&self.sight))?;
        let since = sight.at.elapsed();
        (since <= VALID_FOR).then(|| saturating_add(sight.date, SignedDuration::try_from(since).unwrap_or_default()))
    }

    /// Whether our time agrees with the apiserver's.
    #[must_use]
    pub fn compare(&self, now: Timestamp) -> Condition {
        let (truth, reason) = match self.now() {
            None => (Truth::Unknown, "the apiserver's time is not known".to_owned()),
            Some(theirs) => {
                let apart = between(theirs, now);
                let text = duration::text(apart.abs());
                if apart.abs() <= MAX_SKEW {
                    (
                        Truth::True,
                        format!("our clock agrees with the apiserver's to within {}", duration::text(MAX_SKEW)),
                    )
                } else if apart.is_negative() {
                    (Truth::False, format!("our clock is {text} behind the apiserver's; set the time of this machine"))
                } else {
                    (
                        Truth::False,
                        format!("our clock is {text} ahead of the apiserver's; set the time of this machine"),
                    )
                }
            }
        };
        Condition { truth, reason, observed_at: now }
    }

    /// Since when our clock is known to be off, and by how much. `None`: it agrees, or nobody knows. To be called
    /// regularly.
    #[must_use]
    pub fn is_off(&self, now: Timestamp) -> Option<(Timestamp, String)> {
        let compared = self.compare(now);
        let mut off_since = lock(&self.off_since);
        if compared.truth != Truth::False {
            *off_since = None;
            return None;
        }
        Some((*off_since.get_or_insert(now), compared.reason))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads an HTTP date (RFC 9110 section 5.6.7); it has whole seconds.
fn parse_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(&text.replace("GMT", "+0000")).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(date: &str) -> ApiClock {
        let clock = ApiClock::default();
        clock.see(&HeaderMap::from_iter([(http::header::DATE, date.parse().unwrap())]));
        clock
    }

    #[tokio::test(start_paused = true)]
    async fn agrees_within_thirty_seconds_and_not_beyond() {
        let clock = seen("Sun, 06 Nov 1994 08:49:37 GMT");
        let check = |at: &str, truth| assert_eq!(clock.compare(at.parse().unwrap()).truth, truth, "{at}");
        check("1994-11-06T08:49:37Z", Truth::True);
        check("1994-11-06T08:50:07Z", Truth::True);
        check("1994-11-06T08:50:08Z", Truth::False);
        check("1994-11-06T08:49:06Z", Truth::False);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_off_is_so_from_then_on() {
        let clock = seen("Sun, 06 Nov 1994 08:49:37 GMT");
        let told = |at: &str| clock.is_off(at.parse().unwrap()).map(|(since, _)| since.to_string());
        assert_eq!(told("1994-11-06T08:49:37Z"), None);
        let since = "1994-11-06T08:51:00Z";
        assert_eq!(told(since).as_deref(), Some(since));
        assert_eq!(told("1994-11-06T08:52:00Z").as_deref(), Some(since));
        assert_eq!(told("1994-11-06T08:49:38Z"), None);
        assert_eq!(ApiClock::default().is_off(since.parse().unwrap()), None, "nobody knows");
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_our_clock_shows_against_the_monotonic_one() {
        let clock = seen("Sun, 06 Nov 1994 08:49:37 GMT");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.compare("1994-11-06T08:50:37Z".parse().unwrap()).truth, Truth::True);
        assert_eq!(clock.compare("1994-11-07T08:50:37Z".parse().unwrap()).truth, Truth::False);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_sample_counts_for_nothing() {
        let clock = seen("Sun, 06 Nov 1994 08:49:37 GMT");
        tokio::time::advance(Duration::from_secs(601)).await;
        assert_eq!(clock.compare("1994-11-06T08:59:38Z".parse().unwrap()).truth, Truth::Unknown);
        assert_eq!(ApiClock::default().compare("1994-11-06T08:59:38Z".parse().unwrap()).truth, Truth::Unknown);
    }
}
