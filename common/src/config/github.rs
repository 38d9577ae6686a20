//! How GitHub is asked what became of the workflow runs that made namespaces.

use lifecycle::{
    duration::{NonNegativeDuration, PositiveDuration},
    pipeline::CiSystem,
    policy::Invalid,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ci::{CiSettings, RawGone, Said},
    gitlab::{check_every, gone_confirm_after},
};

/// The GitHub whose workflow runs make namespaces: one that was cancelled, or is gone, takes its namespaces along. Which run
/// made a namespace say its labels `projectPath` (the repository, `owner.name`) and `pipelineId` (the id of the run).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGithub {
    /// Where its REST API is: `https://api.github.com`, or `https://HOST/api/v3`. Variable: `NSM__GITHUB__URL`.
    pub url: String,
    /// A file with an access token that may read the Actions and the metadata of each repository; read for each request.
    /// Default: none, and then the section is refused. Variable: `NSM__GITHUB__TOKEN_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// A file with the authorities, in PEM, that may have signed the certificate of GitHub. Default: none, those of the
    /// web. Variable: `NSM__GITHUB__CA_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Whether any certificate of GitHub will do, whatever `ca_file` says: whoever is on the way can then read the token,
    /// and cancel anything. Default: `false`. Variable: `NSM__GITHUB__INSECURE`.
    #[serde(default)]
    pub insecure: bool,
    /// How often is asked for each run that may go on; at least `1s`. For one that is over, but was not cancelled, is asked
    /// every half an hour. Default: `1m`. Variable: `NSM__GITHUB__CHECK_EVERY`.
    #[serde(default = "check_every")]
    pub check_every: PositiveDuration,
    /// How many requests each collector sends in a minute at most. What waits for that is asked later; GitHub
    /// takes 5,000 in an hour. Default: 60. Variable: `NSM__GITHUB__REQUESTS_PER_MINUTE`.
    #[serde(default = "requests_per_minute")]
    #[schemars(range(min = 1))]
    pub requests_per_minute: u32,
    /// When a run that is not found counts as gone. Default: `confirmed`. Variable: `NSM__GITHUB__GONE`.
    #[serde(default)]
    pub gone: RawGone,
    /// How far apart the two answers must lie by which a run counts as gone; may be `0s`. Default: `10m`. Variable:
    /// `NSM__GITHUB__GONE_CONFIRM_AFTER`.
    #[serde(default = "gone_confirm_after")]
    pub gone_confirm_after: NonNegativeDuration,
    /// A file with the secret that signs GitHub's webhooks, which are taken in by the API at `/hooks/github`; read for each
    /// of them. Default: none, and then none is taken in. Variable: `NSM__GITHUB__WEBHOOK_SECRET_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret_file: Option<String>,
}

impl RawGithub {
    /// Checks the section.
    ///
    /// # Errors
    /// What is wrong, everything at once.
    pub fn check(&self) -> Result<CiSettings, Vec<Invalid>> {
        let said = Said {
            system: CiSystem::Github,
            url: &self.url,
            token_file: self.token_file.as_ref(),
            ca_file: self.ca_file.as_ref(),
            insecure: self.insecure,
            check_every: self.check_every,
            requests_per_minute: self.requests_per_minute,
            gone: self.gone,
            gone_confirm_after: self.gone_confirm_after,
            webhook_secret_file: self.webhook_secret_file.as_ref(),
        };
        said.check()
    }
}

const fn requests_per_minute() -> u32 {
    60
}
