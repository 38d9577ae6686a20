//! From a deadline to the accepted DELETE: a hundred namespaces that expire within a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Serialize;

use super::requests::{Verbs, Window};
use super::scene::{MANAGER, Manager, Scene};
use super::usage::Memory;
use super::{crowd, ledger};
use crate::audit_checker::Entry;
use crate::{AuditEvent, User, accepted_namespace_deletes};

/// How many expire.
const COUNT: u32 = 100;
/// The lifetime of the first: all are created long before.
const FIRST: Duration = Duration::from_secs(20);
/// From the first to the last.
const SPREAD: Duration = Duration::from_secs(60);

/// How late deletions are.
#[derive(Debug, Serialize)]
pub struct Expiry {
    /// From the deadline in the record to the arrival of the accepted DELETE at the apiserver.
    pub deadline_to_delete: Spread,
    /// Of that, until the namespace was recorded as stale: from then on its status has to stand for `visible_for`.
    pub deadline_to_stale: Spread,
    /// From the end of `visible_for` to the entry that allows the request.
    pub visible_to_intent: Spread,
    /// From that entry to the arrival of the request.
    pub intent_to_delete: Spread,
    /// All requests of nsm meanwhile.
    pub requests: Verbs,
    /// When they were deleted.
    pub memory: Option<Memory>,
    #[serde(skip)]
    entries: Vec<Entry>,
    #[serde(skip)]
    window: Window,
}

/// A distribution, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    /// Of these seconds, by nearest rank.
    pub(super) fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            let rank = (seconds.len() * percent).div_ceil(100).max(1);
            seconds.get(rank - 1).copied().unwrap_or(f64::NAN)
        };
        Self { p50: rank(50), p99: rank(99), max: rank(100) }
    }
}

/// Creates them and waits until nsm has deleted the last.
pub(super) async fn measure(scene: &Scene, manager: &mut Manager) -> Result<Expiry> {
    let from = Timestamp::now();
    let lifetimes: Vec<_> = (0..COUNT).map(|number| FIRST + SPREAD * number / (COUNT - 1)).collect();
    let client = scene.plane.client(User::ADMIN).await?;
    crowd::create_short_lived(&client, "short", &lifetimes).await?;
    ledger::wait_for(scene, manager, "ActionDone", from, lifetimes.len()).await?;
    let nothing = Spread::default();
    Ok(Expiry {
        deadline_to_delete: nothing,
        deadline_to_stale: nothing,
        visible_to_intent: nothing,
        intent_to_delete: nothing,
        requests: Verbs::new(),
        memory: None,
        entries: ledger::entries(scene, from)?,
        window: Window::since(from),
    })
}

impl Expiry {
    /// Joins what the store says with what the apiserver says.
    pub(super) fn with_requests(mut self, audit: &[AuditEvent], memory: Memory) -> Result<Self> {
        let deletes: BTreeMap<_, _> = accepted_namespace_deletes(audit)
            .into_iter()
            .filter(|delete| delete.user == MANAGER)
            .map(|delete| (delete.namespace, delete.received_at))
            .collect();
        let mut lives = BTreeMap::<&str, Vec<&Entry>>::new();
        for entry in &self.entries {
            lives.entry(&entry.name).or_default().push(entry);
        }
        let [mut whole, mut stale, mut intent, mut sent] = [const { Vec::new() }; 4];
        for (name, life) in lives {
            let arrived = *deletes.get(name).with_context(|| format!("no DELETE of `{name}` was accepted"))?;
            let of = |kind: &str| life.iter().rfind(|entry| entry.kind == kind);
            let missing = || format!("the history of `{name}` is not that of a deletion");
            let deadline = of("Adopted").and_then(|entry| entry.data.pointer("/deadline/at")?.as_str());
            let deadline: Timestamp = deadline.with_context(missing)?.parse()?;
            let became_stale = of("StatusChanged").with_context(missing)?.at;
            let intended = of("ActionIntended").with_context(missing)?.at;
            whole.push(between(deadline, arrived));
            stale.push(between(deadline, became_stale));
            intent.push(between(became_stale, intended) - super::VISIBLE_FOR.as_secs_f64());
            sent.push(between(intended, arrived));
        }
        ensure!(whole.len() == COUNT as usize, "{} of {COUNT} namespaces were deleted", whole.len());
        [self.deadline_to_delete, self.deadline_to_stale, self.visible_to_intent, self.intent_to_delete] =
            [whole, stale, intent, sent].map(Spread::of);
        self.requests = self.window.verbs(audit, Some(MANAGER));
        self.memory = Some(memory);
        Ok(self)
    }
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Spread::of(hundred), Spread { p50: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Spread::of(vec![7.0]), Spread { p50: 7.0, p99: 7.0, max: 7.0 });
    }
}
