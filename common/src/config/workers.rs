//! The section `workers`: those that carry out what is due.

use std::time::Duration;

use lifecycle::{duration::PositiveDuration, policy::Invalid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::invalid;

/// How long a worker lives: then another takes its place, so that a new image comes into use within this time.
pub const WORKER_LIFE: Duration = Duration::from_secs(30 * 60);

/// The workers that carry out what is due. Each ends after 30 minutes, at the end of what it does then, so that a new
/// image and a new machine come into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWorkers {
    /// How many wait for work when there is none. Without one, what falls due waits until a worker has started: a few
    /// seconds in a cluster. Default: 0. Variable: `NSM__WORKERS__MIN`.
    pub min: u32,
    /// How many work at the same time, at least 1 and at least `min`. Default: 4. Variable: `NSM__WORKERS__MAX`.
    #[schemars(range(min = 1))]
    pub max: u32,
    /// How long one waits for work before it ends, where more than `min` are there. Default: `30s`. Variable: `NSM__WORKERS__IDLE_FOR`.
    pub idle_for: PositiveDuration,
}

/// How many workers there are, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    pub min: u32,
    /// At least 1, and at least `min`.
    pub max: u32,
    pub idle_for: Duration,
}

impl Default for RawWorkers {
    fn default() -> Self {
        Self { min: 0, max: 4, idle_for: PositiveDuration::from_secs(30) }
    }
}

impl RawWorkers {
    pub(super) fn check(&self) -> Result<WorkerSettings, Vec<Invalid>> {
        let mut errors = Vec::new();
        if self.max == 0 {
            errors.push(invalid("workers.max", "at least 1 is needed; to delete nothing, say `mode: observe`"));
        }
        if self.min > self.max {
            let why = format!("more than `workers.max`, which is {}, are never there", self.max);
            errors.push(invalid("workers.min", why));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(WorkerSettings { min: self.min, max: self.max, idle_for: self.idle_for.get().unsigned_abs() })
    }
}
