//! action: carries out one task after another, as a job of its own.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common::{
    heartbeat::WORKER,
    process::{self, Lasts},
    timings::Timings,
};

/// Carries out what is due to namespaces, by the deletion protocol. Started by the action-controller.
#[derive(Debug, Parser)]
#[command(name = "action", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work through the queue until it was empty for a while
    Work,
}

/// Does what its arguments say, until it is through or told to end.
pub fn main(timings: Timings) -> ExitCode {
    match Cli::parse().command {
        Command::Work => process::run("action", Lasts::UntilDone, timings, |running| async move {
            process::belongs(WORKER, &running).await?;
            crate::run(running.context, running.cancel).await
        }),
    }
}
