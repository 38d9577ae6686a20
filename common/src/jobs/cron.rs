//! How often something is done, as a cron expression says it exactly.

use std::{fmt, time::Duration};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A period that comes out the same by the clock on the wall, every hour and every day: a cron expression says it
/// exactly. `*/7 * * * *` would mean 7 minutes, and 4 at the end of the hour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CronInterval {
    seconds: u64,
}

impl CronInterval {
    /// The period, if there is a cron expression for it: what divides an hour into minutes, a day into hours, a day, a
    /// week.
    #[must_use]
    pub const fn of(period: Duration) -> Option<Self> {
        let seconds = period.as_secs();
        let fits = period.subsec_nanos() == 0
            && match seconds {
                0 => false,
                1..HOUR => seconds.is_multiple_of(MINUTE) && HOUR.is_multiple_of(seconds),
                HOUR..DAY => seconds.is_multiple_of(HOUR) && DAY.is_multiple_of(seconds),
                _ => seconds == DAY || seconds == 7 * DAY,
            };
        if fits { Some(Self { seconds }) } else { None }
    }

    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The cron expression, for UTC.
    #[must_use]
    pub fn cron(self) -> String {
        match self.seconds {
            MINUTE => "* * * * *".to_owned(),
            minutes @ 0..HOUR => format!("*/{} * * * *", minutes / MINUTE),
            HOUR => "0 * * * *".to_owned(),
            hours @ HOUR..DAY => format!("0 */{} * * *", hours / HOUR),
            DAY => "0 0 * * *".to_owned(),
            _ => "0 0 * * 0".to_owned(),
        }
    }
}

impl fmt::Debug for CronInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Every({})", self.cron())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, expected: Option<&str>) {
        let every = CronInterval::of(Duration::from_secs(seconds));
        assert_eq!(every.map(CronInterval::cron).as_deref(), expected);
        assert_eq!(every.map(|every| every.period().as_secs()), expected.map(|_| seconds));
    }

    #[test]
    fn what_a_cron_expression_says_exactly() {
        check(60, Some("* * * * *"));
        check(300, Some("*/5 * * * *"));
        check(1_800, Some("*/30 * * * *"));
        check(3_600, Some("0 * * * *"));
        check(6 * 3_600, Some("0 */6 * * *"));
        check(86_400, Some("0 0 * * *"));
        check(7 * 86_400, Some("0 0 * * 0"));
    }

    #[test]
    fn what_it_would_say_only_nearly() {
        for seconds in [0, 1, 30, 90, 7 * 60, 40 * 60, 90 * 60, 5 * 3_600, 2 * 86_400, 8 * 86_400] {
            check(seconds, None);
        }
        assert_eq!(CronInterval::of(Duration::from_millis(60_500)), None);
    }
}
