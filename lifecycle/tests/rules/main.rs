//! The rules of the domain, each held by a test that bears its name.
//!
//! - `stories`: one namespace's life each, told in a data file and compared with the history it makes;
//! - `wire`: what is stored, and what must be read for ever;
//! - `configuration`: what is refused at start.
#![cfg(test)]

mod configuration;
mod stories;
mod wire;
mod world;
