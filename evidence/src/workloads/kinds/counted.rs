//! Workloads that say how many pods they want, how many are ready, and no more: since when some are not, their pods tell.

use k8s_openapi::api::apps::v1::{
    DaemonSet as KubeDaemonSet, ReplicaSet as KubeReplicaSet, StatefulSet as KubeStatefulSet,
};
use serde::Deserialize;

use super::{START_TIMEOUT, StatusCondition, few, said};
use crate::workloads::{
    partial_object::{PartialObject, Parts, Slim, judged},
    workload_state::{Failure, Kind, Lack, Trace},
};

pub(in crate::workloads) type StatefulSet = Slim<StatefulSetParts>;
pub(in crate::workloads) type DaemonSet = Slim<DaemonSetParts>;
pub(in crate::workloads) type ReplicaSet = Slim<ReplicaSetParts>;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct StatefulSetParts;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct DaemonSetParts;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct ReplicaSetParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Replicas {
    replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Ready {
    ready_replicas: Option<i32>,
    conditions: Vec<StatusCondition>,
}

/// A DaemonSet wants a pod on each node that fits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Everywhere {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct OnNodes {
    desired_number_scheduled: i32,
    number_ready: i32,
}

impl Parts for StatefulSetParts {
    type Of = KubeStatefulSet;
    type Spec = Replicas;
    type Status = Ready;
}

impl Parts for DaemonSetParts {
    type Of = KubeDaemonSet;
    type Spec = Everywhere;
    type Status = OnNodes;
}

impl Parts for ReplicaSetParts {
    type Of = KubeReplicaSet;
    type Spec = Replicas;
    type Status = Ready;
}

impl PartialObject for StatefulSet {
    const KIND: Kind = Kind::StatefulSet;

    fn trace(&self) -> Option<Trace> {
        lacks(self, self.status.ready_replicas.unwrap_or(0), self.spec.replicas.unwrap_or(1))
    }
}

impl PartialObject for DaemonSet {
    const KIND: Kind = Kind::DaemonSet;

    fn trace(&self) -> Option<Trace> {
        lacks(self, self.status.number_ready, self.status.desired_number_scheduled)
    }
}

impl PartialObject for ReplicaSet {
    const KIND: Kind = Kind::ReplicaSet;

    fn trace(&self) -> Option<Trace> {
        let wanted = self.spec.replicas.unwrap_or(1);
        if self.controller().and_then(judged).is_some() || wanted == 0 {
            // Its Deployment says the same, and knows whether it is an old one.
            return None;
        }
        let refused = said(&self.status.conditions, "ReplicaFailure").filter(|said| said.is("True"));
        match refused {
            Some(refused) => Some(Trace::Fails(Failure::now(format!("gets no pods ({})", refused.text())))),
            None => lacks(self, self.status.ready_replicas.unwrap_or(0), wanted),
        }
    }
}

fn lacks(object: &impl PartialObject, ready: i32, wanted: i32) -> Option<Trace> {
    let failure = || Failure::unready(object.created(), START_TIMEOUT, few(ready, wanted));
    (ready < wanted).then(|| Trace::Fails(failure().lacking(Lack::OfCount { lacks: wanted - ready, wanted })))
}
