//! The API as a process on a real apiserver: whose tokens it takes, what a stop binds, and `nsm` through it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod nsm;
mod page;
mod ready;
mod stop;
mod tls;
mod tokens;
mod world;
