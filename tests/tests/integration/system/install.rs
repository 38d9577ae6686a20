//! The first days, told with the timings of a release: it waits for as long as at its users'.

use anyhow::{Result, ensure};
use serde_json::Value;
use testbed::Installation;
use testbed::product::Timings;

use crate::system::actors::Actor;
use crate::system::stage::{self, Found, Stage};

/// The chart's defaults are safe: with nothing said about the mode, nothing is deleted, and the workers have no right to.
#[tokio::test]
async fn observes_by_default() {
    stage::on("observes_by_default", Found::Anything, async |stage| {
        stage.uninstall().await?;
        stage.forget().await?;
        let actor = Actor::enter(stage, "ci-observed", &[("ttl", "5s")]).await?;
        released(stage, |values| drop(values["config"].as_object_mut().map(|config| config.remove("mode")))).await?;
        actor.shows(stage, "status", "stale").await?;
        actor.records(stage, "DryRun").await?;
        actor.lives(stage).await?;
        let worker = Installation::user("action");
        let may = stage.home.cluster.kubectl(["auth", "can-i", "delete", "namespaces", "--as", &worker]).await;
        ensure!(may.is_err(), "in observe mode the workers may delete namespaces: {may:?}");
        actor.leaves(stage).await
    })
    .await;
}

/// Namespaces with pods in them live for as long as they are given, and no other is touched.
#[tokio::test]
async fn lives_and_dies() {
    stage::on("lives_and_dies", Found::Anything, async |stage| {
        let stranger = Actor::enter_working(stage, "somebody-else", &[]).await?;
        released(stage, |_| ()).await?;
        let mut dying = Vec::new();
        for number in 0..6 {
            dying.push(Actor::enter_working(stage, &format!("ci-expiring-{number}"), &[]).await?);
        }
        let kept = Actor::enter(stage, "ci-kept", &[("keep_until", "2999-01-01T00:00:00Z")]).await?;
        let protected = Actor::enter(stage, "ci-protected", &[("protect", "")]).await?;
        let longer = Actor::enter(stage, "ci-longer", &[("ttl", "1h")]).await?;
        let first = Actor::enter(stage, "ci-reborn", &[("ttl", "1h")]).await?;
        first.shows(stage, "status", "ok").await?;
        first.leaves(stage).await?;
        first.is_gone(stage).await?;
        let reborn = Actor::enter(stage, "ci-reborn", &[("ttl", "5s")]).await?;

        for actor in dying.iter().chain([&reborn]) {
            actor.dies(stage).await?;
        }
        for actor in [&kept, &protected] {
            actor.shows(stage, "status", "stale").await?;
            actor.lives(stage).await?;
        }
        longer.lives(stage).await?;
        stranger.lives(stage).await?;
        ensure!(stage.history(&stranger.uid).await?.0.is_empty(), "`somebody-else` is none of its business");
        ensure!(stage.history(&first.uid).await?.of_kind("ActionIntended").next().is_none(), "its owner deleted it");
        for actor in [&kept, &protected, &longer, &stranger] {
            actor.leaves(stage).await?;
        }
        // Nobody works while nothing is to be done.
        stage.workers_end().await
    })
    .await;
}

/// Brings the release to the values of the suite, changed, and the image with the timings of a release.
async fn released(stage: &Stage, change: impl FnOnce(&mut Value)) -> Result<()> {
    let image = stage.home.cluster.product(Timings::Real).await?;
    let mut named = Ok(());
    stage
        .release(|values| {
            named = Installation::name_image(values, &image);
            change(values);
        })
        .await?;
    named
}
