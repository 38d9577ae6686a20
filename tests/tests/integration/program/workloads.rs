//! Namespaces whose workloads fail, without a Prometheus or while it is away.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testbed::audit_checker::Entry;
use testbed::{Prometheus, eventually};

use crate::program::harness::{Demo, LATER, NO_DELETE, NO_WORKLOADS, Plane, SOON, WORKER, World, story, story_on};

/// Health by the workloads, looked at so often.
fn judged(every: &str, checks: Value) -> impl FnOnce(&mut Value) + use<> {
    let every = every.to_owned();
    move |config| {
        config["health"] = json!({"check_every": every});
        config["policies"][0]["checks"] = checks;
    }
}

/// A Deployment of this story's, as whoever runs Deployments leaves it; nobody does here.
async fn deployed(world: &World, demo: &Demo, progress: Value) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), &demo.name);
    let container = json!({"name": "web", "image": "web"});
    let deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }))?;
    deployments.create(&PostParams::default(), &deployment).await?;
    tell(world, demo, 0, progress).await
}

/// What whoever runs Deployments says of it.
async fn tell(world: &World, demo: &Demo, ready: i32, progress: Value) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), &demo.name);
    let mut condition = json!({"type": "Progressing", "lastUpdateTime": "2026-01-01T00:00:00Z"});
    condition.as_object_mut().expect("an object").extend(progress.as_object().cloned().unwrap_or_default());
    let status = json!({"status": {"replicas": 1, "readyReplicas": ready, "conditions": [condition]}});
    deployments.patch_status("web", &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

fn stuck() -> Value {
    json!({"status": "False", "reason": "ProgressDeadlineExceeded"})
}

fn complete() -> Value {
    json!({"status": "True", "reason": "NewReplicaSetAvailable"})
}

async fn becomes(demo: &Demo, status: &str) -> Result<Entry> {
    demo.records("StatusChanged", |entry| entry.text("to") == Some(status)).await
}

#[tokio::test]
async fn what_does_not_become_ready_is_deleted_and_what_recovers_stays() {
    let judged = judged("1s", json!({"settling_period": "2s", "grace_period": "8s"}));
    let configure = |config: &mut Value| {
        judged(config);
        // What recovers has all the time that takes.
        let mut patient = config["policies"][0].clone();
        patient["name"] = json!("patient");
        patient["match"]["all"][0]["labels"]["patient"] = json!("yes");
        patient["checks"]["grace_period"] = json!("1h");
        config["policies"].as_array_mut().expect("a list").insert(0, patient);
    };
    story(configure, async |world| {
        let name = format!("mended-{}", world.name);
        let mended = world.namespace_named(&name, &[world.label(), ("patient", "yes")], &[]).await?;
        let [lost, young, empty] =
            [world.namespace(&[]).await?, world.namespace(&[]).await?, world.namespace(&[]).await?];
        deployed(world, &young, json!({"status": "True", "reason": "ReplicaSetUpdated", "lastUpdateTime": now()}))
            .await?;
        let _nsm = world.start().await?;
        for demo in [&lost, &mended, &young, &empty] {
            demo.shows("failing_resources", "[]").await?;
            demo.shows("status", "ok").await?;
        }
        deployed(world, &lost, stuck()).await?;
        deployed(world, &mended, stuck()).await?;
        mended.shows("status", "failing").await?;
        mended.shows("failing_resources", "[\"web\"]").await?;
        tell(world, &mended, 1, complete()).await?;
        mended.shows("status", "ok").await?;
        mended.shows("failing_resources", "[]").await?;
        let failed = becomes(&lost, "failed").await?;
        let why = "Deployment `web` has 0 of 1 pods ready and makes no progress";
        ensure!(failed.text("reason").is_some_and(|reason| reason.contains(why)), "{failed:?}");
        lost.is_deleted().await?;
        let intended = lost.records("ActionIntended", |_| true).await?;
        ensure!(intended.text("cause") == Some("failed"), "{intended:?}");
        ensure!(intended.data["evidence"].to_string().contains(why), "{intended:?}");
        ensure!(lost.statuses()? == ["ok", "unstable", "failing", "failed"], "{:?}", lost.statuses());
        ensure!(mended.statuses()? == ["ok", "unstable", "failing", "ok"], "{:?}", mended.statuses());
        for demo in [&young, &empty] {
            demo.lives().await?;
            ensure!(demo.statuses()? == ["ok"], "{:?}", demo.statuses());
        }
        Ok(())
    })
    .await;
}

fn now() -> String {
    crate::program::harness::now().strftime("%FT%TZ").to_string()
}

#[tokio::test]
async fn workloads_that_may_not_be_read_change_nothing_until_they_may() {
    let judged = judged("1s", json!({"settling_period": "0", "grace_period": "0"}));
    // The user is promoted, on the whole control plane.
    story_on(Plane::own().await, judged, async |world| {
        let lost = world.namespace(&[]).await?;
        deployed(world, &lost, stuck()).await?;
        world.be(NO_WORKLOADS);
        let nsm = world.start().await?;
        nsm.says("the health of namespaces is not known").await?;
        lost.shows("status", "unknown").await?;
        let page = eventually("the outage shows", LATER, async || {
            let page = world.nsm_ok(&["status"]).await?;
            ensure!(page.contains("kubernetes since") && page.contains("forbidden"), "{page}");
            Ok(())
        });
        page.await?;
        ensure!(lost.statuses()?.is_empty(), "{:?}", lost.statuses());
        world.plane.promote(NO_WORKLOADS).await?;
        nsm.says("kubernetes tells of the health of namespaces again").await?;
        lost.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn while_prometheus_is_away_the_workloads_speak() {
    let watchdog = json!({"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "none"}});
    let prometheus = Prometheus::start(&[watchdog]).await.unwrap();
    let judged = judged("1s", json!({"settling_period": "0", "grace_period": "0"}));
    let url = prometheus.url();
    let configure = move |config: &mut Value| {
        judged(config);
        config["prometheus"] = json!({"url": url, "warm_up": "0s"});
        let mut strict = config["policies"][0].clone();
        strict["name"] = json!("strict");
        strict["checks"]["health"] = json!("prometheus");
        strict["match"] = json!({"names": ["strict-.*"]});
        config["policies"].as_array_mut().expect("a list").insert(0, strict);
    };
    story(configure, async |world| {
        let lost = world.namespace(&[]).await?;
        let strict = world.namespace_named(&format!("strict-{}", world.name), &[], &[]).await?;
        for demo in [&lost, &strict] {
            deployed(world, demo, stuck()).await?;
        }
        let nsm = world.start().await?;
        for demo in [&lost, &strict] {
            let ok = becomes(demo, "ok").await?;
            ensure!(ok.text("reason") == Some("no alert fires"), "{ok:?}");
        }
        prometheus.kill();
        nsm.says("the health of namespaces is not known").await?;
        let failed = becomes(&lost, "unstable").await?;
        let why = "makes no progress (by its workloads; of Prometheus is not known: ";
        ensure!(failed.text("reason").is_some_and(|reason| reason.contains(why)), "{failed:?}");
        lost.is_deleted().await?;
        strict.lives().await?;
        ensure!(strict.statuses()? == ["ok"], "{:?}", strict.statuses());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_became_ready_since_is_not_deleted_although_nobody_judged_it_anew() {
    let judged = judged("1h", json!({"settling_period": "0", "grace_period": "0"}));
    let configure = move |config: &mut Value| {
        judged(config);
        config["policies"][0]["visible_for"] = json!("1s");
        config["telemetry"]["log"] = json!("info,actions=debug");
    };
    story(configure, async |world| {
        world.begin_stopped().await?;
        let mended = world.namespace(&[]).await?;
        deployed(world, &mended, stuck()).await?;
        // A creation is told in whole seconds: what is looked at within one of it may be about a former namespace.
        crate::program::harness::until(crate::program::harness::now() + SignedDuration::from_secs(1)).await?;
        let nsm = world.start().await?;
        let mend = async || tell(world, &mended, 1, complete()).await;
        world.changed_before_its_deletion(&mended, mend).await?;
        nsm.says(&format!("`{}` is not deleted now: nothing in it fails", mended.name)).await?;
        mended.lives().await?;
        ensure!(mended.history()?.of_kind("ActionIntended").next().is_none(), "{:?}", mended.kinds());
        tell(world, &mended, 0, stuck()).await?;
        mended.is_deleted().await
    })
    .await;
}

/// How often each kind was listed by this user.
fn lists(world: &World, user: &str) -> Result<BTreeMap<String, usize>> {
    let mut lists = BTreeMap::new();
    for event in world.plane.audit()? {
        if event.user.username == user && event.verb == "list" {
            let resource = event.object_ref.and_then(|object| object.resource).unwrap_or_default();
            *lists.entry(resource).or_default() += 1;
        }
    }
    Ok(lists)
}

/// Whether a program tells of an outage, after which it lists again.
fn is_again(log: &str) -> bool {
    ["the watch on namespaces broke", "the health of namespaces is not known"].iter().any(|words| log.contains(words))
}

/// However many namespaces there are, and whatever happens in them.
#[tokio::test]
async fn each_kind_is_listed_once_by_who_stays_and_once_by_who_sweeps() {
    let once: BTreeMap<_, _> = [
        "cronjobs",
        "daemonsets",
        "deployments",
        "jobs",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "replicasets",
        "statefulsets",
        "storageclasses",
    ]
    .map(|kind| (kind.to_owned(), 1))
    .into();
    let configure = judged("1s", json!({"settling_period": "0", "grace_period": "1h"}));
    story_on(Plane::own().await, configure, async |world| {
        let demos = [world.namespace(&[]).await?, world.namespace(&[]).await?, world.namespace(&[]).await?];
        let mut nsm = world.start().await?;
        for demo in &demos {
            becomes(demo, "ok").await?;
            deployed(world, demo, stuck()).await?;
            becomes(demo, "failing").await?;
            tell(world, demo, 1, complete()).await?;
        }
        for demo in &demos {
            demo.shows("status", "ok").await?;
        }
        nsm.process().terminate(SOON).await?;
        world.log_is_complete().await?;
        // What a broken watch costs is told elsewhere.
        let log = nsm.log();
        ensure!(lists(world, WORKER)? == once || is_again(&log), "{:?}\n{log}", lists(world, WORKER));
        tell(world, &demos[0], 0, stuck()).await?;
        let log = world.sweep(NO_DELETE).await?;
        ensure!(demos[0].statuses()?.ends_with(&["ok", "unstable", "failing"].map(str::to_owned)), "{log}");
        world.log_is_complete().await?;
        ensure!(lists(world, NO_DELETE)? == once || is_again(&log), "{:?}\n{log}", lists(world, NO_DELETE));
        Ok(())
    })
    .await;
}
