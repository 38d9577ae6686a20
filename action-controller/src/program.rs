//! action-controller: plans what is due and keeps workers for it, as a process of its own that is elected.

use std::process::ExitCode;

use common::{leadership::controller, timings::Timings};

/// Runs it until it is told to end.
pub fn main(timings: Timings) -> ExitCode {
    controller(crate::ROLE, timings, crate::run)
}
