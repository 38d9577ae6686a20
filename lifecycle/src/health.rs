//! The health of a namespace over time: what holds since when, and how much of that time counts
//! (docs/design/lifecycle.md section 4, rule 4).
//!
//! Time counts from one known check to the next. What lies between checks of which one could not be made, or that lie too
//! far apart, counts for nothing: the instants that timers start from move ahead by it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Condition, Record, Status, Truth,
    model::condition::not_from_the_future,
    policy::HealthRules,
    time::{between, saturating_add},
};

/// How many periods may lie between two checks for the time between to count: one check may be late, none may be missing.
const MAX_MISSED_INTERVALS: i32 = 2;

/// What one check of the health of a namespace found. True: something fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSample {
    pub condition: Condition,
    /// What fails, as the annotation `failing_resources` shows it: objects for alerts, names for resources.
    pub failing: Vec<Value>,
}

/// A sample, and what its time is counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub look: HealthSample,
    /// The number of the entry that brought the status of now, and its instant.
    pub status_generation: (u64, Timestamp),
    /// Interval of the checks.
    pub every: SignedDuration,
}

/// Since when the health of a namespace is what it is. All instants are of checks, moved ahead by the time that does not
/// count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// The number of the entry that brought the status whose time is counted.
    pub status_generation: u64,
    /// What the last known check said.
    pub fails: bool,
    /// Since when known checks say so.
    pub since: Timestamp,
    /// Since when the status stands.
    pub status_since: Timestamp,
    /// The last check, known or not.
    pub looked_at: Timestamp,
    /// Whether the last check brought an answer.
    pub is_known: bool,
}

/// What is seen of the health of a namespace by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub look: HealthSample,
    pub streak: Streak,
}

/// What follows from the health of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    To(Status),
    /// Nothing yet; at this instant another check may say otherwise.
    CheckAgain(Timestamp),
    Rest,
}

/// Whether a check of `at` follows on one of `last` without a break at this interval.
#[must_use]
pub fn follows(last: Timestamp, at: Timestamp, every: SignedDuration) -> bool {
    between(last, at) <= every.saturating_mul(MAX_MISSED_INTERVALS)
}

impl Health {
    /// What is seen after another check, if `before` it was seen already. Of two samples the later one counts, unless it
    /// lies in the future: then the clock was set back since, and its timers start again.
    #[must_use]
    pub fn after(before: Option<Self>, mut checkup: HealthCheck, now: Timestamp) -> Self {
        if checkup.look.condition.observed_at > now {
            let condition = not_from_the_future(checkup.look.condition, "health", now);
            checkup.look = HealthSample { condition, failing: Vec::new() };
        }
        let before = before.filter(|before| before.streak.looked_at <= now);
        let streak = Streak::follow(before.as_ref().map(|before| &before.streak), &checkup);
        let look = match before {
            Some(before) if checkup.look.condition.observed_at < before.look.condition.observed_at => before.look,
            _ => checkup.look,
        };
        Self { look, streak }
    }

    /// What fails; `None`: that is not known.
    #[must_use]
    pub fn failing(&self) -> Option<&[Value]> {
        (self.look.condition.truth != Truth::Unknown).then_some(&self.look.failing[..])
    }

    /// What follows for a namespace of this record, whose health alone decides. Nothing, where the streak is of a later check
    /// than the last that is at hand, by somebody else, and this one does not say the same: what is told has to be what was
    /// seen.
    pub(crate) fn step(&self, terms: &HealthRules, record: &Record) -> Step {
        if self.look.condition.truth.known() != Some(self.streak.fails) {
            return Step::Rest;
        }
        self.streak.step(terms, record)
    }
}

impl Streak {
    /// Takes in the next check.
    #[must_use]
    pub(crate) fn follow(before: Option<&Self>, checkup: &HealthCheck) -> Self {
        let condition = &checkup.look.condition;
        let at = condition.observed_at;
        let fails = condition.truth.known();
        let (status_generation, began) = checkup.status_generation;
        let Some(before) = before else {
            let fails = fails.unwrap_or(false);
            let is_known = condition.truth != Truth::Unknown;
            return Self {
                status_generation,
                fails,
                since: at,
                status_since: begins(began, at),
                looked_at: at,
                is_known,
            };
        };
        if at <= before.looked_at {
            // Nothing new was seen; the status may have changed since.
            let standing = if before.status_generation == status_generation {
                before.status_since
            } else {
                before.looked_at.max(began)
            };
            return Self { status_generation, status_since: standing, ..before.clone() };
        }
        let gap = between(before.looked_at, at);
        let counts = before.is_known && fails.is_some() && follows(before.looked_at, at, checkup.every);
        let lost = if counts { SignedDuration::ZERO } else { gap };
        let standing = match (before.status_generation == status_generation, counts) {
            (true, _) => saturating_add(before.status_since, lost),
            // The check may be older than the status: its writer was slow, or another one.
            (false, true) if began <= at => began.max(before.looked_at),
            (false, true | false) => begins(began, at),
        };
        let is_other = fails.is_some_and(|fails| fails != before.fails);
        Self {
            status_generation,
            fails: fails.unwrap_or(before.fails),
            since: if is_other { at } else { saturating_add(before.since, lost) },
            status_since: standing,
            looked_at: at,
            is_known: fails.is_some(),
        }
    }

    /// Takes in that checks went on without a break until then, and always got an answer: what one collector saw counts
    /// for the next. `status_generation` is the number of the entry that brought the status of now, and its instant.
    #[must_use]
    pub fn looked_until(self, at: Timestamp, status_generation: (u64, Timestamp)) -> Self {
        if !self.is_known || at <= self.looked_at {
            return self;
        }
        let standing = if self.status_generation == status_generation.0 {
            self.status_since
        } else {
            status_generation.1.max(self.looked_at)
        };
        Self { status_generation: status_generation.0, status_since: standing, looked_at: at, ..self }
    }

    /// Whether another says the same, whenever it was checked last: then it need not be written down again.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        *self == Self { looked_at: self.looked_at, ..other.clone() }
    }

    /// Whether a timer runs on it in this status, so that losing it would cost time.
    #[must_use]
    pub const fn is_timed(&self, status: Status) -> bool {
        match status {
            Status::Unstable | Status::Failing | Status::Failed => true,
            Status::Unknown | Status::Ok => self.fails,
            Status::Stale | Status::Cancelled | Status::Superseded => false,
        }
    }

    /// How long known checks have said the same.
    fn held(&self) -> SignedDuration {
        between(self.since, self.looked_at)
    }

    /// How long the status has stood, as far as that is known.
    fn stood(&self, record: &Record) -> SignedDuration {
        if self.status_generation == record.status_generation {
            between(self.status_since, self.looked_at)
        } else {
            SignedDuration::ZERO
        }
    }

    /// What follows from that alone.
    fn step(&self, terms: &HealthRules, record: &Record) -> Step {
        if !self.is_known {
            return Step::Rest;
        }
        // Another collector has checked since, whose result stands until the next check: else both would take turns.
        let is_older = record.since.is_some_and(|since| self.looked_at < since);
        let checks = |count: u32| terms.every.saturating_mul(i32::try_from(count - 1).unwrap_or(i32::MAX));
        let (to, time, needed) = match (record.status, self.fails) {
            (Status::Ok, true) | (Status::Unstable | Status::Failing | Status::Failed, false) if is_older => {
                return Step::Rest;
            }
            (Status::Unknown | Status::Ok, true) => (Status::Unstable, self.held(), checks(terms.fail_after)),
            (Status::Unstable, true) => (Status::Failing, self.stood(record), terms.settling),
            (Status::Failing, true) => (Status::Failed, self.stood(record), terms.grace),
            (Status::Unknown | Status::Unstable, false) => (Status::Ok, self.held(), SignedDuration::ZERO),
            (Status::Failing | Status::Failed, false) => (Status::Ok, self.held(), checks(terms.recover_after)),
            (Status::Ok, false)
            | (Status::Failed, true)
            | (Status::Stale | Status::Cancelled | Status::Superseded, _) => return Step::Rest,
        };
        if time >= needed { Step::To(to) } else { Step::CheckAgain(saturating_add(self.looked_at, needed - time)) }
    }
}

/// From when on a status counts as standing that began then, by a check of `at`. The check may be a little older than the
/// status; one that is much older was taken after the clock was set back, and the status counts from there.
fn begins(began: Timestamp, at: Timestamp) -> Timestamp {
    const OLDER: SignedDuration = SignedDuration::from_secs(60);
    if between(at, began) > OLDER { at } else { at.max(began) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Since when a status counts as standing that began in second 15, by a check in second 10.
    #[track_caller]
    fn check(before: Option<Streak>, expected: i64) {
        let condition = Condition { truth: Truth::True, reason: String::new(), observed_at: at(10) };
        let look = HealthSample { condition, failing: Vec::new() };
        let checkup = HealthCheck { look, status_generation: (2, at(15)), every: SignedDuration::from_secs(10) };
        assert_eq!(Streak::follow(before.as_ref(), &checkup).status_since, at(expected));
    }

    #[test]
    fn a_status_does_not_stand_before_it_began() {
        check(None, 15);
        for is_known in [true, false] {
            let before = Streak {
                status_generation: 1,
                fails: true,
                since: at(0),
                status_since: at(0),
                looked_at: at(5),
                is_known,
            };
            check(Some(before.clone()), 15);
            assert_eq!(before.looked_until(at(10), (2, at(15))).status_since, at(if is_known { 15 } else { 0 }));
        }
    }
}
