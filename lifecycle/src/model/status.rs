//! The status of a namespace, and which may follow which.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the judgement of a namespace says (docs/design/lifecycle.md section 4). The names are a contract with users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Unknown,
    Ok,
    Unstable,
    Failing,
    Failed,
    Stale,
    Cancelled,
    Superseded,
}

impl Status {
    /// Whether it leads to a deletion that the time to live does not set.
    pub(crate) const fn has_end_of_its_own(self) -> bool {
        match self {
            Self::Failed | Self::Cancelled | Self::Superseded => true,
            Self::Unknown | Self::Ok | Self::Unstable | Self::Failing | Self::Stale => false,
        }
    }

    /// Every status, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Ok,
        Self::Unstable,
        Self::Failing,
        Self::Failed,
        Self::Stale,
        Self::Cancelled,
        Self::Superseded,
    ];

    /// The word users see, as in annotations and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Unstable => "unstable",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::Stale => "stale",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }

    /// The value of the gauge `namespace_manager_ns_status` (docs/design/lifecycle.md section 7).
    #[must_use]
    pub const fn gauge(self) -> i64 {
        match self {
            Self::Unknown => -1,
            Self::Ok => 0,
            Self::Stale => 1,
            Self::Failing => 2,
            Self::Failed => 3,
            Self::Unstable => 4,
            Self::Cancelled => 5,
            Self::Superseded => 6,
        }
    }

    /// The statuses that may follow this one (docs/design/lifecycle.md section 4, "Edges").
    #[must_use]
    pub const fn followers(self) -> &'static [Self] {
        use Status::{Cancelled, Failed, Failing, Ok, Stale, Superseded, Unknown, Unstable};
        match self {
            Unknown => &[Ok, Unstable, Stale, Cancelled, Superseded],
            Ok => &[Unstable, Stale, Cancelled, Superseded],
            Unstable => &[Ok, Failing, Stale, Cancelled, Superseded],
            Failing => &[Ok, Failed, Stale, Cancelled, Superseded],
            Failed => &[Ok, Stale, Cancelled, Superseded],
            Stale => &[Unknown],
            Cancelled | Superseded => &[Unknown, Stale],
        }
    }

    /// Whether the machine has an edge from `self` to `to`.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        self.followers().contains(&to)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_itself() {
        for status in Status::ALL {
            assert!(!status.may_become(status), "{status}");
        }
    }

    #[test]
    fn words_on_the_wire_are_the_words_people_see() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn the_gauge_shows_what_it_always_showed() {
        let shown: Vec<_> = Status::ALL.into_iter().map(|status| format!("{status} {}", status.gauge())).collect();
        assert_eq!(
            shown.join(", "),
            "unknown -1, ok 0, unstable 4, failing 2, failed 3, stale 1, cancelled 5, superseded 6"
        );
    }
}
