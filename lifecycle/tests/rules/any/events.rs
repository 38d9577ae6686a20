//! Any entry of a history, and histories of them, whole and damaged.

use std::sync::Arc;

use jiff::Timestamp;
use lifecycle::{
    Action, Actor, Entry, Event, Mode, Policies, Policy, Status, Uid,
    event::{
        ActionDone, ActionFailed, ActionIntended, ActionSkipped, Adopted, DeadlineMoved, DryRun, FailReason, Gone,
        Kept, MovedBy, NoticeIntended, NoticeSent, NoticeSkipped, NoticeState, NoticeUndeliverable, Pair, PolicyRef,
        Protected, RecordMarkerMismatched, RecordMarkerTrusted, Released, SkipReason, StatusChanged, StatusNotShown,
        StatusShown,
    },
    overrides::{Deadline, DeadlineBy, Unreadable},
    termination::{DeletionStalled, RemainingPods},
    time::saturating_add,
};
use proptest::{
    collection::vec,
    option::{of, weighted},
    prelude::*,
    sample::select,
};
use serde_json::json;

use super::{condition, instant, minutes, near, policies, text};

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![2 => Just(Status::Stale), 3 => select(Status::ALL.to_vec())]
}

fn terms() -> impl Strategy<Value = PolicyRef> {
    let mode = select(vec![Mode::Observe, Mode::Enforce]);
    mode.prop_map(|mode| PolicyRef { policy: "review".to_owned(), policy_hash: "other".to_owned(), mode })
}

fn deadline() -> impl Strategy<Value = Option<Deadline>> {
    let by =
        prop_oneof![Just(DeadlineBy::Policy), text().prop_map(DeadlineBy::Ttl), text().prop_map(DeadlineBy::ExpiresAt)];
    let run = (instant(), of(instant())).prop_map(|(since, before)| Unreadable { since, before });
    weighted(0.9, (instant(), by, weighted(0.2, run)).prop_map(|(at, by, unreadable)| Deadline { at, by, unreadable }))
}

fn kept() -> impl Strategy<Value = Kept> {
    (of(text()), weighted(0.9, instant()), of(instant()), of(text())).prop_map(|(asked, until, first_seen, by)| Kept {
        requested: asked,
        until,
        first_seen,
        reason: by.clone(),
        by,
    })
}

/// The number of an entry, near the beginning.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0..9_u64, 1 => Just(u64::MAX)]
}

fn notice() -> impl Strategy<Value = NoticeIntended> {
    (status(), instant(), instant()).prop_map(|(about, deadline, promise)| NoticeIntended {
        about,
        deadline,
        promise,
        channel: "chat".to_owned(),
    })
}

fn intended() -> impl Strategy<Value = Event> {
    let told = prop_oneof![Just(NoticeState::NoChannel), instant().prop_map(NoticeState::Promised)];
    (instant(), status(), number(), vec(condition(), 0..2), of(text()), told).prop_map(
        |(until, cause, cause_seq, evidence, unannounced, told)| {
            Event::ActionIntended(Box::new(ActionIntended {
                action: Action::Delete,
                cause_seq,
                attempt: 1,
                holder: "action/a".to_owned(),
                until,
                resource_version: "1".to_owned(),
                cause,
                decision: "it is so".to_owned(),
                evidence,
                evidence_at: until,
                slot: "1/1".to_owned(),
                unannounced,
                config: "c".to_owned(),
                mode: Mode::Enforce,
                notice: told,
            }))
        },
    )
}

/// The adoption by a policy.
pub(crate) fn adopted(policy: &Policy, created: Timestamp, deadline: Option<Deadline>) -> Event {
    let ci = vec![Pair { k: "author".to_owned(), v: "anna".to_owned() }];
    Event::Adopted(Adopted { terms: PolicyRef::of(policy), created, ci, deadline, again: false, deleted_before: 0 })
}

/// Any event that a program like this one writes.
pub(crate) fn event() -> BoxedStrategy<Event> {
    let skips =
        [SkipReason::Busy, SkipReason::Busy, SkipReason::Budget, SkipReason::Unannounced, SkipReason::Abandoned];
    let skips = skips.into_iter().chain([SkipReason::Evidence]).collect::<Vec<_>>();
    let fails = vec![FailReason::Refused, FailReason::TooManyRequests, FailReason::Fenced, FailReason::Gone];
    let (action, detail) = (Action::Delete, "so it is".to_owned());
    let (skip_detail, fail_detail) = (detail.clone(), detail);
    prop_oneof![
        1 => (terms(), instant(), deadline()).prop_map(|(terms, created, deadline)| {
            Event::Adopted(Adopted { terms, created, ci: Vec::new(), deadline, again: false, deleted_before: 0 })
        }),
        1 => terms().prop_map(Event::PolicyChanged),
        2 => (status(), status(), text(), vec(condition(), 0..3), of(instant())).prop_map(
            |(from, to, reason, evidence, finalize_at)| {
                Event::StatusChanged(StatusChanged { from, to, reason, evidence, finalize_at, successors: Vec::new() })
            }
        ),
        2 => number().prop_map(|of| Event::StatusShown(StatusShown { of })),
        1 => number().prop_map(|of| Event::StatusNotShown(StatusNotShown { of, why: "no".to_owned() })),
        2 => (deadline(), select(vec![MovedBy::Owner, MovedBy::Policy]))
            .prop_map(|(deadline, why)| Event::DeadlineMoved(DeadlineMoved { deadline, why })),
        2 => kept().prop_map(Event::Kept),
        2 => any::<bool>().prop_map(|on| Event::Protected(Protected { on })),
        2 => notice().prop_map(Event::NoticeIntended),
        1 => number().prop_map(|of| Event::NoticeSent(NoticeSent { of, promise: None })),
        1 => number().prop_map(|of| Event::NoticeUndeliverable(NoticeUndeliverable { of, promise: None, why: String::new() })),
        1 => (of(number()), status(), instant()).prop_map(|(of, about, deadline)| {
            Event::NoticeSkipped(NoticeSkipped { of, about, deadline, why: String::new() })
        }),
        2 => intended(),
        2 => (number(), any::<bool>()).prop_map(|(of, observed)| Event::ActionDone(ActionDone { of, observed })),
        2 => (of(number()), select(skips), of(instant())).prop_map(move |(of, why, not_before)| {
            Event::ActionSkipped(ActionSkipped { of, action, why, detail: skip_detail.clone(), not_before })
        }),
        2 => (number(), select(fails), of(instant())).prop_map(move |(of, why, not_before)| {
            Event::ActionFailed(ActionFailed { of, action, why, detail: fail_detail.clone(), not_before })
        }),
        1 => number().prop_map(|in_all| {
            let pods = RemainingPods::Counted { first: Vec::new(), in_all };
            Event::DeletionStalled(DeletionStalled { pods, conditions: Vec::new(), finalizers: Vec::new() })
        }),
        1 => text().prop_map(move |decision| Event::DryRun(DryRun { action, decision })),
        1 => text().prop_map(|marker| {
            Event::RecordMarkerMismatched(RecordMarkerMismatched { marker, why: "entries are missing".to_owned(), epoch: 1 })
        }),
        2 => text().prop_map(|marker| Event::RecordMarkerTrusted(RecordMarkerTrusted { marker })),
        1 => Just(Event::Gone(Gone {})),
        1 => text().prop_map(|why| Event::Released(Released { why })),
    ]
    .boxed()
}

/// Any event at all, those of later versions included.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let unknown =
        text().prop_map(|kind| Event::Unrecognised { kind: format!("Later{kind}"), data: json!({ "a": [1] }) });
    prop_oneof![15 => event(), 1 => unknown]
}

fn entry(seq: u64, at: Timestamp, event: Event) -> Entry {
    Entry {
        uid: Uid::new("uid-1"),
        seq,
        at,
        actor: Actor::role("test", "a"),
        name: "review-1".to_owned(),
        token: format!("{seq:032x}"),
        event,
    }
}

/// A history of these events, numbered without gaps.
pub(crate) fn entries(events: impl IntoIterator<Item = (Timestamp, Event)>) -> Vec<Entry> {
    (1..).zip(events).map(|(seq, (at, event))| entry(seq, at, event)).collect()
}

/// What any history is made of: an adoption most of the time, then anything, each with the step to its number.
type Loose = (Option<(Timestamp, Option<Deadline>)>, Vec<(Timestamp, Event, u64)>);

fn loose() -> impl Strategy<Value = Loose> {
    let step = prop_oneof![30 => Just(1_u64), 1 => select(vec![0, 2, u64::MAX / 4])];
    (weighted(0.9, (near(), deadline())), vec((instant(), any_event(), step), 0..7))
}

/// Any entries: numbered one after another most of the time, with gaps and repetitions some of the time.
fn numbered(policy: &Policy, (first, rest): Loose) -> Vec<Entry> {
    let first = first.map(|(created, deadline)| (minutes(0), adopted(policy, created, deadline), 1));
    let mut seq = 0_u64;
    let number = |(at, event, step)| {
        seq = seq.saturating_add(step);
        entry(seq, at, event)
    };
    first.into_iter().chain(rest).map(number).collect()
}

/// A configuration, and any history under its first policy.
pub(crate) fn any_history() -> impl Strategy<Value = (Arc<Policies>, Vec<Entry>)> {
    (policies(), loose()).prop_map(|(policies, loose)| {
        let history = numbered(first(&policies), loose);
        (policies, history)
    })
}

/// The entries of a history that are folded: those with a number that is new.
pub(crate) fn folded(mut history: Vec<Entry>) -> Vec<Entry> {
    history.retain(|entry| entry.seq > 0);
    history.dedup_by_key(|entry| entry.seq);
    history
}

/// Whether a history is numbered from 1 without gaps.
pub(crate) fn is_in_order(history: &[Entry]) -> bool {
    (1..).zip(history).all(|(seq, entry)| entry.seq == seq)
}

/// A configuration, and a history that its first policy would delete from some instant on, with a few events more that
/// may take that back.
pub(crate) fn nearly_deletable() -> impl Strategy<Value = (Arc<Policies>, Vec<Entry>)> {
    (policies(), select(vec![60, 90]), vec((near(), event()), 0..4)).prop_map(|(policies, end, more)| {
        let deadline = Deadline { at: minutes(end), by: DeadlineBy::Policy, unreadable: None };
        let stale = StatusChanged {
            from: Status::Ok,
            to: Status::Stale,
            reason: "it is old".to_owned(),
            evidence: Vec::new(),
            finalize_at: Some(deadline.at),
            successors: Vec::new(),
        };
        let about = Status::Stale;
        let promise = saturating_add(deadline.at, jiff::SignedDuration::from_mins(30));
        let notice = NoticeIntended { about, deadline: deadline.at, promise, channel: "chat".to_owned() };
        let base = [
            (minutes(0), adopted(first(&policies), minutes(0), Some(deadline))),
            (minutes(30), Event::NoticeIntended(notice)),
            (minutes(30), Event::NoticeSent(NoticeSent { of: 2, promise: None })),
            (minutes(end), Event::StatusChanged(stale)),
            (minutes(end), Event::StatusShown(StatusShown { of: 4 })),
        ];
        let history = entries(base.into_iter().chain(more));
        (policies, history)
    })
}

/// The policy that a namespace called `review-1` falls under.
pub(crate) fn first(policies: &Policies) -> &Policy {
    policies.iter().next().expect("each configuration has two")
}
