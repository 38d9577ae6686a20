//! action-controller: plans what is due and keeps workers for it, as a process of its own that is elected.

use std::process::ExitCode;

fn main() -> ExitCode {
    action_controller::program::main()
}
