//! Deployments: they have a deadline of their own, and say how their rollout goes.

use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::Deployment as Kube;
use lifecycle::time::saturating_add;
use serde::Deserialize;

use super::{START_TIMEOUT, StatusCondition, few, said};
use crate::workloads::{
    partial_object::{PartialObject, Parts, Slim},
    workload_state::{Failure, Kind, Lack, Trace},
};

/// How much later than its deadline a rollout may be told to be over it.
const LAG_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

pub(in crate::workloads) type Deployment = Slim<DeploymentParts>;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct DeploymentParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Spec {
    replicas: Option<i32>,
    progress_deadline_seconds: Option<i32>,
    paused: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Status {
    ready_replicas: Option<i32>,
    conditions: Vec<StatusCondition>,
}

impl Parts for DeploymentParts {
    type Of = Kube;
    type Spec = Spec;
    type Status = Status;
}

impl PartialObject for Deployment {
    const KIND: Kind = Kind::Deployment;

    fn trace(&self) -> Option<Trace> {
        let wanted = self.spec.replicas.unwrap_or(1);
        let ready = self.status.ready_replicas.unwrap_or(0);
        if wanted == 0 {
            return None;
        }
        let said = |of| said(&self.status.conditions, of);
        if let Some(refused) = said("ReplicaFailure").filter(|said| said.is("True")) {
            return Some(Trace::Fails(Failure::now(format!("gets no pods ({})", refused.text()))));
        }
        if self.spec.paused {
            // Somebody holds it back; what its pods wait for in vain they say themselves.
            return None;
        }
        let progress = said("Progressing");
        // Without a deadline it says nothing of its rollouts.
        let is_over = progress.is_none_or(|said| said.is("True") && said.reason() == "NewReplicaSetAvailable");
        let lacks = Lack::OfRollout { lacks: (wanted - ready).max(0), is_over };
        let deadline =
            self.spec.progress_deadline_seconds.map_or(START_TIMEOUT, |it| SignedDuration::from_secs(it.into()));
        // When the rollout told of itself last.
        let told = progress.and_then(|said| said.last_update_time.as_ref()).map_or(self.created(), |at| at.0);
        let told = told.max(self.created());
        if let Some(said) = progress.filter(|said| said.is("False")) {
            let why = format!("{} and makes no progress", few(ready, wanted));
            let failure = match said.reason() {
                // It went on until its deadline before that.
                "ProgressDeadlineExceeded" => Failure::unready(saturating_add(told, -deadline), deadline, why),
                _ => Failure::now(why),
            };
            return Some(Trace::Fails(failure.lacking(lacks)));
        }
        if ready >= wanted {
            return None;
        }
        let why = few(ready, wanted);
        let failure = match progress.filter(|said| said.is("True")) {
            // It was complete once, so what is not ready now was.
            Some(said) if said.reason() == "NewReplicaSetAvailable" => {
                Failure::unready(told, SignedDuration::ZERO, why)
            }
            // A rollout that goes on is ended by its runner, if there is one.
            Some(_) => Failure::unready(told, deadline.saturating_add(LAG_TOLERANCE), why),
            None => Failure::unready(self.created(), deadline, why),
        };
        Some(Trace::Fails(failure.lacking(lacks)))
    }
}
