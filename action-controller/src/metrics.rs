//! What the action-controller counts.

use std::collections::BTreeMap;

use common::{context::Context, jobs::Outcome};
use lifecycle::Status;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

/// Its numbers. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) waiting: Gauge,
    pub(crate) outstanding: Gauge,
    pub(crate) stalled: Gauge,
    pub(crate) damaged: Gauge,
    pub(crate) recreated: Gauge,
    pub(crate) offered: Counter,
    pub(crate) running: Gauge,
    pub(crate) wanted: Gauge,
    jobs: Family<Vec<(&'static str, String)>, Counter>,
    deleted: Family<Vec<(&'static str, String)>, Counter>,
    owner: String,
}

impl Metrics {
    /// Registers all, those that count nothing yet included: a series that begins with its first event hides it.
    pub(crate) fn new(context: &Context) -> Self {
        let all = Self { owner: context.instance.clone(), ..Self::default() };
        Outcome::ALL.into_iter().for_each(|outcome| drop(all.jobs.get_or_create(&outcome.labels())));
        Status::ALL.into_iter().for_each(|status| drop(all.deleted.get_or_create(&all.labels(status))));
        context.liveness.register(|registry| {
            let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
            gauge(
                "namespace_manager_tasks_waiting",
                "Messages on the task queue that wait for a worker, at the last check",
                &all.waiting,
            );
            gauge(
                "namespace_manager_tasks_outstanding",
                "Tasks that are due and not known to be resolved",
                &all.outstanding,
            );
            gauge(
                "namespace_manager_tasks_stuck",
                "Namespaces with something to be done that waits for nothing it names",
                &all.stalled,
            );
            gauge(
                "namespace_manager_histories_damaged",
                "Namespaces whose history has a gap or an entry that this version cannot read",
                &all.damaged,
            );
            gauge(
                "namespace_manager_names_recreated",
                "Names of which three namespaces were deleted within an hour",
                &all.recreated,
            );
            gauge("namespace_manager_workers_running", "Jobs of action workers that run", &all.running);
            gauge("namespace_manager_workers_wanted", "Jobs of action workers that there should be", &all.wanted);
            registry.register(
                "namespace_manager_tasks_offered",
                "Tasks handed out, again included",
                all.offered.clone(),
            );
            registry.register(
                "namespace_manager_worker_jobs",
                "Jobs of action workers by outcome, and attempts to start one",
                all.jobs.clone(),
            );
            registry.register(
                "namespace_manager_ns_delete",
                "Deletions that were accepted, by the status that led to them",
                all.deleted.clone(),
            );
        });
        all
    }

    pub(crate) fn job(&self, outcome: Outcome) {
        self.jobs.get_or_create(&outcome.labels()).inc();
    }

    /// A deletion was accepted for this status.
    pub(crate) fn deleted(&self, cause: Status) {
        self.deleted.get_or_create(&self.labels(cause)).inc();
    }

    /// The deletions that were accepted since this process began, by the status that led to them.
    pub(crate) fn deletions(&self) -> BTreeMap<String, u64> {
        let count = |status: Status| self.deleted.get_or_create(&self.labels(status)).get();
        Status::ALL.into_iter().map(|status| (status.to_string(), count(status))).collect()
    }

    /// The owner is who counts, not who deleted: a worker lives for minutes, and a series that begins with its only
    /// deletion shows no increase to Prometheus.
    fn labels(&self, status: Status) -> Vec<(&'static str, String)> {
        vec![("owner", self.owner.clone()), ("status", status.to_string())]
    }
}
