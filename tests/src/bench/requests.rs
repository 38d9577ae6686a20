//! Requests by verb within a window of time, as the apiserver's audit log has them.
//!
//! Everybody has a user of their own, so what nsm causes directly is told apart exactly. What it causes others to ask shows
//! when all requests of two windows of equal length are compared: one with nsm and one without.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::AuditEvent;

/// How often each verb was asked for.
pub(super) type Verbs = BTreeMap<String, u64>;

/// A window of time by this machine's clock, which is the apiserver's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    pub(super) fn since(from: Timestamp) -> Self {
        Self { from, to: Timestamp::now() }
    }

    /// A window that begins now, once it is over.
    pub(super) async fn during(length: Duration) -> Self {
        let from = Timestamp::now();
        tokio::time::sleep(length).await;
        Self::since(from)
    }

    /// What `user`, or anybody, asked in it. A watch is logged when it ends, and counts when it began.
    pub(super) fn verbs(&self, audit: &[AuditEvent], user: Option<&str>) -> Verbs {
        let mut verbs = Verbs::new();
        let is_within = |event: &&AuditEvent| self.has(event.received_at);
        let is_theirs = |event: &&AuditEvent| user.is_none_or(|user| event.user.username == user);
        for event in audit.iter().filter(is_within).filter(is_theirs) {
            *verbs.entry(event.verb.clone()).or_default() += 1;
        }
        verbs
    }

    /// Whether an instant is in it.
    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// How many times it would fit into a minute.
    pub(super) fn per_minute(&self) -> f64 {
        60.0 / self.to.duration_since(self.from).as_secs_f64()
    }
}
