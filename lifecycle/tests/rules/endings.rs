//! Deletions that were accepted and do not end: for any number of them, held by whatever, against the rule told once more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Action, Entry, Event, Record, Uid,
    hold::{HELD_FROM, HoldEnd, UnfinishedDeletion, next},
    plan,
    stalled::{STALLED_AFTER, stalled},
    termination::{DISCOVERY_FAILURE, RemainingPods, Termination, TerminationCondition},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

/// What holds one of them: each letter of `abrf` is a group that cannot be discovered (`a`, `b`), content that is left, or a
/// finalizer on what is left.
fn conditions(held_by: &str) -> Vec<TerminationCondition> {
    let condition = |letter| {
        let (condition, reason, message) = match letter {
            'a' | 'b' => (
                DISCOVERY_FAILURE,
                "DiscoveryFailed",
                format!(
                    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: \
                     {letter}.example.org/v1: stale GroupVersion discovery: {letter}.example.org/v1"
                ),
            ),
            'r' => (
                "NamespaceContentRemaining",
                "SomeResourcesRemain",
                "Some resources are remaining: configmaps. has 1 resource instances".to_owned(),
            ),
            _ => (
                "NamespaceFinalizersRemaining",
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: a/b in 1 resource instances".to_owned(),
            ),
        };
        TerminationCondition { condition: condition.to_owned(), reason: reason.to_owned(), message }
    };
    held_by.chars().map(condition).collect()
}

/// A deletion that was accepted at this minute and does not end, as its history tells; with its end, where it came.
fn history(number: usize, accepted: i64, held_by: &str, is_gone: bool) -> Record {
    let uid = format!("u{number}");
    let stalled = Termination::new(conditions(held_by), ["example.org/never".to_owned()])
        .with(RemainingPods::Counted { first: Vec::new(), in_all: 0 });
    let events = [
        (
            "Adopted",
            json!({"policy": "ci", "policy_hash": "h", "mode": "enforce", "created": at(-99), "ci": [],
            "deadline": null}),
        ),
        (
            "ActionIntended",
            json!({"action": "delete", "cause_seq": 1, "attempt": 1, "holder": "action/a", "until": at(accepted),
            "resource_version": "1", "cause": "stale", "decision": "it is stale", "evidence": [],
            "evidence_at": at(accepted), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce",
            "notice": "no_channel"}),
        ),
        ("ActionDone", json!({"of": 2, "observed": false})),
        ("DeletionStalled", serde_json::to_value(stalled).unwrap()),
    ];
    let end = is_gone.then(|| ("Gone", json!({})));
    let entry = |(seq, (kind, data)): (u64, (&str, Value))| -> Entry {
        let minute = if seq > 3 { accepted + 15 } else { accepted };
        serde_json::from_value(json!({"uid": uid, "seq": seq, "at": at(minute), "actor": "collector/a",
            "name": format!("ci-{number}"), "token": "t", "kind": kind, "data": data}))
        .unwrap()
    };
    let entries: Vec<_> = (1..).zip(events.into_iter().chain(end)).map(entry).collect();
    assert!(!entries.iter().any(|entry| matches!(entry.event, Event::Unrecognised { .. })), "{entries:?}");
    Record::of(Uid::new(uid.clone()), &entries)
}

type Case = Vec<(i64, &'static str, bool)>;

fn records(case: &Case) -> Vec<Record> {
    let record = |(number, (accepted, held_by, is_gone)): (usize, &(i64, &str, bool))| {
        history(number, *accepted, held_by, *is_gone)
    };
    case.iter().enumerate().map(record).collect()
}

fn unended(records: &[Record]) -> BTreeMap<Uid, UnfinishedDeletion> {
    records.iter().filter_map(|record| Some((record.uid.clone(), UnfinishedDeletion::of(record)?))).collect()
}

fn cases() -> impl Strategy<Value = Case> {
    let held_by = proptest::sample::select(vec!["", "a", "a", "a", "ab", "b", "r", "rf", "arf", "f"]);
    vec((0..40_i64, held_by, proptest::bool::weighted(0.1)), 0..14)
}

proptest! {
    /// Told once more: how many of those that count are held by this group.
    #[test]
    fn only_enough_that_are_held_by_one_shared_reason_for_long_enough_hold_the_rest(case in cases(), now in 0..80_i64) {
        let counts = |group: char| {
            let held = case.iter().filter(|(accepted, held_by, is_gone)| {
                held_by.contains(group) && !is_gone && accepted + 15 <= now
            });
            held.count()
        };
        let expected = ['a', 'b'].into_iter().any(|group| counts(group) >= HELD_FROM);
        let records = records(&case);
        let hold = next(None, &unended(&records), STALLED_AFTER, at(now));
        prop_assert_eq!(hold.is_some(), expected);
        if let Some(hold) = hold {
            let group = hold.cause.group.clone().unwrap_or_default();
            prop_assert!(counts(group.chars().next().unwrap_or('?')) >= HELD_FROM, "{:?}", hold);
            prop_assert!(hold.stands() && hold.cause.condition == DISCOVERY_FAILURE);
        }
    }

    /// And it is over with the first of them that ends, whichever that is, for as long as the others had to begin with.
    #[test]
    fn a_hold_is_over_with_the_first_that_ends(count in HELD_FROM..12, which in any::<proptest::sample::Index>()) {
        let mut case: Case = (0..count).map(|_| (0, "a", false)).collect();
        let hold = next(None, &unended(&records(&case)), STALLED_AFTER, at(15)).unwrap();
        let stands = |case: &Case, minute| next(Some((&hold, at(15))), &unended(&records(case)), STALLED_AFTER, at(minute));
        prop_assert_eq!(stands(&case, 9_999), None);
        let index = which.index(count);
        case[index].2 = true;
        let over = stands(&case, 16).unwrap();
        prop_assert_eq!(over.ended.clone(), Some(HoldEnd::Gone(format!("ci-{index}"))));
        let left = unended(&records(&case));
        let again = |minute| next(Some((&over, at(16))), &left, STALLED_AFTER, at(minute)).is_some();
        prop_assert!(!again(30));
        prop_assert_eq!(again(31), count > HELD_FROM);
    }
}

/// What holds it is told of as stalled, and nothing more is done to it.
#[test]
fn a_deletion_that_does_not_end_is_stalled_and_is_not_repeated() {
    let record = history(1, 0, "arf", false);
    let found = stalled(None, &record).unwrap();
    assert_eq!(found.from, at(0) + SignedDuration::from_mins(15));
    for words in ["NamespaceDeletionDiscoveryFailure", "configmaps. has 1 resource instances", "`example.org/never`"] {
        assert!(found.why.contains(words), "no `{words}` in: {}", found.why);
    }
    assert_eq!(plan(None, &record, at(9_999)).tasks, []);
    assert_eq!(record.done.map(|done| done.action), Some(Action::Delete));
}
