//! The section `health`: how often the health of namespaces is looked at.

use std::time::Duration;

use lifecycle::{duration::PositiveDuration, policy::Invalid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PrometheusSettings, Sweep, check::invalid, jobs::RawJobs};

/// How the health of namespaces is looked at, where policies ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawHealth {
    /// How often is looked, for all namespaces at once; at least `1s`. With `jobs.sweep: cron` no more often than that
    /// sweeps. Default: `30s`. Variable: `NSM__HEALTH__CHECK_EVERY`.
    pub check_every: PositiveDuration,
    /// Whether the workloads in the cluster may be read for it: what should be ready and is not, in all namespaces. With
    /// `false`, `checks.health: auto` reads the alerts of Prometheus alone, and the chart grants no right to read workloads.
    /// Default: true. Variable: `NSM__HEALTH__KUBERNETES`.
    pub kubernetes: bool,
}

/// Where and how often the health of namespaces is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    pub prometheus: Option<PrometheusSettings>,
    /// From their workloads.
    pub kubernetes: bool,
    pub every: Duration,
}

impl Default for RawHealth {
    fn default() -> Self {
        Self { check_every: PositiveDuration::from_secs(30), kubernetes: true }
    }
}

impl RawHealth {
    /// How often health is looked at: one that sweeps looks once in each sweep.
    pub(super) fn check(&self, jobs: &RawJobs) -> Result<Duration, Vec<Invalid>> {
        const LEAST: Duration = Duration::from_secs(1);
        let every = |period: PositiveDuration| period.get().unsigned_abs();
        let asked = every(self.check_every);
        if asked < LEAST {
            let why =
                format!("`{}` is too often for a source that serves others too; use at least 1s", self.check_every);
            return Err(vec![invalid("health.check_every", why)]);
        }
        Ok(match jobs.sweep {
            Sweep::Resident => asked,
            Sweep::Cron => asked.max(every(jobs.sweep_every)),
        })
    }
}
