//! Deletions that were accepted and do not end: what holds them is told, and where it holds every namespace the rest waits.
//!
//! On a control plane with a controller manager, which deletes the content of namespaces and says what is left.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::eventually;

use crate::program::harness::{Demo, LATER, Nsm, Plane, SOON, World, plain, story_on};

/// How long a deletion may take before it is looked at for what holds it.
const STALLED_AFTER: &str = "stalled_after=10s";

/// What nobody ever takes off.
const NEVER: &str = "example.org/never";

async fn start(world: &World) -> Result<Nsm> {
    let nsm = world.spawn_with(STALLED_AFTER)?;
    nsm.says("namespaces are watched").await?;
    Ok(nsm)
}

/// An aggregated API whose server is not there. Only on a control plane of the story's own: it holds every namespace.
async fn breaks_discovery(world: &World) -> Result<()> {
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.example.org"},
        "spec": {"group": "metrics.example.org", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "nobody"}},
    });
    let api: Api<APIService> = Api::all(world.client.clone());
    let params = PatchParams::apply("testbed").force();
    api.patch("v1beta1.metrics.example.org", &params, &Patch::Apply(service)).await?;
    eventually("the API is not available", SOON, async || {
        let found = api.get("v1beta1.metrics.example.org").await?;
        let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
        let is_down = conditions.iter().any(|it| it.type_ == "Available" && it.status == "False");
        ensure!(is_down, "{conditions:?}");
        Ok(())
    })
    .await
}

async fn mends_discovery(world: &World) -> Result<()> {
    let api: Api<APIService> = Api::all(world.client.clone());
    api.delete("v1beta1.metrics.example.org", &DeleteParams::default()).await?;
    Ok(())
}

/// By the same timings, for `nsm` judges by itself what is stuck.
async fn status(world: &World) -> Result<Value> {
    Ok(serde_json::from_str(&world.nsm_with(STALLED_AFTER, &["status", "-o", "json"]).await?)?)
}

async fn why(world: &World, demo: &Demo) -> Result<Value> {
    Ok(serde_json::from_str(&world.nsm_ok(&["why", &demo.name, "-o", "json"]).await?)?)
}

/// The conditions that the last entry about what holds a namespace quotes.
fn conditions(demo: &Demo) -> Result<Vec<(String, String)>> {
    let history = demo.history()?;
    let last = history.of_kind("DeletionStalled").last().context("nothing is written of what holds it")?;
    let all = last.data["conditions"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all.iter().map(|it| (text(&it["condition"]), text(&it["message"]))).collect())
}

/// Waits until what holds it is quoted so.
async fn quotes(demo: &Demo, condition: &str, words: &str) -> Result<()> {
    eventually(&format!("`{}` quotes {condition}", demo.name), LATER, async || {
        let found = conditions(demo)?;
        ensure!(found.iter().any(|(kind, message)| kind == condition && message.contains(words)), "{found:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_holds_every_namespace_holds_the_rest_until_it_is_over() {
    story_on(Plane::with_controllers().await, plain, async |world| -> Result<()> {
        breaks_discovery(world).await?;
        let mut nsm = start(world).await?;
        let crowd = world.crowd(5, &[("ttl", "1s")]).await?;
        world.are_deleted(&crowd, LATER).await?;
        for demo in &crowd {
            quotes(demo, "NamespaceDeletionDiscoveryFailure", "metrics.example.org/v1beta1").await?;
        }
        eventually("the rest is held", LATER, async || {
            let page = status(world).await?;
            let why = page["hold"]["why"].as_str().unwrap_or_default().to_owned();
            ensure!(why.contains("API group `metrics.example.org`"), "{page:#}");
            Ok(())
        })
        .await?;
        let waiting = world.namespace(&[("ttl", "1s")]).await?;
        let detail = waiting.is_skipped("held").await?.text("detail").unwrap_or_default().to_owned();
        ensure!(detail.contains("NamespaceDeletionDiscoveryFailure"), "{detail}");
        waiting.lives().await?;
        let text = world.nsm_ok(&["why", &crowd[0].name]).await?;
        ensure!(text.contains("still there") && text.contains("metrics.example.org/v1beta1"), "{text}");
        let text = world.nsm_ok(&["status"]).await?;
        ensure!(text.contains("held by"), "{text}");

        // Another process goes on with it.
        nsm.process().terminate(SOON).await?;
        let _nsm = start(world).await?;
        let also = world.namespace(&[("ttl", "1s")]).await?;
        also.is_skipped("held").await?;
        also.lives().await?;

        mends_discovery(world).await?;
        for demo in &crowd {
            demo.records("Gone", |_| true).await?;
        }
        world.are_deleted(&[waiting, also], LATER).await?;
        eventually("nothing is held", LATER, async || {
            let page = status(world).await?;
            ensure!(page["hold"].is_null(), "{page:#}");
            Ok(())
        })
        .await
    })
    .await;
}

/// Puts a finalizer on a namespace itself, as some operator might, or takes all off.
async fn finalize(world: &World, demo: &Demo, finalizers: &[&str]) -> Result<()> {
    let patch = json!({"metadata": {"uid": demo.uid, "finalizers": finalizers}});
    world.namespaces().patch(&demo.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[tokio::test]
async fn finalizers_hold_their_own_namespaces_and_nobody_else() {
    story_on(Plane::with_controllers().await, plain, async |world| -> Result<()> {
        let _nsm = start(world).await?;
        let crowd = world.crowd(6, &[("ttl", "1h")]).await?;
        let maps = |demo: &Demo| Api::<ConfigMap>::namespaced(world.client.clone(), &demo.name);
        for demo in &crowd {
            finalize(world, demo, &[NEVER]).await?;
        }
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": [NEVER]}});
        let params = PatchParams::apply("testbed").force();
        maps(&crowd[0]).patch("held", &params, &Patch::Apply(map)).await?;
        for demo in &crowd {
            demo.expire().await?;
        }
        world.are_deleted(&crowd, LATER).await?;
        for demo in &crowd {
            let stalled = demo.records("DeletionStalled", |_| true).await?;
            ensure!(stalled.data["finalizers"] == json!([NEVER]), "{stalled:?}");
        }
        quotes(&crowd[0], "NamespaceFinalizersRemaining", "example.org/never in 1 resource instances").await?;
        quotes(&crowd[0], "NamespaceContentRemaining", "configmaps. has 1 resource instances").await?;
        let text = world.nsm_ok(&["why", &crowd[0].name]).await?;
        ensure!(text.contains("example.org/never in 1 resource instances"), "{text}");
        ensure!(text.contains(&format!("it has the finalizer `{NEVER}`")), "{text}");
        let page = status(world).await?;
        ensure!(page["hold"].is_null(), "{page:#}");
        ensure!(page["stuck"].to_string().contains(NEVER), "{page:#}");
        world.witness().await?;

        // Once nothing holds it, that is seen, too.
        let none = json!({"metadata": {"finalizers": null}});
        maps(&crowd[0]).patch("held", &PatchParams::default(), &Patch::Merge(none)).await?;
        for demo in &crowd {
            finalize(world, demo, &[]).await?;
            demo.records("Gone", |_| true).await?;
        }
        Ok(())
    })
    .await;
}

/// Its content is deleted in order, pods first: while one is left, the conditions say that nothing is.
#[tokio::test]
async fn pods_that_are_left_are_told_first() {
    story_on(Plane::with_controllers().await, plain, async |world| -> Result<()> {
        let _nsm = start(world).await?;
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        let pods: Api<Pod> = Api::namespaced(world.client.clone(), &demo.name);
        let accounts: Api<ServiceAccount> = Api::namespaced(world.client.clone(), &demo.name);
        eventually("pods may be made", SOON, async || Ok(accounts.get("default").await.map(drop)?)).await?;
        let params = PatchParams::apply("testbed").force();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "held", "finalizers": [NEVER]},
            "spec": {"containers": [{"name": "main", "image": "example.org/none:1"}]}});
        pods.patch("held", &params, &Patch::Apply(pod)).await?;
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": [NEVER]}});
        let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &demo.name);
        maps.patch("held", &params, &Patch::Apply(map)).await?;
        demo.expire().await?;
        demo.is_deleted().await?;
        let stalled = demo.records("DeletionStalled", |_| true).await?;
        ensure!(stalled.data["pods"] == json!({"counted": {"first": ["held"], "in_all": 1}}), "{stalled:?}");
        let answer = why(world, &demo).await?;
        ensure!(answer["ending"]["pods"] == stalled.data["pods"], "{answer:#}");
        let text = world.nsm_ok(&["why", &demo.name]).await?;
        ensure!(text.contains("1 pod is left: `held`"), "{text}");

        // Once no pod is left, the conditions tell the rest.
        let none = json!({"metadata": {"finalizers": null}});
        pods.patch("held", &PatchParams::default(), &Patch::Merge(&none)).await?;
        quotes(&demo, "NamespaceContentRemaining", "configmaps. has 1 resource instances").await?;
        maps.patch("held", &PatchParams::default(), &Patch::Merge(&none)).await?;
        demo.records("Gone", |_| true).await.map(drop)
    })
    .await;
}
