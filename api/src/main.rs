//! api: HTTP over the record store, as a process of its own.

use std::process::ExitCode;

use common::timings::Timings;

fn main() -> ExitCode {
    api::program::main(Timings::default())
}
