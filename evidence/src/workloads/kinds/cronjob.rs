//! CronJobs: what somebody suspended is held back on purpose, and so is what its last run came to.

use k8s_openapi::api::batch::v1::CronJob as Kube;
use serde::Deserialize;

use crate::workloads::{
    partial_object::{PartialObject, Parts, Slim},
    workload_state::{Kind, Trace},
};

pub(in crate::workloads) type CronJob = Slim<CronJobParts>;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct CronJobParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Spec {
    suspend: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Status {}

impl Parts for CronJobParts {
    type Of = Kube;
    type Spec = Spec;
    type Status = Status;
}

impl PartialObject for CronJob {
    const KIND: Kind = Kind::CronJob;

    fn trace(&self) -> Option<Trace> {
        let uid = self.metadata.uid.clone().filter(|_| self.spec.suspend == Some(true))?;
        Some(Trace::Suspended(uid))
    }
}
