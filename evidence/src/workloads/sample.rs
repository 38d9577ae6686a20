//! What the workloads say at one instant, namespace by namespace.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Condition, Truth, time::saturating_add};

use super::{
    kinds::START_TIMEOUT,
    workload_state::{Begins, Failure, Kind, Lack, Part, Trace, WorkloadStates},
};

/// How many resources a reason names.
const NAMED: usize = 3;

/// How many names of a namespace are told.
const MAX_FAILING: usize = 50;

/// One sample of the workloads of all namespaces.
#[derive(Clone, Debug)]
pub struct Look {
    at: Timestamp,
    failing: BTreeMap<String, Vec<Failing>>,
    unknown: Option<String>,
}

/// What a sample says of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether something in it fails.
    pub condition: Condition,
    /// The names of what fails, each once, in their order; at most 50.
    pub failing: Vec<String>,
    /// How many others fail.
    pub cut: usize,
}

/// What may fail, and does if it goes on for longer than it may.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) kind: Kind,
    pub(super) name: String,
    created: Timestamp,
    pub(super) failure: Failure,
    /// What its pods say of it.
    parts: Vec<Part>,
}

impl Look {
    /// What is kept says this at that instant.
    #[must_use]
    pub fn of_all(traces: &WorkloadStates, at: Timestamp) -> Self {
        let waiting: BTreeSet<_> = traces.of(Kind::Class).map(|(_, name, ..)| name).collect();
        let mut last_good: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for (.., trace) in traces.of(Kind::Job) {
            if let Trace::Ran { of, at, failure: None } = trace {
                let last = last_good.entry(of).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        let suspended: BTreeSet<_> = traces
            .of(Kind::CronJob)
            .filter_map(|(.., trace)| match trace {
                Trace::Suspended(uid) => Some(uid.as_str()),
                _ => None,
            })
            .collect();
        let mut parts: BTreeMap<(&str, Kind, &str), Vec<Part>> = BTreeMap::new();
        for (namespace, .., trace) in traces.of(Kind::Pod) {
            if let Trace::Part { of: (kind, name), part } = trace {
                parts.entry((namespace, *kind, name)).or_default().push(*part);
            }
        }
        let failure = |trace: &'_ Trace| -> Option<Failure> {
            let failure = match trace {
                Trace::Fails(failure) => Some(failure),
                Trace::Pends(failure, class) => {
                    (!class.as_deref().is_some_and(|class| waiting.contains(class))).then_some(failure)
                }
                // Of a CronJob's runs a later one that went well makes up for it.
                Trace::Ran { of, at, failure } => {
                    let is_last = last_good.get(of.as_str()).is_none_or(|good| good < at);
                    failure.as_ref().filter(|_| is_last && !suspended.contains(of.as_str()))
                }
                Trace::Part { .. } | Trace::WaitsForPod | Trace::Suspended(_) => None,
            };
            failure.cloned()
        };
        let mut failing: BTreeMap<String, Vec<Failing>> = BTreeMap::new();
        for kind in Kind::ALL {
            for (namespace, name, created, trace) in traces.of(kind) {
                let Some(failure) = failure(trace) else { continue };
                let parts = parts.remove(&(namespace, kind, name)).unwrap_or_default();
                let found = Failing { kind, name: name.to_owned(), created, failure, parts };
                failing.entry(namespace.to_owned()).or_default().push(found);
            }
        }
        Self { at, failing, unknown: traces.unknown() }
    }

    /// Nothing is known, for this reason.
    #[must_use]
    pub const fn unknown(why: String, at: Timestamp) -> Self {
        Self { at, failing: BTreeMap::new(), unknown: Some(why) }
    }

    /// What it says of the namespace of this name that was created then. What is older was in a former one. What is merely
    /// not ready counts after as long as its policy says, else after a time of its own.
    #[must_use]
    pub fn of(&self, name: &str, created: Timestamp, not_ready_after: Option<SignedDuration>) -> Finding {
        let failing: Vec<_> = self.failing(name, created, not_ready_after).collect();
        let (truth, reason) = match (failing.is_empty(), &self.unknown) {
            // Who cannot see everything knows neither that nothing fails nor that what failed does so still.
            (_, Some(why)) => (Truth::Unknown, why.clone()),
            (true, None) => (Truth::False, "nothing in it fails".to_owned()),
            (false, None) => (Truth::True, reason(&failing)),
        };
        let condition = Condition { truth, reason, observed_at: self.at };
        if truth != Truth::True {
            return Finding { condition, failing: Vec::new(), cut: 0 };
        }
        let names: BTreeSet<_> = failing.iter().map(|it| it.name.as_str()).collect();
        let cut = names.len().saturating_sub(MAX_FAILING);
        Finding { condition, failing: names.into_iter().take(MAX_FAILING).map(str::to_owned).collect(), cut }
    }

    /// What fails in that namespace.
    pub(super) fn failing(
        &self,
        name: &str,
        created: Timestamp,
        not_ready_after: Option<SignedDuration>,
    ) -> impl Iterator<Item = &Failing> {
        let is_its_own = move |it: &&Failing| it.created == Timestamp::MIN || it.created >= created;
        let all = self.failing.get(name).into_iter().flatten();
        all.filter(is_its_own).filter(move |it| it.fails(self.at, not_ready_after))
    }

    /// Why it knows nothing, if so.
    #[must_use]
    pub fn outage(&self) -> Option<&str> {
        self.unknown.as_deref()
    }
}

impl Failing {
    fn fails(&self, at: Timestamp, not_ready_after: Option<SignedDuration>) -> bool {
        match self.failure.lacks {
            Some(Lack::OfRollout { lacks, is_over }) => {
                let timeout = not_ready_after.unwrap_or(START_TIMEOUT);
                let need_not_be = |part: &&Part| match part {
                    Part::Held => true,
                    Part::Unready { since, is_late: true } => at < saturating_add(*since, timeout),
                    Part::Unready { is_late: false, .. } | Part::Ready { .. } | Part::Going { .. } => false,
                };
                let held = count(self.parts.iter().filter(need_not_be));
                let failure = match (self.unready_since(), self.failure.begins) {
                    (Some(since), Begins::Unready { own, .. }) if is_over => &self.failure.since(since, own),
                    _ => &self.failure,
                };
                (held == 0 || lacks > held) && failure.holds(at, not_ready_after)
            }
            Some(Lack::OfCount { lacks, wanted }) => {
                let (Some(since), Begins::Unready { own, .. }) = (self.since(lacks, wanted), self.failure.begins)
                else {
                    return false;
                };
                self.failure.since(since, own).holds(at, not_ready_after)
            }
            None => self.failure.holds(at, not_ready_after),
        }
    }

    /// Since when a workload that does not tell itself is not ready: since the oldest of its pods is not; where pods are
    /// missing, since the last one came or went, or since it was made. `None`: it is, as far as its pods say.
    fn since(&self, lacks: i32, wanted: i32) -> Option<Timestamp> {
        let held = count(self.parts.iter().filter(|part| **part == Part::Held));
        if lacks <= held {
            return None;
        }
        let is_going = |part: &&Part| matches!(part, Part::Going { .. });
        let missing = wanted > count(self.parts.iter().filter(|part| !is_going(part)));
        let changed = self.parts.iter().filter_map(|part| match part {
            Part::Unready { since: at, .. } | Part::Ready { made: at } | Part::Going { until: at } => Some(*at),
            Part::Held => None,
        });
        let missing = missing.then(|| changed.fold(self.created, Timestamp::max));
        self.unready_since().into_iter().chain(missing).min()
    }

    /// Since when the oldest of its pods that are not ready is so.
    fn unready_since(&self) -> Option<Timestamp> {
        let unready = self.parts.iter().filter_map(|part| match part {
            Part::Unready { since, .. } => Some(*since),
            Part::Held | Part::Ready { .. } | Part::Going { .. } => None,
        });
        unready.min()
    }
}

fn count<'a>(parts: impl Iterator<Item = &'a Part>) -> i32 {
    i32::try_from(parts.count()).unwrap_or(i32::MAX)
}

fn reason(failing: &[&Failing]) -> String {
    let mut named: Vec<_> =
        failing.iter().take(NAMED).map(|it| format!("{} `{}` {}", it.kind, it.name, it.failure.why)).collect();
    match failing.len() - named.len() {
        0 => {}
        1 => named.push("and one other fails".to_owned()),
        others => named.push(format!("and {others} others fail")),
    }
    named.join("; ")
}
