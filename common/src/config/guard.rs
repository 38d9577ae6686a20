//! The section `guard`: what keeps deletions back in the apiserver.

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{fail, is_object_name};

/// What else keeps deletions back, in the apiserver itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawGuard {
    /// The ValidatingAdmissionPolicy that refuses every deletion of the workers. `nsm stop` puts it in force by a
    /// binding of the same name, and `nsm resume` takes that away. Default: none, a stop is in the store alone.
    /// Variable: `NSM__GUARD__STOP_POLICY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_policy: Option<String>,
    /// The ValidatingAdmissionPolicy that refuses what is not to be deleted. A worker deletes nothing before it saw
    /// that policy refuse the deletion of its own namespace (`POD_NAMESPACE`), tried without effect (`dryRun`) at its
    /// start and every 10 minutes. Default: none, nothing is tried. Variable: `NSM__GUARD__MARK_POLICY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark_policy: Option<String>,
}

/// What keeps deletions back in the apiserver itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSettings {
    /// The ValidatingAdmissionPolicy that a stop binds, and its binding's name.
    pub stop_policy: Option<String>,
    /// The ValidatingAdmissionPolicy that a worker wants to see at work before it deletes.
    pub mark_policy: Option<String>,
}

impl RawGuard {
    pub(super) fn check(&self) -> Result<GuardSettings, Vec<Invalid>> {
        let keys = [("guard.stop_policy", &self.stop_policy), ("guard.mark_policy", &self.mark_policy)];
        for (key, name) in keys {
            if let Some(name) = name.as_ref().filter(|name| !is_object_name(name)) {
                let why = format!("`{name}` is not the name of an object; write that of a ValidatingAdmissionPolicy");
                return fail(key, why);
            }
        }
        Ok(GuardSettings { stop_policy: self.stop_policy.clone(), mark_policy: self.mark_policy.clone() })
    }
}
