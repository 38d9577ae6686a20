//! Pods: what their containers wait for, and those that nobody else answers for.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::Pod as Kube,
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use lifecycle::time::saturating_add;
use serde::{Deserialize, de::IgnoredAny};

use super::{START_TIMEOUT, StatusCondition, said, told};
use crate::workloads::{
    partial_object::{PartialObject, Parts, Slim, judged},
    workload_state::{Failure, Kind, Part, Trace},
};

/// What a container may wait for without anything being wrong.
const USUAL: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// How long a pod may wait for its node before that is more than usual.
const SCHEDULE_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

/// The label by which the name of a ReplicaSet differs from that of its Deployment.
const HASH: &str = "pod-template-hash";

/// How long the node waits before it starts a container again that ended badly, at first and at most.
const BACKOFF: (i64, i64) = (10, 300);

pub(in crate::workloads) type Pod = Slim<PodParts>;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct PodParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Spec {
    scheduling_gates: Vec<IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Status {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Vec<StatusCondition>,
    init_container_statuses: Vec<Container>,
    container_statuses: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    restart_count: i32,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
    running: Option<Running>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Running {
    started_at: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
}

impl Parts for PodParts {
    type Of = Kube;
    type Spec = Spec;
    type Status = Status;
}

impl PartialObject for Pod {
    const KIND: Kind = Kind::Pod;

    fn trace(&self) -> Option<Trace> {
        let status = &self.status;
        let containers = || status.init_container_statuses.iter().chain(&status.container_statuses);
        if let "Pending" | "Running" = status.phase.as_str() {
            let scheduled = said(&status.conditions, "PodScheduled");
            if let Some(said) = scheduled.filter(|said| said.is("False") && said.reason() == "Unschedulable") {
                return Some(Trace::Fails(Failure::now(format!("cannot be scheduled ({})", said.text()))));
            }
            if let Some(failure) = containers().find_map(Container::waits) {
                return Some(Trace::Fails(failure));
            }
            // The one that counts for longest: the others end before it does.
            if let Some(failure) = containers().filter_map(Container::crashes).max_by_key(|failure| failure.until) {
                return Some(Trace::Fails(failure));
            }
        }
        let is_ready = said(&status.conditions, "Ready").is_some_and(|said| said.is("True"));
        if let Some(owner) = self.controller()
            && let Some(kind) = judged(owner)
        {
            if kind == Kind::Job {
                // It ends well or not, and says nothing of pods that never start.
                let waits = status.phase == "Pending" && !self.is_gated();
                return waits.then(|| self.fails_later("has not been started"));
            }
            // What made it makes another, and says how many are ready.
            let of = self.made_by(kind, owner);
            return self.part(of.0, is_ready).map(|part| Trace::Part { of, part });
        }
        if self.is_gated() {
            return None;
        }
        let later = |why| Some(self.fails_later(why));
        match status.phase.as_str() {
            // Of what is made by a kind that is not read, such as a workflow, it is not known whether another is made.
            "Failed" if self.controller().is_some() => None,
            "Failed" => {
                let why = told(status.reason.as_deref(), status.message.as_deref());
                let why = if why.is_empty() { "has failed".to_owned() } else { format!("has failed ({why})") };
                Some(Trace::Fails(Failure::now(why)))
            }
            // It is not ready from when the first of its containers is done on: steps of a pipeline end one after another.
            "Running" if is_ready || status.container_statuses.iter().any(Container::is_done) => None,
            "Running" => later("is not ready"),
            "Pending" => later("has not been started"),
            "Unknown" => later("is on a node that says nothing"),
            _ => None,
        }
    }

    fn going(&self) -> Option<Trace> {
        let (until, owner) = (self.metadata.deletion_timestamp.as_ref()?.0, self.controller()?);
        let of = self.made_by(judged(owner)?, owner);
        knows_no_rollout(of.0).then_some(Trace::Part { of, part: Part::Going { until } })
    }
}

/// Whether a kind does not tell when it was rolled out last, so that its pods are read.
const fn knows_no_rollout(kind: Kind) -> bool {
    matches!(kind, Kind::StatefulSet | Kind::DaemonSet | Kind::ReplicaSet)
}

impl Pod {
    /// Whether somebody holds it back from being scheduled.
    fn is_gated(&self) -> bool {
        let says = || said(&self.status.conditions, "PodScheduled").is_some_and(|it| it.reason() == "SchedulingGated");
        self.status.phase == "Pending" && (!self.spec.scheduling_gates.is_empty() || says())
    }

    /// When it got its node.
    fn scheduled_at(&self) -> Option<Timestamp> {
        let scheduled = said(&self.status.conditions, "PodScheduled").filter(|said| said.is("True"))?;
        scheduled.last_transition_time.as_ref().map(|at| at.0)
    }

    /// It fails unless it becomes ready in time.
    fn fails_later(&self, why: &str) -> Trace {
        Trace::Fails(Failure::unready(self.begun_at(), START_TIMEOUT, why))
    }

    /// Since when it may become ready: since it got its node, or was made.
    fn begun_at(&self) -> Timestamp {
        self.scheduled_at().map_or(self.created(), |at| at.max(self.created()))
    }

    /// What it says of the workload of this kind that made it, where that depends on it.
    fn part(&self, of: Kind, is_ready: bool) -> Option<Part> {
        if !matches!(self.status.phase.as_str(), "Pending" | "Running" | "Unknown") {
            return None;
        }
        if self.is_gated() {
            return Some(Part::Held);
        }
        if is_ready {
            return knows_no_rollout(of).then(|| Part::Ready { made: self.created() });
        }
        let since = self.begun_at();
        Some(Part::Unready { since, is_late: since > saturating_add(self.created(), SCHEDULE_TIMEOUT) })
    }

    /// The workload that is judged for it: of a ReplicaSet that a Deployment made, the Deployment.
    fn made_by(&self, kind: Kind, owner: &OwnerReference) -> (Kind, String) {
        let hash = self.metadata.labels.as_ref().and_then(|labels| labels.get(HASH));
        let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
        match deployment.filter(|_| kind == Kind::ReplicaSet) {
            Some(deployment) => (Kind::Deployment, deployment.to_owned()),
            None => (kind, owner.name.clone()),
        }
    }
}

impl Container {
    /// That it ended well, and is not started again.
    fn is_done(&self) -> bool {
        self.state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code == 0)
    }

    /// That it waits for something that does not come by itself.
    fn waits(&self) -> Option<Failure> {
        let reason = self.state.waiting.as_ref()?.reason.as_deref().filter(|reason| !USUAL.contains(reason))?;
        Some(Failure::now(format!("waits with its container `{}` ({})", self.name, told(Some(reason), None))))
    }

    /// That it ended badly several times, and has not yet run for as long as it had to wait before: what crashes in a loop runs
    /// for a moment, again and again.
    fn crashes(&self) -> Option<Failure> {
        let ended_badly = |state: &State| state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code != 0);
        let why =
            || format!("was started {} times with its container `{}`", self.restart_count.saturating_add(1), self.name);
        if self.restart_count >= 1 && ended_badly(&self.state) {
            return Some(Failure::now(why()));
        }
        let started = self.state.running.as_ref()?.started_at.as_ref()?.0;
        if self.restart_count < 2 || !ended_badly(&self.last_state) {
            return None;
        }
        let doubled = self.restart_count.min(10).unsigned_abs();
        let waited = BACKOFF.0.saturating_mul(1 << (doubled - 1)).min(BACKOFF.1);
        let until = saturating_add(started, SignedDuration::from_secs(waited));
        Some(Failure { until, ..Failure::now(why()) })
    }
}
