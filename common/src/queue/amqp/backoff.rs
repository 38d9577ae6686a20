//! How long a broker is left alone after a failure.

use std::time::Duration;

/// At first and at most. An outage is noticed by many processes at once, so the pauses differ.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(BOUNDS.0)
    }
}

impl Backoff {
    /// The next one: twice as long as the last, give or take a half.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(rand::random_range(0.5..1.0));
        self.0 = (self.0 * 2).min(BOUNDS.1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_five_seconds() {
        let mut pause = Backoff::default();
        let max = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map(Duration::from_millis);
        for max in max {
            let next = pause.next();
            assert!((max / 2..=max).contains(&next), "{next:?} of {max:?}");
        }
    }
}
