//! The section `budget`: how many deletions are allowed.

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{fail, invalid};

/// How many deletions are allowed in 10 minutes: the larger of its two numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawBudget {
    /// A number of namespaces. Default: 20. Variable: `NSM__BUDGET__AT_LEAST`.
    pub at_least: u64,
    /// A share of all namespaces that are managed, from 0 to 1. Default: 0.25. Variable: `NSM__BUDGET__SHARE`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// How many of them may be deletions that were not announced in time, without an approval.
    pub unannounced: RawUnannounced,
}

/// How many deletions that were not announced in time are allowed in 10 minutes without an approval: the larger of its two
/// numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawUnannounced {
    /// A number of namespaces. Default: 10. Variable: `NSM__BUDGET__UNANNOUNCED__AT_LEAST`.
    pub at_least: u64,
    /// A share of all namespaces that are managed, from 0 to 1. Default: 0.1. Variable: `NSM__BUDGET__UNANNOUNCED__SHARE`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// How many of something are allowed: the larger of a number, and a share of the namespaces that are managed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    at_least: u64,
    /// From 0 to 1.
    share: f64,
}

// docs/design/protocol.md S6.
impl Default for RawBudget {
    fn default() -> Self {
        Self { at_least: 20, share: 0.25, unannounced: RawUnannounced::default() }
    }
}

// docs/design/protocol.md S7.
impl Default for RawUnannounced {
    fn default() -> Self {
        Self { at_least: 10, share: 0.1 }
    }
}

impl RawBudget {
    pub(super) fn check(&self) -> Result<RateLimit, Vec<Invalid>> {
        if self.at_least == 0 && self.share == 0.0 {
            let why = "both of its numbers are 0, so nothing would ever be deleted; say so with `mode: observe`";
            return Err(vec![invalid("budget", why)]);
        }
        limit("budget", self.at_least, self.share)
    }
}

impl RawUnannounced {
    pub(super) fn check(&self) -> Result<RateLimit, Vec<Invalid>> {
        limit("budget.unannounced", self.at_least, self.share)
    }
}

impl RateLimit {
    /// How many are allowed where so many are managed.
    #[must_use]
    pub fn limit(self, managed: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0 to 1 of a number of namespaces, rounded down"
        )]
        let share = (managed as f64 * self.share) as u64;
        share.max(self.at_least)
    }
}

fn limit(section: &str, at_least: u64, share: f64) -> Result<RateLimit, Vec<Invalid>> {
    if (0.0..=1.0).contains(&share) {
        Ok(RateLimit { at_least, share })
    } else {
        let why = format!("`{share}` is not a share; write a number from 0 to 1, such as `0.25` for a quarter");
        fail(&format!("{section}.share"), why)
    }
}
