//! What is seen of a namespace, in three values: a check can fail to run (lifecycle.md section 3).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Namespace;

/// Whether something holds. `Unknown` is a value: it moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// What one look at one source found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Condition {
    pub truth: Truth,
    /// A sentence without full stop, for people, who may read it a year later.
    pub reason: String,
    pub observed_at: Timestamp,
}

/// What one look at a namespace brought: its facts, and whether the clock can be trusted to tell its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub namespace: Namespace,
    /// True: our clock agrees with the apiserver's (safety.md section 2, step 2).
    pub clock: Condition,
}

/// What is seen of a namespace by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub namespace: Namespace,
    pub clock: Condition,
}

impl Condition {
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.truth == Truth::True
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

/// Makes a reading part of what is seen.
///
/// A reading of another uid under the same name starts afresh: nothing of the former namespace is carried over. Of two
/// looks at the clock the later one counts, unless it lies in the future: then the clock was set back since.
#[must_use]
pub fn absorb(seen: Option<Observation>, reading: Reading, now: Timestamp) -> Observation {
    let Reading { namespace, clock } = reading;
    match seen {
        Some(seen)
            if seen.namespace.uid == namespace.uid
                && clock.observed_at < seen.clock.observed_at
                && seen.clock.observed_at <= now =>
        {
            // Two looks overtook each other. The facts come from the watch, whose order is the apiserver's, so they
            // are taken; what the clock said is kept from the later look.
            Observation { namespace, clock: seen.clock }
        }
        _ => {
            let clock = if clock.observed_at > now {
                Condition {
                    truth: Truth::Unknown,
                    reason: "the look at the clock lies in the future".to_owned(),
                    observed_at: now,
                }
            } else {
                clock
            };
            Observation { namespace, clock }
        }
    }
}
