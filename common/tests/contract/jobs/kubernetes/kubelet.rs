//! What a kubelet would say of pods that run the suite's program, without running anything.

use common::{cluster::watch, timings::Timings};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher::Config},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Follows the pods of a namespace until it is dropped.
pub(crate) struct Kubelet {
    _following: JoinSet<()>,
}

impl Kubelet {
    pub(crate) fn start(client: &Client, namespace: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let mut following = JoinSet::new();
        following.spawn(async move {
            let mut changes =
                Box::pin(watch(pods.clone(), Config::default(), Timings::default().watch_timeout).applied_objects());
            while let Some(change) = changes.next().await {
                let Ok(pod) = change else { continue };
                let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                if phase != Some("Pending") || pod.metadata.deletion_timestamp.is_some() || has_said(&pod) {
                    continue;
                }
                let patch = Patch::Merge(json!({ "status": status(&pod) }));
                // It may have gone meanwhile.
                let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await;
            }
        });
        Self { _following: following }
    }
}

fn has_said(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.container_statuses.as_ref().is_some_and(|all| !all.is_empty()))
}

fn status(pod: &Pod) -> Value {
    let args = pod.spec.as_ref().and_then(|spec| spec.containers[0].args.clone()).unwrap_or_default();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let ended = |code: i32, said: &str| {
        let reason = if code == 0 { "Completed" } else { "Error" };
        json!({"terminated": {"exitCode": code, "reason": reason, "message": said}})
    };
    let (phase, state) = match args[..] {
        ["end", "with these arguments"] => ("Succeeded", ended(0, "")),
        ["fail", why] => ("Failed", ended(1, why)),
        ["panic"] => ("Failed", ended(101, "panicked")),
        ["stay"] => ("Running", json!({"running": {}})),
        ["no image"] => {
            let why = json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image"});
            ("Pending", json!({ "waiting": why }))
        }
        ref other => ("Failed", ended(2, &format!("{other:?}"))),
    };
    let is_ready = phase == "Running";
    json!({
        "phase": phase,
        "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}],
        "containerStatuses": [{
            "name": "main", "image": "", "imageID": "", "restartCount": 0, "ready": is_ready, "state": state,
        }],
    })
}
