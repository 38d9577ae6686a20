//! The section `jobs`, as it is written.

use lifecycle::duration::PositiveDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
