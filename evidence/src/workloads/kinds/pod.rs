//! Pods: what their containers wait for, and those that nobody else answers for.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{api::core::v1::Pod as Kube, apimachinery::pkg::apis::meta::v1::Time};
use lifecycle::time::saturating_add;
use serde::Deserialize;

use super::{PATIENCE, Said, said, told};
use crate::workloads::{
    slim::{Judged, Parts, Slim},
    traces::{Failure, Kind, Trace},
};

/// What a container may wait for without anything being wrong.
const USUAL: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// How long the node waits before it starts a container again that ended badly, at first and at most.
const BACKOFF: (i64, i64) = (10, 300);

pub(in crate::workloads) type Pod = Slim<PodParts>;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct PodParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Spec {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Status {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Vec<Said>,
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

impl Judged for Pod {
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
        if self.controller().is_some() {
            // Whatever made it makes another, and says how many are ready.
            return None;
        }
        let is_ready = said(&status.conditions, "Ready").is_some_and(|said| said.is("True"));
        let later = |why| Some(Trace::Fails(Failure::from(saturating_add(self.created(), PATIENCE), why)));
        match status.phase.as_str() {
            "Failed" => {
                let why = told(status.reason.as_deref(), status.message.as_deref());
                let why = if why.is_empty() { "has failed".to_owned() } else { format!("has failed ({why})") };
                Some(Trace::Fails(Failure::now(why)))
            }
            "Running" if is_ready => None,
            "Running" => later("is not ready"),
            "Pending" => later("has not been started"),
            "Unknown" => later("is on a node that says nothing"),
            _ => None,
        }
    }
}

impl Container {
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
        Some(Failure { from: Timestamp::MIN, until, why: why() })
    }
}
