//! Whose a namespace is, whatever strangers wrote on it.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lifecycle::{
    Keys, Namespace,
    ownership::{self, Owners, Source},
};
use proptest::{
    collection::vec,
    option::of,
    prelude::*,
    sample::{select, subsequence},
};

use crate::{
    any::{cases, long, text},
    world::{dawn, namespace},
};

const CREATOR: &str = "admission.example/user";

fn word() -> impl Strategy<Value = String> {
    vec(select(vec!['a', 'b', 'X', '7']), 1..9).prop_map(String::from_iter)
}

/// What may stand where an owner is read: anything, and what was packed as an address is.
fn written() -> impl Strategy<Value = String> {
    let anything = prop_oneof![
        4 => text(),
        1 => long(),
        2 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => (word(), word()).prop_map(|(local, domain)| format!("{local}@{domain}")),
        1 => any::<char>().prop_map(|c| c.to_string().repeat(3_000)),
    ];
    let bytes = prop_oneof![
        2 => vec(any::<u8>(), 0..60),
        2 => (word(), word()).prop_map(|(name, id)| format!("{name}::{id}").into_bytes()),
        1 => (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..20)).prop_map(|(a, b)| [&a[..], b"::", &b[..]].concat()),
    ];
    prop_oneof![anything, bytes.prop_map(|bytes| BASE64_STANDARD.encode(bytes))]
}

fn keys() -> impl Strategy<Value = Keys> {
    let order = subsequence(Source::ALL.to_vec(), 0..=Source::ALL.len()).prop_shuffle();
    (order, any::<bool>()).prop_map(|(order, has_creator)| {
        let owners = Owners { order, creator: has_creator.then(|| CREATOR.to_owned()) };
        Keys { owners, ..Keys::default() }
    })
}

/// A namespace on which something may stand wherever an owner is read.
fn owned() -> impl Strategy<Value = Namespace> {
    vec(of(written()), Source::ALL.len()).prop_map(|texts| {
        let mut born = namespace("review-1", dawn());
        for (source, text) in Source::ALL.into_iter().zip(texts) {
            let Some(text) = text else { continue };
            let of_ci = || Keys::default().of_ci(source.as_str());
            let key = if source == Source::Creator { CREATOR.to_owned() } else { of_ci() };
            if source.is_label() { &mut born.labels } else { &mut born.annotations }.insert(key, text);
        }
        born
    })
}

fn values<'a>(born: &'a Namespace, key: &str) -> Option<&'a String> {
    born.labels.get(key).or_else(|| born.annotations.get(key))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_is_written_an_owner_can_be_shown_and_what_was_passed_over_is_named(keys in keys(), born in owned()) {
        let found = ownership::find(&born, &keys);
        if let Some(owner) = &found.owner {
            prop_assert!(keys.owners.order.contains(&owner.from));
            for shown in [Some(&owner.name), owner.email.as_ref(), owner.slack.as_ref()].into_iter().flatten() {
                prop_assert!((1..=256).contains(&shown.len()) && !shown.chars().any(char::is_control), "{shown:?}");
            }
        }
        // Everything that was read before it is there, and cannot be read.
        let before = keys.owners.order.iter().take_while(|source| found.owner.as_ref().is_none_or(|it| it.from != **source));
        let key = |source: &Source| match source {
            Source::Creator => keys.owners.creator.clone().unwrap_or_default(),
            other => keys.of_ci(other.as_str()),
        };
        let expected: Vec<_> = before.map(key).filter(|key| values(&born, key).is_some_and(|text| !text.is_empty())).collect();
        let named: Vec<_> = found.malformed.iter().map(|it| it.key.clone()).collect();
        prop_assert_eq!(named, expected);
        for malformed in &found.malformed {
            let text = malformed.to_string();
            prop_assert!(text.len() < 1024 && !text.chars().any(char::is_control), "{}", text);
        }
    }

    #[test]
    fn an_address_that_was_packed_is_read_again(
        name in vec(select(vec!['a', 'Z', 'ö', '王', '<', '!', '-', '@']), 1..40).prop_map(String::from_iter), id in word(),
    ) {
        let mut born = namespace("review-1", dawn());
        let key = Keys::default().of_ci("notificationAddress");
        born.annotations = BTreeMap::from([(key, BASE64_STANDARD.encode(format!("{name}::{id}")))]);
        let owner = ownership::find(&born, &Keys::default()).owner;
        prop_assert_eq!(owner.map(|owner| (owner.name, owner.slack)), Some((name, Some(id))));
    }
}
