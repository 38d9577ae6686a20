//! Jobs: they end well or not.

use k8s_openapi::{api::batch::v1::Job as Kube, apimachinery::pkg::apis::meta::v1::Time};
use serde::Deserialize;

use super::{StatusCondition, said};
use crate::workloads::{
    partial_object::{PartialObject, Parts, Slim},
    workload_state::{Failure, Kind, Trace},
};

pub(in crate::workloads) type Job = Slim<JobParts>;

#[derive(Clone, Debug)]
pub(in crate::workloads) struct JobParts;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::workloads) struct Spec {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workloads) struct Status {
    start_time: Option<Time>,
    conditions: Vec<StatusCondition>,
}

impl Parts for JobParts {
    type Of = Kube;
    type Spec = Spec;
    type Status = Status;
}

impl PartialObject for Job {
    const KIND: Kind = Kind::Job;

    fn trace(&self) -> Option<Trace> {
        let is = |of| said(&self.status.conditions, of).filter(|said| said.is("True"));
        let failure = is("Failed").map(|failed| Failure::now(format!("has failed ({})", failed.text())));
        match self.controller().filter(|owner| owner.kind == "CronJob") {
            Some(owner) if failure.is_some() || is("Complete").is_some() => {
                let at = self.status.start_time.as_ref().map_or(self.created(), |at| at.0);
                Some(Trace::Ran { of: owner.uid.clone(), at, failure })
            }
            _ => failure.map(Trace::Fails),
        }
    }
}
