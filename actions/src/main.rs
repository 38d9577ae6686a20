//! action: carries out one task after another, as a job of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    actions::program::main()
}
