use jiff::SignedDuration;
use lifecycle::{
    Uid,
    record::Stalled,
    termination::{Termination, TerminationCondition},
};
use serde_json::json;

use super::{
    super::fixtures::{adopted, at, namespace, policies, record},
    *,
};

/// The explanation of these annotations at 10 o'clock; the keep request was first seen at 9, and what cannot be read as an end at 8.
fn malformed(written: &[(&str, &str)]) -> Vec<String> {
    let policies = policies(Mode::Enforce, &json!({"max_keep": "1d"}));
    let policy = policies.iter().next().unwrap();
    let (time, kind, mut data) = adopted(&policies);
    data["deadline"] = json!({"at": at("12:00:00"), "by": {"source": "expires_at", "text": "x"},
        "unreadable": {"since": at("08:00:00")}});
    let kept =
        json!({"requested": "x", "until": at("12:00:00"), "first_seen": at("09:00:00"), "by": null, "reason": null});
    let record = record(&[(time, kind, data), ("09:00:00", "Kept", kept)]);
    let next = NextStep { what: String::new(), at: None };
    let mut why = Why::of(&record, &policies.keys, Vec::new(), next, at("10:00:00"));
    why.read(&namespace(&policies.keys, written), &policies.keys, Some(policy), &record, at("10:00:00"));
    why.malformed
}

#[test]
fn what_nobody_can_read_is_told_with_what_it_counts_as_by_date() {
    let instant = "write an instant such as `2026-08-17T09:00:00Z`, or a date";
    let us = "manager.cicd.skao.int";
    assert_eq!(
        malformed(&[("ttl", "7"), ("expires_at", "soon"), ("keep_until", "Friday"), ("status", "ok")]),
        [
            format!(
                "annotation `{us}/ttl: 7` cannot be read and counts as nothing beside `expires_at`; write a duration such \
                 as `4h` or `2d`"
            ),
            format!(
                "annotation `{us}/expires_at: soon` cannot be read and counts as an end at 2026-08-18 08:00:00 UTC, \
                 `max_keep` of policy `ci` from when it was first seen; {instant}"
            ),
            format!(
                "annotation `{us}/keep_until: Friday` cannot be read and counts as a request to keep until 2026-08-18 \
                 09:00:00 UTC, the longest allowed; {instant}"
            ),
        ]
    );
    let expires_at =
        |counts_as| format!("annotation `{us}/expires_at: soon` cannot be read and counts as {counts_as}; {instant}");
    assert_eq!(
        malformed(&[("expires_at", "soon")]),
        [expires_at("an end at 2026-08-18 08:00:00 UTC, `max_keep` of policy `ci` from when it was first seen")]
    );
    assert_eq!(
        malformed(&[("ttl", "2d"), ("expires_at", "soon")]),
        [expires_at("an end at 2026-08-19 08:00:00 UTC, as without it")]
    );
    assert_eq!(
        malformed(&[("ttl", "7"), ("expires_at", "2026-08-19")]),
        [format!(
            "annotation `{us}/ttl: 7` cannot be read and counts as nothing beside `expires_at`; write a duration such as \
             `4h` or `2d`"
        )]
    );
}

#[test]
fn a_ttl_that_nobody_can_read_alone_is_for_ever_and_says_so() {
    let us = "manager.cicd.skao.int";
    assert_eq!(
        malformed(&[("ttl", "7")]),
        [format!(
            "annotation `{us}/ttl: 7` cannot be read and counts as no end, which is for ever, for policy `ci` has no \
             `max_ttl`; write a duration such as `4h` or `2d`"
        )]
    );
}

#[test]
fn a_key_that_is_nearly_right_is_told_with_the_one_it_resembles() {
    let us = "manager.cicd.skao.int";
    assert_eq!(
        malformed(&[("Protect", "no"), ("keep-until", "2026-08-17T18:00:00Z"), ("ttl", "2d"), ("TTL", "2d")]),
        [
            format!(
                "annotation `{us}/Protect: no` resembles `{us}/protect` and counts as a protection; write it as \
                 `{us}/protect`, or take it off"
            ),
            format!("annotation `{us}/TTL: 2d` resembles `{us}/ttl` and counts as nothing; write it as `{us}/ttl`"),
            format!(
                "annotation `{us}/keep-until: 2026-08-17T18:00:00Z` resembles `{us}/keep_until` and counts as a request to \
                 keep until 2026-08-17 18:00:00 UTC; write it as `{us}/keep_until`"
            ),
        ]
    );
}

#[test]
fn a_name_that_comes_back_again_and_again_is_told_of_until_one_stays_for_an_hour() {
    let policies = policies(Mode::Enforce, &json!({}));
    let hour = SignedDuration::from_hours(1);
    for (deleted_before, is_told) in [(0, false), (2, false), (3, true), (20, true)] {
        let (time, kind, mut data) = adopted(&policies);
        data["deleted_before"] = json!(deleted_before);
        let record = record(&[(time, kind, data)]);
        let created = record.created.unwrap();
        let why = |now| {
            let next = NextStep { what: String::new(), at: None };
            Why::of(&record, &policies.keys, Vec::new(), next, now)
        };
        let told = format!(
            "it was deleted {deleted_before} times under this name within an hour, and comes back: whatever makes it"
        );
        let is_told_at = |now| why(now).notes.iter().any(|note| note.starts_with(&told));
        assert_eq!(is_told_at(created), is_told, "{deleted_before}");
        assert_eq!(is_told_at(created + hour - SignedDuration::from_secs(1)), is_told, "{deleted_before}");
        assert!(!is_told_at(created + hour), "it has stayed");
        assert_eq!(why(created + hour).deleted_before, deleted_before, "the number stays");
    }
}

/// A namespace that is being deleted, of which its apiserver says this.
fn going(condition: &str) -> Namespace {
    let condition = TerminationCondition {
        condition: condition.to_owned(),
        reason: "SomeReason".to_owned(),
        message: "some are left".to_owned(),
    };
    Namespace {
        uid: Uid::new("u"),
        name: "ci-1".to_owned(),
        resource_version: "1".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        deleted: Some(Timestamp::UNIX_EPOCH),
        ending: Some(Box::new(Termination::new([condition], []))),
        labels: Default::default(),
        annotations: Default::default(),
    }
}

#[test]
fn what_a_namespace_says_now_counts_and_of_pods_what_was_seen_last() {
    let mut record = Record::new(Uid::new("u"));
    assert_eq!(ending(&Namespace { deleted: None, ..going("NamespaceContentRemaining") }, &record), None);
    let told = ending(&going("NamespaceContentRemaining"), &record).unwrap().to_string();
    assert!(told.starts_with("whether pods are left is not known: nobody looked yet"), "{told}");
    assert!(told.ends_with("NamespaceContentRemaining: some are left"), "{told}");
    let pods = RemainingPods::Counted { first: vec!["web-0".to_owned()], in_all: 1 };
    let what = going("NamespaceFinalizersRemaining").ending.unwrap().with(pods);
    record.stalled = Some(Box::new(Stalled { at: Timestamp::UNIX_EPOCH, what }));
    let told = ending(&going("NamespaceContentRemaining"), &record).unwrap().to_string();
    assert_eq!(told, "1 pod is left: `web-0`; NamespaceContentRemaining: some are left");
}
