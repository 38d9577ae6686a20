//! Keeps collectors running, and puts configurations in force.
//!
//! It begins the store's next epoch, so that what is marked from now on tells this store from every other, and
//! decrees the configuration that workers must have. What jobs there should be follows from the configuration and the
//! time ([`plan`]): one resident for each shard and slot, or sweeps at their times, and housekeeping. It starts a
//! collector by its arguments and knows nothing of what a collector does; whatever is wrong with jobs is tried again, and
//! told.

mod keeper;
mod metrics;
mod plan;
pub mod program;
mod troubles;

use std::time::Duration;

use anyhow::Context as _;
use common::{
    beats::{ControllerBody, Pulse},
    context::Context,
    controls::{self, accept_config, begin_epoch},
    jobs::SharedJobs,
    process,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{keeper::Keeper, metrics::Metrics};

/// The role, as in its beats.
pub const ROLE: &str = "collect-controller";

/// How soon a configuration that could not be put in force is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked whether all is as it should be, when nothing says that it is not.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keeps collectors running until cancelled.
///
/// # Errors
/// When the store cannot be written at the start.
pub async fn run(context: Context, jobs: SharedJobs, cancel: CancellationToken) -> anyhow::Result<()> {
    let actor = context.actor(ROLE);
    let mut settings = context.settings.clone();
    let store = &*context.store;
    begin_epoch(store, &actor, context.clock.now()).await.context("cannot begin an epoch in the store")?;

    let mut in_force: Option<String> = None;
    let mut keeper = Keeper::new(jobs.clone(), Metrics::new(&context.vitals));
    let mut pulse = Pulse::new(ROLE, &context).later();
    let turns = context.vitals.watch(ROLE, LOOK_EVERY);
    loop {
        turns.turned();
        let hash = settings.borrow_and_update().hash.clone();
        if in_force.as_ref() == Some(&hash) && !stands(&context, &hash).await {
            in_force = None;
        }
        if in_force.as_ref() != Some(&hash) {
            match accept_config(store, &actor, &hash, context.clock.now()).await {
                Ok(()) => {
                    info!("configuration {hash} is in force");
                    in_force = Some(hash);
                }
                Err(error) => warn!("configuration {hash} is not in force yet: {error}"),
            }
        }
        let again = keeper.keep(&context.settings(), context.clock.now()).await;
        let wait = if in_force.is_some() { LOOK_EVERY } else { AGAIN };
        let wait = again.map_or(wait, |again| again.min(wait));
        // In this order, so that a run can be repeated.
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                pulse.end(&context).await;
                return Ok(());
            }
            Ok(()) = settings.changed() => {}
            () = pulse.due() => {
                let installation = Some(process::installation(&context));
                let body = ControllerBody { installation, ..keeper.body(context.clock.now()) };
                pulse.beat(&context, serde_json::to_value(body).expect("plain data serializes")).await;
            }
            () = jobs.changed(wait) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Whether the configuration that this one put in force still is, or somebody else's is who is there: of two the later one
/// counts, for as long as it runs. A store that is out of reach says nothing.
async fn stands(context: &Context, hash: &str) -> bool {
    let Ok(Some(left)) = controls::left_in_force(&*context.store, hash, context.clock.now()).await else { return true };
    warn!(
        "configuration {} was put in force by `{}`, which has gone: configuration {hash} is in force again",
        left.body.hash, left.actor
    );
    false
}
