//! Namespaces, and the metadata of others, without what nobody here reads.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::{
    api::core::v1::{Namespace as KubeNamespace, NamespaceSpec, NamespaceStatus},
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use kube::{Resource, api::ObjectMeta};
use serde::{Deserialize, Deserializer};

/// A namespace. `managedFields`, most of what the apiserver sends, is skipped while it is read: a page of it as a tree takes
/// more memory than everything that is kept. Beside its metadata there is hardly anything, but where it is being deleted:
/// there its conditions say what holds it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NamespaceMeta {
    #[serde(default, deserialize_with = "trimmed")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Option<NamespaceSpec>,
    #[serde(default)]
    pub status: Option<NamespaceStatus>,
}

/// What [`super::facts`] reads, and what tells whose an object is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Lean {
    uid: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
}

/// Reads metadata without `managedFields`, most of what the apiserver sends.
///
/// # Errors
/// When it is no metadata.
pub fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let Lean {
        uid,
        name,
        namespace,
        resource_version,
        creation_timestamp,
        deletion_timestamp,
        labels,
        annotations,
        owner_references,
        finalizers,
    } = Lean::deserialize(deserializer)?;
    Ok(ObjectMeta {
        uid,
        name,
        namespace,
        owner_references,
        finalizers,
        resource_version,
        creation_timestamp,
        deletion_timestamp,
        labels,
        annotations,
        ..ObjectMeta::default()
    })
}

impl Resource for NamespaceMeta {
    type DynamicType = ();
    type Scope = <KubeNamespace as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        KubeNamespace::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        KubeNamespace::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        KubeNamespace::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        KubeNamespace::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keeps_what_a_namespace_is_made_of_and_nothing_else() {
        let metadata = json!({
            "uid": "u", "name": "n", "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
            "labels": {"l": "1"}, "annotations": {"a": "2"}, "finalizers": ["x/y"],
        });
        let mut sent = metadata.clone();
        sent["managedFields"] = json!([{"manager": "m", "fieldsV1": {"f:metadata": {}}}]);
        let spec = json!({"finalizers": ["kubernetes"]});
        let read: NamespaceMeta =
            serde_json::from_value(json!({"kind": "Any", "metadata": sent, "spec": spec})).unwrap();
        assert_eq!(serde_json::to_value(read.metadata).unwrap(), metadata);
        assert_eq!(serde_json::to_value(read.spec).unwrap(), spec);
    }
}
