//! collector: watches namespaces, judges them and writes their history, as a job of its own.

use std::process::ExitCode;

use common::timings::Timings;

fn main() -> ExitCode {
    collectors::program::main(Timings::default())
}
