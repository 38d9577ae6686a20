//! The section `ci`, and what the sections of all CI systems share.

use std::{path::PathBuf, time::Duration};

use jiff::SignedDuration;
use lifecycle::{
    duration::{NonNegativeDuration, PositiveDuration},
    keys::DEFAULT_CI_PREFIX,
    pipeline::CiSystem,
    policy::Invalid,
};
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prometheus::{Trust, goes_into};

/// The least time between two questions about the same pipeline.
const LEAST_EVERY: PositiveDuration = PositiveDuration::from_secs(1);

/// The labels that CI systems write on namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCi {
    /// What begins each key: a DNS name and `/`. Default: `cicd.skao.int/`. Variable: `NSM__CI__PREFIX`.
    pub prefix: String,
}

/// How a CI system is asked what became of pipelines, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiSettings {
    /// `http` or `https`, without user, query and fragment; what begins the path of each request.
    pub url: Url,
    /// The file with the token that is sent with each request.
    pub token_file: PathBuf,
    pub trust: Trust,
    /// How often is asked for a pipeline that may go on.
    pub check_every: Duration,
    /// At least 1.
    pub requests_per_minute: u32,
    pub gone: Gone,
    /// The file with the secret by which its webhooks are known; `None`: none is taken in.
    pub webhook_secret_file: Option<PathBuf>,
}

/// When a pipeline that is not found counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// At once.
    Trusted,
    /// When it was not found twice, so far apart, while its project was, and it was seen under way shortly before.
    Confirmed { after: SignedDuration },
    /// Never.
    Ignored,
}

/// When a pipeline that is not found counts as gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawGone {
    /// When it was seen under way within the hour before, and was then less than a day old, and was not found twice,
    /// `gone_confirm_after` apart, while its project was found with the same token.
    #[default]
    Confirmed,
    /// At once, also where it was never seen. Not where it was over.
    Trusted,
    /// Never.
    Ignored,
}

/// The section of a CI system. They differ in what is said of each key, and in how many requests are sent in a minute.
macro_rules! ci_section {
    (
        $(#[$section:meta])* $name:ident, CiSystem::$system:ident;
        $(#[$url:meta])* url;
        $(#[$token_file:meta])* token_file;
        $(#[$ca_file:meta])* ca_file;
        $(#[$insecure:meta])* insecure;
        $(#[$check_every:meta])* check_every;
        $(#[$requests:meta])* requests_per_minute = $requests_per_minute:literal;
        $(#[$gone:meta])* gone;
        $(#[$gone_confirm_after:meta])* gone_confirm_after;
        $(#[$webhook_secret_file:meta])* webhook_secret_file;
    ) => {
        $(#[$section])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(#[$url])*
            pub url: String,
            $(#[$token_file])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub token_file: Option<String>,
            $(#[$ca_file])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub ca_file: Option<String>,
            $(#[$insecure])*
            #[serde(default)]
            pub insecure: bool,
            $(#[$check_every])*
            #[serde(default = "super::ci::check_every")]
            pub check_every: lifecycle::duration::PositiveDuration,
            $(#[$requests])*
            #[serde(default = "requests_per_minute")]
            #[schemars(range(min = 1))]
            pub requests_per_minute: u32,
            $(#[$gone])*
            #[serde(default)]
            pub gone: super::ci::RawGone,
            $(#[$gone_confirm_after])*
            #[serde(default = "super::ci::gone_confirm_after")]
            pub gone_confirm_after: lifecycle::duration::NonNegativeDuration,
            $(#[$webhook_secret_file])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub webhook_secret_file: Option<String>,
        }

        impl $name {
            /// Checks the section.
            ///
            /// # Errors
            /// What is wrong, everything at once.
            pub fn check(&self) -> Result<super::ci::CiSettings, Vec<lifecycle::policy::Invalid>> {
                let said = super::ci::Said {
                    system: lifecycle::pipeline::CiSystem::$system,
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
            $requests_per_minute
        }
    };
}

pub(super) use ci_section;

/// What the sections of all CI systems say.
pub(super) struct Said<'a> {
    pub(super) system: CiSystem,
    pub(super) url: &'a str,
    pub(super) token_file: Option<&'a String>,
    pub(super) ca_file: Option<&'a String>,
    pub(super) insecure: bool,
    pub(super) check_every: PositiveDuration,
    pub(super) requests_per_minute: u32,
    pub(super) gone: RawGone,
    pub(super) gone_confirm_after: NonNegativeDuration,
    pub(super) webhook_secret_file: Option<&'a String>,
}

impl Default for RawCi {
    fn default() -> Self {
        Self { prefix: DEFAULT_CI_PREFIX.to_owned() }
    }
}

impl Said<'_> {
    pub(super) fn check(&self) -> Result<CiSettings, Vec<Invalid>> {
        let section = self.system.as_str();
        let invalid = |key: &str, why: String| Invalid { key: format!("{section}.{key}"), why };
        let mut errors = Vec::new();
        let url = address(self.url, section).map_err(|why| errors.push(invalid("url", why)));
        let empty = |file: &Option<&String>| file.is_some_and(|file| file.trim().is_empty());
        let files = [
            ("token_file", self.token_file),
            ("ca_file", self.ca_file),
            ("webhook_secret_file", self.webhook_secret_file),
        ];
        let empty = files.into_iter().filter(|(_, file)| empty(file));
        errors.extend(empty.map(|(key, _)| invalid(key, "it is empty; write the path of a file".to_owned())));
        if self.token_file.is_none() {
            // Who is nobody sees the project and not its pipelines where that is how a public project is set.
            let why = "it is missing: without a token pipelines that are there may not be found".to_owned();
            errors.push(invalid("token_file", why));
        }
        if url.as_ref().is_ok_and(|url| url.scheme() == "http") {
            let needless = [("ca_file", self.ca_file.is_some()), ("insecure", self.insecure)];
            let why = "`http` shows no certificates; write `https` in `url`".to_owned();
            errors.extend(needless.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| invalid(key, why.clone())));
        }
        if self.check_every < LEAST_EVERY {
            let why = format!("`{}` is too often for a server that others need too; use at least 1s", self.check_every);
            errors.push(invalid("check_every", why));
        }
        if self.requests_per_minute == 0 {
            let why = "at least 1 is needed; to ask nothing, leave the section out".to_owned();
            errors.push(invalid("requests_per_minute", why));
        }
        match (url, self.token_file) {
            (Ok(url), Some(token_file)) if errors.is_empty() => Ok(CiSettings {
                url,
                token_file: PathBuf::from(token_file),
                trust: match self.ca_file {
                    _ if self.insecure => Trust::Anybody,
                    Some(file) => Trust::Authorities(PathBuf::from(file)),
                    None => Trust::Web,
                },
                check_every: self.check_every.get().unsigned_abs(),
                requests_per_minute: self.requests_per_minute,
                gone: match self.gone {
                    RawGone::Trusted => Gone::Trusted,
                    RawGone::Confirmed => Gone::Confirmed { after: self.gone_confirm_after.get() },
                    RawGone::Ignored => Gone::Ignored,
                },
                webhook_secret_file: self.webhook_secret_file.map(PathBuf::from),
            }),
            _ => Err(errors),
        }
    }
}

/// What is wrong with an address is said without repeating it: it may hold a token.
fn address(text: &str, section: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| format!("it is not an address; write for example `https://{section}.example.org`"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user; write `token_file` instead".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it goes on after its path; write it without `?` and `#`".to_owned());
    }
    if section == CiSystem::Gitlab.as_str() && goes_into(&url, "/api/v4") {
        return Err("it goes too far; leave out `/api/v4` and what follows".to_owned());
    }
    Ok(url)
}

pub(super) const fn check_every() -> PositiveDuration {
    PositiveDuration::from_secs(60)
}

pub(super) const fn gone_confirm_after() -> NonNegativeDuration {
    NonNegativeDuration::from_secs(10 * 60)
}
