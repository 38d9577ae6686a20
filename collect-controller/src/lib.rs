//! Keeps collectors running, and puts configurations in force.
//!
//! It begins the store's next epoch, so that the markers written from now on tell this store from every other, and
//! records the configuration that workers must have. What jobs there should be follows from the configuration and the
//! time ([`desired_jobs`]): one long-running collector for each shard and slot, or sweeps at their times, and
//! housekeeping. It starts a collector by its arguments and knows nothing of what a collector does; it retries failed
//! jobs and reports them.

mod desired_jobs;
mod in_force;
mod job_reconciler;
mod metrics;
pub mod program;
mod retry;

use std::time::Duration;

use anyhow::Context as _;
use common::{
    context::Context,
    controls::{accept_config, begin_epoch},
    heartbeat::{BUSY, ControllerBody, Publisher},
    jobs::SharedJobs,
    process,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{in_force::InForce, job_reconciler::JobReconciler, metrics::Metrics};

/// The role, as in its heartbeats.
pub const ROLE: &str = "collect-controller";

/// How often the controller checks that all is as it should be, when nothing says that it is not. Each heartbeat is a
/// check, too.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(30);

/// Keeps collectors running until cancelled.
///
/// # Errors
/// When the store cannot be written at the start.
pub async fn run(context: Context, jobs: SharedJobs, cancel: CancellationToken) -> anyhow::Result<()> {
    let actor = context.actor(ROLE);
    let mut settings = context.settings.clone();
    let store = &*context.store;
    begin_epoch(store, &actor, context.clock.now()).await.context("cannot begin an epoch in the store")?;

    let mut in_force = InForce::default();
    let mut reconciler = JobReconciler::new(jobs.clone(), Metrics::new(&context.liveness));
    let mut publisher = Publisher::new(ROLE, &context).later();
    // Others hold to what this one put in force for as long as they hear of it.
    publisher.every(BUSY.min(context.timings().heartbeat_interval));
    let turns = context.liveness.watch(ROLE, RECONCILE_INTERVAL);
    loop {
        turns.tick();
        let hash = settings.borrow_and_update().hash.clone();
        if !in_force.stands(store, &hash).await {
            match accept_config(store, &actor, &hash, context.clock.now()).await {
                Ok(()) => {
                    info!("configuration {hash} is in force");
                    in_force.accepted(hash);
                }
                Err(error) => warn!("configuration {hash} is not in force yet: {error}"),
            }
        }
        // Whatever that takes: a cluster that does not answer makes nobody count as gone.
        let (told, plan) = (body(&mut reconciler, &context), context.settings());
        let again =
            publisher.while_running(&context, || told.clone(), reconciler.keep(&plan, context.clock.now())).await;
        let wait = again.unwrap_or(Duration::MAX).min(in_force.check_in());
        // In this order, so that a run can be repeated.
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                publisher.end(&context).await;
                return Ok(());
            }
            Ok(()) = settings.changed() => {}
            () = publisher.due() => {
                let told = body(&mut reconciler, &context);
                publisher.heartbeat(&context, told).await;
            }
            () = jobs.changed(wait) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What it tells of itself.
fn body(reconciler: &mut JobReconciler, context: &Context) -> Value {
    let installation = Some(process::installation(context));
    let body = ControllerBody { installation, ..reconciler.body(context.clock.now()) };
    serde_json::to_value(body).expect("plain data serializes")
}
