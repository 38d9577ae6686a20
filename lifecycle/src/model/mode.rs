//! Whether deletions are carried out, or only recorded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether deletions are carried out or only recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Judge, annotate and record what would have been done; delete nothing.
    #[default]
    Observe,
    /// Act.
    Enforce,
}
