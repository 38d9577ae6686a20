//! The section `notices`: how owners are told.

use std::path::PathBuf;

use lifecycle::{
    duration::PositiveDuration,
    policy::{self, Invalid, OnUndeliverable, Undeliverable},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::fail;

/// How owners are told what is about to happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawNotices {
    /// A POST of JSON for every notice. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<RawWebhook>,
    /// How long a notice is tried that does not arrive, while its deletion waits. Default: `1h`. Variable:
    /// `NSM__NOTICES__UNDELIVERABLE_AFTER`.
    pub undeliverable_after: PositiveDuration,
    /// What follows then, and where the receiver refuses a notice for good: `proceed` deletes the namespace as one whose
    /// deletion nobody could foresee, so that `budget.unannounced` limits it; `wait` goes on trying, and deletes nothing before the
    /// notice was delivered. Default: `proceed`. Variable: `NSM__NOTICES__ON_UNDELIVERABLE`.
    pub on_undeliverable: OnUndeliverable,
}

/// A POST of JSON for every notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWebhook {
    /// Where to: `https://…` or `http://…`. Variable: `NSM__NOTICES__WEBHOOK__URL`.
    pub url: String,
    /// A file with the secret that signs each message; read again for each notice. One that begins with `whsec_` is
    /// decoded as Standard Webhooks say. Default: none, so that nothing is signed. Variable: `NSM__NOTICES__WEBHOOK__SECRET_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
}

/// The channels by which owners are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeSettings {
    pub webhook: Option<WebhookSettings>,
}

/// One channel, as what is known of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// As histories name it.
    pub name: &'static str,
    /// Tells its address from every other, without what may be secret in it.
    pub address: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Absolute, `http` or `https`.
    pub url: String,
    /// The file of the secret that signs each body.
    pub secret_file: Option<PathBuf>,
}

impl Default for RawNotices {
    fn default() -> Self {
        let on_undeliverable = OnUndeliverable::Proceed;
        Self { webhook: None, undeliverable_after: PositiveDuration::from_secs(3_600), on_undeliverable }
    }
}

impl RawNotices {
    /// What follows where a notice does not arrive.
    pub(super) const fn undeliverable(&self) -> Undeliverable {
        Undeliverable { after: self.undeliverable_after.get(), then: self.on_undeliverable }
    }

    pub(super) fn check(&self) -> Result<NoticeSettings, Vec<Invalid>> {
        let Some(webhook) = &self.webhook else {
            return Ok(NoticeSettings::default());
        };
        let absolute = webhook.url.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
        });
        if !absolute {
            // The address may hold a secret, so it is not repeated.
            let why = "it is not an address; write for example `https://example.org/hooks/namespaces`".to_owned();
            return fail("notices.webhook.url", why);
        }
        let secret_file = webhook.secret_file.as_ref().map(PathBuf::from);
        Ok(NoticeSettings { webhook: Some(WebhookSettings { url: webhook.url.clone(), secret_file }) })
    }
}

impl NoticeSettings {
    /// CronInterval channel that is configured.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelSettings> {
        self.webhook.iter().map(WebhookSettings::channel).collect()
    }
}

impl WebhookSettings {
    /// This channel.
    #[must_use]
    pub fn channel(&self) -> ChannelSettings {
        ChannelSettings { name: "webhook", address: policy::hash(&self.url) }
    }
}
