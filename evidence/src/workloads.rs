//! The workloads in namespaces: what should be ready and is not (docs/design/lifecycle.md section 3).
//!
//! Who stays watches all kinds in the whole cluster and keeps a trace of what fails alone, so that nothing is listed at
//! rest; who acts lists one namespace afresh. Both judge by the same functions. Nothing here fails: while one kind cannot
//! be read, everything is Unknown.
//!
//! What a kind says by itself counts at once: an image that cannot be pulled, a rollout that its own deadline ended, pods
//! that a quota refuses. What is merely not ready yet has as long as a Deployment has by default.

mod kinds;
mod list;
mod partial_object;
mod sample;
mod watch;
mod workload_state;

#[cfg(test)]
mod tests;

pub use self::{
    list::list,
    sample::{Finding, Look},
    watch::watch,
    workload_state::{Event, WorkloadStates},
};
