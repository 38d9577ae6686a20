//! Whether the configuration of this controller is the one in force.
//!
//! Of two controllers with different configurations the later one counts, for as long as it runs. Its heartbeats
//! tell whether it runs. Their times are another machine's, whose clock may differ, and a store that is out of reach hides
//! them: so it has gone when, for a while in which the store answered, the same heartbeat was its last.

use std::time::Duration;

use common::{controls, store::Store};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::warn;

use crate::RECONCILE_INTERVAL;

/// How soon a configuration that could not be put in force is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a heartbeat is the last of a controller that has gone: the three that follow it, 10 s apart, may be lost.
const GONE_AFTER: Duration = Duration::from_secs(40);

/// Interval of checks for another heartbeat. With it, and the 10 s in which another's configuration is noticed, one's own is
/// in force again within a minute.
const HEARD_INTERVAL: Duration = Duration::from_secs(5);

/// What was put in force, and what was last heard of the controller that put another in force since.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    accepted: Option<String>,
    last: Option<(Heard, Instant)>,
}

/// The number of a control record, and the last heartbeat of the controller that wrote it.
type Heard = (u64, Option<Timestamp>);

impl InForce {
    /// Whether there is nothing to do about this configuration: it is in force, or that of somebody is who put it in force
    /// later and is there. A store that is out of reach says nothing.
    pub(crate) async fn stands(&mut self, store: &dyn Store, hash: &str) -> bool {
        if self.accepted.as_deref() != Some(hash) {
            return false;
        }
        let other = controls::other_in_force(store, hash).await.unwrap_or_default();
        let is_gone = self.has_gone(other.as_ref().map(|other| (other.control.number, other.heard)), Instant::now());
        if let Some(other) = other.filter(|_| is_gone) {
            warn!(
                "configuration {} was put in force by `{}`, which has gone: configuration {hash} is to be in force again",
                other.control.body.hash, other.control.actor
            );
        }
        !is_gone
    }

    /// This configuration was put in force.
    pub(crate) fn accepted(&mut self, hash: String) {
        (self.accepted, self.last) = (Some(hash), None);
    }

    /// How soon to check again, whatever else there is to do.
    pub(crate) const fn check_in(&self) -> Duration {
        match (&self.accepted, &self.last) {
            (None, _) => RETRY_INTERVAL,
            (Some(_), Some(_)) => HEARD_INTERVAL,
            (Some(_), None) => RECONCILE_INTERVAL,
        }
    }

    /// Whether the controller that put another configuration in force has gone; `heard` is what is heard of it now. `None`:
    /// one's own is in force, or nobody knows.
    fn has_gone(&mut self, heard: Option<Heard>, now: Instant) -> bool {
        match (heard, self.last) {
            (Some(heard), Some((last, since))) if heard == last => now.duration_since(since) >= GONE_AFTER,
            (heard, _) => {
                self.last = heard.map(|heard| (heard, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
