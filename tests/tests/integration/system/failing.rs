//! Workloads that do not become ready.

use anyhow::{Context, Result, ensure};

use crate::system::cast::Actor;
use crate::system::stage::Stage;

/// A pod whose image is not to be had fails its namespace; one that runs does not.
pub(crate) async fn is_deleted(stage: &Stage) -> Result<()> {
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
