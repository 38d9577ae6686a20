//! Newer deployments of a branch, and what becomes of those they replace.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::ci::{CiServer, Fault};
use testbed::eventually;

use crate::program::harness::{Demo, LATER, World, story};

/// A namespace that job `job_id` of a project deployed from `main`.
async fn deployed(world: &World, name: &str, project: &str, job_id: &str, overrides: &[(&str, &str)]) -> Result<Demo> {
    let ci = [("projectId", project), ("job", "deploy"), ("branch", "main"), ("jobId", job_id)];
    labelled(world, name, ci, overrides).await
}

/// A namespace that job `job_id` of project 7 deployed from a branch with this slug.
async fn deployed_from(world: &World, name: &str, slug: &str, job_id: &str) -> Result<Demo> {
    labelled(world, name, [("projectId", "7"), ("job", "deploy"), ("branch", slug), ("jobId", job_id)], &[]).await
}

async fn labelled(world: &World, name: &str, ci: [(&str, &str); 4], overrides: &[(&str, &str)]) -> Result<Demo> {
    let ci = ci.map(|(key, value)| (format!("cicd.skao.int/{key}"), value));
    let labels: Vec<_> = ci.iter().map(|(key, value)| (key.as_str(), *value)).chain([world.label()]).collect();
    world.namespace_named(&format!("{name}-{}", world.name), &labels, overrides).await
}

fn asked_for(visible_for: &str) -> impl FnOnce(&mut Value) + use<> {
    let visible_for = visible_for.to_owned();
    move |config| {
        config["policies"][0]["checks"] = json!({"superseded": {}});
        config["policies"][0]["visible_for"] = json!(visible_for);
        config["telemetry"]["log"] = json!("info,actions=debug");
    }
}

const TOKEN: &str = "glpat-token";

/// As [`asked_for`], where this GitLab is asked so often what jobs ran for.
fn confirmed_by(gitlab: &CiServer, every: &str, visible_for: &str) -> impl FnOnce(&mut Value) + use<> {
    let token = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(token.path(), TOKEN).expect("it can be written");
    let (_, path) = token.keep().expect("it can be kept");
    let section = json!({"url": gitlab.url(), "token_file": path, "check_every": every});
    let asked_for = asked_for(visible_for);
    move |config| {
        asked_for(config);
        config["gitlab"] = section;
    }
}

/// How often was asked for a job of project 7.
fn asked(gitlab: &CiServer, job: u64) -> usize {
    let path = format!("/api/v4/projects/7/jobs/{job}");
    gitlab.asked().iter().filter(|asked| asked.path == path).count()
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
        ensure!(other.statuses()? == ["ok"], "{:?}", other.statuses());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_replaced_by_nobody_any_more_stays() {
    story(asked_for("30s"), async |world| {
        let old = deployed(world, "old", "7", "1", &[]).await?;
        let nsm = world.start().await?;
        let new = deployed(world, "new", "7", "2", &[("ttl", "1h")]).await?;
        let shown = old.shows("status", "superseded").await?;
        new.expire().await?;
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
        ensure!(old.statuses()? == ["ok", "superseded", "unknown", "ok"], "{:?}", old.statuses());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn where_a_ci_system_can_be_asked_only_what_it_confirms_replaces_anything() {
    let gitlab = CiServer::gitlab(TOKEN).await.expect("it starts");
    gitlab.set_job("7", 1, "main");
    gitlab.set_job("7", 2, "feature/other");
    story(confirmed_by(&gitlab, "1s", "0"), async |world| {
        let old = deployed(world, "old", "7", "1", &[]).await?;
        // Somebody wrote the labels of `main` on what was deployed from another branch, and on what no job deployed.
        let forged = deployed(world, "forged", "7", "2", &[]).await?;
        let invented = deployed(world, "invented", "7", "999999", &[]).await?;
        let nsm = world.start().await?;
        for demo in [&old, &forged, &invented] {
            demo.shows("status", "ok").await?;
        }
        eventually("it was asked for both", LATER, async || {
            ensure!(asked(&gitlab, 2) > 0 && asked(&gitlab, 999_999) > 0, "{:?}", gitlab.asked());
            Ok(())
        })
        .await?;
        world.witness().await?;
        old.lives().await?;
        ensure!(old.statuses()? == ["ok"], "{:?}", old.statuses());
        // The real one.
        gitlab.set_job("7", 3, "main");
        let new = deployed(world, "new", "7", "3", &[]).await?;
        old.is_deleted().await?;
        let entry = old.records("StatusChanged", |entry| entry.text("to") == Some("superseded")).await?;
        ensure!(entry.data["successors"] == json!([{"uid": new.uid, "name": new.name}]), "{entry:?}");
        world.witness().await?;
        new.lives().await?;
        // Its labels say `main`, and it holds something else.
        forged.lives().await?;
        ensure!(new.statuses()? == ["ok"], "{:?}, {}", new.statuses(), nsm.log());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn while_it_cannot_be_asked_nothing_is_replaced_and_nothing_deleted() {
    let gitlab = CiServer::gitlab(TOKEN).await.expect("it starts");
    gitlab.set_job("7", 1, "main");
    gitlab.set_job("7", 2, "main");
    gitlab.fail(Some(Fault::Status(503)));
    story(confirmed_by(&gitlab, "1s", "0"), async |world| {
        let old = deployed(world, "old", "7", "1", &[]).await?;
        let new = deployed(world, "new", "7", "2", &[]).await?;
        let _nsm = world.start().await?;
        new.shows("status", "ok").await?;
        eventually("it was asked again and again", LATER, async || {
            ensure!(asked(&gitlab, 2) > 1, "{:?}", gitlab.asked());
            Ok(())
        })
        .await?;
        world.witness().await?;
        old.lives().await?;
        ensure!(old.statuses()? == ["ok"], "{:?}", old.statuses());
        gitlab.fail(None);
        old.is_deleted().await?;
        new.lives().await
    })
    .await;
}

#[tokio::test]
async fn just_before_a_deletion_the_ci_system_is_asked_once_more() {
    let gitlab = CiServer::gitlab(TOKEN).await.expect("it starts");
    gitlab.set_job("7", 1, "main");
    gitlab.set_job("7", 2, "main");
    // The collector asks no more until long after.
    story(confirmed_by(&gitlab, "1h", "1s"), async |world| {
        world.begin_stopped().await?;
        let old = deployed(world, "old", "7", "1", &[]).await?;
        let new = deployed(world, "new", "7", "2", &[]).await?;
        let nsm = world.start().await?;
        let correct = async || {
            gitlab.set_job("7", 2, "feature/other");
            Ok(())
        };
        world.changed_before_its_deletion(&old, correct).await?;
        let why = format!("`{}` is not what it was: StatusChanged is due first", old.name);
        eventually("nsm says so", LATER, async || {
            ensure!(nsm.log().contains(&why), "{}", nsm.log());
            Ok(())
        })
        .await?;
        world.witness().await?;
        old.lives().await?;
        new.lives().await
    })
    .await;
}

/// Two branches have one slug, which is what the documentation has people write into the label.
#[tokio::test]
async fn what_was_deployed_from_another_branch_with_the_same_slug_stays() {
    let gitlab = CiServer::gitlab(TOKEN).await.expect("it starts");
    gitlab.set_job("7", 1, "feature/x");
    gitlab.set_job("7", 2, "feature-x");
    story(confirmed_by(&gitlab, "1s", "0"), async |world| {
        let of_slug = async |name, job_id| deployed_from(world, name, "feature-x", job_id).await;
        let (alices, bobs) = (of_slug("alices", "1").await?, of_slug("bobs", "2").await?);
        let _nsm = world.start().await?;
        for demo in [&alices, &bobs] {
            demo.shows("status", "ok").await?;
        }
        eventually("it was asked for both", LATER, async || {
            ensure!(asked(&gitlab, 1) > 0 && asked(&gitlab, 2) > 0, "{:?}", gitlab.asked());
            Ok(())
        })
        .await?;
        world.witness().await?;
        alices.lives().await?;
        ensure!(alices.statuses()? == ["ok"], "{:?}", alices.statuses());
        gitlab.set_job("7", 3, "feature/x");
        let newer = of_slug("newer", "3").await?;
        alices.is_deleted().await?;
        for demo in [&bobs, &newer] {
            demo.lives().await?;
        }
        Ok(())
    })
    .await;
}
