//! Objects as they are read: what is judged, and nothing else.

use std::{borrow::Cow, fmt::Debug};

use common::cluster::trimmed;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, api::ObjectMeta};
use serde::{Deserialize, de::DeserializeOwned};

use super::workload_state::{Kind, Trace};

/// The parts of a kind of objects that are read.
pub(super) trait Parts: Clone + Debug + Send + Sync + 'static {
    type Of: Resource<DynamicType = ()>;
    type Spec: Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static;
    type Status: Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static;
}

/// One object.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "")]
pub(super) struct Slim<P: Parts> {
    #[serde(default, deserialize_with = "trimmed")]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: P::Spec,
    #[serde(default)]
    pub(super) status: P::Status,
}

/// Objects that say whether something fails.
pub(super) trait PartialObject:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static
{
    const KIND: Kind;

    /// What is kept of it; `None`: nothing is wrong, and nothing depends on it.
    fn trace(&self) -> Option<Trace>;

    /// What is kept of it while it is being deleted. It counts for nothing any more.
    fn going(&self) -> Option<Trace> {
        None
    }

    /// Since when it is there.
    fn created(&self) -> Timestamp {
        // Every object has one. One without is taken for an old one.
        self.meta().creation_timestamp.as_ref().map_or(Timestamp::MIN, |at| at.0)
    }

    /// What keeps it as it is.
    fn controller(&self) -> Option<&OwnerReference> {
        self.meta().owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
    }
}

/// The kind of what keeps an object, where that is judged itself.
pub(super) fn judged(owner: &OwnerReference) -> Option<Kind> {
    match (owner.api_version.split('/').next()?, owner.kind.as_str()) {
        ("apps", "Deployment") => Some(Kind::Deployment),
        ("apps", "StatefulSet") => Some(Kind::StatefulSet),
        ("apps", "DaemonSet") => Some(Kind::DaemonSet),
        ("apps", "ReplicaSet") => Some(Kind::ReplicaSet),
        ("batch", "Job") => Some(Kind::Job),
        _ => None,
    }
}

impl<P: Parts> Resource for Slim<P> {
    type DynamicType = ();
    type Scope = <P::Of as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        P::Of::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        P::Of::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        P::Of::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        P::Of::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
