//! What the roles rely on, port by port.
//!
//! A suite knows its port's trait alone, and every adapter passes it. What only one adapter has is told beside it.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod child;
mod jobs;
mod queue;
mod store;
