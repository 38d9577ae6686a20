//! The judge: sees everything as it happens, by the true time, and says which property of docs/design/protocol.md
//! section 1 broke.
//!
//! It shares types with the product and one function: S1 wants [`lifecycle::plan`] itself to have said so. What may be
//! deleted when, what a history may hold and who had to be told it works out by itself.

mod deletions;
mod ends;
mod health;
mod histories;
mod notices;
mod pipelines;
mod supersession;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use common::{
    config::Settings,
    store::{Claim, ClaimKind},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Entry, Event, Keys};
use serde_json::Value;

use crate::{
    apiserver::Object,
    scenario::{Scenario, Variant},
    world::{Who, World},
};

/// How far a machine's clock may be off without its noticing, and a second for what is cut.
const SKEW: SignedDuration = SignedDuration::from_secs(31);

/// A broken property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) who: Who,
    /// When it was handed over.
    pub(crate) at: Duration,
}

/// An entry, and when it became durable.
#[derive(Clone, Debug)]
struct Written {
    entry: Entry,
    at: Duration,
}

/// An accepted deletion of ours.
#[derive(Clone, Debug)]
struct Deletion {
    uid: String,
    intent: u64,
    window: String,
    unannounced: Option<String>,
}

#[derive(Debug, Default)]
struct Window {
    limit: Option<u64>,
    taken: BTreeMap<u64, String>,
}

#[derive(Debug)]
pub(crate) struct Judge {
    variants: BTreeMap<String, (Variant, Arc<Settings>)>,
    histories: BTreeMap<String, Vec<Written>>,
    deletions: Vec<Deletion>,
    /// By uid and number of the intent.
    fenced: BTreeSet<(String, u64)>,
    fences_seen: BTreeSet<(String, String)>,
    windows: BTreeMap<(ClaimKind, String), Window>,
    approved_until: Option<Timestamp>,
    /// When the stop that holds was acknowledged, and whom it could not fence.
    stopped: Option<(Duration, BTreeSet<String>)>,
    /// Since when a run of requests to keep lasts, by uid, and until when the last one goes.
    keeps: BTreeMap<String, (Timestamp, Timestamp)>,
    sent_notices: BTreeMap<String, u64>,
    /// The ids of notices that were refused for their form.
    refused_notices: BTreeSet<String>,
    /// When a namespace first carried this status with this time, by uid.
    shown: BTreeMap<(String, String, String), Duration>,
    /// On whom somebody wrote a mark that tells of lost entries.
    forged: BTreeSet<String>,
    violations: Vec<Violation>,
    now: Duration,
}

impl Judge {
    pub(crate) fn new(scenario: &Scenario, settings: &[Arc<Settings>]) -> Self {
        let variants = scenario.variants.iter().cloned().zip(settings.iter().cloned());
        Self {
            variants: variants.map(|(variant, settings)| (settings.hash.clone(), (variant, settings))).collect(),
            histories: BTreeMap::new(),
            deletions: Vec::new(),
            fenced: BTreeSet::new(),
            fences_seen: BTreeSet::new(),
            windows: BTreeMap::new(),
            approved_until: None,
            stopped: None,
            keeps: BTreeMap::new(),
            sent_notices: BTreeMap::new(),
            refused_notices: BTreeSet::new(),
            shown: BTreeMap::new(),
            forged: BTreeSet::new(),
            violations: Vec::new(),
            now: Duration::ZERO,
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    fn complain(&mut self, rule: &'static str, what: impl Into<String>) {
        self.violations.push(Violation { rule, at: self.now, what: what.into() });
    }

    /// A claim became durable.
    pub(crate) fn claim(&mut self, claim: &Claim) {
        match claim.kind {
            ClaimKind::Slots | ClaimKind::Unannounced => {
                let window = self.windows.entry((claim.kind, claim.group.clone())).or_default();
                if claim.number == 0 {
                    window.limit = claim.body["limit"].as_u64();
                } else {
                    let uid = claim.body["uid"].as_str().unwrap_or_default().to_owned();
                    window.taken.insert(claim.number, uid);
                }
            }
            ClaimKind::Controls if claim.group == "approval" => {
                self.approved_until = claim.body["until"].as_str().and_then(|text| text.parse().ok());
            }
            ClaimKind::Controls if claim.group == "stop" && claim.body["on"] == false => self.stopped = None,
            ClaimKind::Controls => {}
        }
    }

    /// A stop was acknowledged, but for these.
    pub(crate) fn stopped(&mut self, world: &World, unfenced: BTreeSet<String>) {
        self.stopped = Some((world.elapsed(), unfenced));
    }

    /// Somebody asks to keep a namespace until then.
    pub(crate) fn requested(&mut self, uid: &str, now: Timestamp, until: Timestamp) {
        let run = self.keeps.entry(uid.to_owned()).or_insert((now, until));
        // A request that was taken back for a moment may not have been seen to be.
        if run.1 + SignedDuration::from_hours(1) <= now {
            run.0 = now;
        }
        run.1 = until;
    }

    /// Somebody wrote a mark on it that tells of lost entries.
    pub(crate) fn forged(&mut self, uid: &str) {
        self.forged.insert(uid.to_owned());
    }

    /// Nobody asks any more.
    pub(crate) fn unwished(&mut self, uid: &str, now: Timestamp) {
        if let Some(run) = self.keeps.get_mut(uid) {
            run.1 = now;
        }
    }

    /// Annotations were written.
    pub(crate) fn patched(&mut self, world: &World, object: &Object, body: &Value) {
        self.now = world.elapsed();
        let on_it = |key: &str| object.annotations.get(&Keys::default().ours(key)).cloned();
        if let (Some(status), Some(since)) = (on_it(lifecycle::keys::STATUS), on_it(lifecycle::keys::STATUS_TIMESTAMP))
        {
            self.shown.entry((object.uid.clone(), status, since)).or_insert(self.now);
        }
        let fence = Keys::default().ours(lifecycle::keys::FENCE);
        let Some(value) = body["metadata"]["annotations"][&fence].as_str() else { return };
        world.count("fence stands");
        if !self.fences_seen.insert((object.uid.clone(), value.to_owned())) {
            self.complain("S4", format!("the fence `{value}` of `{}` was used before", object.name));
        }
        if let Some(intent) = value.split('.').next().and_then(|text| text.parse().ok()) {
            self.fenced.insert((object.uid.clone(), intent));
        }
    }

    fn history(&self, uid: &str) -> &[Written] {
        self.histories.get(uid).map_or(&[], Vec::as_slice)
    }

    /// The intent that is open at the end of a history.
    fn open(&self, uid: &str) -> Option<&Written> {
        let history = self.history(uid);
        let last = history.iter().rev().find(|written| matches!(written.entry.event, Event::ActionIntended(_)))?;
        let is_closed = history.iter().any(|written| closes(&written.entry.event) == Some(last.entry.seq));
        (!is_closed).then_some(last)
    }
}

/// The number of the intent that an outcome closes.
fn closes(fact: &Event) -> Option<u64> {
    match fact {
        Event::ActionDone(done) => Some(done.of),
        Event::ActionFailed(failed) => Some(failed.of),
        Event::ActionSkipped(skipped) => skipped.of,
        _ => None,
    }
}

/// When the life of a namespace is over, by what stands on it and a configuration: the later where that is unclear.
fn deadline(object: &Object, variant: &Variant) -> Timestamp {
    let ends = object.annotations.get("manager.cicd.skao.int/expires_at");
    if let Some(at) = ends.and_then(|text| text.parse::<Timestamp>().ok()) {
        return at;
    }
    let asked = object.annotations.get("manager.cicd.skao.int/ttl");
    let asked = asked.and_then(|text| text.strip_suffix('s')).and_then(|text| text.parse::<i64>().ok());
    let ttl = asked.unwrap_or_else(|| i64::try_from(policy_ttl(object, variant)).unwrap_or(i64::MAX));
    object.created + SignedDuration::from_secs(ttl)
}

/// Whether its owner set when its life ends.
fn has_own_end(object: &Object) -> bool {
    ["ttl", "expires_at"].iter().any(|key| object.annotations.contains_key(&format!("manager.cicd.skao.int/{key}")))
}

/// The time to live that the policy of a namespace gives it: that of those painted blue is twice as long.
fn policy_ttl(object: &Object, variant: &Variant) -> u64 {
    if is_blue(object) { variant.ttl * 2 } else { variant.ttl }
}

fn is_blue(object: &Object) -> bool {
    object.labels.get("paint").is_some_and(|paint| paint == "blue")
}

/// Whether some policy of ours applies.
fn is_managed(object: &Object) -> bool {
    object.name != "kube-system" && (object.name.starts_with("ci-") || is_blue(object))
}
