//! The last day.

use anyhow::ensure;

use crate::system::actors::Actor;
use crate::system::stage::{self, Found};

/// `helm uninstall` leaves every namespace as it is; with the second command of the page on operations nothing of the
/// release is left.
#[tokio::test]
async fn uninstalled() {
    stage::on("uninstalled", Found::Released, async |stage| {
        let actor = Actor::enter(stage, "ci-outlives", &[("ttl", "1h")]).await?;
        actor.shows(stage, "status", "ok").await?;
        stage.verdict().await?;
        stage.uninstall().await?;
        // Jobs that still ran lost their rights with their ServiceAccounts.
        stage.forget().await?;
        actor.lives(stage).await?;
        let now = actor.now(stage).await?;
        ensure!(now.is_some(), "it is gone");
        actor.leaves(stage).await
    })
    .await;
}
