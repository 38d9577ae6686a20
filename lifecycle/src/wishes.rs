//! What the owner of a namespace asks for in its annotations, read so that a mistake never shortens its life
//! (lifecycle.md section 1).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Keys, Namespace,
    duration::Period,
    keys::{EXPIRES_AT, KEEP_BY, KEEP_REASON, KEEP_UNTIL, PROTECT, TTL},
    policy::Policy,
    time::{between, parse, saturating_add},
};

/// When a namespace's time to live ends, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deadline {
    /// The first instant at which the time is over.
    pub at: Timestamp,
    pub by: DeadlineBy,
}

/// Whose word set a deadline. The owner's own text is kept, so that a later change of it shows as the owner's wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "source", content = "text", rename_all = "snake_case")]
pub enum DeadlineBy {
    /// The policy's ttl.
    Policy,
    /// The annotation `ttl`.
    Ttl(String),
    /// The annotation `expires_at`.
    ExpiresAt(String),
}

/// A wish to keep a namespace, as its annotations say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepWish {
    /// The value as written; two spellings of one instant are two wishes.
    pub text: String,
    /// `None` where the text is no instant: it counts as the longest allowed.
    pub until: Option<Timestamp>,
    pub by: Option<String>,
    pub reason: Option<String>,
}

/// An annotation of an owner, or about one, that could not be read, and what it counts as meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub key: String,
    pub text: String,
    pub counts_as: &'static str,
    pub mend: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, text, counts_as, mend } = self;
        // It is shown at terminals.
        let text = shorten(text).replace(char::is_control, "\u{fffd}");
        write!(f, "annotation `{key}: {text}` cannot be read and counts as {counts_as}; {mend}")
    }
}

/// Whether the namespace is never to be touched: `protect` is there, with any value, under any prefix we ever used.
#[must_use]
pub fn is_protected(namespace: &Namespace, keys: &Keys) -> bool {
    std::iter::once(&keys.prefix)
        .chain(&keys.former)
        .any(|prefix| namespace.annotations.contains_key(&format!("{prefix}{PROTECT}")))
}

/// The wish to keep, if there is one: of several prefixes the longest counts.
#[must_use]
pub fn keep(namespace: &Namespace, keys: &Keys) -> Option<KeepWish> {
    let wishes = keys.read_everywhere(namespace, KEEP_UNTIL).map(|text| (parse(text), text));
    let (until, text) = wishes.max_by_key(|(until, _)| until.unwrap_or(Timestamp::MAX))?;
    let note = |key| keys.read(namespace, key).map(|value| shorten(value).into_owned());
    Some(KeepWish { text: shorten(text).into_owned(), until, by: note(KEEP_BY), reason: note(KEEP_REASON) })
}

/// When the namespace's time is over: `expires_at`, else creation and (`ttl`, else the policy's ttl), capped by the
/// policy's `max_ttl`. `None` where nothing sets an end, or a mistake stands where nothing caps it.
#[must_use]
pub fn deadline(namespace: &Namespace, policy: &Policy, keys: &Keys) -> Option<Deadline> {
    let cap = policy.max_ttl.map(|max| saturating_add(namespace.created, max));
    let capped = |at: Option<Timestamp>, by| {
        let at = match (at, cap) {
            (Some(at), Some(cap)) => at.min(cap),
            (Some(at), None) => at,
            (None, cap) => cap?,
        };
        Some(Deadline { at, by })
    };
    if let Some(text) = keys.read(namespace, EXPIRES_AT) {
        return capped(parse(text), DeadlineBy::ExpiresAt(shorten(text).into_owned()));
    }
    if let Some(text) = keys.read(namespace, TTL) {
        let at = Period::parse(text).ok().map(|ttl| saturating_add(namespace.created, ttl.get()));
        return capped(at, DeadlineBy::Ttl(shorten(text).into_owned()));
    }
    capped(Some(saturating_add(namespace.created, policy.ttl?)), DeadlineBy::Policy)
}

/// Whether a deadline comes earlier than another; any comes earlier than none.
#[must_use]
pub fn is_earlier(deadline: Option<&Deadline>, than: Option<&Deadline>) -> bool {
    deadline.is_some_and(|deadline| than.is_none_or(|than| deadline.at < than.at))
}

/// Until when a wish to keep holds: what it asks, but no longer than `max_keep` after it was first seen.
#[must_use]
pub fn keep_end(wish: &KeepWish, first_seen: Timestamp, max_keep: SignedDuration) -> Timestamp {
    let cap = saturating_add(first_seen, max_keep);
    wish.until.map_or(cap, |until| until.min(cap))
}

/// Every wish that could not be read, in the order of the page.
#[must_use]
pub fn malformed(namespace: &Namespace, keys: &Keys) -> Vec<Malformed> {
    let mut found = Vec::new();
    let mut complain = |key: String, text: &str, counts_as, mend| {
        found.push(Malformed { key, text: text.to_owned(), counts_as, mend });
    };
    if let Some(text) = keys.read(namespace, TTL).filter(|text| Period::parse(text).is_err()) {
        complain(keys.ours(TTL), text, "the longest allowed ttl", "write a duration such as `4h` or `2d`");
    }
    if let Some(text) = keys.read(namespace, EXPIRES_AT).filter(|text| parse(text).is_none()) {
        complain(
            keys.ours(EXPIRES_AT),
            text,
            "the longest allowed ttl",
            "write an instant such as `2026-08-17T09:00:00Z`",
        );
    }
    for prefix in std::iter::once(&keys.prefix).chain(&keys.former) {
        let key = format!("{prefix}{KEEP_UNTIL}");
        if let Some(text) = namespace.annotation(&key).filter(|text| parse(text).is_none()) {
            complain(
                key.clone(),
                text,
                "a wish to keep for the longest allowed",
                "write an instant such as `2026-08-17T09:00:00Z`",
            );
        }
    }
    found
}

/// The ttl that a deadline amounts to, for texts.
#[must_use]
pub fn lifetime(created: Timestamp, deadline: &Deadline) -> SignedDuration {
    between(created, deadline.at)
}

/// What strangers write is kept to 256 bytes, cut at a character.
pub(crate) fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    const MOST: usize = 256;
    if text.len() <= MOST {
        return text.into();
    }
    let end = (0..=MOST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}
