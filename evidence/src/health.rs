//! The health of namespaces: one sample of the sources that speak of all of them, and what it says of each.
//!
//! The sources are [`prometheus`](crate::prometheus) and the [`workloads`](crate::workloads).

use common::{
    cluster::Cluster,
    config::{HealthSettings, Settings},
    http_client::HttpClient,
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Namespace, Policy, Truth,
    health::{HealthCheck, HealthSample},
    policy::{HealthRules, HealthSource},
    time::saturating_add,
};
use serde_json::json;

use crate::{
    prometheus::{self, Prometheus},
    workloads,
};

/// The name of Prometheus as a source, for status pages.
pub const PROMETHEUS: &str = "prometheus";

/// The name of the workloads as a source, for status pages.
pub const KUBERNETES: &str = "kubernetes";

/// One sample of the health of all namespaces.
#[derive(Debug)]
pub struct Rounds {
    at: Timestamp,
    every: SignedDuration,
    prometheus: Option<prometheus::Look>,
    workloads: Option<workloads::Look>,
}

/// Samples all namespaces once; what their workloads say at that instant is known already. What cannot be checked is
/// Unknown, and no error.
pub async fn look(
    settings: HealthSettings,
    web: HttpClient,
    workloads: Option<workloads::Look>,
    at: Timestamp,
) -> Rounds {
    let every = SignedDuration::try_from(settings.every).unwrap_or(SignedDuration::MAX);
    let prometheus = match settings.prometheus {
        Some(prometheus) => Some(Prometheus::new(prometheus, web).look(at).await),
        None => None,
    };
    Rounds { at, every, prometheus, workloads }
}

/// Checks one namespace afresh, where its policy asks for its health.
pub async fn look_at(
    settings: &Settings,
    policy: Option<&Policy>,
    namespace: &Namespace,
    (cluster, web): (&Cluster, &HttpClient),
    at: Timestamp,
) -> Option<Rounds> {
    let terms = policy?.health?;
    let source = terms.source;
    let health = settings.health();
    let asked =
        HealthSettings { prometheus: health.prometheus.filter(|_| source != HealthSource::Kubernetes), ..health };
    let reads_workloads = asked.kubernetes && source != HealthSource::Prometheus;
    let mut rounds = look(asked, web.clone(), None, at).await;
    let found = rounds.of(&terms, &namespace.name, namespace.created).condition.truth;
    if reads_workloads && found == Truth::Unknown {
        rounds.workloads = Some(workloads::list(cluster, &namespace.name, at).await);
    }
    Some(rounds)
}

/// What is known of the health of a namespace by a sample, where that is to be known. `status_generation` is the number of the entry
/// that brought the status of now, and its instant.
#[must_use]
pub fn checkup(
    policy: Option<&Policy>,
    rounds: Option<&Rounds>,
    (status_generation, since): (u64, Option<Timestamp>),
    namespace: &Namespace,
) -> Check<HealthCheck> {
    let Some(terms) = policy.and_then(|policy| policy.health) else { return Check::Disabled };
    // What was sampled before there was this namespace says nothing of it. Its creation is told in whole seconds.
    let born = saturating_add(namespace.created, SignedDuration::from_secs(1));
    let Some(rounds) = rounds.filter(|rounds| rounds.at >= born) else { return Check::Pending };
    let status_generation = (status_generation, since.unwrap_or(rounds.at));
    let sample = rounds.of(&terms, &namespace.name, namespace.created);
    Check::Observed(HealthCheck { look: sample, status_generation, every: rounds.every })
}

impl Rounds {
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// How long after it the next is due.
    #[must_use]
    pub const fn every(&self) -> SignedDuration {
        self.every
    }

    /// The sources that know nothing, Prometheus but perhaps of what fires, and why.
    #[must_use]
    pub fn outages(&self) -> Vec<(&'static str, &str)> {
        let prometheus = self.prometheus.as_ref().and_then(prometheus::Look::outage).map(|why| (PROMETHEUS, why));
        let workloads = self.workloads.as_ref().and_then(workloads::Look::outage).map(|why| (KUBERNETES, why));
        prometheus.into_iter().chain(workloads).collect()
    }

    /// Whether this source knows something of each namespace.
    #[must_use]
    pub fn knows(&self, source: HealthSource) -> bool {
        let alerts = || self.prometheus.as_ref().is_some_and(|answer| answer.outage().is_none());
        let workloads = || self.workloads.as_ref().is_some_and(|answer| answer.outage().is_none());
        match source {
            HealthSource::Off => false,
            HealthSource::Prometheus => alerts(),
            HealthSource::Kubernetes => workloads(),
            HealthSource::Auto => alerts() || workloads(),
        }
    }

    /// What is said by these terms of the namespace of this name that was created then.
    #[must_use]
    pub fn of(&self, terms: &HealthRules, name: &str, created: Timestamp) -> HealthSample {
        let alerts = || self.prometheus.as_ref().map(|answer| by_alerts(answer, name, created));
        let workloads =
            || self.workloads.as_ref().map(|answer| by_workloads(answer, name, created, terms.not_ready_after));
        let found = match terms.source {
            HealthSource::Off => None,
            HealthSource::Prometheus => alerts(),
            HealthSource::Kubernetes => workloads(),
            HealthSource::Auto => match alerts() {
                Some(alerts) if alerts.condition.truth == Truth::Unknown => {
                    Some(workloads().map_or_else(|| alerts.clone(), |workloads| instead(&alerts, workloads)))
                }
                Some(alerts) => Some(alerts),
                None => workloads(),
            },
        };
        found.unwrap_or_else(|| {
            let (truth, reason) = (Truth::Unknown, "no source of its health was read".to_owned());
            HealthSample { condition: Condition { truth, reason, observed_at: self.at }, failing: Vec::new() }
        })
    }
}

/// What the workloads say where it is not known what the alerts do.
fn instead(alerts: &HealthSample, workloads: HealthSample) -> HealthSample {
    let HealthSample { condition: Condition { truth, reason, observed_at }, failing } = workloads;
    let reason = format!("{reason} (by its workloads; of Prometheus is not known: {})", alerts.condition.reason);
    HealthSample { condition: Condition { truth, reason, observed_at }, failing }
}

fn by_alerts(answer: &prometheus::Look, name: &str, created: Timestamp) -> HealthSample {
    let found = answer.of(name, created);
    let mut failing: Vec<_> = found.failing.iter().map(|alert| json!(alert)).collect();
    if found.cut > 0 {
        failing.push(json!({ "cut": format!("and {} more", found.cut) }));
    }
    HealthSample { condition: found.condition, failing }
}

fn by_workloads(
    answer: &workloads::Look,
    name: &str,
    created: Timestamp,
    not_ready_after: Option<SignedDuration>,
) -> HealthSample {
    let found = answer.of(name, created, not_ready_after);
    let mut failing: Vec<_> = found.failing.iter().map(|name| json!(name)).collect();
    if found.cut > 0 {
        failing.push(json!(format!("and {} more", found.cut)));
    }
    HealthSample { condition: found.condition, failing }
}
