//! Namespaces whose pipelines are cancelled, retried or not to be asked for, and what becomes of them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{
    MongoServer,
    ci::{CiServer, Fault, What},
    eventually,
};

use crate::program::harness::{Demo, LATER, NO_DELETE, SOON, World, story};

const TOKEN: &str = "glpat-token";

/// A namespace that a pipeline of project 7 made.
async fn made_by(world: &World, name: &str, pipeline: u64) -> Result<Demo> {
    labelled(world, name, &[("projectId", "7"), ("pipelineId", &pipeline.to_string())]).await
}

/// A namespace with these labels of CI.
async fn labelled(world: &World, name: &str, ci: &[(&str, &str)]) -> Result<Demo> {
    let ci: Vec<_> = ci.iter().map(|(key, value)| (format!("cicd.skao.int/{key}"), *value)).collect();
    let labels: Vec<_> = ci.iter().map(|(key, value)| (key.as_str(), *value)).chain([world.label()]).collect();
    world.namespace_named(&format!("{name}-{}", world.name), &labels, &[]).await
}

/// As [`asking`] often, for merge requests, too.
fn asking_for_merge_requests(gitlab: &CiServer) -> impl FnOnce(&mut Value) + use<> {
    let asking = asking(gitlab, "1s", "0");
    move |config| {
        asking(config);
        config["policies"][0]["checks"] = json!({"health": "off", "merged": true});
    }
}

/// How often a path was asked for.
fn asked(gitlab: &CiServer, path: &str) -> usize {
    gitlab.asked().iter().filter(|asked| asked.path == path).count()
}

/// Waits until a path was asked for once more from now on, and answered.
async fn is_asked_again(gitlab: &CiServer, path: &str) -> Result<()> {
    let before = asked(gitlab, path);
    eventually(&format!("{path} is asked for"), LATER, async || {
        ensure!(asked(gitlab, path) > before + 1, "{:?}", gitlab.asked());
        Ok(())
    })
    .await
}

/// Asks this GitLab so often, and lets what is cancelled stand so long.
fn asking(gitlab: &CiServer, every: &str, visible_for: &str) -> impl FnOnce(&mut Value) + use<> {
    asking_of("gitlab", gitlab, every, visible_for)
}

/// The same of the CI system that the configuration calls so.
fn asking_of(
    system: &'static str,
    server: &CiServer,
    every: &str,
    visible_for: &str,
) -> impl FnOnce(&mut Value) + use<> {
    let token = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(token.path(), format!("{TOKEN}\n")).expect("it can be written");
    let (_, path) = token.keep().expect("it can be kept");
    let section = json!({"url": server.url(), "token_file": path, "check_every": every});
    let visible_for = visible_for.to_owned();
    move |config| {
        config[system] = section;
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

/// The number of a merge request counts in the project that it is to be merged into, and the labels name the fork in which the
/// pipeline ran.
#[tokio::test]
async fn a_merge_request_of_a_fork_is_not_the_one_with_its_number_in_the_fork() {
    let gitlab = gitlab(&[]).await;
    gitlab.set("9", 200, "success");
    gitlab.tell(What::Pipeline, "9", 200, &json!({"ref": "feature"}));
    gitlab.set_request("9", 5, "merged");
    gitlab.set_request("7", 5, "opened");
    gitlab.tell(What::Request, "7", 5, &json!({"source_branch": "feature", "source_project_id": 9}));
    story(asking_for_merge_requests(&gitlab), async |world| {
        let ci = [("projectId", "9"), ("pipelineId", "200"), ("mrId", "5")];
        let fork = labelled(world, "fork", &ci).await?;
        let [a, b, c] = ci;
        let named = labelled(world, "named", &[a, b, c, ("mrProjectId", "7")]).await?;
        let _nsm = world.start().await?;
        for demo in [&fork, &named] {
            demo.shows("status", "ok").await?;
        }
        for project in ["9", "7"] {
            is_asked_again(&gitlab, &format!("/api/v4/projects/{project}/merge_requests/5")).await?;
        }
        world.witness().await?;
        ensure!(fork.statuses()? == ["ok"] && named.statuses()? == ["ok"], "{:?}", fork.statuses());
        gitlab.set_request("7", 5, "merged");
        named.is_deleted().await?;
        fork.lives().await
    })
    .await;
}

/// GitLab cancels the pipeline of a branch when a newer one begins: the namespace is about to be deployed into.
#[tokio::test]
async fn what_its_successor_cancelled_stays_until_that_is_cancelled_too() {
    let gitlab = gitlab(&[300]).await;
    let of_request =
        |pipeline| gitlab.tell(What::Pipeline, "7", pipeline, &json!({"ref": "refs/merge-requests/12/head"}));
    [300, 301].into_iter().for_each(of_request);
    story(asking(&gitlab, "1s", "0"), async |world| {
        let review = made_by(world, "review", 300).await?;
        let _nsm = world.start().await?;
        review.shows("status", "ok").await?;
        gitlab.set("7", 301, "running");
        gitlab.set("7", 300, "canceled");
        let list = "/api/v4/projects/7/merge_requests/12/pipelines";
        for status in ["running", "success"] {
            gitlab.set("7", 301, status);
            is_asked_again(&gitlab, list).await?;
            world.witness().await?;
            ensure!(review.statuses()? == ["ok"], "{status}: {:?}", review.statuses());
        }
        gitlab.set("7", 301, "canceled");
        review.is_deleted().await
    })
    .await;
}

/// CI systems remove old pipelines, also those of what is in use.
#[tokio::test]
async fn a_pipeline_that_was_tidied_up_takes_nothing_along_also_after_a_restart() {
    let gitlab = gitlab(&[46]).await;
    gitlab.set("7", 100, "success");
    story(believing_soon(&gitlab), async |world| {
        let [kept, gone] = [made_by(world, "kept", 100).await?, made_by(world, "gone", 46).await?];
        let nsm = world.start().await?;
        for demo in [&kept, &gone] {
            demo.shows("status", "ok").await?;
        }
        gitlab.remove("7", 100);
        drop(nsm);
        let _nsm = world.start().await?;
        is_asked_again(&gitlab, "/api/v4/projects/7/pipelines/100").await?;
        gitlab.remove("7", 46);
        gone.is_deleted().await?;
        world.witness().await?;
        kept.lives().await?;
        ensure!(kept.statuses()? == ["ok"], "{:?}", kept.statuses());
        Ok(())
    })
    .await;
}

/// Lets one look at a pipeline that is not found suffice, soon.
fn believing_soon(gitlab: &CiServer) -> impl FnOnce(&mut Value) + use<> {
    let asking = asking(gitlab, "1s", "0");
    move |config| {
        asking(config);
        config["gitlab"]["gone_confirm_after"] = json!("1s");
    }
}

/// A sweep knows of what was seen before it only what the store has.
#[tokio::test]
async fn sweeps_know_what_was_seen_before_and_what_came_after() {
    let gitlab = gitlab(&[46, 300]).await;
    gitlab.set("7", 100, "success");
    for pipeline in [300, 301] {
        gitlab.tell(What::Pipeline, "7", pipeline, &json!({"ref": "refs/merge-requests/12/head"}));
    }
    story(believing_soon(&gitlab), async |world| {
        let kept = made_by(world, "kept", 100).await?;
        let [review, gone] = [made_by(world, "review", 300).await?, made_by(world, "gone", 46).await?];
        let is_cancelled = async |demo: &Demo| {
            eventually(&format!("a sweep finds `{}` cancelled", demo.name), LATER, async || {
                world.sweep(NO_DELETE).await?;
                let statuses = demo.statuses()?;
                ensure!(statuses.last().is_some_and(|last| last == "cancelled"), "{statuses:?}");
                Ok(())
            })
            .await
        };
        world.sweep(NO_DELETE).await?;
        for demo in [&kept, &review, &gone] {
            ensure!(demo.statuses()? == ["ok"], "{:?}", demo.kinds());
        }
        [100, 46].into_iter().for_each(|pipeline| gitlab.remove("7", pipeline));
        gitlab.set("7", 301, "running");
        gitlab.set("7", 300, "canceled");
        is_cancelled(&gone).await?;
        for demo in [&kept, &review] {
            ensure!(demo.statuses()? == ["ok"], "{:?}", demo.kinds());
        }
        gitlab.set("7", 301, "canceled");
        is_cancelled(&review).await?;
        ensure!(kept.statuses()? == ["ok"], "{:?}", kept.kinds());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn on_mongodb_too_a_pipeline_that_was_tidied_up_takes_nothing_along() {
    let url = MongoServer::shared().await.expect("it starts").fresh_url();
    let gitlab = gitlab(&[46]).await;
    gitlab.set("7", 100, "success");
    let believing = believing_soon(&gitlab);
    let configure = move |config: &mut Value| {
        believing(config);
        config["store"] = json!({"url": url});
    };
    story(configure, async |world| {
        let [kept, gone] = [made_by(world, "kept", 100).await?, made_by(world, "gone", 46).await?];
        let mut nsm = world.start().await?;
        for demo in [&kept, &gone] {
            demo.shows("status", "ok").await?;
        }
        nsm.process().terminate(SOON).await?;
        gitlab.remove("7", 100);
        let _nsm = world.start().await?;
        is_asked_again(&gitlab, "/api/v4/projects/7/pipelines/100").await?;
        gitlab.remove("7", 46);
        gone.is_deleted().await?;
        kept.shows("status", "ok").await?;
        kept.lives().await
    })
    .await;
}

/// GitHub calls it a run of a workflow, and tells of it in other words.
#[tokio::test]
async fn a_run_that_its_successor_cancelled_and_one_that_was_tidied_up_take_nothing_along() {
    let github = CiServer::github(TOKEN).await.expect("it starts");
    for (run, status) in [(100, "success"), (300, "in_progress")] {
        github.set("octo/app", run, status);
    }
    let of_main = |run| github.tell(What::Pipeline, "octo/app", run, &json!({"head_branch": "main"}));
    [300, 301].into_iter().for_each(of_main);
    let asking = asking_of("github", &github, "1s", "0");
    let configure = move |config: &mut Value| {
        asking(config);
        config["github"]["gone_confirm_after"] = json!("1s");
    };
    story(configure, async |world| {
        let of_run = async |name: &str, run: &str| {
            labelled(world, name, &[("projectPath", "octo.app"), ("pipelineId", run)]).await
        };
        let [kept, review] = [of_run("kept", "100").await?, of_run("review", "300").await?];
        let nsm = world.start().await?;
        for demo in [&kept, &review] {
            demo.shows("status", "ok").await?;
        }
        let path = "/repos/octo/app/actions/runs/100";
        let before = asked(&github, path);
        github.remove("octo/app", 100);
        drop(nsm);
        let _nsm = world.start().await?;
        eventually("it is asked for again", LATER, async || {
            ensure!(asked(&github, path) > before, "{:?}", github.asked());
            Ok(())
        })
        .await?;
        github.set("octo/app", 301, "queued");
        github.set("octo/app", 300, "cancelled");
        is_asked_again(&github, "/repos/octo/app/actions/workflows/159038/runs").await?;
        world.witness().await?;
        for demo in [&kept, &review] {
            ensure!(demo.statuses()? == ["ok"], "{:?}", demo.statuses());
        }
        github.set("octo/app", 301, "cancelled");
        review.is_deleted().await?;
        kept.lives().await
    })
    .await;
}
