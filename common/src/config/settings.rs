//! The configuration as it is used: checked once, so that nobody checks again.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use lifecycle::{
    Keys, Mode, Policies,
    ownership::Owners,
    pipeline::CiSystem,
    policy::{self, Common, HealthSource, HealthSources, Invalid, RawPolicy},
};
use serde::Serialize;

use super::{
    admin::AdminSettings,
    annotations::RawAnnotations,
    api::ApiSettings,
    budget::RateLimit,
    budget::RawBudget,
    check::Take as _,
    ci::CiSettings,
    ci::RawCi,
    guard::GuardSettings,
    health::HealthSettings,
    jobs::JobSettings,
    leadership::LeadershipSettings,
    notices::NoticeSettings,
    prometheus::PrometheusSettings,
    queue::QueueSettings,
    raw::{Raw, RawGithub, RawGitlab, RawPrometheus},
    store::StoreSettings,
    telemetry::TelemetrySettings,
    workers::WorkerSettings,
};
use crate::timings::{Timings, signed};

/// Everything that is configured, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub mode: Mode,
    pub store: StoreSettings,
    pub queue: QueueSettings,
    pub policies: Policies,
    /// How often the health of all namespaces is looked at, where there is a source of it.
    pub check_every: Duration,
    pub prometheus: Option<PrometheusSettings>,
    /// The CI systems that are asked for pipelines.
    pub ci: BTreeMap<CiSystem, CiSettings>,
    /// Deletions per window (docs/design/protocol.md S6).
    pub budget: RateLimit,
    /// Deletions per window that were not foretold (docs/design/protocol.md S7).
    pub unannounced: RateLimit,
    pub notices: NoticeSettings,
    pub jobs: JobSettings,
    pub workers: WorkerSettings,
    pub api: ApiSettings,
    pub guard: GuardSettings,
    pub admin: AdminSettings,
    pub leadership: LeadershipSettings,
    pub telemetry: TelemetrySettings,
    /// Not configured: those of a release, but in tests.
    pub timings: Timings,
    /// Changes with anything that can change a decision: whoever acts names the configuration it acts under.
    pub hash: String,
    /// As it was written, defaults filled in.
    pub raw: Raw,
}

impl Settings {
    /// Checks a configuration. `store_url` is where the store is kept unless it says otherwise.
    pub(super) fn new(raw: Raw, store_url: Result<String, String>, timings: Timings) -> Result<Self, Vec<Invalid>> {
        let mut errors = Vec::new();
        let store = errors.take(raw.store.check(store_url));
        let queue = errors.take(raw.queue.check());
        let owners = errors.take(raw.owners.check());
        let check_every = errors.take(raw.health.check(&raw.jobs));
        let prometheus = errors.take(raw.prometheus.as_ref().map(RawPrometheus::check).transpose());
        let gitlab = errors.take(raw.gitlab.as_ref().map(RawGitlab::check).transpose());
        let github = errors.take(raw.github.as_ref().map(RawGithub::check).transpose());
        let budget = errors.take(raw.budget.check());
        let unannounced = errors.take(raw.budget.unannounced.check());
        let notices = errors.take(raw.notices.check());
        let jobs = errors.take(raw.jobs.check(timings.hand_over_overlap));
        let workers = errors.take(raw.workers.check());
        let api = errors.take(raw.api.check());
        let guard = errors.take(raw.guard.check());
        let admin = errors.take(raw.admin.check());
        let leadership = errors.take(raw.leadership.check());
        let telemetry = errors.take(raw.telemetry.check());
        // What is wrong with policies is told whatever else is.
        let policies = errors.take(policies(&raw, owners.unwrap_or_default(), check_every, timings));
        if !errors.is_empty() {
            return Err(errors);
        }
        let (Some(store), Some(queue), Some(policies), Some(check_every)) = (store, queue, policies, check_every)
        else {
            return Err(errors);
        };
        let (Some(prometheus), Some(gitlab), Some(github)) = (prometheus, gitlab, github) else { return Err(errors) };
        let (Some(budget), Some(unannounced), Some(notices)) = (budget, unannounced, notices) else {
            return Err(errors);
        };
        let (Some(jobs), Some(workers), Some(api), Some(guard)) = (jobs, workers, api, guard) else {
            return Err(errors);
        };
        let (Some(admin), Some(leadership), Some(telemetry)) = (admin, leadership, telemetry) else {
            return Err(errors);
        };
        Ok(Self {
            mode: raw.mode,
            store,
            queue,
            hash: hash(&raw, &policies),
            policies,
            check_every,
            prometheus,
            ci: [(CiSystem::Gitlab, gitlab), (CiSystem::Github, github)]
                .into_iter()
                .filter_map(|(system, settings)| Some((system, settings?)))
                .collect(),
            budget,
            unannounced,
            notices,
            jobs,
            workers,
            api,
            guard,
            admin,
            leadership,
            telemetry,
            timings,
            raw,
        })
    }

    /// Where and how often the health of namespaces is to be read.
    #[must_use]
    pub fn health(&self) -> HealthSettings {
        let prometheus = self.prometheus.clone().filter(|_| self.policies.read_health_of(HealthSource::Prometheus));
        let kubernetes = self.raw.health.kubernetes && self.policies.read_health_of(HealthSource::Kubernetes);
        HealthSettings { prometheus, kubernetes, every: self.check_every }
    }

    /// The keys whose change takes hold at the next start alone.
    #[must_use]
    pub fn waiting_for_restart(&self, newer: &Self) -> Vec<&'static str> {
        let (old, new) = (&self.telemetry, &newer.telemetry);
        [
            ("store.url", self.store.url != newer.store.url),
            ("store.username_file", self.store.access.username_file != newer.store.access.username_file),
            ("store.password_file", self.store.access.password_file != newer.store.access.password_file),
            ("store.ca_file", self.store.access.ca_file != newer.store.access.ca_file),
            ("queue.url", self.queue.url != newer.queue.url),
            ("queue", self.queue.is_reached_otherwise(&newer.queue)),
            ("api.listen", self.api.listen != newer.api.listen),
            ("api.tls", self.api.tls != newer.api.tls),
            ("admin.listen", self.admin != newer.admin),
            ("leadership.lease", self.leadership.lease != newer.leadership.lease),
            ("leadership.name", self.leadership.name != newer.leadership.name),
            ("jobs.templates", self.jobs.templates != newer.jobs.templates),
            ("telemetry.log", old.log != new.log),
            ("telemetry.format", old.format != new.format),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }
}

/// The policies, as far as what else is configured lets them be read.
fn policies(
    raw: &Raw,
    owners: Owners,
    check_every: Option<Duration>,
    timings: Timings,
) -> Result<Policies, Vec<Invalid>> {
    let systems = raw.gitlab.iter().map(|_| CiSystem::Gitlab).chain(raw.github.iter().map(|_| CiSystem::Github));
    let systems: Vec<_> = systems.collect();
    let every = check_every.and_then(|every| SignedDuration::try_from(every).ok());
    let common = Common {
        mode: raw.mode,
        keys: Keys {
            prefix: raw.annotations.prefix.clone(),
            former: raw.annotations.former_prefixes.clone(),
            ci: raw.ci.prefix.clone(),
            owners,
        },
        exclude: &raw.exclude,
        has_channel: raw.notices.webhook.is_some(),
        sources: HealthSources {
            prometheus: raw.prometheus.is_some(),
            kubernetes: raw.health.kubernetes,
            every: every.unwrap_or(SignedDuration::MAX),
        },
        ci: &systems,
        promise_margin: signed(timings.promise_margin),
    };
    let policies = Policies::new(&raw.policies, &common)?;
    let undeliverable = raw.notices.undeliverable();
    Ok(policies.with_undeliverable(undeliverable).with_stalled_after(signed(timings.stalled_after)))
}

/// What the hash is made of: what is not configured is not there, so that a section of a later version changes the hash of
/// those configurations alone that have it.
#[derive(Serialize)]
struct Basis<'a> {
    version: u32,
    mode: Mode,
    annotations: &'a RawAnnotations,
    ci: &'a RawCi,
    exclude: &'a [String],
    written: &'a [RawPolicy],
    checked: Vec<&'a str>,
    budget: &'a RawBudget,
    reads_workloads: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    prometheus: Option<&'a RawPrometheus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gitlab: Option<&'a RawGitlab>,
    #[serde(skip_serializing_if = "Option::is_none")]
    github: Option<&'a RawGithub>,
}

/// Everything that can change a decision, and nothing else: where things are kept and logged does not.
fn hash(raw: &Raw, policies: &Policies) -> String {
    let Raw {
        mode,
        store: _,
        queue: _,
        annotations,
        ci,
        exclude,
        policies: written,
        budget,
        prometheus,
        health,
        gitlab,
        github,
        ..
    } = raw;
    policy::hash(&Basis {
        version: 1,
        mode: *mode,
        annotations,
        ci,
        exclude,
        written,
        checked: policies.iter().map(|policy| policy.hash.as_str()).collect(),
        budget,
        reads_workloads: health.kubernetes,
        prometheus: prometheus.as_ref(),
        gitlab: gitlab.as_ref(),
        github: github.as_ref(),
    })
}
