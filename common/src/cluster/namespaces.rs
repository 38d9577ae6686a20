//! Reading a namespace's metadata, and writing annotations on it.

use std::collections::BTreeMap;

use kube::api::{ObjectMeta, Patch, PatchParams};
use lifecycle::{
    Namespace, Policies, Uid,
    termination::{Termination, TerminationCondition},
    time::cut_to_millis,
};
use serde_json::{Value, json};

use super::{ApiError, Cluster, FIELD_MANAGER, NamespaceMeta, api_error::within};

/// The metadata that anything can be decided on, without what strangers wrote for others to read: memory stays bounded
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
        ending: None,
        labels,
        annotations,
    })
}

/// The metadata of a namespace, and what it says of its end where it is being deleted.
#[must_use]
pub fn facts_of(object: NamespaceMeta, policies: &Policies) -> Option<Namespace> {
    let NamespaceMeta { mut metadata, spec, status } = object;
    let is_deleted = metadata.deletion_timestamp.is_some();
    let ending = is_deleted.then(|| {
        let conditions = status.and_then(|status| status.conditions).unwrap_or_default();
        let conditions = conditions.into_iter().filter(|it| it.status == "True").map(|it| TerminationCondition {
            condition: it.type_,
            reason: it.reason.unwrap_or_default(),
            message: it.message.unwrap_or_default(),
        });
        let own = metadata.finalizers.take().unwrap_or_default();
        let of_the_content = spec.and_then(|spec| spec.finalizers).unwrap_or_default();
        Box::new(Termination::new(conditions, own.into_iter().chain(of_the_content)))
    });
    facts(metadata, policies).map(|namespace| Namespace { ending, ..namespace })
}

/// Reads a namespace from the quorum; `None` where a live apiserver says that there is none of this name.
///
/// # Errors
/// When it is not known.
pub async fn look(cluster: &Cluster, name: &str, policies: &Policies) -> Result<Option<Namespace>, ApiError> {
    let doing = format!("read namespace `{name}`");
    match within(&doing, cluster.lean_namespaces().get(name)).await {
        Ok(object) => facts_of(object, policies).map(Some).ok_or_else(|| ApiError {
            doing,
            answer: super::ApiOutcome::Unclear,
            why: "the answer lacks a uid, a name, a creation or a resourceVersion".to_owned(),
        }),
        Err(error) if error.answer == super::ApiOutcome::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes annotations, full keys, `None` to remove, on the namespace of this uid and no other of its name. Returns
/// it as it is now.
///
/// # Errors
/// When it is not known to be written; [`super::Answer::OtherUid`] where the name belongs to another namespace.
pub async fn patch_annotations(
    cluster: &Cluster,
    name: &str,
    uid: &Uid,
    annotations: &BTreeMap<String, Option<String>>,
) -> Result<NamespaceMeta, ApiError> {
    let values: serde_json::Map<String, Value> =
        annotations.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    // The uid in the body makes the apiserver refuse when the name was taken over by another namespace.
    let patch = json!({ "metadata": { "uid": uid.as_str(), "annotations": values } });
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let doing = format!("annotate namespace `{name}`");
    within(&doing, cluster.lean_namespaces().patch(name, &params, &Patch::Merge(patch))).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Source;

    /// As a kube-apiserver 1.34 shows one that an APIService without a Service and a finalizer on a ConfigMap hold.
    fn held() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "ci-1", "uid": "u", "resourceVersion": "9", "creationTimestamp": "2026-08-17T08:00:00Z",
                "deletionTimestamp": "2026-08-17T09:00:00Z", "finalizers": ["example.org/mine"],
                "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"}]},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Terminating", "conditions": [
                {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "reason": "DiscoveryFailed",
                    "lastTransitionTime": "2026-08-17T09:00:05Z", "message": "Discovery failed for some groups, 1 failing: \
                     unable to retrieve the complete list of server APIs: metrics.example.org/v1beta1: stale GroupVersion \
                     discovery: metrics.example.org/v1beta1"},
                {"type": "NamespaceDeletionGroupVersionParsingFailure", "status": "False", "reason": "ParsedGroupVersions",
                    "lastTransitionTime": "2026-08-17T09:00:05Z", "message": "All legacy kube types successfully parsed"},
                {"type": "NamespaceDeletionContentFailure", "status": "False", "reason": "ContentDeleted",
                    "lastTransitionTime": "2026-08-17T09:00:05Z",
                    "message": "All content successfully deleted, may be waiting on finalization"},
                {"type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain",
                    "lastTransitionTime": "2026-08-17T09:00:05Z",
                    "message": "Some resources are remaining: configmaps. has 1 resource instances"},
                {"type": "NamespaceFinalizersRemaining", "status": "True", "reason": "SomeFinalizersRemain",
                    "lastTransitionTime": "2026-08-17T09:00:05Z", "message": "Some content in the namespace has finalizers \
                     remaining: example.org/never in 1 resource instances"},
            ]},
        })
    }

    fn see(object: Value) -> Namespace {
        let settings = Source::new(None, [("NSM__STORE__URL".to_owned(), "sqlite:/x".to_owned())]).load().unwrap();
        facts_of(serde_json::from_value(object).unwrap(), &settings.policies).unwrap()
    }

    #[test]
    fn what_holds_a_namespace_is_what_it_says_is_true_and_its_own_finalizers() {
        let ending = see(held()).ending.unwrap();
        let told: Vec<_> = ending.conditions.iter().map(|it| (it.condition.as_str(), it.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                ("NamespaceDeletionDiscoveryFailure", "DiscoveryFailed"),
                ("NamespaceContentRemaining", "SomeResourcesRemain"),
                ("NamespaceFinalizersRemaining", "SomeFinalizersRemain"),
            ]
        );
        assert!(ending.conditions[0].message.contains("metrics.example.org/v1beta1"), "{ending:?}");
        assert_eq!(ending.finalizers, ["example.org/mine"]);
        let mut with_more = held();
        with_more["spec"]["finalizers"] = json!(["kubernetes", "example.org/content"]);
        assert_eq!(see(with_more).ending.unwrap().finalizers, ["example.org/content", "example.org/mine"]);
    }

    #[test]
    fn nothing_of_that_is_kept_of_one_that_nobody_deletes() {
        let mut lives = held();
        lives["metadata"]["deletionTimestamp"] = Value::Null;
        assert_eq!(see(lives).ending, None);
    }
}
