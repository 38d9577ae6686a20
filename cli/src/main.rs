//! nsm, as it is released: with the timings of a release, whatever the environment says.

use std::process::ExitCode;

use common::timings::Timings;

fn main() -> ExitCode {
    cli::main(Timings::default())
}
