//! The section `jobs`, checked.

use std::{path::PathBuf, time::Duration};

use jiff::SignedDuration;
use lifecycle::{
    duration::{self, PositiveDuration},
    policy::Invalid,
};

use super::invalid;
use crate::{
    config::raw::{RawJobs, Sweep},
    jobs::CronInterval,
    timings::signed,
};

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

/// Checks the section. `overlap` is the time for which a resident stays beyond its slot.
pub(super) fn jobs(raw: &RawJobs, overlap: Duration) -> Result<JobSettings, Vec<Invalid>> {
    const MOST_SHARDS: u32 = 100;
    const MAX_STAY: Duration = Duration::from_secs(86_400);
    let min_stay = overlap * 2;
    let mut errors = Vec::new();
    let resident_for = Duration::from_secs(raw.resident_for.get().unsigned_abs().as_secs());
    if !(min_stay..=MAX_STAY).contains(&resident_for) {
        let why = format!("it must be {} to 1 day; write for example `30m`", duration::text(signed(min_stay)));
        errors.push(invalid("jobs.resident_for", why));
    }
    if !(1..=MOST_SHARDS).contains(&raw.shards) {
        let why = format!("`{}` is not a number from 1 to {MOST_SHARDS}; one job serves thousands", raw.shards);
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
        (every("jobs.sweep_every", raw.sweep_every), every("jobs.prune_every", raw.prune_every));
    if raw.templates.as_ref().is_some_and(|directory| directory.trim().is_empty()) {
        errors.push(invalid("jobs.templates", "it is empty; name a directory, or remove the key"));
    }
    let (Some(sweep_every), Some(prune_every), true) = (sweep_every, prune_every, errors.is_empty()) else {
        return Err(errors);
    };
    Ok(JobSettings {
        sweep: raw.sweep,
        resident_for,
        shards: raw.shards,
        sweep_every,
        prune_every,
        retention: raw.retention.get(),
        templates: raw.templates.as_ref().map(PathBuf::from),
    })
}
