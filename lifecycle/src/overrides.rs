//! What the owner of a namespace asks for in its annotations, read so that a mistake never shortens its life
//! (docs/design/lifecycle.md section 1).

mod malformed;
mod resembling;

use jiff::{SignedDuration, Timestamp};

pub use self::{
    malformed::{Malformed, malformed},
    resembling::{Resembling, resembling},
};
pub use crate::model::deadline::{Deadline, DeadlineBy, OnRecord, Unreadable, is_earlier};
use crate::{
    Keys, Namespace,
    duration::PositiveDuration,
    keys::{EXPIRES_AT, KEEP_BY, KEEP_REASON, KEEP_UNTIL, PROTECT, TTL},
    policy::Policy,
    time::{between, cut_to_millis, parse, saturating_add},
};

/// A request to keep a namespace, as its annotations say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRequest {
    /// The value as written; two spellings of one instant are two requests.
    pub text: String,
    /// `None` where the text is no instant: it counts as the longest allowed.
    pub until: Option<Timestamp>,
    pub by: Option<String>,
    pub reason: Option<String>,
}

/// Whether the namespace is never to be touched: `protect` or what resembles it is there, with any value, under any prefix
/// we ever used.
#[must_use]
pub fn is_protected(namespace: &Namespace, keys: &Keys) -> bool {
    let is_written = std::iter::once(&keys.prefix)
        .chain(&keys.former)
        .any(|prefix| namespace.annotations.contains_key(&format!("{prefix}{PROTECT}")));
    is_written || resembling(namespace, keys).any(|it| it.resembles == PROTECT)
}

/// The keep request, if there is one: of several prefixes, and of what resembles it, the longest counts.
#[must_use]
pub fn keep(namespace: &Namespace, keys: &Keys) -> Option<KeepRequest> {
    let nearly = resembling(namespace, keys).filter(|it| it.resembles == KEEP_UNTIL).map(|it| it.text);
    let overrides = keys.read_everywhere(namespace, KEEP_UNTIL).chain(nearly).map(|text| (parse(text), text));
    let (until, text) = overrides.max_by_key(|(until, _)| until.unwrap_or(Timestamp::MAX))?;
    let note = |key| keys.read(namespace, key).map(|value| shorten(value).into_owned());
    Some(KeepRequest { text: shorten(text).into_owned(), until, by: note(KEEP_BY), reason: note(KEEP_REASON) })
}

/// The labels that count as these overrides.
#[must_use]
pub fn labelled<'a>(namespace: &'a Namespace, keys: &'a Keys, overrides: &[&str]) -> Vec<&'a str> {
    let all = resembling(namespace, keys).filter(|it| it.is_label && overrides.contains(&it.resembles));
    all.map(|it| it.key).collect()
}

/// The full keys of the annotations that count as these overrides.
#[must_use]
pub fn written(namespace: &Namespace, keys: &Keys, overrides: &[&str]) -> Vec<String> {
    let prefixes = || std::iter::once(&keys.prefix).chain(&keys.former);
    let right = overrides.iter().flat_map(|name| prefixes().map(move |prefix| format!("{prefix}{name}")));
    let right = right.filter(|key| namespace.annotations.contains_key(key));
    let nearly = resembling(namespace, keys).filter(|it| !it.is_label && overrides.contains(&it.resembles));
    let nearly = nearly.map(|it| it.key.to_owned());
    right.chain(nearly).collect()
}

/// When the namespace's time is over: `expires_at`, else creation and (`ttl`, else the policy's ttl), capped by the
/// policy's `max_ttl`. `None` where nothing sets an end.
///
/// An `expires_at` that cannot be read counts as the cap. Where there is none it counts as `max_keep` after it was first seen,
/// for which `recorded` is called, the end on record; but never as less than the end without it, or the one before it.
#[must_use]
pub fn deadline(
    namespace: &Namespace,
    policy: &Policy,
    keys: &Keys,
    recorded: Option<&Deadline>,
    now: Timestamp,
) -> Option<Deadline> {
    let Some(text) = keys.read(namespace, EXPIRES_AT) else { return end_by_ttl(namespace, policy, keys) };
    let by = DeadlineBy::ExpiresAt(shorten(text).into_owned());
    if let Some(at) = earliest(parse(text), cap(namespace, policy)) {
        return Some(Deadline { at, by, unreadable: None });
    }
    // Two mistakes are not worth more than one.
    let without = end_by_ttl(namespace, policy, keys).or_else(|| end_by_policy(namespace, policy))?;
    let run = recorded.and_then(|known| known.unreadable.clone()).unwrap_or_else(|| Unreadable {
        since: cut_to_millis(now),
        before: recorded.filter(|known| matches!(known.by, DeadlineBy::ExpiresAt(_))).map(|known| known.at),
    });
    let longest = saturating_add(run.since, policy.max_keep);
    let at = run.before.into_iter().fold(longest.max(without.at), Timestamp::max);
    Some(Deadline { at, by, unreadable: Some(run) })
}

/// The end without `expires_at`.
fn end_by_ttl(namespace: &Namespace, policy: &Policy, keys: &Keys) -> Option<Deadline> {
    let Some(text) = keys.read(namespace, TTL) else { return end_by_policy(namespace, policy) };
    let asked = PositiveDuration::parse(text).ok().map(|ttl| saturating_add(namespace.created, ttl.get()));
    let by = DeadlineBy::Ttl(shorten(text).into_owned());
    earliest(asked, cap(namespace, policy)).map(|at| Deadline { at, by, unreadable: None })
}

/// The end that the policy sets by itself.
fn end_by_policy(namespace: &Namespace, policy: &Policy) -> Option<Deadline> {
    let at = saturating_add(namespace.created, policy.ttl?);
    Some(Deadline { at, by: DeadlineBy::Policy, unreadable: None })
}

/// The latest end that an owner can ask for.
fn cap(namespace: &Namespace, policy: &Policy) -> Option<Timestamp> {
    policy.max_ttl.map(|max| saturating_add(namespace.created, max))
}

fn earliest(asked: Option<Timestamp>, cap: Option<Timestamp>) -> Option<Timestamp> {
    asked.into_iter().chain(cap).min()
}

/// Until when a keep request holds: what it asks, but no longer than `max_keep` after it was first seen.
#[must_use]
pub fn keep_end(request: &KeepRequest, first_seen: Timestamp, max_keep: SignedDuration) -> Timestamp {
    let cap = saturating_add(first_seen, max_keep);
    request.until.map_or(cap, |until| until.min(cap))
}

/// The ttl that a deadline amounts to, for texts.
#[must_use]
pub fn lifetime(created: Timestamp, deadline: &Deadline) -> SignedDuration {
    between(created, deadline.at)
}

/// What strangers write is kept to 256 bytes, cut at a character.
pub(crate) fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    const MAX_LENGTH: usize = 256;
    if text.len() <= MAX_LENGTH {
        return text.into();
    }
    let end = (0..=MAX_LENGTH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}
