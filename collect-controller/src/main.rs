//! collect-controller: keeps collectors running, as a process of its own that is elected.

use std::process::ExitCode;

use common::timings::Timings;

fn main() -> ExitCode {
    collect_controller::program::main(Timings::default())
}
