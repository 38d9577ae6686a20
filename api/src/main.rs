//! api: HTTP over the record store, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::program::main()
}
