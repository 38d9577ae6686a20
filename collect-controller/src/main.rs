//! collect-controller: keeps collectors running, as a process of its own that is elected.

use std::process::ExitCode;

fn main() -> ExitCode {
    collect_controller::program::main()
}
