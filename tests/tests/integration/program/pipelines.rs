//! Namespaces whose pipelines are cancelled, retried or not to be asked for, and what becomes of them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::ci::{CiServer, Fault};
use testbed::eventually;

use crate::program::harness::{Demo, LATER, World, story};

const TOKEN: &str = "glpat-token";

/// A namespace that a pipeline of project 7 made.
async fn made_by(world: &World, name: &str, pipeline: u64) -> Result<Demo> {
    let id = pipeline.to_string();
    let labels = [("cicd.skao.int/projectId", "7"), ("cicd.skao.int/pipelineId", &id), world.label()];
    world.namespace_named(&format!("{name}-{}", world.name), &labels, &[]).await
}

/// Asks this GitLab so often, and lets what is cancelled stand so long.
fn asking(gitlab: &CiServer, every: &str, visible_for: &str) -> impl FnOnce(&mut Value) + use<> {
    let token = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(token.path(), format!("{TOKEN}\n")).expect("it can be written");
    let (_, path) = token.keep().expect("it can be kept");
    let section = json!({"url": gitlab.url(), "token_file": path, "check_every": every});
    let visible_for = visible_for.to_owned();
    move |config| {
        config["gitlab"] = section;
        config["policies"][0]["visible_for"] = json!(visible_for);
        config["telemetry"]["log"] = json!("info,actions=debug");
    }
}

async fn gitlab(running: &[u64]) -> CiServer {
    let gitlab = CiServer::gitlab(TOKEN).await.expect("it starts");
    running.iter().for_each(|pipeline| gitlab.set("7", *pipeline, "running"));
    gitlab
}

#[tokio::test]
async fn what_a_cancelled_pipeline_made_goes_with_it_and_nothing_else() {
    let gitlab = gitlab(&[46, 47]).await;
    story(asking(&gitlab, "1s", "0"), async |world| {
        let lost = [made_by(world, "lost-a", 46).await?, made_by(world, "lost-b", 46).await?];
        let other = made_by(world, "other", 47).await?;
        let nobodys = world.namespace(&[]).await?;
        let _nsm = world.start().await?;
        for demo in lost.iter().chain([&other, &nobodys]) {
            demo.shows("status", "ok").await?;
        }
        gitlab.set("7", 46, "canceled");
        for demo in &lost {
            let entry = demo.records("StatusChanged", |entry| entry.text("to") == Some("cancelled")).await?;
            let why = "pipeline 46 of project group/app-7 was cancelled";
            ensure!(entry.text("reason") == Some(why), "{entry:?}");
            demo.is_deleted().await?;
            let intended = demo.records("ActionIntended", |_| true).await?;
            ensure!(intended.text("cause") == Some("cancelled"), "{intended:?}");
            ensure!(intended.data["evidence"].to_string().contains(why), "{intended:?}");
        }
        world.witness().await?;
        other.lives().await?;
        nobodys.lives().await?;
        ensure!(other.statuses()? == ["ok"], "{:?}", other.statuses());
        ensure!(gitlab.asked().iter().any(|asked| asked.status == Some(304)), "{:?}", gitlab.asked());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_was_retried_is_taken_back() {
    let gitlab = gitlab(&[46]).await;
    gitlab.set("7", 46, "canceled");
    story(asking(&gitlab, "1s", "30s"), async |world| {
        let kept = made_by(world, "kept", 46).await?;
        let _nsm = world.start().await?;
        kept.shows("status", "cancelled").await?;
        gitlab.set("7", 46, "running");
        kept.shows("status", "ok").await?;
        let back = kept.records("StatusChanged", |entry| entry.text("from") == Some("cancelled")).await?;
        let why = "pipeline 46 of project group/app-7 has the status `running`";
        ensure!(back.text("reason") == Some(why), "{back:?}");
        world.witness().await?;
        kept.lives().await?;
        ensure!(
            kept.statuses()?.ends_with(&["cancelled", "unknown", "ok"].map(str::to_owned)),
            "{:?}",
            kept.statuses()
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_was_retried_since_is_not_deleted_although_nobody_judged_it_anew() {
    let gitlab = gitlab(&[]).await;
    gitlab.set("7", 46, "canceled");
    story(asking(&gitlab, "1h", "1s"), async |world| {
        world.begin_stopped().await?;
        let kept = made_by(world, "kept", 46).await?;
        let nsm = world.start().await?;
        let retry = async || {
            gitlab.set("7", 46, "running");
            Ok(())
        };
        world.changed_before_its_deletion(&kept, retry).await?;
        nsm.says(&format!("`{}` is not", kept.name)).await?;
        kept.lives().await?;
        ensure!(kept.statuses()?.last().is_some_and(|last| last == "cancelled"), "{:?}", kept.statuses());
        ensure!(kept.history()?.of_kind("ActionIntended").next().is_none(), "{:?}", kept.kinds());
        gitlab.set("7", 46, "canceled");
        kept.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn while_gitlab_is_away_nothing_is_cancelled_and_nothing_taken_back() {
    let gitlab = gitlab(&[46, 47]).await;
    gitlab.set("7", 47, "canceled");
    let asking = asking(&gitlab, "1s", "0");
    let configure = move |config: &mut Value| {
        asking(config);
        config["policies"][0]["on"] = json!({"cancelled": {"delete": false}});
    };
    story(configure, async |world| {
        let [well, lost] = [made_by(world, "well", 46).await?, made_by(world, "lost", 47).await?];
        let nsm = world.start().await?;
        well.shows("status", "ok").await?;
        lost.shows("status", "cancelled").await?;
        gitlab.fail(Some(Fault::Status(401)));
        nsm.says("what became of pipelines is not known, and nothing changes by it: GitLab answered 401").await?;
        gitlab.set("7", 46, "canceled");
        gitlab.set("7", 47, "running");
        eventually("the outage shows", LATER, async || {
            let page = world.nsm_ok(&["status"]).await?;
            ensure!(page.contains("gitlab since") && page.contains("401"), "{page}");
            Ok(())
        })
        .await?;
        world.witness().await?;
        ensure!(well.statuses()? == ["ok"], "{:?}", well.statuses());
        ensure!(lost.statuses()?.last().is_some_and(|last| last == "cancelled"), "{:?}", lost.statuses());
        gitlab.fail(None);
        nsm.says("GitLab tells of pipelines again").await?;
        well.shows("status", "cancelled").await?;
        lost.shows("status", "ok").await?;
        Ok(())
    })
    .await;
}
