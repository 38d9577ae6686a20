//! What people see: values in, text out. Nothing here reads a store, a cluster, a clock or a terminal.

pub(crate) mod chronicle;
pub(crate) mod crew;
pub(crate) mod difference;
pub(crate) mod effective;
pub(crate) mod listing;
pub(crate) mod page;
pub(crate) mod reasons;
pub(crate) mod results;
#[cfg(test)]
mod sentences;
pub(crate) mod table;
#[cfg(test)]
#[path = "../../api/src/answers/told.rs"]
pub(crate) mod told;

pub(crate) use api::answers::{moment, words};
