//! What the suites on a real node rely on: pods run, find each other, and reach servers of this machine; and nothing is left of a node.

mod ends;
mod image;
mod pods;
mod traces;
mod workloads;

use std::time::Duration;

/// For what takes some seconds on an idle machine.
const LATER: Duration = Duration::from_secs(60);
