//! action-controller: plans what is due and keeps workers for it, as a process of its own that is elected.

use std::process::ExitCode;

use common::{
    identity,
    leadership::lead,
    process::{self, Lasts, Running},
    timings::Timings,
};

/// How the lease is called, beside the installation's name.
const ROLE: &str = "action-controller";

/// Runs it until it is told to end.
pub fn main(timings: Timings) -> ExitCode {
    process::run(ROLE, Lasts::UntilAsked, timings, |running| lead(ROLE, running, work))
}

async fn work(running: Running) -> anyhow::Result<()> {
    process::belongs(ROLE, &running).await?;
    identity::is_alone(&running.context, ROLE, &process::installation(&running.context)).await?;
    let jobs = process::jobs(&running.context)?;
    crate::run(running.context, jobs, running.cancel).await
}
