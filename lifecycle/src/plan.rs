//! What is to be done about a namespace, and when to ask again (docs/design/lifecycle.md section 5).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Action, Mode, Policy, Record, Status, Uid, channel,
    guards::{Deletion, GuardKind, Guards, Verdict, deletion, guards, notice_of},
    policy::OnUndeliverable,
    record::{Delivery, Notice},
    time::{between, cut_to_millis, saturating_add},
};

/// A deadline counts as foretold when it stood for this long before it fell due, or for half the ttl
/// (docs/design/protocol.md S7).
const FORETOLD_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// One thing to do. Its identity never changes, however often it is offered (docs/design/protocol.md section 2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Task {
    pub uid: Uid,
    pub action: Action,
    /// The number of the entry that made it due.
    pub cause_seq: u64,
}

/// What [`plan`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub tasks: Vec<Task>,
    /// When time alone may change the answer.
    pub due: Option<Timestamp>,
}

/// Plans from the record alone. `policy` is the one the record is under, as the configuration has it now.
///
/// A deletion is offered when every guard on the record is clear, and again for as long as it was neither done nor
/// taken back: the worker that carries it out checks everything once more. In observe mode it is offered once per status generation,
/// to be recorded as what would have been done.
#[must_use]
pub fn plan(policy: Option<&Policy>, record: &Record, now: Timestamp) -> Plan {
    if record.damage.is_some() {
        return Plan::default();
    }
    if let Some(open) = &record.open {
        // An attempt that ran out is somebody's to fence, whatever the policy says by now.
        let ran_out = now >= open.intended.until;
        let task = Task { uid: record.uid.clone(), action: open.intended.action, cause_seq: open.intended.cause_seq };
        return Plan {
            tasks: if ran_out { vec![task] } else { Vec::new() },
            due: (!ran_out).then_some(open.intended.until),
        };
    }
    let Some(policy) = policy else {
        return Plan::default();
    };
    let all = guards(policy, record, now);
    let mut plan = delete(policy, record, &all);
    if let Some(notice) = notify(policy, record, &all, now) {
        match notice {
            Notify::Now(cause_seq) => {
                plan.tasks.push(Task { uid: record.uid.clone(), action: Action::Notify, cause_seq });
            }
            Notify::At(at) => plan.due = Some(plan.due.map_or(at, |due| due.min(at))),
        }
    }
    plan
}

/// Whether the deletion that the record leads to was foretold: its deadline, or an earlier one, stood for an hour or
/// half its ttl before it fell due, and where there is a channel its owner was told of it. What was not foretold counts
/// against `budget.unannounced` (docs/design/protocol.md S7).
#[must_use]
pub fn is_foretold(policy: &Policy, record: &Record) -> bool {
    let is_told = policy.warning.is_none() || notice_of(policy, record).is_some_and(Notice::is_delivered);
    is_told && has_stood(record)
}

fn has_stood(record: &Record) -> bool {
    let (Some(deadline), Some(since), Some(created)) = (&record.deadline, record.foretold_since, record.created) else {
        return false;
    };
    let stood = between(since, deadline.at);
    let half = between(created, deadline.at) / 2;
    record.status == Status::Stale && stood >= FORETOLD_AFTER.min(half) && stood > SignedDuration::ZERO
}

impl Task {
    /// The task's id on the wire, `<uid>/<action>/<number>`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.uid, self.action, self.cause_seq)
    }

    /// Reads an id; `None` where it is not one of ours.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        let mut parts = id.rsplitn(3, '/');
        let cause_seq = parts.next()?.parse().ok()?;
        let action = match parts.next()? {
            "delete" => Action::Delete,
            "notify" => Action::Notify,
            _ => return None,
        };
        let uid = parts.next().filter(|uid| !uid.is_empty())?;
        Some(Self { uid: Uid::new(uid), action, cause_seq })
    }
}

/// How soon after a notice about a status another one about it is sent, at the earliest (docs/design/protocol.md
/// section 4).
const FLAPPING: SignedDuration = SignedDuration::from_mins(30);

/// The instant of the notice that stands for a new one about this status: the owner was told within half an hour, and
/// has not asked for an earlier end since.
#[must_use]
pub fn recently_notified(record: &Record, about: Status, now: Timestamp) -> Option<Timestamp> {
    let notice = record.notice(about).filter(|notice| notice.counts && notice.is_delivered())?;
    notice.sent_at.filter(|at| between(*at, now) < FLAPPING)
}

/// The longest time from one try of a notice to the next.
const MAX_RETRY_BACKOFF: SignedDuration = SignedDuration::from_mins(5);

/// When what is due now is offered again, unless something is written meanwhile: `interval` after now, and a notice that
/// is not delivered ever more seldom, but at the end of its time.
#[must_use]
pub fn offered_again(policy: Option<&Policy>, record: &Record, interval: SignedDuration, now: Timestamp) -> Timestamp {
    let usual = saturating_add(now, interval);
    let told = policy.and_then(|policy| {
        let notice = notice_of(policy, record).filter(|notice| notice.delivery == Delivery::Open)?;
        Some((notice, channel::tried_until(&policy.warning?.undeliverable, notice)))
    });
    let Some((notice, end)) = told else { return usual };
    // It doubles: the age of a notice is the sum of all pauses so far.
    let next = saturating_add(now, between(notice.at, now).clamp(interval, MAX_RETRY_BACKOFF.max(interval)));
    if now < end { next.min(end) } else { next }
}

/// What a notice sent now can promise about this deletion (docs/design/lifecycle.md section 5).
#[must_use]
pub fn promise(policy: &Policy, deletion: &Deletion, now: Timestamp) -> Timestamp {
    deletion.at.max(saturating_add(now, policy.grace(deletion.about)))
}

/// What a try of a notice made now promises: what it promised before, and at least the grace from now on.
#[must_use]
pub fn promise_of_try(policy: &Policy, notice: &Notice, now: Timestamp) -> Timestamp {
    notice.promise.max(saturating_add(cut_to_millis(now), policy.grace(notice.intended.about)))
}

fn delete(policy: &Policy, record: &Record, guards: &Guards) -> Plan {
    let observed_already = policy.mode == Mode::Observe && record.dry_run == Some(record.status_generation);
    let counts = |kind: GuardKind| policy.mode == Mode::Enforce || !kind.is_of_the_mode();
    let standing: Vec<_> = guards.iter().filter(|guard| counts(guard.kind)).map(|guard| guard.verdict).collect();
    if observed_already || standing.contains(&Verdict::Refuses) {
        return Plan::default();
    }
    let waits: Vec<_> = standing
        .into_iter()
        .filter_map(|verdict| if let Verdict::Waits(until) = verdict { Some(until) } else { None })
        .collect();
    if waits.is_empty() {
        let task = Task { uid: record.uid.clone(), action: Action::Delete, cause_seq: record.status_generation };
        return Plan { tasks: vec![task], due: None };
    }
    // Where one of them waits for something other than time, that something will wake us.
    let due = waits.iter().copied().collect::<Option<Vec<_>>>().and_then(|instants| instants.into_iter().max());
    Plan { tasks: Vec::new(), due }
}

/// Whether a guard holds the notice about a deletion, too: what nobody would delete is not announced. The others hold
/// the deletion alone, which the notice precedes.
const fn holds_a_notice(kind: GuardKind) -> bool {
    match kind {
        GuardKind::History
        | GuardKind::Managed
        | GuardKind::Policy
        | GuardKind::Mode
        | GuardKind::Protect
        | GuardKind::Intent => true,
        GuardKind::Status
        | GuardKind::Keep
        | GuardKind::Visible
        | GuardKind::Notice
        | GuardKind::Promise
        | GuardKind::Backoff => false,
    }
}

enum Notify {
    /// Now; the number of the entry that made it due.
    Now(u64),
    At(Timestamp),
}

/// The notice about the deletion in sight: where its time to live leads to it, ahead of its deadline by the policy's
/// warning; at once where that has passed or its status leads to it.
fn notify(policy: &Policy, record: &Record, guards: &Guards, now: Timestamp) -> Option<Notify> {
    let warning = policy.warning.as_ref()?;
    if guards.iter().any(|guard| holds_a_notice(guard.kind) && !guard.is_clear()) {
        return None;
    }
    let deletion = deletion(policy, record)?;
    let cause_seq = match deletion.about {
        Status::Stale => record.deadline_set_by,
        _ => record.deadline_set_by.max(record.status_generation),
    };
    if let Some(notice) = notice_of(policy, record) {
        let is_due = match notice.delivery {
            Delivery::Open => true,
            Delivery::Sent => false,
            // It was given up under another configuration.
            Delivery::Undeliverable | Delivery::Skipped => {
                warning.undeliverable.then == OnUndeliverable::Wait && !notice.is_delivered()
            }
        };
        return is_due.then_some(Notify::Now(cause_seq));
    }
    let at = match deletion.about {
        Status::Stale => saturating_add(deletion.at, -warning.before(between(record.created?, deletion.at))),
        _ => Timestamp::MIN,
    };
    Some(if now >= at { Notify::Now(cause_seq) } else { Notify::At(at) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        Actor, Entry, Event,
        event::{NoticeIntended, NoticeSent, NoticeSkipped, NoticeUndeliverable},
        fixture,
        overrides::{Deadline, DeadlineBy},
        policy::Undeliverable,
    };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn record(events: Vec<Event>) -> Record {
        let uid = Uid::new("u");
        let entries: Vec<_> = (1..)
            .zip(events)
            .map(|(seq, event)| Entry {
                uid: uid.clone(),
                seq,
                at: at(0),
                actor: Actor::person("me"),
                name: "a".into(),
                token: String::new(),
                event,
            })
            .collect();
        Record::of(uid, &entries)
    }

    fn intended() -> Event {
        let (about, channel) = (Status::Stale, "webhook".to_owned());
        Event::NoticeIntended(NoticeIntended { about, deadline: at(60), promise: at(60), channel })
    }

    fn skipped() -> Event {
        let why = "told lately".to_owned();
        Event::NoticeSkipped(NoticeSkipped { of: None, about: Status::Stale, deadline: at(90), why })
    }

    #[test]
    fn who_was_told_is_not_told_again_within_half_an_hour() {
        let told = record(vec![intended(), Event::NoticeSent(NoticeSent { of: 1, promise: None })]);
        assert_eq!(recently_notified(&told, Status::Stale, at(29)), Some(at(0)));
        assert_eq!(recently_notified(&told, Status::Stale, at(30)), None);
        assert_eq!(
            recently_notified(&record(vec![intended()]), Status::Stale, at(1)),
            None,
            "nobody knows that it was sent"
        );
    }

    #[test]
    fn a_notice_that_stands_for_another_deadline_keeps_its_promise() {
        let told = record(vec![intended(), Event::NoticeSent(NoticeSent { of: 1, promise: None }), skipped()]);
        let notice = told.notice(Status::Stale).unwrap();
        assert_eq!((notice.intended.deadline, notice.promise, notice.at), (at(90), at(60), at(0)));
    }

    #[test]
    fn what_stood_for_long_is_foretold_only_once_its_owner_heard_of_it() {
        let foretold = |outcome: Option<Event>, has_channel| {
            let raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h"});
            let policies = fixture::policies(raw, Mode::Enforce, has_channel);
            let (status, since) = (Status::Stale, Some(at(0)));
            let deadline = Some(Deadline { at: at(60), by: DeadlineBy::Policy, unreadable: None });
            let record = record(std::iter::once(intended()).chain(outcome).collect());
            let record = Record { status, deadline, created: since, foretold_since: since, ..record };
            is_foretold(policies.iter().next().unwrap(), &record)
        };
        let gone = NoticeUndeliverable { of: 1, promise: None, why: "it answered 410 Gone".to_owned() };
        let gone = Event::NoticeUndeliverable(gone);
        assert!(foretold(Some(Event::NoticeSent(NoticeSent { of: 1, promise: None })), true));
        assert!(!foretold(Some(gone.clone()), true), "the one address is gone");
        assert!(!foretold(None, true), "it is tried still");
        assert!(foretold(Some(gone), false), "nobody is to be told");
    }

    /// How many minutes after it was intended a notice that never arrives is tried, if it is offered every half minute.
    fn tries(then: OnUndeliverable, until: i64) -> Vec<f64> {
        let raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h"});
        let policies = fixture::policies(raw, Mode::Enforce, true);
        let terms = Undeliverable { after: SignedDuration::from_mins(22), then };
        let policies = policies.with_undeliverable(terms);
        let deadline = Some(Deadline { at: at(60), by: DeadlineBy::Policy, unreadable: None });
        let record = Record { deadline, ..record(vec![intended()]) };
        let interval = SignedDuration::from_secs(30);
        let next = |now: &Timestamp| Some(offered_again(policies.iter().next(), &record, interval, *now));
        let all = std::iter::successors(Some(at(0)), next).take_while(|now| *now <= at(until));
        all.map(|now| between(at(0), now).as_secs_f64() / 60.0).collect()
    }

    #[test]
    fn a_notice_that_does_not_arrive_is_tried_ever_more_seldom_and_at_the_end_of_its_time() {
        let expected = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 13.0, 18.0, 22.0, 27.0];
        assert_eq!(tries(OnUndeliverable::Proceed, 30), expected);
        assert_eq!(tries(OnUndeliverable::Wait, 30), expected);
    }

    #[test]
    fn a_task_is_read_from_its_id_and_from_nothing_else() {
        let task = Task { uid: Uid::new("a-b"), action: Action::Delete, cause_seq: 7 };
        assert_eq!(Task::from_id(&task.id()), Some(task));
        for id in ["", "a", "a/delete", "a/delete/x", "a/sleep/1", "/delete/1", "a/delete/-1"] {
            assert_eq!(Task::from_id(id), None, "{id}");
        }
    }
}
