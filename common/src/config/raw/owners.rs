//! The section `owners`, as it is written.

use lifecycle::ownership::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the owner of a namespace is found, for people to know whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawOwners {
    /// What names the owner: the first of these that is on the namespace and can be read. Default: `notificationAddress`,
    /// `authorEmail`, `author`, `mrAssignees`, `team`, `creator`. Variable: `NSM__OWNERS__ORDER`.
    pub order: Vec<Source>,
    /// The annotation in which an admission policy or webhook of yours names who made the namespace, with its prefix:
    /// what is found by `creator`. Default: none. Variable: `NSM__OWNERS__CREATOR_ANNOTATION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator_annotation: Option<String>,
}

impl Default for RawOwners {
    fn default() -> Self {
        Self { order: Source::ALL.to_vec(), creator_annotation: None }
    }
}
