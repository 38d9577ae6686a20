//! Reading a namespace's facts, and writing annotations on it.

use std::collections::BTreeMap;

use kube::api::{ObjectMeta, Patch, PatchParams};
use lifecycle::{Namespace, Policies, Uid, time::cut_to_millis};
use serde_json::{Value, json};

use super::{Cluster, FIELD_MANAGER, Trouble, answer::within};

/// The facts that anything can be decided on, without what strangers wrote for others to read: memory stays bounded
/// by what policies refer to. `None` where the apiserver left out what every object has.
#[must_use]
pub fn facts(meta: ObjectMeta, policies: &Policies) -> Option<Namespace> {
    let mut labels = meta.labels.unwrap_or_default();
    labels.retain(|key, _| policies.reads_label(key));
    let mut annotations = meta.annotations.unwrap_or_default();
    annotations.retain(|key, _| policies.reads_annotation(key));
    annotations.iter_mut().for_each(|(key, value)| policies.cut_annotation(key, value));
    Some(Namespace {
        uid: Uid::new(meta.uid?),
        name: meta.name?,
        resource_version: meta.resource_version?,
        created: cut_to_millis(meta.creation_timestamp?.0),
        deleted: meta.deletion_timestamp.map(|at| cut_to_millis(at.0)),
        labels,
        annotations,
    })
}

/// Reads a namespace from the quorum; `None` where a live apiserver says that there is none of this name.
///
/// # Errors
/// When it is not known.
pub async fn look(cluster: &Cluster, name: &str, policies: &Policies) -> Result<Option<Namespace>, Trouble> {
    let doing = format!("read namespace `{name}`");
    match within(&doing, cluster.metadata().get(name)).await {
        Ok(object) => facts(object.metadata, policies).map(Some).ok_or_else(|| Trouble {
            doing,
            answer: super::Answer::Unclear,
            why: "the answer lacks a uid, a name, a creation or a resourceVersion".to_owned(),
        }),
        Err(trouble) if trouble.answer == super::Answer::NotFound => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Writes annotations, full keys, `None` to remove, on the namespace of this uid and no other of its name. Returns
/// its metadata as it is now.
///
/// # Errors
/// When it is not known to be written; [`super::Answer::OtherUid`] where the name belongs to another namespace.
pub async fn patch_annotations(
    cluster: &Cluster,
    name: &str,
    uid: &Uid,
    annotations: &BTreeMap<String, Option<String>>,
) -> Result<ObjectMeta, Trouble> {
    let values: serde_json::Map<String, Value> =
        annotations.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    // The uid in the body makes the apiserver refuse when the name was taken over by another namespace.
    let patch = json!({ "metadata": { "uid": uid.as_str(), "annotations": values } });
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let doing = format!("annotate namespace `{name}`");
    let patched = within(&doing, cluster.metadata().patch(name, &params, &Patch::Merge(patch))).await;
    patched.map(|object| object.metadata)
}
