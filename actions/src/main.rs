//! action: carries out one task after another, as a job of its own.

use std::process::ExitCode;

use common::timings::Timings;

fn main() -> ExitCode {
    actions::program::main(Timings::default())
}
