//! The rules of the domain, each held by a test that bears its name.
//!
//! - `stories`: one namespace's life each, told in a data file and compared with the history it makes;
//! - `exhaustive`: every short timeline against a table of the edges that was written without the code;
//! - `health`: what comes of checks of the health of a namespace;
//! - `properties`: what holds for any input and any history;
//! - `wire`: what is stored, and what must be read for ever;
//! - `configuration`: what is refused at start;
//! - `endings`: what holds deletions that do not end, and when that holds the rest.
#![cfg(test)]

mod any;
mod combined;
mod configuration;
mod endings;
mod exhaustive;
mod health;
mod properties;
mod stories;
mod wire;
mod world;
