//! Claims of storage, and the classes that say when it is provided.

use k8s_openapi::api::{core::v1::PersistentVolumeClaim as Kube, storage::v1::StorageClass};
use lifecycle::time::saturating_add;
use serde::Deserialize;

use super::START_TIMEOUT;
use crate::workloads::{
    partial_object::{PartialObject, Parts, Slim},
    workload_state::{Failure, Kind, Trace},
};

/// Written by the scheduler once a pod uses the claim.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

pub(in crate::workloads) type Claim = Slim<ClaimParts>;

pub(in crate::workloads) type Class = StorageClass;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct ClaimParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Spec {
    storage_class_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Status {
    phase: String,
}

impl Parts for ClaimParts {
    type Of = Kube;
    type Spec = Spec;
    type Status = Status;
}

impl PartialObject for Claim {
    const KIND: Kind = Kind::Claim;

    fn trace(&self) -> Option<Trace> {
        match self.status.phase.as_str() {
            "Lost" => Some(Trace::Fails(Failure::now("has lost its volume"))),
            "Pending" => {
                let is_used = self
                    .metadata
                    .annotations
                    .as_ref()
                    .is_some_and(|annotations| annotations.contains_key(SELECTED_NODE));
                let class = self.spec.storage_class_name.clone().filter(|_| !is_used);
                let from = saturating_add(self.created(), START_TIMEOUT);
                Some(Trace::Pends(Failure::from(from, "gets no volume"), class))
            }
            _ => None,
        }
    }
}

impl PartialObject for Class {
    const KIND: Kind = Kind::Class;

    fn trace(&self) -> Option<Trace> {
        let waits = self.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
        waits.then_some(Trace::WaitsForPod)
    }
}
