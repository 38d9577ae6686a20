//! The section `annotations`: what our keys begin with. What is wrong with them is found with the policies.

use lifecycle::keys::DEFAULT_PREFIX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The annotations written on namespaces, and read from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAnnotations {
    /// What begins each key: a DNS name and `/`. Default: `manager.cicd.skao.int/`. Variable:
    /// `NSM__ANNOTATIONS__PREFIX`.
    pub prefix: String,
    /// Prefixes used before, under which `protect` and `keep_until` are honoured still. Default: none. Variable:
    /// `NSM__ANNOTATIONS__FORMER_PREFIXES`.
    pub former_prefixes: Vec<String>,
}

impl Default for RawAnnotations {
    fn default() -> Self {
        Self { prefix: DEFAULT_PREFIX.to_owned(), former_prefixes: Vec::new() }
    }
}
