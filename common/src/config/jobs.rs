//! The section `jobs`: those that watch and judge namespaces, and keep house.

use std::{path::PathBuf, time::Duration};

use jiff::SignedDuration;
use lifecycle::{
    duration::{self, PositiveDuration},
    policy::Invalid,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::invalid;
use crate::{jobs::CronInterval, timings::signed};

/// The jobs that watch and judge namespaces, and keep house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawJobs {
    /// How namespaces are watched: `resident` by jobs that stay and see every change at once, `cron` by jobs that look at
    /// all namespaces every `sweep_every` and end. Default: `resident`. Variable: `NSM__JOBS__SWEEP`.
    pub sweep: Sweep,
    /// How long a resident job stays before another relieves it, 2 minutes to 1 day. Within one process nobody is
    /// relieved. Default: `30m`. Variable: `NSM__JOBS__RESIDENT_FOR`.
    pub resident_for: PositiveDuration,
    /// Among how many jobs the namespaces are shared out, 1 to 100: one serves thousands. Default: 1. Variable:
    /// `NSM__JOBS__SHARDS`.
    #[schemars(range(min = 1, max = 100))]
    pub shards: u32,
    /// How often all namespaces are looked at with `sweep: cron`: a period that comes out the same every hour and every
    /// day, such as `1m`, `5m`, `1h` or `1d`. Default: `1m`. Variable: `NSM__JOBS__SWEEP_EVERY`.
    pub sweep_every: PositiveDuration,
    /// How often histories are removed that are older than `retention`: a period like `sweep_every`. Default: `1d`.
    /// Variable: `NSM__JOBS__PRUNE_EVERY`.
    pub prune_every: PositiveDuration,
    /// How long the history of a namespace is kept after its end. Default: `57w1d`, which is 400 days. Variable:
    /// `NSM__JOBS__RETENTION`.
    pub retention: PositiveDuration,
    /// The directory with the templates of the jobs' pods, `collector.yaml` and `action.yaml`. The chart mounts it.
    /// Default: none, for one process that needs no pods. Takes hold at the next start. Variable:
    /// `NSM__JOBS__TEMPLATES`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<String>,
}

/// How namespaces are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sweep {
    /// By jobs that stay and see every change at once.
    #[default]
    Resident,
    /// By jobs that look at all namespaces now and then, and end.
    Cron,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSettings {
    pub sweep: Sweep,
    /// 2 minutes (twice the overlap with its successor) to 1 day, whole seconds.
    pub resident_for: Duration,
    /// 1 to 100.
    pub shards: u32,
    pub sweep_every: CronInterval,
    pub prune_every: CronInterval,
    pub retention: SignedDuration,
    pub templates: Option<PathBuf>,
}

impl Default for RawJobs {
    fn default() -> Self {
        const DAY: u32 = 86_400;
        Self {
            sweep: Sweep::Resident,
            resident_for: PositiveDuration::from_secs(30 * 60),
            shards: 1,
            sweep_every: PositiveDuration::from_secs(60),
            prune_every: PositiveDuration::from_secs(DAY),
            retention: PositiveDuration::from_secs(400 * DAY),
            templates: None,
        }
    }
}

impl RawJobs {
    /// Checks the section. `overlap` is the time for which a resident stays beyond its slot.
    pub(super) fn check(&self, overlap: Duration) -> Result<JobSettings, Vec<Invalid>> {
        const MAX_SHARDS: u32 = 100;
        const MAX_STAY: Duration = Duration::from_secs(86_400);
        let min_stay = overlap * 2;
        let mut errors = Vec::new();
        let resident_for = Duration::from_secs(self.resident_for.get().unsigned_abs().as_secs());
        if !(min_stay..=MAX_STAY).contains(&resident_for) {
            let why = format!("it must be {} to 1 day; write for example `30m`", duration::text(signed(min_stay)));
            errors.push(invalid("jobs.resident_for", why));
        }
        if !(1..=MAX_SHARDS).contains(&self.shards) {
            let why = format!("`{}` is not a number from 1 to {MAX_SHARDS}; one job serves thousands", self.shards);
            errors.push(invalid("jobs.shards", why));
        }
        let mut every = |key, period: PositiveDuration| {
            let every = CronInterval::of(period.get().unsigned_abs());
            if every.is_none() {
                let why = "no cron expression says it exactly; write what divides an hour into minutes or a day into hours, \
                       such as `1m`, `5m`, `1h`, `6h`, or `1d` or `1w`";
                errors.push(invalid(key, why));
            }
            every
        };
        let (sweep_every, prune_every) =
            (every("jobs.sweep_every", self.sweep_every), every("jobs.prune_every", self.prune_every));
        if self.templates.as_ref().is_some_and(|directory| directory.trim().is_empty()) {
            errors.push(invalid("jobs.templates", "it is empty; name a directory, or remove the key"));
        }
        let (Some(sweep_every), Some(prune_every), true) = (sweep_every, prune_every, errors.is_empty()) else {
            return Err(errors);
        };
        Ok(JobSettings {
            sweep: self.sweep,
            resident_for,
            shards: self.shards,
            sweep_every,
            prune_every,
            retention: self.retention.get(),
            templates: self.templates.as_ref().map(PathBuf::from),
        })
    }
}
