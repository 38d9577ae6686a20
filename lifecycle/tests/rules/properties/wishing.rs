//! What an owner's annotations come to: a mistake never shortens a life.

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Policies, Policy,
    duration::Period,
    time::{annotation_text, parse, saturating_add},
    wishes,
    wishes::KeepWish,
};
use proptest::{collection::vec, option::of, prelude::*};
use serde_json::json;

use crate::{
    any::{cases, first, instant, policies, text},
    world::{Settings, World, dawn, namespace},
};

/// Any policy, as it is for the namespaces that fall under it.
fn policy() -> impl Strategy<Value = Policy> {
    policies().prop_map(|policies| first(&policies).clone())
}

/// Keeps hold for four hours.
static FOUR_HOURS: LazyLock<Arc<Policies>> = LazyLock::new(|| {
    let raw = json!({ "name": "review", "match": { "names": ["review-.*"] }, "max_keep": "4h" });
    Settings::default().policies(&[serde_json::from_value(raw).unwrap()])
});

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_deadline_is_what_its_owner_wished_up_to_the_cap_and_a_mistake_is_the_cap(
        policy in policy(), created in instant(), ttl in of(text()), expires_at in of(text()),
    ) {
        let mut namespace = namespace("review-1", created);
        let key = |key: &str| policy.keys.ours(key);
        namespace.annotations.extend(ttl.clone().map(|text| (key("ttl"), text)));
        namespace.annotations.extend(expires_at.clone().map(|text| (key("expires_at"), text)));
        let after = |length: SignedDuration| saturating_add(created, length);
        // The end that is wished, where it can be read; `MAX` stands for none.
        let written = |text: Option<String>| text.filter(|text| !text.is_empty());
        let wished = match (written(expires_at), written(ttl)) {
            (Some(text), _) => parse(&text),
            (None, Some(text)) => Period::parse(&text).ok().map(|ttl| after(ttl.get())),
            (None, None) => {
                let end = policy.ttl.map(after);
                prop_assert_eq!(wishes::deadline(&namespace, &policy, &policy.keys).map(|it| it.at), end);
                return Ok(());
            }
        };
        let cap = policy.max_ttl.map(after);
        let expected = wished.into_iter().chain(cap).min();
        prop_assert_eq!(wishes::deadline(&namespace, &policy, &policy.keys).map(|it| it.at), expected);
    }

    #[test]
    fn every_mistake_is_named_and_nothing_else(
        ttl in of(text()), expires_at in of(text()), keep_until in of(text()),
    ) {
        let keys = lifecycle::Keys::default();
        let mut namespace = namespace("review-1", dawn());
        let mut expected = Vec::new();
        let is_instant = |text: &str| parse(text).is_some();
        let reads = |key: &str, text: &str| if key == "ttl" { Period::parse(text).is_ok() } else { is_instant(text) };
        for (key, text) in [("ttl", ttl), ("expires_at", expires_at), ("keep_until", keep_until)] {
            let Some(text) = text else { continue };
            if !text.is_empty() && !reads(key, &text) {
                expected.push(keys.ours(key));
            }
            namespace.annotations.insert(keys.ours(key), text);
        }
        let found = wishes::malformed(&namespace, &keys);
        for malformed in &found {
            prop_assert!(malformed.to_string().len() < 1024, "{malformed}");
        }
        prop_assert_eq!(found.into_iter().map(|malformed| malformed.key).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_keep_holds_for_what_it_asks_up_to_the_cap(
        until in of(instant()), first_seen in instant(), hours in 1_i64..2_000,
    ) {
        let wish = KeepWish { text: String::new(), until, by: None, reason: None };
        let max_keep = SignedDuration::from_hours(hours);
        let cap = saturating_add(first_seen, max_keep);
        prop_assert_eq!(wishes::keep_end(&wish, first_seen, max_keep), until.map_or(cap, |until| until.min(cap)));
    }

    #[test]
    fn a_keep_that_is_renewed_while_it_holds_ends_with_the_first_cap(
        renewals in vec((0_i64..60, 30_i64..400), 1..8),
    ) {
        let mut world = World::new(FOUR_HOURS.clone(), namespace("review-1", dawn()), dawn());
        let (mut until, mut cap): (Option<Timestamp>, Option<Timestamp>) = (None, None);
        for (wait, ask) in renewals {
            world.now = saturating_add(world.now, SignedDuration::from_mins(wait));
            if until.is_none_or(|until| until <= world.now) {
                cap = Some(saturating_add(world.now, SignedDuration::from_hours(4)));
            }
            let wish = saturating_add(world.now, SignedDuration::from_mins(ask));
            let key = world.policies.keys.ours("keep_until");
            // Another wish each time, so that each is recorded.
            let is_same = world.namespace.annotations.insert(key, annotation_text(wish)) == Some(annotation_text(wish));
            world.turn();
            until = world.record.kept.as_ref().and_then(|kept| kept.until);
            if !is_same {
                prop_assert_eq!(until, cap.map(|cap| cap.min(wish)));
            }
        }
    }

    #[test]
    fn a_protection_is_there_under_any_prefix_with_any_value(
        value in text(), is_former in any::<bool>(), other in text(),
    ) {
        let keys = lifecycle::Keys { former: vec![crate::any::OLD.to_owned()], ..lifecycle::Keys::default() };
        let mut namespace = namespace("review-1", dawn());
        namespace.annotations.insert("protect".to_owned(), other.clone());
        namespace.annotations.insert("stranger.example/protect".to_owned(), other);
        prop_assert!(!wishes::is_protected(&namespace, &keys));
        let prefix = if is_former { crate::any::OLD } else { &keys.prefix };
        namespace.annotations.insert(format!("{prefix}protect"), value);
        prop_assert!(wishes::is_protected(&namespace, &keys));
    }
}
