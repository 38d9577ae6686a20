//! How the queue is reached, as it is configured.

use std::{fmt, path::PathBuf};

use lifecycle::policy::Invalid;

use super::invalid;
use crate::config::raw::{DEFAULT_QUEUE_PREFIX, RawQueue};

/// The longest prefix of names at a broker; a name has at most 255 bytes (AMQP 0-9-1).
const LONGEST_PREFIX: usize = 100;

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

impl QueueSettings {
    /// A queue of which only the URL is told.
    #[must_use]
    pub fn at(url: &str) -> Self {
        let prefix = DEFAULT_QUEUE_PREFIX.to_owned();
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

pub(super) fn check(raw: &RawQueue) -> Result<QueueSettings, Vec<Invalid>> {
    let mut errors = Vec::new();
    if raw.url.trim().is_empty() {
        errors.push(invalid("queue.url", "it is empty; write `memory:`"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=LONGEST_PREFIX).contains(&raw.prefix.len()) || !raw.prefix.chars().all(plain) {
        let why = format!(
            "`{}` does not begin names; write at most {LONGEST_PREFIX} letters, digits, dashes and underscores",
            raw.prefix
        );
        errors.push(invalid("queue.prefix", why));
    }
    if raw.url.starts_with("amqps:") && raw.ca_file.is_none() {
        let why = "`amqps` needs the certificates of those that may have signed the broker's; the system's are in \
                   `/etc/ssl/certs/ca-certificates.crt` on most";
        errors.push(invalid("queue.ca_file", why));
    }
    let file = |key: &str, name: &Option<String>| {
        let empty = name.as_ref().is_some_and(|name| name.trim().is_empty());
        empty.then(|| invalid(&format!("queue.{key}"), "it is empty; write the path of a file"))
    };
    errors.extend(file("username_file", &raw.username_file));
    errors.extend(file("password_file", &raw.password_file));
    errors.extend(file("ca_file", &raw.ca_file));
    if !errors.is_empty() {
        return Err(errors);
    }
    let path = |name: &Option<String>| name.as_ref().map(PathBuf::from);
    Ok(QueueSettings {
        url: raw.url.clone(),
        prefix: raw.prefix.clone(),
        username_file: path(&raw.username_file),
        password_file: path(&raw.password_file),
        ca_file: path(&raw.ca_file),
    })
}
