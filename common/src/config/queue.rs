//! The section `queue`: how the roles wake each other.

use std::{fmt, path::PathBuf};

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::invalid;

/// What the names at a broker begin with unless something else is said.
const DEFAULT_PREFIX: &str = "nsm";

/// The longest prefix of names at a broker; a name has at most 255 bytes (AMQP 0-9-1).
const MAX_PREFIX_LENGTH: usize = 100;

/// How the roles wake each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQueue {
    /// `memory:`, within one process, or a broker's `amqp://HOST:PORT/VHOST` or `amqps://…` (RabbitMQ). Default:
    /// `memory:`. Takes hold at the next start. Variable: `NSM__QUEUE__URL`.
    pub url: String,
    /// What the names of all exchanges and queues at the broker begin with: letters, digits, dashes, underscores.
    /// Default: `nsm`. Takes hold at the next start. Variable: `NSM__QUEUE__PREFIX`.
    pub prefix: String,
    /// A file with the user's name at the broker; read again for each connection, as the other two. Default: none, so
    /// that the URL's counts. Takes hold at the next start. Variable: `NSM__QUEUE__USERNAME_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_file: Option<String>,
    /// A file with the user's password. Default: none. Takes hold at the next start. Variable:
    /// `NSM__QUEUE__PASSWORD_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file with the certificates, in PEM, of those that may have signed the broker's. `amqps://…` needs it; the
    /// system's are in `/etc/ssl/certs/ca-certificates.crt` on most. Default: none. Takes hold at the next start.
    /// Variable: `NSM__QUEUE__CA_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// For [`crate::queue`].
#[derive(Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// May hold a password.
    pub url: String,
    /// Begins every name at the broker.
    pub prefix: String,
    pub username_file: Option<PathBuf>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

impl Default for RawQueue {
    fn default() -> Self {
        Self {
            url: "memory:".to_owned(),
            prefix: DEFAULT_PREFIX.to_owned(),
            username_file: None,
            password_file: None,
            ca_file: None,
        }
    }
}

impl RawQueue {
    pub(super) fn check(&self) -> Result<QueueSettings, Vec<Invalid>> {
        let mut errors = Vec::new();
        if self.url.trim().is_empty() {
            errors.push(invalid("queue.url", "it is empty; write `memory:`"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !(1..=MAX_PREFIX_LENGTH).contains(&self.prefix.len()) || !self.prefix.chars().all(plain) {
            let why = format!(
                "`{}` does not begin names; write at most {MAX_PREFIX_LENGTH} letters, digits, dashes and underscores",
                self.prefix
            );
            errors.push(invalid("queue.prefix", why));
        }
        if self.url.starts_with("amqps:") && self.ca_file.is_none() {
            let why = "`amqps` needs the certificates of those that may have signed the broker's; the system's are in \
                   `/etc/ssl/certs/ca-certificates.crt` on most";
            errors.push(invalid("queue.ca_file", why));
        }
        let file = |key: &str, name: &Option<String>| {
            let empty = name.as_ref().is_some_and(|name| name.trim().is_empty());
            empty.then(|| invalid(&format!("queue.{key}"), "it is empty; write the path of a file"))
        };
        errors.extend(file("username_file", &self.username_file));
        errors.extend(file("password_file", &self.password_file));
        errors.extend(file("ca_file", &self.ca_file));
        if !errors.is_empty() {
            return Err(errors);
        }
        let path = |name: &Option<String>| name.as_ref().map(PathBuf::from);
        Ok(QueueSettings {
            url: self.url.clone(),
            prefix: self.prefix.clone(),
            username_file: path(&self.username_file),
            password_file: path(&self.password_file),
            ca_file: path(&self.ca_file),
        })
    }
}

impl QueueSettings {
    /// A queue of which only the URL is told.
    #[must_use]
    pub fn at(url: &str) -> Self {
        let prefix = DEFAULT_PREFIX.to_owned();
        Self { url: url.to_owned(), prefix, username_file: None, password_file: None, ca_file: None }
    }

    /// Whether anything but the URL differs.
    pub(super) fn is_reached_otherwise(&self, newer: &Self) -> bool {
        let Self { url, .. } = self.clone();
        *self != Self { url, ..newer.clone() }
    }
}

impl fmt::Debug for QueueSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
