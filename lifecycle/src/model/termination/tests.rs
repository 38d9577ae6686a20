//! With conditions as kube-controller-manager 1.34 writes them.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    Action, Namespace, Record, Uid,
    record::{Done, Phase, Stalled},
    termination::look_due,
};

/// An aggregated API whose Service is not there.
const ONE_GROUP: &str = "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: \
                         metrics.example.org/v1beta1: stale GroupVersion discovery: metrics.example.org/v1beta1";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn condition(condition: &str, reason: &str, message: &str) -> TerminationCondition {
    TerminationCondition { condition: condition.to_owned(), reason: reason.to_owned(), message: message.to_owned() }
}

fn discovery(message: &str) -> TerminationCondition {
    condition(DISCOVERY_FAILURE, "DiscoveryFailed", message)
}

fn remaining(message: &str) -> TerminationCondition {
    condition("NamespaceContentRemaining", "SomeResourcesRemain", &format!("Some resources are remaining: {message}"))
}

fn finalizers(message: &str) -> TerminationCondition {
    let message = format!("Some content in the namespace has finalizers remaining: {message}");
    condition("NamespaceFinalizersRemaining", "SomeFinalizersRemain", &message)
}

fn ending(conditions: &[TerminationCondition], finalizers: &[&str]) -> Termination {
    Termination::new(conditions.iter().cloned(), finalizers.iter().map(|it| (*it).to_owned()))
}

const NO_PODS: RemainingPods = RemainingPods::Counted { first: Vec::new(), in_all: 0 };

fn pods(names: &[&str], in_all: u64) -> RemainingPods {
    RemainingPods::Counted { first: names.iter().map(|name| (*name).to_owned()).collect(), in_all }
}

#[test]
fn what_is_kept_is_in_one_order_and_bounded() {
    let other = condition("NetworkUnavailable", "Somebody", "else");
    let of_all = ending(&[finalizers("a/b in 1 resource instances"), other, discovery(ONE_GROUP)], &["kubernetes"]);
    let kinds: Vec<_> = of_all.conditions.iter().map(|it| it.condition.as_str()).collect();
    assert_eq!(kinds, [DISCOVERY_FAILURE, "NamespaceFinalizersRemaining"]);
    assert_eq!(of_all.finalizers, Vec::<String>::new(), "each namespace has that one");
    let long = ending(&[remaining(&"ä".repeat(5_000))], &["b", &"x".repeat(999), "b", "a"]);
    assert!(long.conditions[0].message.len() <= MAX_MESSAGE);
    assert_eq!(long.finalizers, ["a".to_owned(), "b".to_owned(), "x".repeat(320)]);
}

/// The most that an entry may weigh.
#[test]
fn an_entry_of_it_is_never_too_heavy() {
    let quotes = "\"\n".repeat(5_000);
    let all = CONDITIONS.map(|kind| condition(kind, &quotes, &quotes));
    let names: Vec<_> = (0..99).map(|number| format!("{number}{quotes}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let entry = ending(&all, &names).with(pods(&["p".repeat(253).as_str(); MAX_PODS_NAMED], 99));
    let around = 1024;
    assert!(serde_json::to_vec(&entry).unwrap().len() + around <= crate::event::MAX_ENTRY_BYTES);
}

#[track_caller]
fn says(stalled: &DeletionStalled, expected: &str) {
    assert_eq!(stalled.to_string(), expected);
}

#[test]
fn pods_come_first_and_then_the_conditions_and_the_finalizers() {
    says(&ending(&[], &[]).with(NO_PODS), "nothing says what holds it");
    says(&ending(&[], &[]).with(pods(&["web-0"], 1)), "1 pod is left: `web-0`");
    says(&ending(&[], &[]).with(pods(&["a", "b"], 7)), "7 pods are left: `a`, `b` and 5 more");
    let all = ending(&[remaining("configmaps. has 1 resource instances")], &["example.org/never"]);
    says(
        &all.with(pods(&["a"], 1)),
        "1 pod is left: `a`; NamespaceContentRemaining: Some resources are remaining: configmaps. has 1 resource \
         instances; it has finalizers: `example.org/never`",
    );
    says(
        &ending(&[], &["x/y"]).with(RemainingPods::Unknown("the apiserver answered 403: no".to_owned())),
        "whether pods are left is not known: the apiserver answered 403: no; it has finalizers: `x/y`",
    );
}

#[test]
fn a_message_is_quoted_in_one_line_of_at_most_300_characters() {
    let quoted = quoted(&format!("a\n  b{}", "x".repeat(400)));
    assert!(quoted.starts_with("a b") && quoted.ends_with("x…"), "{quoted}");
    assert_eq!(quoted.chars().count(), 301);
}

/// The reasons that hold everybody, as `TYPE group`.
#[track_caller]
fn holds_all(conditions: &[TerminationCondition], expected: &[(&str, Option<&str>)]) {
    let found = ending(conditions, &["example.org/never"]).with(NO_PODS).shared_causes();
    let found: Vec<_> = found.iter().map(|it| (it.condition.as_str(), it.group.as_deref())).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_discovered_holds_everybody_and_what_is_left_in_one_nobody_else() {
    holds_all(&[discovery(ONE_GROUP)], &[(DISCOVERY_FAILURE, Some("metrics.example.org"))]);
    holds_all(&[remaining("configmaps. has 1 resource instances"), finalizers("a/b in 1 resource instances")], &[]);
    let failed = "Failed to delete all resource types, 1 remaining: unexpected items still remain in namespace";
    holds_all(&[condition("NamespaceDeletionContentFailure", "ContentDeletionFailed", failed)], &[]);
    let unread = "unexpected GroupVersion string: a/b/c";
    let unread = condition(GROUP_VERSION_FAILURE, "GroupVersionParsingFailed", unread);
    holds_all(&[unread], &[(GROUP_VERSION_FAILURE, Some("a/b/c"))]);
}

#[test]
fn each_group_that_a_message_names_counts_by_itself() {
    let list = "Discovery failed for some groups, 3 failing: unable to retrieve the complete list of server APIs: \
                a.example.org/v1: the server is currently unable to handle the request, b.example.org/v2alpha1: stale \
                GroupVersion discovery: b.example.org/v2alpha1, v1: Get \"https://10.0.0.1/api/v1\": dial tcp, or so";
    let of = |group| (DISCOVERY_FAILURE, Some(group));
    holds_all(&[discovery(list)], &[of("a.example.org"), of("b.example.org"), of("v1")]);
    holds_all(&[discovery("Get \"https://10.0.0.1/api\": context deadline exceeded")], &[(DISCOVERY_FAILURE, None)]);
}

fn namespace(deleted: Option<i64>, ending: Termination) -> Namespace {
    Namespace {
        uid: Uid::new("u"),
        name: "ci-1".to_owned(),
        resource_version: "1".to_owned(),
        created: at(-99),
        deleted: deleted.map(at),
        ending: Some(Box::new(ending)),
        labels: Default::default(),
        annotations: Default::default(),
    }
}

fn managed() -> Record {
    Record { phase: Phase::Managed, ..Record::new(Uid::new("u")) }
}

/// Its deletion was accepted at this minute.
fn deleted(minute: i64) -> Record {
    let done = Done { action: Action::Delete, at: at(minute), cause: crate::Status::Stale, observed: false };
    Record { done: Some(done), ..managed() }
}

const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(15);

fn due(record: &Record, namespace: &Namespace) -> Option<Timestamp> {
    look_due(record, namespace, None, STALLED_AFTER)
}

#[test]
fn nothing_is_checked_before_it_should_have_ended() {
    let going = namespace(Some(3), Termination::default());
    assert_eq!(due(&deleted(4), &going), Some(at(19)));
    assert_eq!(due(&managed(), &going), Some(at(18)), "somebody else deleted it");
    assert_eq!(due(&deleted(4), &namespace(None, Termination::default())), None, "nobody did yet, by what is seen");
    assert_eq!(due(&Record::new(Uid::new("u")), &going), None, "it is not ours");
    assert_eq!(due(&Record { phase: Phase::Gone, ..deleted(4) }, &going), None);
    assert_eq!(due(&Record { uid: Uid::new("v"), ..deleted(4) }, &going), None);
}

#[test]
fn it_is_written_again_where_another_reason_holds_it_and_not_for_another_message() {
    let first = ending(&[remaining("configmaps. has 3 resource instances")], &["a/b"]);
    let known = Stalled { at: at(20), what: first.with(NO_PODS) };
    let record = Record { stalled: Some(Box::new(known)), ..deleted(4) };
    let again = |conditions: &[TerminationCondition], finalizers: &[&str]| {
        due(&record, &namespace(Some(4), ending(conditions, finalizers)))
    };
    assert_eq!(again(&[remaining("configmaps. has 3 resource instances")], &["a/b"]), None);
    assert_eq!(again(&[remaining("configmaps. has 1 resource instances")], &["a/b"]), None, "only its message differs");
    assert_eq!(again(&[], &["a/b"]), Some(at(25)));
    assert_eq!(again(&[remaining("secrets. has 1 resource instances")], &[]), Some(at(25)), "a finalizer went");
    assert_eq!(again(&[discovery(ONE_GROUP), remaining("")], &["a/b"]), Some(at(25)));
}

/// Nothing announces that a pod is gone: a namespace with a finalizer of its own says what it said before.
#[test]
fn pods_that_were_left_are_listed_again_and_again() {
    let held = ending(&[], &["a/b"]);
    let going = namespace(Some(4), held.clone());
    let after = |pods: RemainingPods, listed: Option<i64>| {
        let known = Stalled { at: at(20), what: held.with(pods) };
        let record = Record { stalled: Some(Box::new(known)), ..deleted(4) };
        look_due(&record, &going, listed.map(at), STALLED_AFTER)
    };
    assert_eq!(after(pods(&["web-0"], 1), None), Some(at(25)));
    assert_eq!(after(pods(&["web-0"], 1), Some(25)), Some(at(30)));
    assert_eq!(after(pods(&["web-0"], 1), Some(11)), Some(at(25)), "before that was written");
    assert_eq!(after(NO_PODS, None), None);
    let unknown = RemainingPods::Unknown("the apiserver answered 403: no".to_owned());
    assert_eq!(after(unknown, None), None, "somebody has to grant the right");
}

#[test]
fn it_is_news_that_no_pod_is_left_and_not_that_fewer_are() {
    let held = ending(&[], &["a/b"]);
    let unknown = || RemainingPods::Unknown("no".to_owned());
    let one = held.with(pods(&["a"], 1));
    let is_news = |found: DeletionStalled| found.is_news_after(Some(&one));
    assert!(is_news(held.with(NO_PODS)));
    assert!(!is_news(held.with(pods(&["b"], 1))) && !is_news(held.with(pods(&["a", "b"], 2))));
    assert!(!is_news(held.with(unknown())), "it is known as well as before");
    assert!(is_news(ending(&[], &[]).with(pods(&["a"], 1))), "another reason");
    assert!(!held.with(NO_PODS).is_news_after(Some(&held.with(NO_PODS))));
    assert!(held.with(unknown()).is_news_after(None));
}

#[test]
fn another_group_that_does_not_answer_is_another_reason() {
    let of = |group: &str| discovery(&format!("{BEFORE_GROUPS}{group}/v1: stale GroupVersion discovery: {group}/v1"));
    let known = Stalled { at: at(20), what: ending(&[of("a.example.org")], &[]).with(NO_PODS) };
    let record = Record { stalled: Some(Box::new(known)), ..deleted(4) };
    assert_eq!(due(&record, &namespace(Some(4), ending(&[of("a.example.org")], &[]))), None);
    assert_eq!(due(&record, &namespace(Some(4), ending(&[of("b.example.org")], &[]))), Some(at(25)));
}

#[test]
fn an_entry_is_read_as_it_was_written() {
    let entry = ending(&[discovery("no")], &["a/b"]).with(pods(&["web-0"], 2));
    let json = json!({"pods": {"counted": {"first": ["web-0"], "in_all": 2}}, "finalizers": ["a/b"],
        "conditions": [{"condition": DISCOVERY_FAILURE, "reason": "DiscoveryFailed", "message": "no"}]});
    assert_eq!(serde_json::to_value(&entry).unwrap(), json);
    assert_eq!(serde_json::from_value::<DeletionStalled>(json).unwrap(), entry);
}
