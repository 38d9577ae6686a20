//! What may name the owner of a namespace, and in which order it is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest value that is read, in bytes: a longer one counts as none, however it begins.
pub const MAX_TEXT_BYTES: usize = 4 * 1024;

/// What may name the owner of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnerSource)]
pub enum Source {
    /// The CI system's annotation `notificationAddress`: a name and an id of Slack.
    NotificationAddress,
    /// The CI system's annotation `authorEmail`.
    AuthorEmail,
    /// The CI system's label `author`.
    Author,
    /// The CI system's annotation `mrAssignees`: the first of them.
    MrAssignees,
    /// The CI system's label `team`.
    Team,
    /// The annotation in which admission names who made it.
    Creator,
}

/// Where owners are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// Each at most once; the first that can be read counts.
    pub order: Vec<Source>,
    /// The full key of the annotation that admission writes; `None`: it writes none.
    pub creator: Option<String>,
}

impl Source {
    /// In the order in which they are read unless something else is said.
    pub const ALL: [Self; 6] =
        [Self::NotificationAddress, Self::AuthorEmail, Self::Author, Self::MrAssignees, Self::Team, Self::Creator];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotificationAddress => "notificationAddress",
            Self::AuthorEmail => "authorEmail",
            Self::Author => "author",
            Self::MrAssignees => "mrAssignees",
            Self::Team => "team",
            Self::Creator => "creator",
        }
    }

    /// Whether it is a label, and no annotation.
    #[must_use]
    pub const fn is_label(self) -> bool {
        match self {
            Self::Author | Self::Team => true,
            Self::NotificationAddress | Self::AuthorEmail | Self::MrAssignees | Self::Creator => false,
        }
    }
}

impl Default for Owners {
    fn default() -> Self {
        Self { order: Source::ALL.to_vec(), creator: None }
    }
}

/// Cuts a value that is too long to be read, so that it takes no more memory than one that can be; it stays too long.
pub(crate) fn cut(value: &mut String) {
    if value.len() > MAX_TEXT_BYTES {
        value.truncate(value.ceil_char_boundary(MAX_TEXT_BYTES + 1));
        value.shrink_to_fit();
    }
}
