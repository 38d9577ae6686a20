//! action-controller: plans what is due and keeps workers for it, as a process of its own that is elected.

use std::process::ExitCode;

use common::timings::Timings;

fn main() -> ExitCode {
    action_controller::program::main(Timings::default())
}
