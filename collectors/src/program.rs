//! collector: watches namespaces, judges them and writes their history, as a job of its own.

use std::process::ExitCode;

use clap::Parser as _;
use common::{
    heartbeat::COLLECTOR,
    process::{self, Lasts},
    timings::Timings,
};

use crate::Arguments;

/// Does what its arguments say, until it is through or told to end.
pub fn main(timings: Timings) -> ExitCode {
    let Arguments { work } = Arguments::parse();
    process::run("collector", Lasts::UntilDone, timings, move |running| async move {
        process::belongs(COLLECTOR, &running).await?;
        crate::run(running.context, work, running.cancel).await
    })
}
