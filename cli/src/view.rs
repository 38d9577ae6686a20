//! What people see: values in, text out. Nothing here reads a store, a cluster, a clock or a terminal.

pub(crate) mod diff;
pub(crate) mod effective;
#[cfg(test)]
#[path = "../../api/src/queries/fixtures.rs"]
pub(crate) mod fixtures;
pub(crate) mod history;
pub(crate) mod listing;
pub(crate) mod results;
#[cfg(test)]
mod sentences;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod why;
pub(crate) mod workers;

pub(crate) use api::queries::{describe, time_format};
