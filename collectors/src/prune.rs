//! Housekeeping: what need not be remembered any more.

use anyhow::{Context as _, ensure};
use common::{context::Context, retention};
use tracing::info;

/// Removes what is older than the configured retention.
///
/// # Errors
/// When the store is out of reach, or it is not sure what time it is: to be forgotten too early is for ever.
pub(crate) async fn prune(context: &Context) -> anyhow::Result<()> {
    context.cluster.ask_time().await.context("nothing is removed before it is known what time it is")?;
    let now = context.clock.now();
    let clock = context.cluster.clock.compare(now);
    ensure!(clock.is_true(), "nothing is removed: {}", clock.reason);
    let retention = context.settings().jobs.retention;
    let pruned = retention::prune(&*context.store, retention, now).await.context("cannot remove what is old")?;
    let retention::Pruned { histories, slots, heartbeats, notes } = pruned;
    info!(
        "removed {histories} histories, {slots} slots of windows that are over, {heartbeats} heartbeats, {notes} notes"
    );
    Ok(())
}
