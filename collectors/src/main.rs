//! collector: watches namespaces, judges them and writes their history, as a job of its own.

use std::process::ExitCode;

use clap::Parser as _;
use collectors::Arguments;
use common::process::{self, Lasts};

fn main() -> ExitCode {
    let Arguments { work } = Arguments::parse();
    process::run("collector", Lasts::UntilDone, move |running| collectors::run(running.context, work, running.cancel))
}
