//! What one check found, in three values: a check can fail to run.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether something holds. `Unknown` is a value: it moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// What one check of one source found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Condition {
    pub truth: Truth,
    /// A sentence without full stop, for people, who may read it a year later.
    pub reason: String,
    pub observed_at: Timestamp,
}

impl Condition {
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.truth == Truth::True
    }
}

impl Truth {
    /// Whether it holds; `None`: that is not known.
    #[must_use]
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::False => Some(false),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
        })
    }
}

/// A sample whose instant has yet to come counts for nothing.
pub(crate) fn not_from_the_future(sample: Condition, at_what: &str, now: Timestamp) -> Condition {
    if sample.observed_at <= now {
        return sample;
    }
    Condition {
        truth: Truth::Unknown,
        reason: format!("the sample of the {at_what} lies in the future"),
        observed_at: now,
    }
}
