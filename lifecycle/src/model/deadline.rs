//! When the time of a namespace is over, and by whose word.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When a namespace's time to live ends, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deadline {
    /// The first instant at which the time is over.
    pub at: Timestamp,
    pub by: DeadlineBy,
    /// What sets it is an `expires_at` that cannot be read, and nothing caps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Unreadable>,
}

/// A run of values of `expires_at` that cannot be read. What it counts as is counted from its beginning, so that one mistake
/// after another prolongs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unreadable {
    /// When the first of them was seen.
    pub since: Timestamp,
    /// The end that its owner had asked for before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
}

/// What set a deadline. The owner's own text is kept, so that a later change of it shows as the owner's.
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

/// What is on record of the owner overrides on a namespace: since when a mistake stands decides what it counts as.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnRecord<'a> {
    pub deadline: Option<&'a Deadline>,
    /// When the keep request was first seen.
    pub kept_since: Option<Timestamp>,
}

impl Deadline {
    /// What the owner wrote to set it; `None` where the policy did.
    #[must_use]
    pub fn owners_word(&self) -> Option<&str> {
        match &self.by {
            DeadlineBy::Policy => None,
            DeadlineBy::Ttl(text) | DeadlineBy::ExpiresAt(text) => Some(text),
        }
    }
}

/// Whether a deadline comes earlier than another; any comes earlier than none.
#[must_use]
pub fn is_earlier(deadline: Option<&Deadline>, than: Option<&Deadline>) -> bool {
    deadline.is_some_and(|deadline| than.is_none_or(|than| deadline.at < than.at))
}
