//! What is seen of a namespace, in three values: a check can fail to run (docs/design/lifecycle.md section 3).

use jiff::Timestamp;

pub use crate::model::condition::{Condition, Truth};
use crate::{
    Namespace,
    health::{Health, HealthCheck},
    model::condition::not_from_the_future,
    supersession::Supersession,
};

/// What is known of something that a policy may leave unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check<T> {
    /// No policy asks for it.
    Disabled,
    /// Nothing was checked yet.
    Pending,
    Observed(T),
}

/// What one observation of a namespace brought: its metadata, and whether the clock can be trusted to tell its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub namespace: Namespace,
    /// True: our clock agrees with the apiserver's (docs/design/protocol.md section 2, step 2).
    pub clock: Condition,
    pub health: Check<HealthCheck>,
    pub supersession: Check<Supersession>,
    /// True: the pipeline that made it was cancelled, or is gone.
    pub pipeline: Check<Condition>,
}

/// What is seen of a namespace by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub namespace: Namespace,
    pub clock: Condition,
    pub health: Check<Health>,
    pub supersession: Check<Supersession>,
    /// True: the pipeline that made it was cancelled, or is gone.
    pub pipeline: Check<Condition>,
}

/// Makes a reading part of what is seen.
///
/// A reading of another uid under the same name starts afresh: nothing of the former namespace is carried over. Of two
/// samples of the clock the later one counts, unless it lies in the future: then the clock was set back since. Of two samples
/// at the health likewise.
#[must_use]
pub fn observe(seen: Option<Observation>, reading: Reading, now: Timestamp) -> Observation {
    let Reading { namespace, clock, health, supersession, pipeline } = reading;
    let seen = seen.filter(|seen| seen.namespace.uid == namespace.uid);
    let (clock_before, health_before) = seen.map(|seen| (seen.clock, seen.health)).unzip();
    Observation {
        supersession,
        pipeline: match pipeline {
            Check::Observed(condition) => Check::Observed(not_from_the_future(condition, "pipeline", now)),
            Check::Disabled | Check::Pending => pipeline,
        },
        namespace,
        clock: observe_clock(clock_before, clock, now),
        health: observe_health(health_before, health, now),
    }
}

fn observe_clock(seen: Option<Condition>, clock: Condition, now: Timestamp) -> Condition {
    match seen {
        // Two samples overtook each other. What the clock said is kept from the later one.
        Some(seen) if clock.observed_at < seen.observed_at && seen.observed_at <= now => seen,
        _ => not_from_the_future(clock, "clock", now),
    }
}

fn observe_health(seen: Option<Check<Health>>, checked: Check<HealthCheck>, now: Timestamp) -> Check<Health> {
    let checkup = match checked {
        Check::Disabled => return Check::Disabled,
        Check::Pending => {
            return match seen {
                Some(seen @ Check::Observed(_)) => seen,
                Some(Check::Disabled | Check::Pending) | None => Check::Pending,
            };
        }
        Check::Observed(checkup) => checkup,
    };
    let before = match seen {
        Some(Check::Observed(before)) => Some(before),
        Some(Check::Disabled | Check::Pending) | None => None,
    };
    Check::Observed(Health::after(before, checkup, now))
}

impl<T> Check<T> {
    /// What was observed, if anything was.
    #[must_use]
    pub const fn seen(&self) -> Option<&T> {
        match self {
            Self::Observed(seen) => Some(seen),
            Self::Disabled | Self::Pending => None,
        }
    }

    /// What was observed, if anything was.
    #[must_use]
    pub fn into_seen(self) -> Option<T> {
        match self {
            Self::Observed(seen) => Some(seen),
            Self::Disabled | Self::Pending => None,
        }
    }
}
