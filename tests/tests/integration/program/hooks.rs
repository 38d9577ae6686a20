//! Webhooks: what happened is taken in at once, and what did not happen is not.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use testbed::ci::{CiServer, What};
use testbed::eventually;

use crate::program::harness::{Demo, LATER, Nsm, World, story};

const TOKEN: &str = "token";
const SECRET: &str = "open sesame";

/// A directory with a token and the secret of webhooks in it, that outlives the story.
fn files() -> PathBuf {
    let directory = tempfile::tempdir().expect("a directory can be made").keep();
    std::fs::write(directory.join("token"), TOKEN).expect("it can be written");
    std::fs::write(directory.join("secret"), SECRET).expect("it can be written");
    directory
}

/// Asks this CI system so seldom that within a story it is asked a second time by a webhook alone.
fn hearing(system: &'static str, server: &CiServer, files: &Path) -> impl FnOnce(&mut Value) + use<> {
    let section = json!({
        "url": server.url(), "token_file": files.join("token"), "check_every": "30m",
        "webhook_secret_file": files.join("secret"),
    });
    move |config| {
        config[system] = section;
        config["api"] = json!({"listen": "127.0.0.1:0"});
        config["policies"][0]["checks"] = json!({"pipeline": system, "merged": true});
        config["telemetry"]["log"] = json!("info,actions=debug");
    }
}

/// A namespace with these labels of the CI system.
async fn made(world: &World, name: &str, ci: &[(&str, &str)]) -> Result<Demo> {
    let ci: Vec<_> = ci.iter().map(|(key, value)| (format!("cicd.skao.int/{key}"), *value)).collect();
    let labels: Vec<_> = ci.iter().map(|(key, value)| (key.as_str(), *value)).chain([world.label()]).collect();
    world.namespace_named(&format!("{name}-{}", world.name), &labels, &[]).await
}

/// A namespace that a pipeline of GitLab's project 7 made.
async fn made_by(world: &World, pipeline: u64) -> Result<Demo> {
    made(world, &format!("p{pipeline}"), &[("projectId", "7"), ("pipelineId", &pipeline.to_string())]).await
}

/// How often was asked for something.
fn asked(server: &CiServer, path: &str) -> usize {
    server.asked().iter().filter(|asked| asked.path == path).count()
}

fn path_of(pipeline: u64) -> String {
    format!("/api/v4/projects/7/pipelines/{pipeline}")
}

/// Waits until this was asked for.
async fn is_asked(server: &CiServer, path: &str) -> Result<usize> {
    eventually(&format!("`{path}` is asked for"), LATER, async || {
        let count = asked(server, path);
        ensure!(count > 0, "{:?}", server.asked());
        Ok(count)
    })
    .await
}

/// Who sends webhooks to this API.
struct Sender {
    client: reqwest::Client,
    url: String,
}

impl Sender {
    async fn to(nsm: &Nsm) -> Result<Self> {
        const SAYS: &str = "the API is served on `";
        let log = nsm.says(SAYS).await?;
        let address = log.split_once(SAYS).and_then(|(_, rest)| rest.split_once('`')).context("an address")?.0;
        Ok(Self { client: reqwest::Client::new(), url: format!("http://{address}/hooks") })
    }

    /// As GitLab tells of a pipeline. Returns the status of the answer.
    async fn pipeline(&self, secret: &str, pipeline: u64, status: &str) -> Result<u16> {
        let attributes = json!({"id": pipeline, "iid": 1, "ref": "main", "status": status});
        let event = json!({"object_kind": "pipeline", "object_attributes": attributes, "project": {"id": 7}});
        self.gitlab(secret, &event).await
    }

    async fn gitlab(&self, secret: &str, event: &Value) -> Result<u16> {
        let request = self.client.post(format!("{}/gitlab", self.url)).header("X-Gitlab-Token", secret);
        Ok(request.body(event.to_string()).send().await?.status().as_u16())
    }

    async fn github(&self, name: &str, event: &Value) -> Result<u16> {
        let body = event.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        mac.update(body.as_bytes());
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = self.client.post(format!("{}/github", self.url)).header("X-GitHub-Event", name);
        let request = request.header("X-Hub-Signature-256", format!("sha256={digits}")).body(body);
        Ok(request.send().await?.status().as_u16())
    }
}

#[tokio::test]
async fn what_gitlab_cancels_or_merges_is_taken_in_when_it_says_so() {
    let (gitlab, files) = (CiServer::gitlab(TOKEN).await.expect("it starts"), files());
    gitlab.set("7", 46, "running");
    gitlab.set("7", 47, "running");
    gitlab.set_request("7", 3, "opened");
    gitlab.tell(What::Pipeline, "7", 47, &json!({"ref": "refs/merge-requests/3/head"}));
    story(hearing("gitlab", &gitlab, &files), async |world| {
        let cancelled = made_by(world, 46).await?;
        let merged = made(world, "merged", &[("projectId", "7"), ("pipelineId", "47"), ("mrId", "3")]).await?;
        let nsm = world.start().await?;
        let request = "/api/v4/projects/7/merge_requests/3";
        for path in [&path_of(46), &path_of(47), request] {
            is_asked(&gitlab, path).await?;
        }
        let sender = Sender::to(&nsm).await?;
        gitlab.set("7", 46, "canceled");
        gitlab.set_request("7", 3, "merged");
        ensure!(sender.pipeline(SECRET, 46, "canceled").await? == 202, "{}", nsm.log());
        let entry = cancelled.records("StatusChanged", |entry| entry.text("to") == Some("cancelled")).await?;
        ensure!(entry.text("reason") == Some("pipeline 46 of project group/app-7 was cancelled"), "{entry:?}");
        cancelled.is_deleted().await?;
        // Of the other nobody has told yet.
        ensure!(asked(&gitlab, request) == 1, "{:?}", gitlab.asked());
        merged.lives().await?;
        let event = json!({"object_kind": "merge_request", "object_attributes": {"iid": 3}, "project": {"id": 7}});
        ensure!(sender.gitlab(SECRET, &event).await? == 202, "{}", nsm.log());
        merged.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn what_github_cancels_is_taken_in_when_it_says_so() {
    let (github, files) = (CiServer::github(TOKEN).await.expect("it starts"), files());
    github.set("octo/app", 46, "in_progress");
    story(hearing("github", &github, &files), async |world| {
        let demo = made(world, "run", &[("projectPath", "Octo.App"), ("pipelineId", "46")]).await?;
        let nsm = world.start().await?;
        is_asked(&github, "/repos/octo/app/actions/runs/46").await?;
        github.set("octo/app", 46, "cancelled");
        let event = json!({"action": "completed", "workflow_run": {"id": 46}, "repository": {"full_name": "Octo/App"}});
        ensure!(Sender::to(&nsm).await?.github("workflow_run", &event).await? == 202, "{}", nsm.log());
        let entry = demo.records("StatusChanged", |entry| entry.text("to") == Some("cancelled")).await?;
        ensure!(entry.text("reason") == Some("workflow run 46 of octo/app was cancelled"), "{entry:?}");
        demo.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn a_newer_deployment_counts_when_its_job_is_told_of() {
    let (gitlab, files) = (CiServer::gitlab(TOKEN).await.expect("it starts"), files());
    gitlab.set_job("7", 1, "main");
    gitlab.set_job("7", 2, "feature/other");
    let hearing = hearing("gitlab", &gitlab, &files);
    let configure = move |config: &mut Value| {
        hearing(config);
        config["policies"][0]["checks"] = json!({"superseded": {}});
    };
    story(configure, async |world| {
        let deployed = |job| [("projectId", "7"), ("job", "deploy"), ("branch", "main"), ("jobId", job)];
        let old = made(world, "old", &deployed("1")).await?;
        let new = made(world, "new", &deployed("2")).await?;
        let nsm = world.start().await?;
        is_asked(&gitlab, "/api/v4/projects/7/jobs/2").await?;
        new.shows("status", "ok").await?;
        gitlab.set_job("7", 2, "main");
        let event = json!({"object_kind": "build", "build_id": 2, "pipeline_id": 1, "project_id": 7});
        ensure!(Sender::to(&nsm).await?.gitlab(SECRET, &event).await? == 202, "{}", nsm.log());
        old.is_deleted().await?;
        new.lives().await
    })
    .await;
}

#[tokio::test]
async fn who_does_not_show_the_secret_changes_nothing_and_a_new_one_counts_at_once() {
    let (gitlab, files) = (CiServer::gitlab(TOKEN).await.expect("it starts"), files());
    gitlab.set("7", 46, "running");
    story(hearing("gitlab", &gitlab, &files), async |world| {
        let demo = made_by(world, 46).await?;
        let nsm = world.start().await?;
        is_asked(&gitlab, &path_of(46)).await?;
        demo.shows("status", "ok").await?;
        gitlab.set("7", 46, "canceled");
        let sender = Sender::to(&nsm).await?;
        for wrong in ["", "sesame", "exchanged"] {
            ensure!(sender.pipeline(wrong, 46, "canceled").await? == 403, "`{wrong}`: {}", nsm.log());
        }
        world.witness().await?;
        ensure!(asked(&gitlab, &path_of(46)) == 1, "{:?}", gitlab.asked());
        ensure!(demo.statuses()? == ["ok"], "{:?}", demo.statuses());
        std::fs::write(files.join("secret"), "exchanged\n")?;
        ensure!(sender.pipeline(SECRET, 46, "canceled").await? == 403, "{}", nsm.log());
        ensure!(asked(&gitlab, &path_of(46)) == 1, "{:?}", gitlab.asked());
        ensure!(sender.pipeline("exchanged", 46, "canceled").await? == 202, "{}", nsm.log());
        demo.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_lies_has_the_truth_asked_for_and_changes_nothing() {
    let (gitlab, files) = (CiServer::gitlab(TOKEN).await.expect("it starts"), files());
    gitlab.set("7", 46, "running");
    story(hearing("gitlab", &gitlab, &files), async |world| {
        let demo = made_by(world, 46).await?;
        let nsm = world.start().await?;
        is_asked(&gitlab, &path_of(46)).await?;
        demo.shows("status", "ok").await?;
        let sender = Sender::to(&nsm).await?;
        ensure!(sender.pipeline(SECRET, 46, "canceled").await? == 202, "{}", nsm.log());
        eventually("it is asked for again", LATER, async || {
            ensure!(asked(&gitlab, &path_of(46)) > 1, "{:?}", gitlab.asked());
            Ok(())
        })
        .await?;
        // Of what nobody wants to know it is not asked at all.
        ensure!(sender.pipeline(SECRET, 48, "canceled").await? == 202, "{}", nsm.log());
        world.witness().await?;
        ensure!(demo.statuses()? == ["ok"], "{:?}", demo.statuses());
        ensure!(asked(&gitlab, &path_of(48)) == 0, "{:?}", gitlab.asked());
        demo.lives().await
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_webhooks_takes_no_more_than_the_budget_and_lets_the_polls_go_on() {
    const A_MINUTE: u64 = 20;
    const FLOODED: std::ops::Range<u64> = 100..124;
    let (gitlab, files) = (CiServer::gitlab(TOKEN).await.expect("it starts"), files());
    FLOODED.chain([47]).for_each(|pipeline| gitlab.set("7", pipeline, "running"));
    let hearing = hearing("gitlab", &gitlab, &files);
    let configure = move |config: &mut Value| {
        hearing(config);
        config["gitlab"]["check_every"] = json!("5s");
        config["gitlab"]["requests_per_minute"] = json!(A_MINUTE);
    };
    story(configure, async |world| {
        let polled = made_by(world, 47).await?;
        let began = Instant::now();
        let nsm = world.start().await?;
        let sender = Sender::to(&nsm).await?;
        is_asked(&gitlab, &path_of(47)).await?;
        gitlab.set("7", 47, "canceled");
        for pipeline in FLOODED {
            made_by(world, pipeline).await?;
        }
        // More of them than there are questions, again and again, until the other one is asked for in its turn.
        eventually("the one that nobody tells of is taken in", LATER, async || {
            for pipeline in FLOODED {
                ensure!(sender.pipeline(SECRET, pipeline, "canceled").await? == 202, "{}", nsm.log());
            }
            let statuses = polled.statuses()?;
            ensure!(statuses.iter().any(|status| status == "cancelled"), "{statuses:?} {:?}", gitlab.asked());
            Ok(())
        })
        .await?;
        // The longer this took, the more it may have asked.
        let (asked, minutes) = (gitlab.asked().len() as u64, began.elapsed().as_secs() / 60 + 1);
        // The worker, which asks before it deletes, has a budget of its own.
        ensure!(asked <= A_MINUTE * minutes + 1, "{asked} in {minutes} minutes");
        polled.is_deleted().await
    })
    .await;
}
