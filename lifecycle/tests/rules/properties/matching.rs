//! Which policy a namespace falls under, against the formula of the page.

use std::collections::BTreeMap;

use lifecycle::{
    Keys, Namespace,
    exclusions::{Exclusions, SYSTEM_NAMESPACES},
    matching::{Match, RawMatch, RawSelector, Require},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    any::{cases, namespace},
    world::{self, Settings, dawn},
};

/// Patterns, and what each means.
type Meaning = fn(&str) -> bool;
const NAMES: [(&str, Meaning); 6] = [
    ("review-.*", |name| name.starts_with("review-")),
    ("review|other", |name| name == "review" || name == "other"),
    ("review", |name| name == "review"),
    (".*-1", |name| name.ends_with("-1")),
    ("o.her", |name| name == "other"),
    ("[a-z]+-[0-9]", |name| name == "review-1"),
];

/// What is to be carried, and whether it is a label.
type Pairs = Vec<(bool, &'static str, &'static str)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    vec((any::<bool>(), select(vec!["team", "other"]), select(vec!["a", "b"])), 1..3)
}

fn selector(pairs: &Pairs) -> RawSelector {
    let of = |is_label| -> BTreeMap<String, String> {
        pairs
            .iter()
            .filter(|pair| pair.0 == is_label)
            .map(|(_, key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    RawSelector { labels: of(true), annotations: of(false) }
}

fn carries(namespace: &Namespace, pairs: &Pairs) -> bool {
    pairs.iter().enumerate().all(|(at, (is_label, key, value))| {
        // The last of two values for one key is the one that counts.
        let is_replaced = pairs[at + 1..].iter().any(|(other, again, _)| (other, again) == (is_label, key));
        let map = if *is_label { &namespace.labels } else { &namespace.annotations };
        is_replaced || map.get(*key).is_some_and(|carried| carried == value)
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn names_count_one_any_two_and_all_four(
        mut namespace in namespace(),
        noted in select(vec!["", "a", "b"]),
        names in vec(select(NAMES.to_vec()), 0..=2),
        any_of in vec(pairs(), 0..3),
        all_of in vec(pairs(), 0..3),
        is_strict in any::<bool>(),
    ) {
        namespace.annotations.insert("team".to_owned(), noted.to_owned());
        let raw = RawMatch {
            names: names.iter().map(|(pattern, _)| (*pattern).to_owned()).collect(),
            any: any_of.iter().map(selector).collect(),
            all: all_of.iter().map(selector).collect(),
        };
        let require = if is_strict { Require::AllParts } else { Require::AnyPart };
        let Ok(matched) = Match::new(&raw, require, &Keys::default()) else {
            prop_assert!(names.is_empty() && any_of.is_empty() && all_of.is_empty());
            return Ok(());
        };
        let hits = [
            (1, !names.is_empty(), names.iter().any(|(_, means)| means(&namespace.name))),
            (2, !any_of.is_empty(), any_of.iter().any(|pairs| carries(&namespace, pairs))),
            (4, !all_of.is_empty(), all_of.iter().all(|pairs| carries(&namespace, pairs))),
        ];
        let sum: u8 = hits.iter().filter(|(_, given, hit)| *given && *hit).map(|(score, ..)| score).sum();
        let misses = hits.iter().any(|(_, given, hit)| *given && !*hit);
        prop_assert_eq!(matched.score(&namespace), if is_strict && misses { 0 } else { sum });
    }

    #[test]
    fn a_system_name_is_out_of_bounds_and_no_other(
        name in "[a-z-]{0,12}", pattern in select(SYSTEM_NAMESPACES.to_vec()), keep in any::<bool>(),
    ) {
        let name = if keep { pattern.replace('*', &name) } else { name };
        let expected = SYSTEM_NAMESPACES.iter().any(|pattern| match pattern.split_once('*') {
            Some((start, "")) => name.len() >= start.len() && name[..start.len()] == *start,
            _ => name == *pattern,
        });
        prop_assert!(expected || !keep);
        prop_assert_eq!(Exclusions::default().holds(&name), expected);
    }
}

/// The policy that a namespace with this name and label falls under.
#[track_caller]
fn falls_under(name: &str, team: &str, expected: Option<&str>) {
    let policy = |name: &str, applies_to: serde_json::Value| {
        serde_json::from_value(serde_json::json!({ "name": name, "match": applies_to })).unwrap()
    };
    let policies = Settings { exclude: vec!["left-.*".to_owned()], ..Settings::default() }.policies(&[
        policy("names", serde_json::json!({ "names": [".*-1"] })),
        policy("again", serde_json::json!({ "names": [".*-1"] })),
        policy("any", serde_json::json!({ "any": [{ "labels": { "team": "a" } }, { "labels": { "team": "b" } }] })),
        policy("all", serde_json::json!({ "all": [{ "labels": { "team": "b" } }] })),
    ]);
    let mut namespace = world::namespace(name, dawn());
    namespace.labels.insert("team".to_owned(), team.to_owned());
    assert_eq!(policies.for_namespace(&namespace).map(|policy| policy.name.as_str()), expected);
}

#[test]
fn the_highest_score_wins_and_ties_go_to_the_first() {
    falls_under("review-1", "c", Some("names"));
    falls_under("review-1", "a", Some("any"));
    falls_under("review-1", "b", Some("all"));
    falls_under("review", "b", Some("all"));
    falls_under("review", "", None);
}

#[test]
fn what_is_out_of_bounds_falls_under_none() {
    falls_under("kube-1", "b", None);
    falls_under("left-1", "b", None);
    falls_under("my-left-1", "b", Some("all"));
}
