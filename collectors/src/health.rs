//! The health of all namespaces: checked again and again, once for all; and what is told of that.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use common::{
    config::Settings,
    heartbeat::{self, CollectorBody, Outage, WatchedSpan},
    store::Heartbeat,
};
use evidence::health::{Rounds, checkup};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Condition, Namespace, Policy, Record, Status, Truth,
    health::{self, HealthCheck, HealthSample, Streak, follows},
};
use tracing::{info, warn};

use crate::{cache::CachedNamespace, metrics::Checks, shard::Shard};

/// How many of our checks are remembered for namespaces that have yet to have their first turn.
const RECENT: usize = 3;

/// What is known of the health of all, shared by the turns of a collector.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
    checks: Checks,
}

#[derive(Debug, Default)]
struct State {
    /// Our last checks, the newest last.
    recent: VecDeque<Arc<Rounds>>,
    /// The instant of the newest that is not among them any more.
    former: Option<Timestamp>,
    /// Checks without a break: ours, and those of the collector before us, if ours follow on them.
    run: Option<WatchedSpan>,
    /// The same without the last: its turns may still be to be taken, and what they find to be written down.
    settled: Option<WatchedSpan>,
    /// Those of the collector before us alone.
    inherited: Option<WatchedSpan>,
    /// By source.
    outages: BTreeMap<&'static str, Outage>,
}

impl Health {
    pub(crate) fn new(checks: Checks) -> Self {
        Self { checks, ..Self::default() }
    }

    /// Takes over from the collector that checked this shard before.
    pub(crate) fn inherit(&self, heartbeats: &[Heartbeat], shard: Shard) {
        let of_shard =
            heartbeats.iter().filter(|heartbeat| heartbeat.role == heartbeat::COLLECTOR).filter_map(|heartbeat| {
                let body: CollectorBody = serde_json::from_value(heartbeat.body.clone()).ok()?;
                body.looked.filter(|_| (body.shard, body.of) == (shard.number, shard.of))
            });
        let inherited = of_shard.max_by_key(|looked| looked.until);
        let mut state = self.state();
        (state.run, state.settled, state.inherited) = (inherited, inherited, inherited);
    }

    /// The last check there was.
    pub(crate) fn last(&self) -> Option<Arc<Rounds>> {
        self.state().recent.back().cloned()
    }

    /// What another left of the health of a namespace, after our own checks since.
    pub(crate) fn after_ours(
        &self,
        left: health::Health,
        policy: Option<&Policy>,
        status_generation: (u64, Option<Timestamp>),
        namespace: &Namespace,
        now: Timestamp,
    ) -> health::Health {
        let state = self.state();
        let nothing = state.former.map(|at| {
            let reason = "nobody remembers what was seen".to_owned();
            let condition = Condition { truth: Truth::Unknown, reason, observed_at: at };
            let look = HealthSample { condition, failing: Vec::new() };
            HealthCheck {
                look,
                status_generation: (status_generation.0, status_generation.1.unwrap_or(at)),
                every: SignedDuration::ZERO,
            }
        });
        let ours = state
            .recent
            .iter()
            .filter_map(|rounds| checkup(policy, Some(rounds), status_generation, namespace).into_seen());
        nothing.into_iter().chain(ours).fold(left, |health, checkup| health::Health::after(Some(health), checkup, now))
    }

    /// A streak that was written down, up to the last check of the collector that wrote it: what our own checks find may be
    /// something else.
    pub(crate) fn continued(&self, streak: Streak, record: &Record) -> Streak {
        let run = self.state().inherited.filter(|run| run.since <= streak.looked_at);
        match (run, record.since) {
            (Some(run), Some(since)) => streak.looked_until(run.until, (record.status_generation, since)),
            _ => streak,
        }
    }

    /// The sources are others now: what the former said counts no more.
    pub(crate) fn forget(&self) {
        *self.state() = State::default();
    }

    /// Takes in a check. What the one before it found `is_written` down, or is not, as a turn broke off: then nobody is to go on
    /// from there with what was written before.
    pub(crate) fn take(&self, settings: &Settings, rounds: Arc<Rounds>, is_written: bool) {
        let mut state = self.state();
        let (at, every) = (rounds.at(), rounds.every());
        let is_known = settings.policies.iter().filter_map(|policy| policy.health).all(|it| rounds.knows(it.source));
        if is_written {
            state.settled = state.run;
        }
        state.run = is_known.then(|| {
            let since = state.run.filter(|run| follows(run.until, at, every)).map_or(at, |run| run.since);
            WatchedSpan { since, until: at }
        });
        let former = std::mem::take(&mut state.outages);
        for (source, why) in rounds.outages() {
            let since = former.get(source).map_or(at, |outage| outage.since);
            if since == at && is_known {
                warn!("{source} tells nothing of the health of namespaces, and others do: {why}");
            } else if since == at {
                warn!("the health of namespaces is not known, and does not change: {source}: {why}");
            }
            state.outages.insert(source, Outage { source: source.to_owned(), since, why: why.to_owned() });
        }
        for source in former.keys().filter(|source| !state.outages.contains_key(*source)) {
            info!("{source} tells of the health of namespaces again");
        }
        state.recent.push_back(rounds);
        if state.recent.len() > RECENT {
            state.former = state.recent.pop_front().map(|rounds| rounds.at());
        }
    }

    /// Whether a check says something that a namespace's turn is to be taken for; counts it.
    pub(crate) fn is_news(&self, settings: &Settings, rounds: &Rounds, seen: &CachedNamespace) -> bool {
        let Some((namespace, record)) = seen.namespace.as_ref().zip(seen.record.as_ref()) else { return false };
        let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
        let Some(terms) = policy.and_then(|policy| policy.health).filter(|_| record.is_managed()) else { return false };
        let truth = rounds.of(&terms, &namespace.name, namespace.created).condition.truth;
        self.checks.count(truth, 1);
        let Some(streak) = seen.health.as_ref().map(|health| &health.streak) else { return true };
        match record.status {
            Status::Ok => truth == Truth::True || streak.is_timed(Status::Ok),
            Status::Unknown | Status::Unstable | Status::Failing | Status::Failed => true,
            Status::Stale | Status::Cancelled | Status::Superseded => false,
        }
    }

    /// Tells of it in a heartbeat.
    pub(crate) fn tell(&self, body: CollectorBody) -> CollectorBody {
        let state = self.state();
        let outages = state.outages.values().cloned().collect();
        CollectorBody { looked: state.settled, outages, ..body }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The health of a namespace after a check of all of them, where it was known before.
pub(crate) fn after(
    settings: &Settings,
    rounds: &Rounds,
    seen: &CachedNamespace,
    now: Timestamp,
) -> Option<health::Health> {
    let (namespace, before) = seen.namespace.as_ref().zip(seen.health.clone())?;
    let policy = settings.policies.for_namespace(namespace);
    let as_before = (before.streak.status_generation, Some(before.streak.status_since));
    let status_generation = seen.record.as_ref().map_or(as_before, |record| (record.status_generation, record.since));
    let checkup = checkup(policy, Some(rounds), status_generation, namespace).into_seen()?;
    Some(health::Health::after(Some(before), checkup, now))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use lifecycle::Uid;
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn shard() -> Shard {
        Shard { number: 0, of: 2 }
    }

    /// What is known after these collectors told of the checks they made: shard, since, until.
    fn inherited(heartbeats: &[(u32, i64, i64)]) -> Health {
        let heartbeat = |(shard, since, until): &(u32, i64, i64)| {
            let body = json!({"shard": shard, "of": 2, "slot": null, "watched": 1,
                "looked": {"since": at(*since), "until": at(*until)}});
            let (id, role) = (format!("collector/{shard}-{since}"), heartbeat::COLLECTOR.to_owned());
            Heartbeat { id, role, started: at(0), at: at(*until), body }
        };
        let health = Health::default();
        health.inherit(&heartbeats.iter().map(heartbeat).collect::<Vec<_>>(), shard());
        health
    }

    /// Until when a streak counts whose last check that was written down was at second 100.
    fn until(health: &Health) -> i64 {
        let (since, looked_at) = (at(50), at(100));
        let streak =
            Streak { status_generation: 2, fails: true, since, status_since: since, looked_at, is_known: true };
        let mut record = Record::new(Uid::new("u"));
        (record.status_generation, record.since) = (2, Some(at(50)));
        health.continued(streak, &record).looked_at.as_second()
    }

    #[test]
    fn what_the_one_before_saw_without_a_break_counts() {
        assert_eq!(until(&inherited(&[])), 100);
        assert_eq!(until(&inherited(&[(0, 90, 300)])), 300);
        assert_eq!(until(&inherited(&[(0, 90, 300), (0, 10, 200)])), 300, "of two the one that checked last");
        assert_eq!(until(&inherited(&[(1, 90, 300)])), 100, "another shard's");
    }

    #[test]
    fn what_was_not_seen_in_between_does_not_count() {
        assert_eq!(until(&inherited(&[(0, 101, 300)])), 100);
    }

    #[test]
    fn other_sources_begin_anew() {
        let health = inherited(&[(0, 90, 300)]);
        health.forget();
        assert_eq!(until(&health), 100);
    }

    #[test]
    fn the_outages_of_former_sources_are_over() {
        let health = Health::default();
        let outage = Outage { source: "prometheus".to_owned(), since: Timestamp::UNIX_EPOCH, why: "away".to_owned() };
        health.state().outages.insert("prometheus", outage);
        health.forget();
        assert!(health.state().outages.is_empty());
    }
}
