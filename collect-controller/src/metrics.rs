//! What the collect-controller counts.

use common::{jobs::Outcome, liveness::Liveness};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

/// Its numbers. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) running: Gauge,
    pub(crate) wanted: Gauge,
    jobs: Family<Vec<(&'static str, String)>, Counter>,
}

impl Metrics {
    /// Registers all, those that count nothing yet included: a series that begins with its first event hides it.
    pub(crate) fn new(liveness: &Liveness) -> Self {
        let all = Self::default();
        Outcome::ALL.into_iter().for_each(|outcome| drop(all.jobs.get_or_create(&outcome.labels())));
        liveness.register(|registry| {
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
