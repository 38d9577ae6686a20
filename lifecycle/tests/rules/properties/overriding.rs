//! What an owner's annotations come to: a mistake never shortens a life.

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Namespace, Policies, Policy,
    duration::PositiveDuration,
    overrides,
    overrides::{Deadline, DeadlineBy, KeepRequest, OnRecord, Unreadable},
    time::{annotation_text, cut_to_millis, parse, saturating_add},
};
use proptest::{collection::vec, option::of, prelude::*, sample::select};
use serde_json::json;

use crate::{
    any::{cases, first, instant, policies, text},
    world::{Settings, World, dawn, namespace},
};

/// Any policy, as it is for the namespaces that fall under it.
fn policy() -> impl Strategy<Value = Policy> {
    policies().prop_map(|policies| first(&policies).clone())
}

/// Any end on record.
fn recorded() -> impl Strategy<Value = Option<Deadline>> {
    let by = select(vec![DeadlineBy::Policy, DeadlineBy::Ttl("1h".to_owned()), DeadlineBy::ExpiresAt("x".to_owned())]);
    let run = (instant(), of(instant())).prop_map(|(since, before)| Unreadable { since, before });
    of((instant(), by, of(run)).prop_map(|(at, by, unreadable)| Deadline { at, by, unreadable }))
}

/// Keeps hold for four hours.
static FOUR_HOURS: LazyLock<Arc<Policies>> = LazyLock::new(|| {
    let raw = json!({ "name": "review", "match": { "names": ["review-.*"] }, "max_keep": "4h" });
    Settings::default().policies(&[serde_json::from_value(raw).unwrap()])
});

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_deadline_is_what_its_owner_asked_for_up_to_the_cap_and_a_mistake_is_the_cap(
        policy in policy(), created in instant(), ttl in of(text()), expires_at in of(text()),
        recorded in recorded(), now in instant(),
    ) {
        let mut namespace = namespace("review-1", created);
        let key = |key: &str| policy.keys.ours(key);
        namespace.annotations.extend(ttl.clone().map(|text| (key("ttl"), text)));
        let end = |namespace: &Namespace, recorded: Option<&Deadline>, now| {
            overrides::deadline(namespace, &policy, &policy.keys, recorded, now)
        };
        let after = |length: SignedDuration| saturating_add(created, length);
        let cap = policy.max_ttl.map(after);
        let up_to_the_cap = |asked: Option<Timestamp>| asked.into_iter().chain(cap).min();
        // The end that is asked for, where it can be read.
        let written = |text: Option<String>| text.filter(|text| !text.is_empty());
        let without = match written(ttl) {
            Some(text) => up_to_the_cap(PositiveDuration::parse(&text).ok().map(|ttl| after(ttl.get()))),
            None => policy.ttl.map(after),
        };
        prop_assert_eq!(end(&namespace, recorded.as_ref(), now).map(|it| it.at), without);

        let Some(text) = written(expires_at) else { return Ok(()) };
        // Beside it a ttl that cannot be read counts for nothing.
        let without = without.or_else(|| policy.ttl.map(after));
        namespace.annotations.insert(key("expires_at"), text.clone());
        let found = end(&namespace, recorded.as_ref(), now);
        let is_run = parse(&text).is_none() && cap.is_none() && without.is_some();
        prop_assert_eq!(found.as_ref().is_some_and(|it| it.unreadable.is_some()), is_run);
        if !is_run {
            prop_assert_eq!(found.map(|it| it.at), up_to_the_cap(parse(&text)));
            return Ok(());
        }
        // It ends, and no sooner than without the mistake; of a run of mistakes the first counts.
        let known = recorded.as_ref().and_then(|it| it.unreadable.clone());
        let since = known.as_ref().map_or(cut_to_millis(now), |run| run.since);
        let before = match (&known, &recorded) {
            (Some(run), _) => run.before,
            (None, Some(Deadline { at, by: DeadlineBy::ExpiresAt(_), .. })) => Some(*at),
            (None, _) => None,
        };
        let longest = [Some(saturating_add(since, policy.max_keep)), without, before].into_iter().flatten().max();
        prop_assert_eq!(found.as_ref().map(|it| it.at), longest);

        namespace.annotations.insert(key("expires_at"), "another mistake".to_owned());
        let later = saturating_add(now, SignedDuration::from_hours(1));
        prop_assert_eq!(end(&namespace, found.as_ref(), later).map(|it| it.at), longest);
    }

    #[test]
    fn every_mistake_is_named_and_nothing_else(
        policy in policy(), recorded in recorded(), now in instant(),
        texts in [of(text()), of(text()), of(text()), of(text()), of(text()), of(text()), of(text())],
    ) {
        let keys = &policy.keys;
        let mut namespace = namespace("review-1", dawn());
        let mut expected = Vec::new();
        let is_instant = |text: &str| parse(text).is_some();
        let reads = |key: &str, text: &str| if key == "ttl" { PositiveDuration::parse(text).is_ok() } else { is_instant(text) };
        let names = ["ttl", "expires_at", "keep_until", "Protected", "TTL", "expires-at", "keepUntil"];
        for (key, text) in names.into_iter().zip(texts) {
            let Some(text) = text else { continue };
            let is_right = !key.contains(|c: char| c.is_ascii_uppercase() || c == '-');
            let is_named = if is_right { !text.is_empty() && !reads(key, &text) } else { !text.is_empty() || key == "Protected" };
            if is_named {
                expected.push(keys.ours(key));
            }
            namespace.annotations.insert(keys.ours(key), text);
        }
        for name in ["status", "record", "owner", "protect-pods"] {
            namespace.annotations.insert(keys.ours(name), "x".to_owned());
        }
        let on_record = OnRecord { deadline: recorded.as_ref(), kept_since: Some(dawn()) };
        for policy in [None, Some(&policy)] {
            let found = overrides::malformed(&namespace, keys, policy, on_record, now);
            for malformed in &found {
                prop_assert!(malformed.to_string().len() < 1024, "{malformed}");
            }
            prop_assert_eq!(&found.into_iter().map(|malformed| malformed.key).collect::<Vec<_>>(), &expected);
        }
    }

    #[test]
    fn a_keep_holds_for_what_it_asks_up_to_the_cap(
        until in of(instant()), first_seen in instant(), hours in 1_i64..2_000,
    ) {
        let request = KeepRequest { text: String::new(), until, by: None, reason: None };
        let max_keep = SignedDuration::from_hours(hours);
        let cap = saturating_add(first_seen, max_keep);
        prop_assert_eq!(overrides::keep_end(&request, first_seen, max_keep), until.map_or(cap, |until| until.min(cap)));
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
            let asked = saturating_add(world.now, SignedDuration::from_mins(ask));
            let key = world.policies.keys.ours("keep_until");
            // Another request each time, so that each is recorded.
            let is_same = world.namespace.annotations.insert(key, annotation_text(asked)) == Some(annotation_text(asked));
            world.turn();
            until = world.record.kept.as_ref().and_then(|kept| kept.until);
            if !is_same {
                prop_assert_eq!(until, cap.map(|cap| cap.min(asked)));
            }
        }
    }

    #[test]
    fn of_several_keys_the_longest_keep_counts(texts in vec(text(), 1..4)) {
        let keys = lifecycle::Keys { former: vec![crate::any::OLD.to_owned()], ..lifecycle::Keys::default() };
        let mut namespace = namespace("review-1", dawn());
        let names = [keys.ours("keep_until"), keys.ours("keep-until"), format!("{}KeepUntil", crate::any::OLD)];
        namespace.annotations.extend(names.into_iter().zip(texts.clone()));
        let longest = texts.iter().filter(|text| !text.is_empty()).map(|text| parse(text).unwrap_or(Timestamp::MAX)).max();
        let found = overrides::keep(&namespace, &keys).map(|request| request.until.unwrap_or(Timestamp::MAX));
        prop_assert_eq!(found, longest);
    }

    #[test]
    fn a_protection_is_there_under_any_prefix_with_any_value(
        value in text(), is_former in any::<bool>(), other in text(),
        name in select(vec!["protect", "Protect", "protected", "is-protected"]),
    ) {
        let keys = lifecycle::Keys { former: vec![crate::any::OLD.to_owned()], ..lifecycle::Keys::default() };
        let mut namespace = namespace("review-1", dawn());
        namespace.annotations.insert(name.to_owned(), other.clone());
        namespace.annotations.insert(format!("stranger.example/{name}"), other);
        prop_assert!(!overrides::is_protected(&namespace, &keys));
        let prefix = if is_former { crate::any::OLD } else { &keys.prefix };
        namespace.annotations.insert(format!("{prefix}{name}"), value);
        prop_assert!(overrides::is_protected(&namespace, &keys));
        prop_assert_eq!(overrides::written(&namespace, &keys, &["protect"]), [format!("{prefix}{name}")]);
    }
}
