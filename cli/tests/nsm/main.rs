//! The program as people and scripts meet it: the real binary beside a store that was written by the real adapter.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod apiserver;
mod commands;
mod reaching;
mod reading;
mod world;
