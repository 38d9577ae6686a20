//! One entry of every kind, in an order in which they could have been written.

use jiff::Timestamp;
use lifecycle::{
    Action, Actor, Condition, Entry, Event, Mode, Status, Truth, Uid,
    event::{
        ActionDone, ActionFailed, ActionIntended, ActionSkipped, Adopted, DeadlineMoved, DryRun, FailReason, Gone,
        Kept, MovedBy, NoticeIntended, NoticeSent, NoticeSkipped, NoticeState, NoticeUndeliverable, Pair, PolicyRef,
        Protected, RecordMarkerMismatched, RecordMarkerTrusted, Released, SkipReason, StatusChanged, StatusNotShown,
        StatusShown,
    },
    overrides::{Deadline, DeadlineBy},
    supersession::Successor,
    termination::{DeletionStalled, RemainingPods, TerminationCondition},
    time::saturating_add,
};
use serde_json::json;

use crate::world::dawn;

fn at(minutes: i64) -> Timestamp {
    saturating_add(dawn(), jiff::SignedDuration::from_mins(minutes))
}

fn terms(mode: Mode) -> PolicyRef {
    PolicyRef { policy: "review".to_owned(), policy_hash: "0123456789abcdef".to_owned(), mode }
}

fn deadline(minutes: i64, by: DeadlineBy) -> Option<Deadline> {
    Some(Deadline { at: at(minutes), by, unreadable: None })
}

fn seen(truth: Truth, reason: &str) -> Condition {
    Condition { truth, reason: reason.to_owned(), observed_at: at(60) }
}

/// Each with the name of its file.
pub(super) fn examples() -> Vec<(&'static str, Entry)> {
    events()
        .into_iter()
        .enumerate()
        .map(|(index, (name, event))| {
            let seq = u64::try_from(index).unwrap() + 1;
            let actor = if name == "kept" { Actor::person("anna") } else { Actor::role("collector", "a") };
            let entry = Entry {
                uid: Uid::new("uid-1"),
                seq,
                at: "2026-01-05T01:00:00.125Z".parse().unwrap(),
                actor,
                name: "review-1".to_owned(),
                token: format!("{seq:032x}"),
                event,
            };
            (name, entry)
        })
        .collect()
}

fn events() -> Vec<(&'static str, Event)> {
    let text = str::to_owned;
    let delete = Action::Delete;
    let adopted = Adopted {
        terms: terms(Mode::Observe),
        created: at(0),
        ci: vec![Pair { k: text("author"), v: text("anna") }, Pair { k: text("projectId"), v: text("7") }],
        deadline: deadline(60, DeadlineBy::Policy),
        again: false,
        deleted_before: 0,
    };
    let changed = StatusChanged {
        from: Status::Unknown,
        to: Status::Stale,
        reason: text("it has lived for 1 hour of the 1 hour that policy `review` gives it"),
        evidence: vec![
            seen(Truth::True, "it is old"),
            seen(Truth::False, "it is not"),
            seen(Truth::Unknown, "who knows"),
        ],
        finalize_at: Some(at(60)),
        successors: Vec::new(),
    };
    let superseded = StatusChanged {
        from: Status::Ok,
        to: Status::Superseded,
        reason: text("job `8` deployed the same branch later, as `review-2`, which is ok"),
        evidence: Vec::new(),
        finalize_at: Some(at(61)),
        successors: vec![Successor { uid: Uid::new("uid-2"), name: text("review-2") }],
    };
    let kept = Kept {
        requested: Some(text("2026-01-05T09:00:00Z")),
        until: Some(at(540)),
        first_seen: Some(at(61)),
        by: Some(text("anna")),
        reason: Some(text("a demo")),
    };
    let withdrawn = Kept { requested: None, until: None, first_seen: None, by: None, reason: None };
    let notice = |channel: &str| NoticeIntended {
        about: Status::Stale,
        deadline: at(90),
        promise: at(100),
        channel: text(channel),
    };
    let moved = |minutes, by, why| Event::DeadlineMoved(DeadlineMoved { deadline: deadline(minutes, by), why });
    let intended = |unannounced, told| {
        Event::ActionIntended(Box::new(ActionIntended {
            action: delete,
            cause_seq: 3,
            attempt: 1,
            holder: text("action/b"),
            until: at(62),
            resource_version: text("4711"),
            cause: Status::Stale,
            decision: text("it is stale"),
            evidence: vec![seen(Truth::True, "it is old")],
            evidence_at: at(61),
            slot: text("2026-01-05T01:00:00Z/3"),
            unannounced,
            config: text("fedcba9876543210"),
            mode: Mode::Enforce,
            notice: told,
        }))
    };
    let skipped = |of, why, not_before| {
        Event::ActionSkipped(ActionSkipped { of, action: delete, why, detail: text("later"), not_before })
    };
    let mismatched = |marker: &str| {
        Event::RecordMarkerMismatched(RecordMarkerMismatched {
            marker: text(marker),
            why: text("this store lost entries"),
            epoch: 2,
        })
    };
    let stalled = DeletionStalled {
        pods: RemainingPods::Counted { first: vec![text("web-0")], in_all: 2 },
        conditions: vec![TerminationCondition {
            condition: text("NamespaceContentRemaining"),
            reason: text("SomeResourcesRemain"),
            message: text("Some resources are remaining: configmaps. has 1 resource instances"),
        }],
        finalizers: vec![text("example.org/never")],
    };
    let failed = |of, why| {
        Event::ActionFailed(ActionFailed { of, action: delete, why, detail: text("no"), not_before: Some(at(65)) })
    };
    vec![
        ("adopted", Event::Adopted(adopted)),
        ("policy_changed", Event::PolicyChanged(terms(Mode::Enforce))),
        ("status_changed", Event::StatusChanged(changed)),
        ("deadline_moved_by_ttl", moved(80, DeadlineBy::Ttl(text("80m")), MovedBy::Owner)),
        ("deadline_moved_by_expires_at", moved(85, DeadlineBy::ExpiresAt(text("@85m")), MovedBy::Owner)),
        ("deadline_moved_by_policy", moved(90, DeadlineBy::Policy, MovedBy::Policy)),
        ("kept", Event::Kept(kept.clone())),
        ("kept_withdrawn", Event::Kept(withdrawn)),
        ("protected", Event::Protected(Protected { on: true })),
        ("notice_intended", Event::NoticeIntended(notice("chat"))),
        (
            "notice_undeliverable",
            Event::NoticeUndeliverable(NoticeUndeliverable { of: 10, promise: None, why: text("nobody") }),
        ),
        (
            "notice_skipped",
            Event::NoticeSkipped(NoticeSkipped {
                of: None,
                about: Status::Stale,
                deadline: at(90),
                why: text("snoozed"),
            }),
        ),
        ("notice_intended_again", Event::NoticeIntended(notice("mail"))),
        ("notice_sent", Event::NoticeSent(NoticeSent { of: 13, promise: None })),
        ("dry_run", Event::DryRun(DryRun { action: delete, decision: text("it is stale") })),
        ("action_skipped_unbegun", skipped(None, SkipReason::Unannounced, None)),
        ("action_intended_unforetold", intended(Some(text("2026-01-05T01:00:00Z/1")), NoticeState::NoChannel)),
        ("action_skipped", skipped(Some(17), SkipReason::Busy, Some(at(64)))),
        ("action_intended", intended(None, NoticeState::Promised(at(60)))),
        ("action_failed", failed(19, FailReason::Refused)),
        ("action_intended_again", intended(None, NoticeState::Promised(at(60)))),
        ("action_done", Event::ActionDone(ActionDone { of: 21, observed: true })),
        ("kept_again", Event::Kept(kept)),
        ("action_intended_open", intended(None, NoticeState::NoChannel)),
        ("released", Event::Released(Released { why: text("no policy applies to it any more") })),
        ("gone", Event::Gone(Gone {})),
        ("unrecognised", Event::Unrecognised { kind: text("Slept"), data: json!({ "until": "tomorrow" }) }),
        ("status_changed_superseded", Event::StatusChanged(superseded)),
        ("action_skipped_for_evidence", skipped(None, SkipReason::Evidence, None)),
        ("record_marker_mismatched", mismatched("2.40.uid-1")),
        ("record_marker_trusted", Event::RecordMarkerTrusted(RecordMarkerTrusted { marker: text("2.40.uid-1") })),
        ("status_not_shown", Event::StatusNotShown(StatusNotShown { of: 28, why: text("422") })),
        ("status_shown", Event::StatusShown(StatusShown { of: 28 })),
        ("record_marker_mismatched_again", mismatched("3.50.uid-1")),
        ("deletion_stalled", Event::DeletionStalled(stalled)),
    ]
}
