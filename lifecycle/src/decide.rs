//! The next entry of a namespace's history, and when to ask again (docs/design/lifecycle.md section 4).

use jiff::{SignedDuration, Timestamp};

use crate::{
    Check, Condition, Event, Keys, Namespace, Observation, Policy, Record, Status, Truth, duration,
    event::{Adopted, DeadlineMoved, Kept, MovedBy, Pair, PolicyRef, Protected, Released, StatusChanged, StatusShown},
    health::Step,
    keys::{CI_LABELS, STATUS, STATUS_TIMESTAMP},
    overrides::{self, Deadline},
    pipeline,
    record::Phase,
    supersession::Supersession,
    time::{annotation_text, between, cut_to_millis, saturating_add},
};

/// How far apart two clocks can be that the apiserver's agrees with (docs/design/protocol.md section 2, step 2). What
/// is over by the one is then not over by the other for so long, and two collectors would take turns at a namespace.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How long what is superseded stands so before it is deleted (docs/design/lifecycle.md section 4).
const SUPERSEDED_FOR: SignedDuration = SignedDuration::from_secs(5);

/// What [`decide`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is to be appended. Fold it and ask again: one step per evaluation.
    pub entry: Option<Event>,
    /// When time alone may change the answer.
    pub due: Option<Timestamp>,
    /// When another health check may change the answer, if it finds what the last one found.
    pub look: Option<Timestamp>,
}

/// Decides the next entry from what is known and what is seen. `policy` is the one that applies to the namespace as
/// it is seen; `None`: none does.
///
/// Owner overrides are recorded while an intent is open. Everything else waits for its outcome, so that no recovery
/// is recorded that a request under way could still contradict (docs/design/protocol.md S4).
///
/// While the clock cannot be trusted, only what needs none is recorded: a protection, a keep request withdrawn, a release. All
/// else either tells an age or starts a timer: how long a keep may last, since when a deadline was foretold.
#[must_use]
pub fn decide(policy: Option<&Policy>, record: &Record, seen: &Observation, now: Timestamp) -> Decision {
    let namespace = &seen.namespace;
    // One that is there again was never gone, or its cluster was restored from a backup.
    let is_back = record.phase == Phase::Gone;
    let silent = record.damage.is_some()
        || record.done.is_some() && !is_back
        || record.uid != namespace.uid
        || namespace.deleted.is_some();
    if silent {
        return Decision::default();
    }
    let Some(policy) = policy else {
        return release(record);
    };
    // The repair of a clock that may be wrong brings another call; time does not.
    let is_timed = seen.clock.is_true();
    if record.phase != Phase::Managed {
        let adopts = record.open.is_none() && is_timed;
        return if adopts { Decision::of(adopt(policy, namespace, is_back, now)) } else { Decision::default() };
    }
    if let Some(event) = keep_or_protect(policy, record, namespace, now, is_timed) {
        return Decision::of(event);
    }
    if let Some(open) = &record.open {
        // From then on anybody may close it. When it ran out, only an entry changes anything.
        return Decision { due: Some(open.intended.until).filter(|until| now < *until), ..Decision::default() };
    }
    if !is_timed {
        return Decision::default();
    }
    let terms = PolicyRef::of(policy);
    if record.terms.as_ref() != Some(&terms) {
        return Decision::of(Event::PolicyChanged(terms));
    }
    if let Some(event) = moved_deadline(policy, record, namespace, now) {
        return Decision::of(event);
    }
    let decision = judge(policy, record, seen, now);
    match shown(policy, record, namespace) {
        Some(event) if decision.entry.is_none() => Decision::of(event),
        _ => decision,
    }
}

/// That the status is seen on the namespace, where a deletion waits for that and it was not recorded: from then on
/// `visible_for` counts, even if somebody takes it off again (docs/design/lifecycle.md section 5).
#[must_use]
pub fn shown(policy: &Policy, record: &Record, namespace: &Namespace) -> Option<Event> {
    let is_waited_for = policy.requires_visible(record.status) && record.shown_at.is_none() && record.open.is_none();
    let since = record.since.filter(|_| is_waited_for && record.uid == namespace.uid)?;
    let carries = |key: &str, value: &str| policy.keys.read(namespace, key) == Some(value);
    (carries(STATUS, record.status.as_str()) && carries(STATUS_TIMESTAMP, &annotation_text(since)))
        .then_some(Event::StatusShown(StatusShown { of: record.status_generation }))
}

impl Decision {
    const fn of(event: Event) -> Self {
        Self { entry: Some(event), due: None, look: None }
    }
}

impl PolicyRef {
    /// The terms a policy sets.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        Self { policy: policy.name.clone(), policy_hash: policy.hash.clone(), mode: policy.mode }
    }
}

fn release(record: &Record) -> Decision {
    if record.phase == Phase::Managed && record.open.is_none() {
        Decision::of(Event::Released(Released { why: "no policy applies to it any more".to_owned() }))
    } else {
        Decision::default()
    }
}

fn adopt(policy: &Policy, namespace: &Namespace, again: bool, now: Timestamp) -> Event {
    Event::Adopted(Adopted {
        terms: PolicyRef::of(policy),
        created: namespace.created,
        ci: ci_labels(namespace, &policy.keys),
        deadline: overrides::deadline(namespace, policy, &policy.keys, None, now),
        again,
        deleted_before: 0,
    })
}

fn ci_labels(namespace: &Namespace, keys: &Keys) -> Vec<Pair> {
    let pair = |k: &&str| Some(Pair { k: (*k).to_owned(), v: namespace.label(&keys.of_ci(k))?.to_owned() });
    CI_LABELS.iter().filter_map(pair).collect()
}

/// The owner's request to protect or keep, where it is not what the record says.
///
/// How long a keep may last counts from `now`, so only a timed one is recorded: a clock behind by more than `max_keep`
/// would end it in the past. Until then the object itself speaks for it (`object-keep`).
fn keep_or_protect(
    policy: &Policy,
    record: &Record,
    namespace: &Namespace,
    now: Timestamp,
    is_timed: bool,
) -> Option<Event> {
    let protected = overrides::is_protected(namespace, &policy.keys);
    if protected != record.protected {
        return Some(Event::Protected(Protected { on: protected }));
    }
    let requested = overrides::keep(namespace, &policy.keys);
    let known = record.kept.as_ref();
    if requested.as_ref().map(|request| &request.text) == known.and_then(|kept| kept.requested.as_ref()) {
        return None;
    }
    let Some(request) = requested else {
        return Some(Event::Kept(Kept { requested: None, until: None, first_seen: None, by: None, reason: None }));
    };
    if !is_timed {
        return None;
    }
    // A keep request that follows on one that still holds belongs to the same run: the cap does not slide along with it.
    let first_seen = known
        .filter(|kept| kept.until.is_some_and(|until| now < until))
        .and_then(|kept| kept.first_seen)
        .map_or(now, |first_seen| first_seen.min(now));
    Some(Event::Kept(Kept {
        until: Some(overrides::keep_end(&request, first_seen, policy.max_keep)),
        requested: Some(request.text),
        first_seen: Some(first_seen),
        by: request.by,
        reason: request.reason,
    }))
}

fn moved_deadline(policy: &Policy, record: &Record, namespace: &Namespace, now: Timestamp) -> Option<Event> {
    let deadline = overrides::deadline(namespace, policy, &policy.keys, record.deadline.as_ref(), now);
    if deadline == record.deadline {
        return None;
    }
    let words = |deadline: Option<&Deadline>| deadline.filter(|it| it.owners_word().is_some()).map(|it| it.by.clone());
    let has_other_words = words(deadline.as_ref()) != words(record.deadline.as_ref());
    // Where the cap makes the end come earlier, that is the policy's doing, whatever its owner wrote. And who wrote what cannot
    // be read asked for no earlier end, so that no promise gives way to it.
    let cap = policy.max_ttl.map(|max| saturating_add(namespace.created, max));
    let is_capped = deadline.as_ref().is_some_and(|it| it.owners_word().is_some() && Some(it.at) == cap);
    let is_mistake = deadline.as_ref().is_some_and(|it| it.unreadable.is_some());
    let is_cut = (is_capped || is_mistake) && overrides::is_earlier(deadline.as_ref(), record.deadline.as_ref());
    let why = if has_other_words && !is_cut { MovedBy::Owner } else { MovedBy::Policy };
    Some(Event::DeadlineMoved(DeadlineMoved { deadline, why }))
}

/// What follows on a status that leads to a deletion of its own: nothing, but where it is not known whether it is so still, and
/// the time to live is over. What rests on evidence that nobody has any more would stay for ever.
fn rest_or_stale(expired: bool, evidence: Option<&Condition>) -> Step {
    let is_unknown = evidence.is_some_and(|condition| condition.truth == Truth::Unknown);
    if expired && is_unknown { Step::To(Status::Stale) } else { Step::Rest }
}

/// The status machine: the first rule that applies wins, one step at a time.
fn judge(policy: &Policy, record: &Record, seen: &Observation, now: Timestamp) -> Decision {
    let deadline = record.deadline.as_ref();
    let expired = deadline.is_some_and(|deadline| now >= deadline.at);
    let supersession = seen.supersession.seen().filter(|_| policy.superseded.is_some());
    let is_replaced = supersession.is_some_and(|it| it.condition.is_true());
    let pipeline = pipeline::condition(policy, seen);
    let is_cancelled = pipeline.is_some_and(Condition::is_true);
    let step = match (record.status, expired) {
        // Rule 1.
        (Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Failed, _) if is_cancelled => {
            Step::To(Status::Cancelled)
        }
        (Status::Cancelled, _) if pipeline::is_taken_back(policy, record, seen) => Step::To(Status::Unknown),
        (Status::Cancelled, _) if policy.deletes(Status::Cancelled) => rest_or_stale(expired, pipeline),
        // Rule 2.
        (Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Failed, _) if is_replaced => {
            Step::To(Status::Superseded)
        }
        (Status::Superseded, _) if is_taken_back(policy, record, seen) => Step::To(Status::Unknown),
        (Status::Superseded, _) if policy.deletes(Status::Superseded) => {
            rest_or_stale(expired, supersession.map(|it| &it.condition))
        }
        (Status::Stale, true) => Step::Rest,
        (_, true) if record.status.may_become(Status::Stale) => Step::To(Status::Stale),
        (_, true) => Step::Rest,
        (Status::Stale, false) if is_clearly_early(record, now) => Step::To(Status::Unknown),
        (Status::Stale, false) => Step::Rest,
        (Status::Superseded | Status::Cancelled, false) => Step::Rest,
        (Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Failed, false) => {
            by_health(policy, record, seen)
        }
    };
    let due = deadline.map(|deadline| deadline.at).filter(|at| now < *at);
    let to = match step {
        Step::To(to) => to,
        Step::CheckAgain(at) => return Decision { entry: None, due, look: Some(at) },
        Step::Rest => return Decision { entry: None, due, look: None },
    };
    let age = age(record, deadline, expired, now);
    let health = seen.health.seen().filter(|_| policy.health.is_some()).map(|health| &health.look.condition);
    Decision::of(Event::StatusChanged(StatusChanged {
        from: record.status,
        to,
        reason: reason(record, to, &age, health, supersession, pipeline, now),
        evidence: [
            Some(age),
            Some(seen.clock.clone()),
            health.cloned(),
            supersession.map(|it| it.condition.clone()),
            pipeline.cloned(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        finalize_at: finalize_at(policy, deadline, to, cut_to_millis(now)),
        successors: match (to, supersession) {
            (Status::Superseded, Some(supersession)) => supersession.successors.clone(),
            _ => Vec::new(),
        },
    }))
}

/// Rule 4: where nothing is checked, nothing is failing.
fn by_health(policy: &Policy, record: &Record, seen: &Observation) -> Step {
    match (&policy.health, &seen.health) {
        (None, _) | (_, Check::Disabled) if record.status == Status::Ok => Step::Rest,
        (None, _) | (_, Check::Disabled) => Step::To(Status::Ok),
        (Some(_), Check::Pending) => Step::Rest,
        (Some(terms), Check::Observed(health)) => health.step(terms, record),
    }
}

/// When the step after this status falls due, if time alone brings one.
fn finalize_at(policy: &Policy, deadline: Option<&Deadline>, to: Status, now: Timestamp) -> Option<Timestamp> {
    let after = |time| Some(saturating_add(now, time));
    match (to, &policy.health) {
        (Status::Ok | Status::Stale, _) => deadline.map(|deadline| deadline.at),
        (Status::Unstable, Some(health)) => after(health.settling.saturating_add(health.grace)),
        (Status::Failing, Some(health)) => after(health.grace),
        (Status::Failed, _) => after(policy.visible_for.max(policy.grace(Status::Failed))),
        (Status::Cancelled, _) => after(policy.visible_for.max(policy.grace(Status::Cancelled))),
        (Status::Superseded, _) => after(SUPERSEDED_FOR.max(policy.grace(Status::Superseded))),
        (Status::Unknown | Status::Unstable | Status::Failing, _) => None,
    }
}

/// Why, in words.
fn reason(
    record: &Record,
    to: Status,
    age: &Condition,
    health: Option<&Condition>,
    supersession: Option<&Supersession>,
    pipeline: Option<&Condition>,
    now: Timestamp,
) -> String {
    let found = health.map_or_else(|| "its health is not checked".into(), |health| overrides::shorten(&health.reason));
    let stood = || {
        let seconds = record.since.map_or(0, |since| between(since, now).as_secs());
        format!("it has been {} for {}: {found}", record.status, duration::text(SignedDuration::from_secs(seconds)))
    };
    match to {
        Status::Ok | Status::Unstable => found.into_owned(),
        Status::Failing | Status::Failed => stood(),
        Status::Superseded => supersession.map_or_else(String::new, |it| it.condition.reason.clone()),
        Status::Cancelled => pipeline.map_or_else(String::new, |it| it.reason.clone()),
        Status::Unknown if record.status == Status::Cancelled => {
            pipeline.map_or_else(|| "its pipeline is not checked any more".to_owned(), |it| it.reason.clone())
        }
        Status::Unknown if record.status == Status::Superseded => match supersession.map(|it| &it.condition) {
            Some(condition) if condition.is_true() => "what replaced it does so no more, but another does".to_owned(),
            Some(condition) => condition.reason.clone(),
            None => "newer deployments replace nothing".to_owned(),
        },
        Status::Unknown | Status::Stale => age.reason.clone(),
    }
}

/// Whether what replaced it does so no more: all of it is gone or failed, others do so now, or nobody asks for it.
///
/// Before it is deleted, those that the history names are checked. Were they replaced in turn, or gone, and the history
/// did not name what came after them, it would never be.
fn is_taken_back(policy: &Policy, record: &Record, seen: &Observation) -> bool {
    match (&policy.superseded, &seen.supersession) {
        (None, _) | (Some(_), Check::Disabled) => true,
        (Some(_), Check::Pending) => false,
        (Some(_), Check::Observed(Supersession { condition, successors, .. })) if condition.is_true() => {
            let is_named = |successor| record.successors.contains(successor);
            !successors.is_empty() && !successors.iter().any(is_named)
        }
        (Some(_), Check::Observed(supersession)) => !supersession.holds && supersession.condition.truth == Truth::False,
    }
}

/// Whether the end was moved since it came, or lies further ahead than clocks can be apart.
fn is_clearly_early(record: &Record, now: Timestamp) -> bool {
    let moved = record.deadline_set_by > record.status_generation;
    moved || record.deadline.as_ref().is_none_or(|deadline| between(now, deadline.at) > MAX_CLOCK_SKEW)
}

/// The evidence of age, in words.
fn age(record: &Record, deadline: Option<&Deadline>, expired: bool, now: Timestamp) -> Condition {
    let created = record.created.unwrap_or(now);
    let lived = duration::text(SignedDuration::from_secs(between(created, now).as_secs()));
    let reason = match deadline {
        None => format!("it has lived for {lived} and nothing sets an end"),
        Some(deadline) => {
            let allowed = duration::text(overrides::lifetime(created, deadline));
            let by = match deadline.owners_word() {
                Some(text) if deadline.unreadable.is_some() => {
                    format!("its owner's annotation `{text}`, which cannot be read,")
                }
                Some(text) => format!("its owner's annotation `{text}`"),
                None => format!("policy `{}`", record.terms.as_ref().map_or("", |terms| terms.policy.as_str())),
            };
            format!("it has lived for {lived} of the {allowed} that {by} gives it")
        }
    };
    let truth = if expired { Truth::True } else { Truth::False };
    Condition { truth, reason, observed_at: now }
}
