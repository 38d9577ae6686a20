//! What `nsm history` says of each entry.

use lifecycle::{
    Action, Event,
    event::{FailReason, MovedBy, SkipReason},
};
use serde_json::{Value, json};

use super::{
    super::{
        describe,
        fixtures::{at, entry},
    },
    Part,
};

pub(super) fn parts() -> Vec<Part> {
    vec![Part { title: "nsm history: each entry", lines: entries() }]
}

type Lines = Vec<(String, String)>;

fn told(kind: &str, data: Value) -> Lines {
    told_of(kind, kind, data)
}

fn told_of(state: &str, kind: &str, data: Value) -> Lines {
    vec![(state.to_owned(), describe::words(&entry(7, "09:00:00", kind, data)))]
}

fn entries() -> Lines {
    let terms = json!({"policy": "ci", "policy_hash": "h", "mode": "enforce"});
    let deadline = json!({"at": at("12:00:00"), "by": {"source": "policy"}});
    let adopted = |again: bool, deadline: &Value| {
        let mut data = terms.clone();
        (data["created"], data["ci"], data["deadline"]) = (json!(at("08:00:00")), json!([]), deadline.clone());
        data["again"] = json!(again);
        data
    };
    let skipped = |why: SkipReason, of: Option<u64>| {
        let data = json!({"of": of, "action": Action::Delete, "why": why, "detail": "DETAIL", "not_before": null});
        told_of(&format!("ActionSkipped, {}", why.as_str()), "ActionSkipped", data)
    };
    let failed = |why: FailReason, name: &str| {
        let data =
            json!({"of": 6, "action": Action::Delete, "why": why, "detail": "DETAIL", "not_before": at("09:01:00")});
        told_of(&format!("ActionFailed, {name}"), "ActionFailed", data)
    };
    let moved = |why: MovedBy, by: Value, name: &str| {
        let data = json!({"deadline": {"at": at("12:00:00"), "by": by}, "why": why});
        told_of(&format!("DeadlineMoved, by {name}"), "DeadlineMoved", data)
    };
    let kept = |requested: Option<&str>, name: &str| {
        let until = requested.map(|_| at("12:00:00"));
        let by = requested.map(|_| "alice");
        told_of(
            name,
            "Kept",
            json!({"wish": requested, "until": until, "first_seen": until, "by": by, "reason": by.map(|_| "a demo")}),
        )
    };
    let condition = json!({"condition": "NamespaceContentRemaining", "reason": "SomeResourcesRemain",
        "message": "Some resources are remaining: configmaps. has 1 resource instances"});
    every!(Event {
        Event::Adopted(_) => [
            told("Adopted", adopted(false, &deadline)),
            told_of("Adopted, without an end", "Adopted", adopted(false, &Value::Null)),
            told_of("Adopted, again", "Adopted", adopted(true, &deadline)),
        ].concat(),
        Event::PolicyChanged(_) => told("PolicyChanged", terms.clone()),
        Event::StatusChanged(_) => told("StatusChanged", json!({"from": "ok", "to": "stale", "reason": "REASON", "evidence": [],
            "finalize_at": null})),
        Event::StatusShown(_) => told("StatusShown", json!({"of": 4})),
        Event::StatusNotShown(_) => told("StatusNotShown", json!({"of": 4, "why": "WHY"})),
        Event::DeadlineMoved(_) => every!(MovedBy {
            MovedBy::Owner => moved(MovedBy::Owner, json!({"source": "ttl", "text": "4h"}), "its owner"),
            MovedBy::Policy => moved(MovedBy::Policy, json!({"source": "policy"}), "the policy"),
        }),
        Event::Kept(_) => [
            kept(Some("2026-08-17T12:00:00Z"), "Kept"),
            kept(Some("2027-08-17T12:00:00Z"), "Kept, for less than was asked"),
            kept(Some("soon"), "Kept, by a text that cannot be read"),
            kept(None, "Kept, no longer"),
        ].concat(),
        Event::Protected(_) => [
            told("Protected", json!({"on": true})),
            told_of("Protected, no longer", "Protected", json!({"on": false})),
        ].concat(),
        Event::NoticeIntended(_) => told("NoticeIntended", json!({"about": "stale", "deadline": at("12:00:00"),
            "promise": at("12:00:00"), "channel": "webhook"})),
        Event::NoticeSent(_) => told("NoticeSent", json!({"of": 6})),
        Event::NoticeUndeliverable(_) => told("NoticeUndeliverable", json!({"of": 6, "why": "WHY"})),
        Event::NoticeSkipped(_) => told("NoticeSkipped", json!({"of": null, "about": "stale", "deadline": at("12:00:00"),
            "why": "WHY"})),
        Event::ActionIntended(_) => told("ActionIntended", json!({"action": "delete", "cause_seq": 3, "attempt": 2,
            "holder": "action/a", "until": at("09:00:20"), "resource_version": "5", "cause": "stale", "decision": "REASON",
            "evidence": [], "evidence_at": at("09:00:00"), "slot": "w/1", "unannounced": null, "config": "h", "mode": "enforce",
            "notice": "no_channel"})),
        Event::ActionDone(_) => [
            told("ActionDone", json!({"of": 6, "observed": false})),
            told_of("ActionDone, seen later", "ActionDone", json!({"of": 6, "observed": true})),
        ].concat(),
        Event::ActionSkipped(_) => every!(SkipReason {
            SkipReason::Stopped => skipped(SkipReason::Stopped, None),
            SkipReason::Budget => skipped(SkipReason::Budget, None),
            SkipReason::Unannounced => skipped(SkipReason::Unannounced, None),
            SkipReason::Busy => skipped(SkipReason::Busy, Some(6)),
            SkipReason::Evidence => skipped(SkipReason::Evidence, None),
            SkipReason::Changed => skipped(SkipReason::Changed, Some(6)),
            SkipReason::Unverified => skipped(SkipReason::Unverified, None),
            SkipReason::Abandoned => skipped(SkipReason::Abandoned, Some(6)),
            SkipReason::Held => skipped(SkipReason::Held, None),
        }),
        Event::ActionFailed(_) => every!(FailReason {
            FailReason::Refused => failed(FailReason::Refused, "refused"),
            FailReason::TooManyRequests => failed(FailReason::TooManyRequests, "too many requests"),
            FailReason::Fenced => failed(FailReason::Fenced, "fenced"),
            FailReason::Gone => failed(FailReason::Gone, "gone"),
        }),
        Event::DeletionStalled(_) => told("DeletionStalled", json!({"pods": {"counted": {"first": ["web-0"], "in_all": 3}},
            "conditions": [condition], "finalizers": ["example.org/never"]})),
        Event::DryRun(_) => told("DryRun", json!({"action": "delete", "decision": "REASON"})),
        Event::RecordMarkerMismatched(_) => told("RecordMarkerMismatched", json!({"marker": "2.9.u", "why": "WHY", "epoch": 2})),
        Event::RecordMarkerTrusted(_) => told("RecordMarkerTrusted", json!({"marker": "2.9.u"})),
        Event::Gone(_) => told("Gone", json!({})),
        Event::Released(_) => told("Released", json!({"why": "WHY"})),
        Event::Unrecognised { .. } => told("Painted", json!({"blue": true})),
    })
}
