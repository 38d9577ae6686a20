//! nsm: the whole of Namespace Manager on a laptop, and its client for people.

mod args;
mod client;
mod commands;
mod context;
mod failure;
mod output;
mod roles;
mod standalone;
mod view;

use std::{io::Write as _, process::ExitCode, time::Duration};

use clap::{CommandFactory as _, FromArgMatches as _};
use common::timings::Timings;

use crate::{
    args::{Cli, called},
    view::table::BAD,
};

/// How long tasks that were cut off may take to let go of what they hold, such as a plugin that logs in.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(200);

/// Does what the name it is called by and its arguments say, with these timings.
pub fn main(timings: Timings) -> ExitCode {
    if let Some(main) = std::env::args_os().next().and_then(|program| roles::called(program.as_ref())) {
        return main(timings);
    }
    match common::process::runtime() {
        Ok(runtime) => {
            let ended = runtime.block_on(run(timings));
            // A thread that waits for a disk or a name server would hold the end up.
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
            ended
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "{BAD}error:{BAD:#} cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(timings: Timings) -> ExitCode {
    let program = std::env::args().next();
    let matches = Cli::command().bin_name(called(program.as_deref())).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match commands::run(cli, program.as_deref(), timings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to be told where standard error is closed.
            let _ = writeln!(anstream::stderr(), "{BAD}error:{BAD:#} {}", failure.text);
            failure.code.into()
        }
    }
}
