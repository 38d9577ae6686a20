//! The health of namespaces: one look at a source that speaks of all of them, and what it says of each.
//!
//! The only source so far is [`prometheus`](crate::prometheus).

use std::time::Duration;

use common::{clock::Clock, config::Settings};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Checked, Namespace, Policy, Record,
    health::{Checkup, Look},
    time::saturating_add,
};
use serde_json::json;

use crate::prometheus::{self, Prometheus};

/// The source's name, for status pages.
pub const PROMETHEUS: &str = "prometheus";

/// One look at the health of all namespaces.
#[derive(Debug)]
pub struct Rounds {
    look: prometheus::Look,
    every: SignedDuration,
}

/// Looks once; `None`: no source is configured. What cannot be looked at is Unknown, and no error.
pub async fn look(settings: &Settings, clock: &Clock) -> Option<Rounds> {
    let prometheus = Prometheus::new(settings.prometheus.clone()?);
    let every = SignedDuration::try_from(settings.check_every).unwrap_or(SignedDuration::MAX);
    Some(Rounds { look: prometheus.look(clock.now()).await, every })
}

/// What is known of the health of a namespace by the last look there was.
#[must_use]
pub fn checkup(
    policy: Option<&Policy>,
    rounds: Option<&Rounds>,
    record: &Record,
    namespace: &Namespace,
) -> Checked<Checkup> {
    if policy.is_none_or(|policy| policy.health.is_none()) {
        return Checked::Off;
    }
    // What was looked at before there was this namespace says nothing of it. Its creation is told in whole seconds.
    let born = saturating_add(namespace.created, SignedDuration::from_secs(1));
    let Some(rounds) = rounds.filter(|rounds| rounds.at() >= born) else { return Checked::Unseen };
    let episode = (record.episode, record.since.unwrap_or(rounds.at()));
    Checked::Seen(Checkup { look: rounds.of(&namespace.name, namespace.created), episode, every: rounds.every })
}

impl Rounds {
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.look.at
    }

    /// Why it knows nothing of namespaces for which nothing fires; `None`: it does.
    #[must_use]
    pub fn outage(&self) -> Option<&str> {
        self.look.outage()
    }

    /// How long after it the next is due.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every.unsigned_abs()
    }

    /// What it says of the namespace of this name that was created then.
    #[must_use]
    pub fn of(&self, name: &str, created: Timestamp) -> Look {
        let found = self.look.of(name, created);
        let mut failing: Vec<_> = found.failing.iter().map(|alert| json!(alert)).collect();
        if found.cut > 0 {
            failing.push(json!({ "cut": format!("and {} more", found.cut) }));
        }
        Look { condition: found.condition, failing }
    }
}
