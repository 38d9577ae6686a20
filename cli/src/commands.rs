//! What each command does: read, render, or write with the person's own rights.

mod cluster;
mod config;
mod controls;
mod held;
mod history;
mod keep;
mod ls;
mod standalone;
mod status;
mod why;
mod workers;

use clap::CommandFactory as _;
use common::timings::Timings;

use crate::{
    args::{Cli, Command, called},
    context::CliContext,
    failure::Failure,
    output::{Output, print},
};

/// Carries out one command.
pub(crate) async fn run(cli: Cli, program: Option<&str>, timings: Timings) -> Result<(), Failure> {
    let reach = CliContext::new(&cli.global, timings);
    let screen = Output::new(cli.global.output);
    screen.fits(&cli.command)?;
    match cli.command {
        Command::Standalone { mode } => standalone::standalone(&reach, &cli.global, mode).await,
        Command::Ls(which) => ls::ls(&reach, &screen, &which).await,
        Command::Why { namespace, all } => why::why(&reach, &screen, &namespace, all).await,
        Command::History { namespace } => history::history(&reach, &screen, &namespace).await,
        Command::Status => status::status(&reach, &screen).await,
        Command::Workers => workers::workers(&reach, &screen).await,
        Command::Keep { name, end, reason } => {
            let end = match (end.until, end.period) {
                (Some(until), _) => keep::KeepEnd::At(until),
                (None, period) => keep::KeepEnd::In(period.unwrap_or_default()),
            };
            keep::keep(&reach, &screen, &name, end, reason).await
        }
        Command::Unkeep { name } => keep::unkeep(&reach, &screen, &name).await,
        Command::Protect { name } => keep::protect(&reach, &screen, &name, true).await,
        Command::Unprotect { name } => keep::protect(&reach, &screen, &name, false).await,
        Command::Stop { reason } => held::stop(&reach, &screen, reason).await,
        Command::Resume { reason } => held::resume(&reach, &screen, reason).await,
        Command::Approve { cluster: true, .. } => cluster::approve(&reach, &screen).await,
        Command::Approve { store: true, .. } => controls::trust_store(&reach, &screen).await,
        Command::Approve { period, .. } => controls::approve(&reach, &screen, period).await,
        Command::Config(command) => config::config(&reach, &screen, command).await,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), called(program).replace(' ', "-"), &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}
