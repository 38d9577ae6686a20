//! The facts of a namespace that anything is decided on.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One namespace as the apiserver showed it, cut down to what policies and wishes can refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub uid: Uid,
    pub name: String,
    /// Opaque; compared for equality by the apiserver alone.
    pub resource_version: String,
    pub created: Timestamp,
    /// Set as soon as a deletion was accepted, by whomever.
    pub deleted: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl Namespace {
    /// A label's value; an empty one counts as absent (lifecycle.md section 1).
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
