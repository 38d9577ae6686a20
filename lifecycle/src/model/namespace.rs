//! The metadata of a namespace that anything is decided on.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::termination::Termination;

/// Identifies one namespace for ever. Names come back; uids do not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Uid(String);

impl Uid {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one that an apiserver gives: a UUID in its usual form (RFC 9562 section 4).
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let is_right = |(place, byte): (usize, u8)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        self.0.len() == 36 && self.0.bytes().enumerate().all(is_right)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One namespace as the apiserver showed it, cut down to what policies and owner overrides can refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub uid: Uid,
    pub name: String,
    /// Opaque; compared for equality by the apiserver alone.
    pub resource_version: String,
    pub created: Timestamp,
    /// Set as soon as a deletion was accepted, by whomever.
    pub deleted: Option<Timestamp>,
    /// What it says of its end, where it is being deleted.
    pub ending: Option<Box<Termination>>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl Namespace {
    /// A label's value; an empty one counts as absent (docs/design/lifecycle.md section 1).
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// An annotation's value; an empty one counts as absent.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_a_uuid() {
        let is_well_formed = |text: &str| Uid::new(text).is_well_formed();
        assert!(is_well_formed("6a0b6d0e-7d0c-4c39-9a35-0f3c1f1c9d55"));
        for text in [
            "",
            "ci-1",
            "6a0b6d0e-7d0c-4c39-9a35-0f3c1f1c9d5",
            "6a0b6d0e-7d0c-4c39-9a35-0f3c1f1c9d555",
            "6a0b6d0e_7d0c-4c39-9a35-0f3c1f1c9d55",
            "ga0b6d0e-7d0c-4c39-9a35-0f3c1f1c9d55",
            "6a0b6d0e-7d0c-4c39-9a35-0f3c1f1c9dä",
        ] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
