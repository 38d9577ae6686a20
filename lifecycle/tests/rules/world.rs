//! One namespace and the roles that care for it, without the roles: the real functions, appends simulated.
//!
//! [`World::turn`] is what a collector does: observe, decide, append and ask again, write annotations. [`World::pass`] lets time
//! go by and wakes everybody who asked to be woken. What people, planners and workers do are [`Step`]s.

mod steps;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Action, Actor, Check, Condition, Decision, Entry, Event, LiveObject, Mode, Namespace, Observation, Plan, Policies,
    Policy, Reading, Record, Task, Truth, Uid, Verdict, annotations,
    channel::Channel,
    decide,
    decide::shown,
    event::{PolicyRef, StatusNotShown},
    guards::{PROMISE_MARGIN, guards, object_guards},
    health::{HealthCheck, HealthSample},
    keys::StoreIdentity,
    observe,
    pipeline::{CiObjectKind, CiObjectRef, CiSystem, Links, together},
    plan,
    policy::{Common, HealthSources, RawPolicy, Undeliverable},
    supersession::{Successor, Supersession},
    time::{cut_to_millis, saturating_add},
};

pub(crate) use steps::Step;

/// When every story begins.
pub(crate) fn dawn() -> Timestamp {
    Timestamp::constant(1_767_571_200, 0)
}

/// How often [`decide`] may answer with an entry before it has to come to rest.
pub(crate) const SETTLES_WITHIN: usize = 16;

/// How often time alone may wake a namespace before something is wrong.
const WAKES: usize = 1_024;

/// What a configuration says for all policies.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) has_channel: bool,
    pub(crate) undeliverable: Undeliverable,
    pub(crate) former: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) prometheus_every: Option<SignedDuration>,
    pub(crate) ci: Vec<CiSystem>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            has_channel: false,
            undeliverable: Undeliverable::default(),
            former: Vec::new(),
            exclude: Vec::new(),
            prometheus_every: None,
            ci: Vec::new(),
        }
    }
}

impl Settings {
    pub(crate) fn policies(&self, raw: &[RawPolicy]) -> Arc<Policies> {
        let keys = lifecycle::Keys { former: self.former.clone(), ..lifecycle::Keys::default() };
        let common = Common {
            mode: self.mode,
            keys,
            exclude: &self.exclude,
            has_channel: self.has_channel,
            sources: every(self.prometheus_every),
            ci: &self.ci,
            promise_margin: PROMISE_MARGIN,
        };
        let policies = Policies::new(raw, &common).unwrap_or_else(|errors| panic!("{errors:?}"));
        Arc::new(policies.with_undeliverable(self.undeliverable))
    }
}

/// A Prometheus that is read so often; `None`: there is none.
pub(crate) fn every(every: Option<SignedDuration>) -> HealthSources {
    every.map_or(HealthSources::NONE, |every| HealthSources { prometheus: true, every, ..HealthSources::NONE })
}

/// What happened, as a story tells it.
#[derive(Clone, Debug)]
pub(crate) enum Logged {
    Appended(Box<Entry>),
    Annotated(BTreeMap<&'static str, Option<String>>),
    Offered(Vec<Task>),
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) policies: Arc<Policies>,
    pub(crate) namespace: Namespace,
    pub(crate) record: Record,
    pub(crate) history: Vec<Entry>,
    pub(crate) seen: Option<Observation>,
    pub(crate) clock: Truth,
    /// What the next check of the health finds; `None`: it is not checked.
    pub(crate) health: Option<Truth>,
    /// Whether newer deployments replace it, and whether they may still do so; `None`: it is not checked.
    pub(crate) replaced: Option<(bool, bool)>,
    /// Whether its pipeline was cancelled, as far as is known; `None`: it is not checked.
    pub(crate) pipeline: Option<Truth>,
    /// Whether its merge request was merged, likewise.
    pub(crate) merged: Option<Truth>,
    /// Others refuse what is written on it.
    pub(crate) refuses: bool,
    /// The number of the job that replaces it.
    pub(crate) successor: u32,
    /// What is known of the channel.
    pub(crate) channel: Channel,
    /// Notices about other namespaces that were tried on it.
    others: u32,
    checked: Option<HealthSample>,
    check_at: Option<Timestamp>,
    pub(crate) now: Timestamp,
    pub(crate) log: Vec<(Timestamp, Logged)>,
    offered: Vec<Task>,
    vanished: bool,
}

/// A namespace nobody wrote anything on.
pub(crate) fn namespace(name: &str, created: Timestamp) -> Namespace {
    Namespace {
        uid: Uid::new("uid-1"),
        name: name.to_owned(),
        resource_version: "1".to_owned(),
        created,
        deleted: None,
        ending: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

/// A guard of either kind.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) why: String,
}

impl Standing {
    pub(crate) fn is_clear(&self) -> bool {
        self.verdict == Verdict::Clear
    }
}

impl World {
    pub(crate) fn new(policies: Arc<Policies>, namespace: Namespace, now: Timestamp) -> Self {
        Self {
            policies,
            record: Record::new(namespace.uid.clone()),
            namespace,
            history: Vec::new(),
            seen: None,
            clock: Truth::True,
            health: Some(Truth::False),
            replaced: Some((false, false)),
            pipeline: Some(Truth::False),
            merged: Some(Truth::False),
            refuses: false,
            successor: 2,
            channel: Channel::default(),
            others: 0,
            checked: None,
            check_at: None,
            now,
            log: Vec::new(),
            offered: Vec::new(),
            vanished: false,
        }
    }

    /// Forgets how it came to this, for a caller that goes on from many worlds: what is known stays.
    pub(crate) fn forget(&mut self) {
        self.history.clear();
        self.log.clear();
    }

    /// What is seen now, made part of what was seen.
    pub(crate) fn observe(&mut self) -> Observation {
        let reason = match self.clock {
            Truth::True => "our clock agrees with the apiserver's",
            Truth::False => "our clock is off",
            Truth::Unknown => "the apiserver's time is not known",
        };
        let clock = Condition { truth: self.clock, reason: reason.to_owned(), observed_at: self.now };
        let health = self.check_up();
        let (supersession, pipeline) = (self.supersession(), self.pipeline());
        let reading = Reading { namespace: self.namespace.clone(), clock, health, supersession, pipeline };
        let seen = observe(self.seen.take(), reading, self.now);
        self.seen = Some(seen.clone());
        seen
    }

    fn pipeline(&self) -> Check<Condition> {
        let links = self.applies().map(|policy| Links::of(&self.namespace, policy)).unwrap_or_default();
        let counts = |origin: &&CiObjectRef| links.goes_with_pipeline || origin.kind == CiObjectKind::MergeRequest;
        together(links.origins().filter(counts).map(|origin| {
            let (truth, over, on) = match origin.kind {
                CiObjectKind::Pipeline => (self.pipeline, "was cancelled", "running"),
                CiObjectKind::MergeRequest => (self.merged, "was merged", "opened"),
                CiObjectKind::Job => return Check::Disabled,
            };
            let Some(truth) = truth else { return Check::Pending };
            let reason = match truth {
                Truth::True => format!("{origin} {over}"),
                Truth::False => format!("{origin} has the status `{on}`"),
                Truth::Unknown => format!("{} does not answer", origin.system.name()),
            };
            Check::Observed(Condition { truth, reason, observed_at: self.now })
        }))
    }

    fn supersession(&self) -> Check<Supersession> {
        if self.applies().is_none_or(|policy| policy.superseded.is_none()) {
            return Check::Disabled;
        }
        self.replaced.map_or(Check::Pending, |(is_replaced, holds)| {
            let job = self.successor;
            let (truth, reason) = match is_replaced {
                true => (Truth::True, format!("job `{job}` deployed the same branch later, as `review-{job}`")),
                false => (Truth::False, "it is the newest deployment of its branch".to_owned()),
            };
            let condition = Condition { truth, reason, observed_at: self.now };
            let successor = Successor { uid: Uid::new(format!("uid-{job}")), name: format!("review-{job}") };
            let successors = if is_replaced { vec![successor] } else { Vec::new() };
            Check::Observed(Supersession { condition, holds, successors })
        })
    }

    /// A check of the health where one is due, and else the last one.
    fn check_up(&mut self) -> Check<HealthCheck> {
        let Some(every) = self.applies().and_then(|policy| policy.health).map(|terms| terms.every) else {
            return Check::Disabled;
        };
        let is_due = self.checked.as_ref().is_none_or(|sample| self.next_check(sample, every) <= self.now);
        if let Some(truth) = self.health.filter(|_| is_due) {
            let (reason, failing) = match truth {
                Truth::True => ("alert `Down` fires", vec![serde_json::json!({ "labels": { "alertname": "Down" } })]),
                Truth::False => ("no alert fires", Vec::new()),
                Truth::Unknown => ("Prometheus does not answer", Vec::new()),
            };
            let condition = Condition { truth, reason: reason.to_owned(), observed_at: self.now };
            self.checked = Some(HealthSample { condition, failing });
        }
        let status_generation = (self.record.status_generation, self.record.since.unwrap_or(self.now));
        self.checked
            .clone()
            .map_or(Check::Pending, |look| Check::Observed(HealthCheck { look, status_generation, every }))
    }

    fn next_check(&self, last: &HealthSample, every: SignedDuration) -> Timestamp {
        let next = saturating_add(last.condition.observed_at, every);
        self.check_at.map_or(next, |at| at.min(next))
    }

    pub(crate) fn applies(&self) -> Option<&Policy> {
        self.policies.for_namespace(&self.namespace)
    }

    /// The policy the record is under, as the configuration has it now.
    pub(crate) fn standing(&self) -> Option<&Policy> {
        self.record.terms.as_ref().and_then(|terms| self.policies.named(&terms.policy))
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(self.standing(), &self.record, self.now)
    }

    pub(crate) fn offers(&self, action: Action) -> Option<Task> {
        self.plan().tasks.into_iter().find(|task| task.action == action)
    }

    /// The guards as the worker sees them at its preflight.
    pub(crate) fn guards(&self) -> Vec<Standing> {
        let store_identity = StoreIdentity::default();
        let fresh = LiveObject { namespace: &self.namespace, policy: self.applies(), store_identity: &store_identity };
        let Some(policy) = self.standing() else { return Vec::new() };
        let on_record = guards(policy, &self.record, self.now).into_iter();
        let on_record = on_record.map(|guard| Standing { name: guard.name(), verdict: guard.verdict, why: guard.why });
        let on_object = object_guards(policy, &self.record, &fresh, self.now).into_iter();
        let on_object = on_object.map(|guard| Standing { name: guard.name(), verdict: guard.verdict, why: guard.why });
        on_record.chain(on_object).collect()
    }

    pub(crate) fn decide(&mut self) -> Decision {
        let seen = self.observe();
        decide(self.applies(), &self.record, &seen, self.now)
    }

    /// One turn of a collector, and the planner's pass over what came of it. Gives the instant of the next turn.
    pub(crate) fn turn(&mut self) -> Option<Timestamp> {
        let due = if self.vanished { None } else { self.collect() };
        let plan = self.plan();
        if plan.tasks != self.offered {
            self.offered.clone_from(&plan.tasks);
            self.log.push((self.now, Logged::Offered(plan.tasks)));
        }
        due.into_iter().chain(plan.due).min()
    }

    fn collect(&mut self) -> Option<Timestamp> {
        let mut rounds = 0;
        let seen = self.observe();
        let due = loop {
            let decision = decide(self.applies(), &self.record, &seen, self.now);
            let Some(event) = decision.entry else {
                self.check_at = decision.look;
                let every = self.applies().and_then(|policy| policy.health).map(|terms| terms.every);
                let next = self.checked.as_ref().zip(every).map(|(last, every)| self.next_check(last, every));
                break decision.due.into_iter().chain(next.filter(|at| *at > self.now)).min();
            };
            self.append("collector", event);
            rounds += 1;
            assert!(rounds <= SETTLES_WITHIN, "no rest after {rounds} entries: {:?}", self.history);
        };
        let wanted = annotations(&self.record, &seen);
        let keys = self.policies.keys.clone();
        let differs: BTreeMap<_, _> =
            wanted.into_iter().filter(|(key, value)| keys.read(&self.namespace, key) != value.as_deref()).collect();
        if !differs.is_empty() && self.refuses {
            let is_waited_for = self.applies().is_some_and(|policy| policy.requires_visible(self.record.status));
            if is_waited_for && self.record.shown_at.is_none() && self.record.not_shown.is_none() {
                let (of, why) = (self.record.status_generation, "the apiserver answered 422: not here".to_owned());
                self.append("collector", Event::StatusNotShown(StatusNotShown { of, why }));
            }
        } else if !differs.is_empty() {
            for (key, value) in &differs {
                self.annotate(&keys.ours(key), value.as_deref());
            }
            self.log.push((self.now, Logged::Annotated(differs)));
            // The answer to the write shows it.
            let policy = self.applies().filter(|policy| self.record.terms.as_ref() == Some(&PolicyRef::of(policy)));
            let event = policy.filter(|_| seen.clock.is_true()).and_then(|it| shown(it, &self.record, &self.namespace));
            if let Some(event) = event {
                self.append("collector", event);
            }
        }
        due
    }

    /// Lets time go by, with a turn whenever one is due and at the end.
    pub(crate) fn pass(&mut self, by: SignedDuration) {
        let end = saturating_add(self.now, by);
        for _ in 0..WAKES {
            match self.turn().filter(|due| *due <= end) {
                // A due that has passed would wake a collector for ever.
                Some(due) => assert!(std::mem::replace(&mut self.now, due) < due, "due {due} is not ahead"),
                None if self.now < end => self.now = end,
                None => return,
            }
        }
        panic!("{WAKES} turns fell due within {by:#}: {:?}", self.history.last());
    }

    pub(crate) fn append(&mut self, who: &str, event: Event) {
        let entry = Entry {
            uid: self.record.uid.clone(),
            seq: self.record.head + 1,
            at: cut_to_millis(self.now),
            actor: Actor::role(who, "a"),
            name: self.namespace.name.clone(),
            token: format!("{:032x}", self.record.head + 1),
            event,
        };
        self.record.fold(&entry);
        self.history.push(entry.clone());
        self.log.push((self.now, Logged::Appended(Box::new(entry))));
    }

    fn annotate(&mut self, key: &str, value: Option<&str>) {
        change(&mut self.namespace.annotations, key, value);
        self.touch();
    }

    fn touch(&mut self) {
        let version: u64 = self.namespace.resource_version.parse().unwrap();
        self.namespace.resource_version = (version + 1).to_string();
    }
}

fn change(map: &mut BTreeMap<String, String>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => map.insert(key.to_owned(), value.to_owned()),
        None => map.remove(key),
    };
}
