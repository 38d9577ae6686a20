//! The roles as programs, under the names of their own binaries. All of them are in this program, for `nsm standalone`; so an image
//! holds it once, and links to it by these names.

use std::{path::Path, process::ExitCode};

use common::timings::Timings;

/// What to run when this program is called as one of the roles.
pub(crate) fn called(program: &Path) -> Option<fn(Timings) -> ExitCode> {
    Some(match program.file_name()?.to_str()? {
        "action" => actions::program::main,
        "action-controller" => action_controller::program::main,
        "api" => api::program::main,
        "collect-controller" => collect_controller::program::main,
        "collector" => collectors::program::main,
        _ => return None,
    })
}
