//! What the collect-controller counts.

use common::vitals::Vitals;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

/// Its numbers. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) running: Gauge,
    pub(crate) wanted: Gauge,
    jobs: Family<Vec<(&'static str, String)>, Counter>,
}

/// What became of a collector's job, or of a try to start one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Started,
    /// It ended by itself, in its time or before.
    Complete,
    Failed,
    Refused,
    Unreachable,
    /// Its program did not begin in time.
    Pending,
}

impl Metrics {
    /// Registers all, those that count nothing yet included: a series that begins with its first event hides it.
    pub(crate) fn new(vitals: &Vitals) -> Self {
        let all = Self::default();
        Outcome::ALL.into_iter().for_each(|outcome| drop(all.jobs.get_or_create(&outcome.labels())));
        vitals.register(|registry| {
            registry.register(
                "namespace_manager_collectors_running",
                "Resident collectors that run as they should",
                all.running.clone(),
            );
            registry.register(
                "namespace_manager_collectors_wanted",
                "Resident collectors that there should be",
                all.wanted.clone(),
            );
            registry.register(
                "namespace_manager_collector_jobs",
                "Jobs of collectors by what became of them, and of tries to start one",
                all.jobs.clone(),
            );
        });
        all
    }

    pub(crate) fn job(&self, outcome: Outcome) {
        self.jobs.get_or_create(&outcome.labels()).inc();
    }
}

impl Outcome {
    const ALL: [Self; 6] =
        [Self::Started, Self::Complete, Self::Failed, Self::Refused, Self::Unreachable, Self::Pending];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Pending => "pending",
        }
    }

    fn labels(self) -> Vec<(&'static str, String)> {
        vec![("outcome", self.as_str().to_owned())]
    }
}
