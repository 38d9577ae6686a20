//! The section `admin`: where each process tells of itself.

use std::net::SocketAddr;

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::listen;

/// Health and metrics of each process in a cluster: `/livez`, `/readyz`, `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAdmin {
    /// The address and port to listen on, such as `0.0.0.0:9181`. Default: none, nobody listens. Takes hold at the
    /// next start. Variable: `NSM__ADMIN__LISTEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSettings {
    pub listen: Option<SocketAddr>,
}

impl RawAdmin {
    pub(super) fn check(&self) -> Result<AdminSettings, Vec<Invalid>> {
        Ok(AdminSettings { listen: listen("admin.listen", self.listen.as_deref())? })
    }
}
