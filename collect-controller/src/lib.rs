//! Keeps collectors running, and puts configurations in force.
//!
//! It begins the store's next epoch, so that what is marked from now on tells this store from every other, and
//! decrees the configuration that workers must have. It starts a collector by its arguments and knows nothing of what
//! a collector does.

use std::time::Duration;

use anyhow::Context as _;
use common::{
    context::Context,
    controls::{accept_config, begin_epoch},
    jobs::{JobKind, JobSpec, JobState, SharedJobs, Started},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The one collector's name.
const COLLECTOR: &str = "collector-0";

/// How long a collector that ended is left alone, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How often it is looked whether all is as it should be, when nothing says that it is not.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keeps a collector running until cancelled.
///
/// # Errors
/// When the store cannot be written at the start, or jobs cannot be started at all.
pub async fn run(context: Context, jobs: SharedJobs, cancel: CancellationToken) -> anyhow::Result<()> {
    let actor = context.actor("collect-controller");
    let mut settings = context.settings.clone();
    let store = &*context.store;
    begin_epoch(store, &actor, context.clock.now()).await.context("cannot begin an epoch in the store")?;

    let mut in_force: Option<String> = None;
    let mut backoff = BACKOFF.0;
    let turns = context.vitals.watch("collect-controller", LOOK_EVERY);
    loop {
        turns.turned();
        let hash = settings.borrow_and_update().hash.clone();
        if in_force.as_ref() != Some(&hash) {
            match accept_config(store, &actor, &hash, context.clock.now()).await {
                Ok(()) => {
                    info!("configuration {hash} is in force");
                    in_force = Some(hash);
                }
                Err(error) => warn!("configuration {hash} is not in force yet: {error}"),
            }
        }
        let wait = match keep_running(&jobs).await? {
            Kept::Running => {
                backoff = BACKOFF.0;
                LOOK_EVERY
            }
            Kept::Ended(why) => {
                warn!("the collector ended and is started again in {} s: {why}", backoff.as_secs());
                let wait = backoff;
                backoff = (backoff * 2).min(BACKOFF.1);
                wait
            }
        };
        let wait = if in_force.is_some() { wait } else { wait.min(BACKOFF.0) };
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            Ok(()) = settings.changed() => {}
            () = jobs.changed(wait) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

enum Kept {
    Running,
    /// It ended, was cleared away, and is started again at the next look.
    Ended(String),
}

async fn keep_running(jobs: &SharedJobs) -> anyhow::Result<Kept> {
    let spec = JobSpec { name: COLLECTOR.to_owned(), kind: JobKind::Collector, args: Vec::new(), deadline: None };
    Ok(match jobs.start(&spec).await? {
        Started::Now | Started::Exists(JobState::Running) => Kept::Running,
        Started::Exists(ended) => {
            jobs.stop(COLLECTOR).await?;
            Kept::Ended(match ended {
                JobState::Failed(why) => why,
                JobState::Complete | JobState::Running => "it said that it was done".to_owned(),
            })
        }
        Started::Refused(why) => Kept::Ended(why),
    })
}
