//! When the rest is held, and when not any more.

use super::*;
use crate::{
    Status,
    record::{Done, Stalled},
    termination::{DISCOVERY_FAILURE, GROUP_VERSION_FAILURE, RemainingPods, Termination, TerminationCondition},
};

const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(15);

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn discovery(group: &str) -> TerminationCondition {
    let message = format!(
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: {group}/v1: \
         stale GroupVersion discovery: {group}/v1"
    );
    TerminationCondition { condition: DISCOVERY_FAILURE.to_owned(), reason: "DiscoveryFailed".to_owned(), message }
}

fn finalizers() -> TerminationCondition {
    TerminationCondition {
        condition: "NamespaceFinalizersRemaining".to_owned(),
        reason: "SomeFinalizersRemain".to_owned(),
        message: "Some content in the namespace has finalizers remaining: a/b in 1 resource instances".to_owned(),
    }
}

/// Namespace `ci-NUMBER`, whose deletion was accepted at this minute and which is held by these.
fn record(number: usize, accepted: i64, conditions: &[TerminationCondition]) -> Record {
    let what = Termination::new(conditions.to_vec(), ["example.org/never".to_owned()])
        .with(RemainingPods::Counted { first: Vec::new(), in_all: 0 });
    Record {
        name: format!("ci-{number}"),
        phase: Phase::Managed,
        done: Some(Done { action: Action::Delete, at: at(accepted), cause: Status::Stale, observed: false }),
        stalled: Some(Box::new(Stalled { at: at(accepted + 15), what })),
        ..Record::new(uid(number))
    }
}

fn uid(number: usize) -> Uid {
    Uid::new(format!("u{number}"))
}

fn unended(records: impl IntoIterator<Item = Record>) -> BTreeMap<Uid, UnfinishedDeletion> {
    records.into_iter().filter_map(|record| Some((record.uid.clone(), UnfinishedDeletion::of(&record)?))).collect()
}

/// So many that were accepted at minute 0, and are held by these.
fn all(count: usize, conditions: &[TerminationCondition]) -> BTreeMap<Uid, UnfinishedDeletion> {
    unended((0..count).map(|number| record(number, 0, conditions)))
}

fn first(unended: &BTreeMap<Uid, UnfinishedDeletion>, minute: i64) -> Option<Hold> {
    next(None, unended, STALLED_AFTER, at(minute))
}

#[test]
fn five_that_do_not_end_for_one_reason_that_holds_everybody_hold_the_rest() {
    let reason = [discovery("metrics.example.org"), finalizers()];
    assert_eq!(first(&all(4, &reason), 15), None);
    let hold = first(&all(5, &reason), 15).unwrap();
    assert!(hold.stands() && hold.namespaces.len() == 5, "{hold:?}");
    assert_eq!(
        hold.to_string(),
        "the deletions of `ci-0`, `ci-1`, `ci-2` and 2 more were accepted and do not end, for a reason that holds every \
         namespace: NamespaceDeletionDiscoveryFailure of API group `metrics.example.org`: Discovery failed for some \
         groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.example.org/v1: stale \
         GroupVersion discovery: metrics.example.org/v1; deletions go on by themselves once one of these ends or that \
         is over"
    );
}

#[test]
fn they_have_a_quarter_of_an_hour_to_end() {
    assert_eq!(first(&all(9, &[discovery("a.example.org")]), 14), None);
}

/// Else the operator of one team would stop everybody.
#[test]
fn finalizers_and_what_is_left_hold_nobody_else() {
    assert_eq!(first(&all(99, &[finalizers()]), 9_999), None);
    let content = TerminationCondition { condition: "NamespaceContentRemaining".to_owned(), ..finalizers() };
    assert_eq!(first(&all(99, &[content, finalizers()]), 9_999), None);
    assert_eq!(first(&all(99, &[]), 9_999), None);
}

#[test]
fn reasons_are_counted_apart() {
    let of = |number: usize| [discovery(if number < 4 { "a.example.org" } else { "b.example.org" })];
    assert_eq!(first(&unended((0..8).map(|number| record(number, 0, &of(number)))), 60), None);
    let hold = first(&unended((0..9).map(|number| record(number, 0, &of(number)))), 60).unwrap();
    assert_eq!(hold.cause.group.as_deref(), Some("b.example.org"));
    let unread = TerminationCondition {
        condition: GROUP_VERSION_FAILURE.to_owned(),
        reason: "GroupVersionParsingFailed".to_owned(),
        message: "unexpected GroupVersion string: a/b/c".to_owned(),
    };
    assert_eq!(first(&all(5, &[unread]), 60).unwrap().cause.group.as_deref(), Some("a/b/c"));
}

#[test]
fn only_deletions_of_ours_that_are_not_over_count() {
    let reason = [discovery("a.example.org")];
    let gone = Record { phase: Phase::Gone, ..record(4, 0, &reason) };
    let of_others = Record { done: None, ..record(4, 0, &reason) };
    let unknown = Record { stalled: None, ..record(4, 0, &reason) };
    for fifth in [gone, of_others, unknown] {
        let others = (0..4).map(|number| record(number, 0, &reason));
        assert_eq!(first(&unended(others.chain([fifth])), 60), None);
    }
}

/// What is known after a hold of minute 20, with these unended at this minute.
fn then(unended: &BTreeMap<Uid, UnfinishedDeletion>, minute: i64) -> Option<HoldEnd> {
    let hold = first(&all(6, &[discovery("a.example.org")]), 20).unwrap();
    next(Some((&hold, at(20))), unended, STALLED_AFTER, at(minute)).map(|next| {
        assert_eq!((&next.cause, &next.namespaces), (&hold.cause, &hold.namespaces));
        next.ended.unwrap()
    })
}

#[test]
fn it_stands_for_as_long_as_none_of_them_ends() {
    let reason = [discovery("a.example.org")];
    assert_eq!(then(&all(6, &reason), 99_999), None);
    let also = [discovery("a.example.org"), discovery("b.example.org"), finalizers()];
    assert_eq!(then(&all(6, &also), 60), None, "that it is held by more changes nothing");
    assert_eq!(then(&all(5, &reason), 21), Some(HoldEnd::Gone("ci-5".to_owned())));
}

#[test]
fn it_is_taken_back_when_the_reason_is_over() {
    let mut some = all(6, &[discovery("a.example.org")]);
    some.extend(unended([record(2, 0, &[finalizers()])]));
    assert_eq!(then(&some, 21), Some(HoldEnd::Cleared("ci-2".to_owned())));
    assert_eq!(then(&all(6, &[discovery("b.example.org")]), 21), Some(HoldEnd::Cleared("ci-0".to_owned())));
}

#[test]
fn after_it_was_taken_back_the_others_have_a_quarter_of_an_hour_once_more() {
    let reason = [discovery("a.example.org")];
    let hold = first(&all(6, &reason), 20).unwrap();
    let left = all(5, &reason);
    let over = next(Some((&hold, at(20))), &left, STALLED_AFTER, at(30)).unwrap();
    assert!(!over.stands());
    let again = |minute| next(Some((&over, at(30))), &left, STALLED_AFTER, at(minute));
    assert_eq!(again(44), None);
    assert!(again(45).unwrap().stands());
}

#[test]
fn a_hold_names_no_more_than_it_has_to() {
    let hold = first(&all(500, &[discovery("a.example.org")]), 15).unwrap();
    assert_eq!(hold.namespaces.len(), MAX_NAMED);
}

#[test]
fn a_hold_is_read_as_it_was_written() {
    let hold = first(&all(5, &[discovery("a.example.org")]), 15).unwrap();
    for ended in [None, Some(HoldEnd::Gone("ci-1".to_owned())), Some(HoldEnd::Cleared("ci-2".to_owned()))] {
        let hold = Hold { ended, ..hold.clone() };
        assert_eq!(serde_json::from_value::<Hold>(serde_json::to_value(&hold).unwrap()).unwrap(), hold);
    }
}
