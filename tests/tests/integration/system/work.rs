//! What it is there for, and how it is asked.

use std::cell::Cell;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::eventually;

use crate::system::actors::Actor;
use crate::system::stage::{self, Found, HOME, LABEL, LATER, READERS, RELEASE, SOON, Stage};

/// Three that are not in each other's way, at the same time.
#[tokio::test]
async fn works_and_answers() {
    stage::on("works_and_answers", Found::Released, async |stage| {
        tokio::try_join!(
            async { workloads_that_fail(stage).await.context("workloads that fail") },
            async { asked_by_people(stage).await.context("asked by people") },
            async { asked_by_a_pod(stage).await.context("asked by a pod") },
        )?;
        Ok(())
    })
    .await;
}

/// A pod whose image is not to be had fails its namespace; one that runs does not.
async fn workloads_that_fail(stage: &Stage) -> Result<()> {
    const MISSING: &str = "example.org/not-on-this-node:1";
    let well = Actor::enter_working(stage, "ci-well", &[("ttl", "1h")]).await?;
    let broken = Actor::enter(stage, "ci-broken", &[("ttl", "1h")]).await?;
    broken.deploy(stage, MISSING).await?;
    broken.dies(stage).await?;
    let history = stage.history(&broken.uid).await?;
    let intended = history.of_kind("ActionIntended").next().context("an intent")?;
    ensure!(intended.text("cause") == Some("failed"), "{intended:?}");
    let evidence = intended.data["evidence"].to_string();
    ensure!(evidence.contains("waits with its container `work` (ErrImageNeverPull)"), "{evidence}");
    well.shows(stage, "status", "ok").await?;
    well.lives(stage).await?;
    well.leaves(stage).await
}

/// What people see, from within a pod that holds nothing but the image and the configuration.
async fn asked_by_people(stage: &Stage) -> Result<()> {
    let gone = Actor::enter(stage, "ci-gone", &[("ttl", "5s")]).await?;
    let actor = Actor::enter(stage, "ci-asked", &[("ttl", "1h")]).await?;
    actor.shows(stage, "status", "ok").await?;
    let listed = stage.home.nsm(&["ls"]).await?;
    ensure!(listed.contains("ci-asked"), "{listed}");
    for command in [&["why", "ci-asked"][..], &["status"], &["workers"]] {
        stage.home.nsm(command).await?;
    }
    gone.dies(stage).await?;
    let told = stage.home.nsm(&["history", "ci-gone"]).await?;
    ensure!(told.contains("its deletion was accepted"), "{told}");
    actor.leaves(stage).await
}

/// What another program reads of the API, by the token of its pod, and only once somebody gave it the right.
async fn asked_by_a_pod(stage: &Stage) -> Result<()> {
    const READER: &str = "reader";
    let cluster = &stage.home.cluster;
    let actor = Actor::enter(stage, "ci-read", &[("ttl", "1h")]).await?;
    actor.shows(stage, "status", "ok").await?;
    let (key, value) = LABEL;
    let reader = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": READER, "labels": {key: value}},
    });
    cluster.apply(&reader.to_string()).await?;
    let pods: Api<Pod> = Api::namespaced(stage.client.clone(), READER);
    let ask = async |name: &str| -> Result<String> {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": READER},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "nsm",
                    "image": stage.home.image(),
                    "command": [
                        "nsm", "ls", "--api", format!("http://{RELEASE}-api.{HOME}:443"), "--token-file", "/token/token",
                    ],
                    "volumeMounts": [{"name": "token", "mountPath": "/token"}],
                }],
                "volumes": [{"name": "token", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token", "audience": "namespace-manager"}},
                ]}}],
            },
        });
        cluster.apply(&pod.to_string()).await?;
        eventually("the pod asked", SOON, async || {
            let phase = pods.get(name).await?.status.and_then(|status| status.phase);
            ensure!(matches!(phase.as_deref(), Some("Succeeded" | "Failed")), "{phase:?}");
            Ok(())
        })
        .await?;
        cluster.kubectl(["logs", "--namespace", READER, name]).await
    };
    let refused = ask("before").await?;
    ensure!(refused.contains("may not list `records`") && !refused.contains("ci-read"), "{refused}");
    let role = format!("--clusterrole={RELEASE}-reader");
    let account = format!("--serviceaccount={READER}:default");
    cluster.kubectl(["create", "clusterrolebinding", READERS, &role, &account]).await?;
    // The API remembers an answer of the apiserver for ten seconds.
    let count = Cell::new(0);
    let listed = eventually("it may read", SOON, async || {
        count.set(count.get() + 1);
        let listed = ask(&format!("after-{}", count.get())).await?;
        ensure!(listed.contains("ci-read"), "{listed}");
        Ok(listed)
    })
    .await?;
    ensure!(!listed.contains("kube-system"), "{listed}");
    cluster.kubectl(["delete", "clusterrolebinding", READERS]).await?;
    cluster.kubectl(["delete", "namespace", READER, "--wait=false"]).await?;
    actor.leaves(stage).await
}

/// Collectors as CronJobs: nobody watches in between, and the same comes of it.
#[tokio::test]
async fn swept_by_cron() {
    stage::on("swept_by_cron", Found::Released, async |stage| {
        let jobs = json!({"sweep": "cron", "prune_every": "1w"});
        stage.release(|values| values["config"]["jobs"] = jobs).await?;
        let cronjobs: Api<CronJob> = Api::namespaced(stage.client.clone(), HOME);
        let names = async || -> Result<Vec<String>> {
            Ok(cronjobs.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect())
        };
        eventually("a sweep is scheduled, and no collector is resident", LATER, async || {
            let running = stage.running("collector").await?;
            ensure!(!running.iter().any(|name| name.contains("-collector-")), "{running:?}");
            let names = names().await?;
            ensure!(names.iter().any(|name| name.contains("-sweep-")), "{names:?}");
            let prune = cronjobs.get(&format!("{RELEASE}-prune")).await?.spec.map(|spec| spec.schedule);
            ensure!(prune.as_deref() == Some("0 0 * * 0"), "{prune:?}");
            Ok(())
        })
        .await?;
        let actor = Actor::enter(stage, "ci-swept", &[("ttl", "5s")]).await?;
        eventually("a sweep has run by its schedule", LATER, async || {
            let jobs = stage.jobs().list(&ListParams::default()).await?;
            let is_swept = |job: &Job| job.name_any().contains("-sweep-") && is_complete(job);
            ensure!(jobs.iter().any(is_swept), "{:?}", jobs.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
            Ok(())
        })
        .await?;
        // The first sweep has seen it. The next are not waited for.
        let sweep = names().await?.into_iter().find(|name| name.contains("-sweep-")).context("a sweep")?;
        let mut sweeps = 0;
        while !actor.was(stage, "stale").await? {
            sweeps += 1;
            run_now(stage, &sweep, &format!("sweep-now-{sweeps}")).await?;
        }
        actor.is_gone(stage).await?;
        // Nobody watches: the next sweep sees that.
        run_now(stage, &sweep, "sweep-after").await?;
        actor.dies(stage).await.context("swept")?;
        // Housekeeping is a day away: now is as good.
        run_now(stage, &format!("{RELEASE}-prune"), "prune-now").await?;
        stage.release(|_| ()).await?;
        eventually("a collector is resident again, and no sweep is scheduled", LATER, async || {
            let names = names().await?;
            ensure!(!names.iter().any(|name| name.contains("-sweep-")), "{names:?}");
            let running = stage.running("collector").await?;
            ensure!(running.iter().any(|name| name.contains("-collector-")), "{running:?}");
            Ok(())
        })
        .await
    })
    .await;
}

/// Runs what a CronJob runs.
async fn run_now(stage: &Stage, cronjob: &str, name: &str) -> Result<()> {
    let from = format!("cronjob/{cronjob}");
    stage.home.cluster.kubectl(["create", "job", "--namespace", HOME, name, "--from", &from]).await?;
    eventually(&format!("`{name}` is complete"), SOON, async || {
        let job = stage.jobs().get(name).await?;
        ensure!(is_complete(&job), "{:?}", job.status);
        Ok(())
    })
    .await?;
    stage.jobs().delete(name, &DeleteParams::background()).await?;
    Ok(())
}

fn is_complete(job: &Job) -> bool {
    job.status.as_ref().is_some_and(|status| status.succeeded == Some(1))
}
