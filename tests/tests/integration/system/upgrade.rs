//! Other values, other pods, and back.

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use serde_json::json;
use testbed::{Installation, eventually};

use crate::system::actors::Actor;
use crate::system::hold::Hold;
use crate::system::leaders::Vacancy;
use crate::system::stage::{self, CONTROLLERS, Found, HOME, RELEASE, SOON};

/// A stop fences the deletion that is on its way, and holds in the apiserver itself, whatever is installed over it, until
/// somebody takes it back.
#[tokio::test]
async fn stopped_and_upgraded() {
    stage::on("stopped_and_upgraded", Found::Released, async |stage| {
        let (held, hold) = Hold::of(stage, "ci-held").await?;
        let told = stage.home.nsm(&["stop", "--reason", "a story"]).await?;
        held.lives(stage).await?;
        let history = stage.history(&held.uid).await?;
        ensure!(history.of_kind("ActionFailed").next().is_some(), "nothing was fenced: {told}\n{:?}", history.0);
        hold.end(stage, &held).await?;
        let actor = Actor::enter(stage, "ci-stopped", &[("ttl", "5s")]).await?;
        actor.shows(stage, "status", "stale").await?;
        actor.records(stage, "ActionSkipped").await?;
        stage.release(|values| values["config"]["workers"]["idle_for"] = json!("6s")).await?;
        stage.home.cluster.kubectl(["get", "validatingadmissionpolicybinding", &format!("{RELEASE}-stop")]).await?;
        actor.lives(stage).await?;
        // A refusal by the apiserver, which forgets the stop a moment later than everybody else, would cost a minute.
        for actor in [&held, &actor] {
            actor.asks(stage, "keep_until", Some("2999-01-01T00:00:00Z")).await?;
            actor.records(stage, "Kept").await?;
        }
        stage.home.nsm(&["resume"]).await?;
        let worker = Installation::user("action");
        eventually("the apiserver lets a worker delete", SOON, async || {
            let delete = ["delete", "namespace", &actor.name, "--dry-run=server", "--as", &worker];
            stage.home.cluster.kubectl(delete).await
        })
        .await?;
        for actor in [&held, &actor] {
            actor.asks(stage, "keep_until", None).await?;
            actor.dies(stage).await?;
        }
        Ok(())
    })
    .await;
}

/// Both controllers are restarted one pod after the other, as an upgrade does it, while namespaces die: none is lost, and
/// none dies twice.
#[tokio::test]
async fn restarted_during_work() {
    stage::on("restarted_during_work", Found::Released, async |stage| {
        let mut dying = Vec::new();
        for number in 0..20 {
            let ttl = format!("{}s", 5 + number / 2);
            dying.push(Actor::enter(stage, &format!("ci-restart-{number}"), &[("ttl", &ttl)]).await?);
        }
        let restart = async |controller: &str| -> Result<()> {
            let deployment = format!("deployment/{RELEASE}-{controller}");
            stage.home.cluster.kubectl(["rollout", "restart", "--namespace", HOME, &deployment]).await?;
            let wait = ["rollout", "status", "--namespace", HOME, &deployment, "--timeout=4m"];
            stage.home.cluster.kubectl(wait).await?;
            Ok(())
        };
        let work = async {
            try_join_all(CONTROLLERS.map(restart)).await?;
            for actor in &dying {
                actor.dies(stage).await?;
            }
            anyhow::Ok(())
        };
        let mut vacancies = CONTROLLERS.map(|controller| Vacancy::of(stage, controller));
        let [collect, action] = &mut vacancies;
        tokio::select! {
            worked = work => worked,
            never = collect.watch() => match never {},
            never = action.watch() => match never {},
        }?;
        for vacancy in vacancies {
            eprintln!("{vacancy}");
        }
        Ok(())
    })
    .await;
}

/// `helm rollback` touches no namespace.
#[tokio::test]
async fn rolled_back() {
    stage::on("rolled_back", Found::Released, async |stage| {
        let actor = Actor::enter(stage, "ci-rolled-back", &[("ttl", "1h")]).await?;
        actor.shows(stage, "status", "ok").await?;
        stage.release(|values| values["config"]["workers"]["idle_for"] = json!("7s")).await?;
        stage.home.cluster.helm(["rollback", RELEASE, "--namespace", HOME, "--wait", "--timeout", "4m"]).await?;
        actor.lives(stage).await?;
        let witness = Actor::enter(stage, "ci-after-rollback", &[("ttl", "5s")]).await?;
        witness.dies(stage).await?;
        actor.lives(stage).await?;
        actor.leaves(stage).await
    })
    .await;
}

/// Two of them would take each other's work for mistakes.
#[tokio::test]
async fn a_second_release_is_refused() {
    stage::on("a_second_release_is_refused", Found::Released, async |stage| {
        let chart = stage.home.chart().to_str().context("a path in UTF-8")?;
        match stage.home.cluster.helm(["install", "another", chart, "--namespace", "another"]).await {
            Ok(said) => bail!("it was installed: {said}"),
            Err(error) => ensure!(format!("{error:#}").contains("installed in this cluster already"), "{error:#}"),
        }
        Ok(())
    })
    .await;
}
