//! Newer deployments of a branch, and what becomes of those they replace.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::eventually;

use crate::harness::{Demo, LATER, World, story};

/// A namespace that job `job_id` of a project deployed from `main`.
async fn deployed(world: &World, name: &str, project: &str, job_id: &str, wishes: &[(&str, &str)]) -> Result<Demo> {
    let ci = [("projectId", project), ("job", "deploy"), ("branch", "main"), ("jobId", job_id)];
    let ci = ci.map(|(key, value)| (format!("cicd.skao.int/{key}"), value));
    let labels: Vec<_> = ci.iter().map(|(key, value)| (key.as_str(), *value)).chain([world.label()]).collect();
    world.namespace_named(&format!("{name}-{}", world.name), &labels, wishes).await
}

fn asked_for(visible_for: &str) -> impl FnOnce(&mut Value) {
    let visible_for = visible_for.to_owned();
    move |config| {
        config["policies"][0]["checks"] = json!({"superseded": {}});
        config["policies"][0]["visible_for"] = json!(visible_for);
        config["telemetry"]["log"] = json!("info,actions=debug");
    }
}

fn statuses(demo: &Demo) -> Result<Vec<String>> {
    let history = demo.history()?;
    Ok(history.of_kind("StatusChanged").filter_map(|entry| entry.text("to")).map(str::to_owned).collect())
}

#[tokio::test]
async fn the_newest_deployment_of_a_branch_that_is_ok_replaces_the_others() {
    story(asked_for("0"), async |world| {
        let old = deployed(world, "old", "7", "9", &[]).await?;
        let new = deployed(world, "new", "7", "10", &[]).await?;
        let broken = deployed(world, "broken", "7", "11", &[]).await?;
        broken.delete().await?;
        let other = deployed(world, "other", "8", "1", &[]).await?;
        let _nsm = world.start().await?;
        old.is_deleted().await?;
        let entry = old.records("StatusChanged", |entry| entry.text("to") == Some("superseded")).await?;
        let why = format!("job `10` deployed the same branch later, as `{}`, which is ok", new.name);
        ensure!(entry.text("reason") == Some(&why), "{entry:?}");
        ensure!(entry.data["successors"] == json!([{"uid": new.uid, "name": new.name}]), "{entry:?}");
        // One that comes later replaces the one that replaced another; whose namespace is going away replaces nobody.
        let newest = deployed(world, "newest", "7", "12", &[]).await?;
        new.is_deleted().await?;
        world.witness().await?;
        newest.lives().await?;
        other.lives().await?;
        ensure!(statuses(&other)? == ["ok"], "{:?}", statuses(&other));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_replaced_by_nobody_any_more_stays() {
    story(asked_for("30s"), async |world| {
        let old = deployed(world, "old", "7", "1", &[]).await?;
        let nsm = world.start().await?;
        let new = deployed(world, "new", "7", "2", &[("ttl", "10s")]).await?;
        let shown = old.shows("status", "superseded").await?;
        ensure!(shown["status_timeframe"] == "5 seconds", "{shown:?}");
        // When it falls due the newer one is stale, and waits for its own end.
        let why = format!("`{}` is not deleted now: no newer deployment of its branch replaces it", old.name);
        let says = eventually("nsm says so", LATER, async || {
            ensure!(nsm.log().contains(&why), "{}", nsm.log());
            Ok(())
        });
        says.await?;
        new.is_deleted().await?;
        old.shows("status", "ok").await?;
        world.witness().await?;
        old.lives().await?;
        ensure!(statuses(&old)? == ["ok", "superseded", "unknown", "ok"], "{:?}", statuses(&old));
        Ok(())
    })
    .await;
}
