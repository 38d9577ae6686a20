//! What keeps Jobs from starting, and their pods, is told to people, and the apiserver is not asked over and over.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use testbed::eventually;

use crate::system::actors::Actor;
use crate::system::stage::{self, Found, HOME, LATER, Stage};

#[tokio::test]
async fn jobs_are_refused() {
    stage::on("jobs_are_refused", Found::Released, async |stage| {
        // Whoever runs goes on: there is to be no worker any more.
        stage.workers_end().await?;
        limit(stage, "no-more-jobs", "count/jobs.batch").await?;
        let actor = Actor::enter(stage, "ci-unserved", &[("ttl", "5s")]).await?;
        actor.shows(stage, "status", "stale").await?;
        is_told(stage, "no-more-jobs", 1).await?;
        actor.lives(stage).await?;
        lift(stage, "no-more-jobs").await?;
        actor.dies(stage).await
    })
    .await;
}

/// For a collector and for a worker.
#[tokio::test]
async fn pods_are_refused() {
    stage::on("pods_are_refused", Found::Released, async |stage| {
        stage.workers_end().await?;
        limit(stage, "no-more-pods", "count/pods").await?;
        let actor = Actor::enter(stage, "ci-unmanned", &[("ttl", "5s")]).await?;
        actor.shows(stage, "status", "stale").await?;
        let residents = "app.kubernetes.io/component=collector";
        stage.home.cluster.kubectl(["delete", "jobs", "--namespace", HOME, "--selector", residents]).await?;
        is_told(stage, "no-more-pods", 2).await?;
        actor.lives(stage).await?;
        lift(stage, "no-more-pods").await?;
        actor.dies(stage).await
    })
    .await;
}

/// Lets nothing more of this be made in the manager's namespace.
async fn limit(stage: &Stage, name: &str, what: &str) -> Result<()> {
    let quota = json!({"metadata": {"name": name}, "spec": {"hard": {what: "0"}}});
    quotas(stage).create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
    Ok(())
}

async fn lift(stage: &Stage, name: &str) -> Result<()> {
    quotas(stage).delete(name, &DeleteParams::default()).await?;
    Ok(())
}

fn quotas(stage: &Stage) -> Api<ResourceQuota> {
    Api::namespaced(stage.client.clone(), HOME)
}

/// Waits until `nsm status` names this so often.
async fn is_told(stage: &Stage, what: &str, times: usize) -> Result<()> {
    eventually(&format!("`{what}` is told"), LATER, async || {
        let status = stage.home.nsm(&["status"]).await?;
        ensure!(status.matches(what).count() >= times, "{status}");
        Ok(())
    })
    .await
}
