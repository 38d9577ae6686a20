//! The section `leadership`: how controllers agree on who leads.

use std::time::Duration;

use lifecycle::{duration::PositiveDuration, policy::Invalid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::invalid;

/// The bounds of a lease: a shorter one is lost to any hiccup, a longer one leaves the cluster alone for too long.
const LEASES: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(300));

/// The longest name of an installation: of the 63 characters of a Job's name, the rest is needed to tell Jobs apart.
const MAX_NAME_LENGTH: usize = 32;

/// How the controllers of a cluster agree on who leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLeadership {
    /// How long a leader that is not heard of stays the leader, from `3s` to `5m`, in whole seconds: after twice this
    /// time another leads. Default: `10s`. Takes hold at the next start. Variable: `NSM__LEADERSHIP__LEASE`.
    pub lease: PositiveDuration,
    /// What begins the names of the leases, and tells this installation from others in its namespace: at most 32 small
    /// letters, digits and dashes. Default: `namespace-manager`. Takes hold at the next start. Variable:
    /// `NSM__LEADERSHIP__NAME`.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadershipSettings {
    /// Whole seconds.
    pub lease: Duration,
    /// Begins the names of this installation's objects: a name by RFC 1123.
    pub name: String,
}

impl Default for RawLeadership {
    fn default() -> Self {
        Self { lease: PositiveDuration::from_secs(10), name: "namespace-manager".to_owned() }
    }
}

impl RawLeadership {
    pub(super) fn check(&self) -> Result<LeadershipSettings, Vec<Invalid>> {
        let lease = self.lease.get().unsigned_abs();
        let mut errors = Vec::new();
        if lease < LEASES.0 || lease > LEASES.1 || lease.subsec_nanos() != 0 {
            let why = format!("`{}` is not from `3s` to `5m` in whole seconds; write for example `10s`", self.lease);
            errors.push(invalid("leadership.lease", why));
        }
        let name = &self.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_name = (1..=MAX_NAME_LENGTH).contains(&name.len())
            && name.chars().all(|c| plain(c) || c == '-')
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.ends_with(plain);
        if !is_name {
            let why = format!(
                "`{name}` does not begin the name of an object; write at most {MAX_NAME_LENGTH} small letters, digits and dashes, with a letter at its begin and no dash at its end"
            );
            errors.push(invalid("leadership.name", why));
        }
        if errors.is_empty() { Ok(LeadershipSettings { lease, name: name.clone() }) } else { Err(errors) }
    }
}
