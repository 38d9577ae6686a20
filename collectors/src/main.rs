//! collector: watches namespaces, judges them and writes their history, as a job of its own.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common::process::{self, Lasts};

/// Watches namespaces, judges them and writes their history. Started by the collect-controller.
#[derive(Debug, Parser)]
#[command(name = "collector", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch and judge until asked to end
    Resident,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Resident => {
            process::run("collector", Lasts::UntilDone, |running| collectors::run(running.context, running.cancel))
        }
    }
}
