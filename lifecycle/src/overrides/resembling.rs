//! Keys that are nearly those of an owner override: somebody wanted something, and wrote it otherwise.
//!
//! Which they are is fixed by a list. A label is one, too, also under the right key: what a CI system writes are labels, and owners
//! take one for the other. Whatever else stands under our prefix is ours, or of somebody who shares it.

use std::ops::Bound;

use crate::{
    Keys, Namespace,
    keys::{EXPIRES_AT, KEEP_BY, KEEP_REASON, KEEP_UNTIL, PROTECT, TTL},
};

/// The owner overrides, each with what its key is written as by mistake: in small letters, without what stands between words.
const RESEMBLING: [(&str, &[&str]); 6] = [
    (TTL, &["ttl", "timetolive", "lifetime"]),
    (
        EXPIRES_AT,
        &[
            "expiresat",
            "expireat",
            "expiredat",
            "expires",
            "expire",
            "expiresin",
            "expireson",
            "expiry",
            "expirydate",
            "expiration",
            "expirationdate",
        ],
    ),
    (KEEP_UNTIL, &["keepuntil", "keepuntill", "keeptill", "keeptil", "keptuntil", "keepfor", "keep", "kept"]),
    (KEEP_BY, &["keepby", "keptby"]),
    (KEEP_REASON, &["keepreason"]),
    (PROTECT, &["protect", "protects", "protected", "protection", "isprotected"]),
];

/// An annotation whose key resembles that of an owner override, or a label that should be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resembling<'a> {
    /// The full key, as written.
    pub key: &'a str,
    /// The override that it resembles, such as [`PROTECT`].
    pub resembles: &'static str,
    pub is_label: bool,
    /// The value; never empty but for [`PROTECT`], which needs none.
    pub text: &'a str,
}

/// What resembles owner overrides: under our prefix any, under a former one those that are honoured there. Annotations come before labels.
pub fn resembling<'a>(namespace: &'a Namespace, keys: &'a Keys) -> impl Iterator<Item = Resembling<'a>> {
    let under = |prefix: &'a str, is_former: bool, is_label: bool| {
        let all = if is_label { &namespace.labels } else { &namespace.annotations };
        let all = all.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let all = all.map(|(key, text)| (key.as_str(), text.as_str()));
        all.map_while(move |(key, text)| Some((key, key.strip_prefix(prefix)?, text))).filter_map(
            move |(key, name, text)| {
                let right = || RESEMBLING.iter().map(|(key, _)| *key).find(|right| is_label && *right == name);
                let resembles = resembled(name).or_else(right)?;
                let counts = !is_former || matches!(resembles, KEEP_UNTIL | PROTECT);
                let says = !text.is_empty() || resembles == PROTECT;
                (counts && says).then_some(Resembling { key, resembles, is_label, text })
            },
        )
    };
    let all = move |is_label| {
        let former = keys.former.iter().flat_map(move |prefix| under(prefix, true, is_label));
        under(&keys.prefix, false, is_label).chain(former)
    };
    all(false).chain(all(true))
}

/// The override that a key, without its prefix, resembles; `None`: it is the key of an override, or nothing like one.
fn resembled(name: &str) -> Option<&'static str> {
    if RESEMBLING.iter().any(|(key, _)| *key == name) {
        return None;
    }
    let letters = || name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).map(|c| c.to_ascii_lowercase());
    let is_it = |spelling: &&str| letters().eq(spelling.chars());
    RESEMBLING.iter().find(|(_, spellings)| spellings.iter().any(&is_it)).map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        Uid,
        annotations::OURS,
        keys::{CI_LABELS, FENCE, RECORD},
    };

    #[test]
    fn what_resembles_what() {
        for (key, names) in [
            (TTL, "TTL Ttl t-t-l time-to-live timeToLive lifetime"),
            (
                EXPIRES_AT,
                "expires-at expiresAt ExpiresAt expires.at expire_at expires expiry expiration expiration-date",
            ),
            (KEEP_UNTIL, "keep-until keepUntil KEEP_UNTIL keep.until keepuntil keep-till keep kept-until keep_for"),
            (KEEP_BY, "keep-by keepBy"),
            (KEEP_REASON, "keep-reason keepReason"),
            (PROTECT, "Protect PROTECT protected Protected protection is-protected isProtected"),
        ] {
            for name in names.split(' ') {
                assert_eq!(resembled(name), Some(key), "{name}");
            }
        }
    }

    /// What we write ourselves, what owners write rightly, what CI systems write, and what others may.
    #[test]
    fn what_resembles_nothing() {
        let ours = OURS.into_iter().chain([RECORD, FENCE]);
        let right = [TTL, EXPIRES_AT, KEEP_UNTIL, KEEP_BY, KEEP_REASON, PROTECT];
        let others =
            ["", "-", "protector", "protect-pods", "reconciler", "upkeep", "snooze_until", "max_ttl", "ttls", "owner"];
        for name in ours.chain(right).chain(CI_LABELS).chain(others) {
            assert_eq!(resembled(name), None, "{name}");
        }
    }

    #[test]
    fn no_spelling_stands_for_two_keys() {
        let all: Vec<_> = RESEMBLING.iter().flat_map(|(_, spellings)| *spellings).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        for spelling in all {
            assert!(spelling.bytes().all(|byte| byte.is_ascii_lowercase()), "{spelling}: nothing else is compared");
        }
    }

    #[test]
    fn they_are_found_under_each_prefix_where_they_count() {
        let keys = Keys { former: vec!["old.example/".to_owned()], ..Keys::default() };
        let ours = |name: &str| keys.ours(name);
        let written = [
            (ours("keep-until"), "x"),
            (ours("Protect"), ""),
            (ours("TTL"), ""),
            (ours("expires-at"), "y"),
            (ours("protect"), ""),
            ("old.example/TTL".to_owned(), "1h"),
            ("old.example/protected".to_owned(), "no"),
            ("other.example/protected".to_owned(), "yes"),
            ("protected".to_owned(), "yes"),
        ];
        let labels = [
            (ours("protect"), "true"),
            (ours("keep_until"), "2026-12-31"),
            (ours("Ttl"), "2d"),
            (ours("owner"), "a"),
            ("old.example/ttl".to_owned(), "1h"),
            ("cicd.skao.int/protect".to_owned(), "true"),
        ];
        let namespace = Namespace {
            uid: Uid::new("a"),
            name: "a".into(),
            resource_version: "1".into(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: labels.into_iter().map(|(key, text)| (key, text.to_owned())).collect(),
            annotations: written.into_iter().map(|(key, text)| (key, text.to_owned())).collect(),
        };
        let of = |is_label: bool| -> Vec<_> {
            let found = resembling(&namespace, &keys).filter(|it| it.is_label == is_label);
            found.map(|it| (it.key.to_owned(), it.resembles, it.text)).collect()
        };
        assert_eq!(
            of(true),
            [
                (ours("Ttl"), TTL, "2d"),
                (ours("keep_until"), KEEP_UNTIL, "2026-12-31"),
                (ours("protect"), PROTECT, "true"),
            ]
        );
        assert_eq!(
            of(false),
            [
                (ours("Protect"), PROTECT, ""),
                (ours("expires-at"), EXPIRES_AT, "y"),
                (ours("keep-until"), KEEP_UNTIL, "x"),
                ("old.example/protected".to_owned(), PROTECT, "no"),
            ]
        );
    }
}
