//! What a deletion is allowed by, or refused for.

use jiff::Timestamp;
use lifecycle::{Condition, Namespace, event::SkipReason};
use tokio::time::Instant;

/// Everything an intent needs to say.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) namespace: Namespace,
    pub(crate) evidence: Vec<Condition>,
    pub(crate) evidence_at: Timestamp,
    /// When that was, by the monotonic clock.
    pub(crate) checked_at: Instant,
    pub(crate) slot: String,
    pub(crate) unannounced: Option<String>,
}

/// What came of the check before the request.
pub(crate) enum Preflight {
    Go(Box<Permit>),
    /// The world is not what the record says; whoever watches it will write that down.
    NotNow,
    Skip(Refusal),
}

/// Why not.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) why: SkipReason,
    pub(crate) detail: String,
    pub(crate) not_before: Option<Timestamp>,
}
