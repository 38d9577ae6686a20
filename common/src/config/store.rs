//! The section `store`: where the histories are kept.

use std::path::{Path, PathBuf};

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::invalid;
use crate::store::{Access, is_scheme};

/// Which stores there are.
const KNOWN: &str = "write `sqlite:PATH` or `mongodb://HOST/DATABASE`";

/// Where the histories of all namespaces are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    /// `sqlite:` and the path of a file, for one machine, or `mongodb://HOST:PORT/DATABASE?tls=true` (also
    /// `mongodb+srv://…`) for many. Consistency and deadlines are the program's, whatever the URL says of them.
    /// Default: `sqlite:$XDG_STATE_HOME/namespace-manager/nsm-CONTEXT.db`, by the context of the kubeconfig (`nsm.db` where
    /// there is none), under `~/.local/state` where `XDG_STATE_HOME` is not set. Takes hold at the next start. Variable: `NSM__STORE__URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file with the name of the server's user. When it changes, as the two others, it is taken in while running.
    /// Users are looked up in `admin` unless the URL says `authSource=…`. Default: none, the URL's. Variable:
    /// `NSM__STORE__USERNAME_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_file: Option<String>,
    /// A file with the user's password. Default: none, the URL's. Variable: `NSM__STORE__PASSWORD_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file with the authorities, in PEM, that may have signed the server's certificate; with it the connection is
    /// always by TLS. Default: none, those of the web. Variable: `NSM__STORE__CA_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// For [`crate::store`]. It may hold a password: it is shown to nobody.
    pub url: String,
    pub access: Access,
    /// Nobody said where it is kept.
    pub is_default: bool,
}

impl RawStore {
    /// `default` is where the store is kept unless it says otherwise.
    pub(super) fn check(&self, default: Result<String, String>) -> Result<StoreSettings, Vec<Invalid>> {
        let url = self.url.clone().map_or(default, Ok).map_err(|why| vec![invalid("store.url", why)])?;
        let mut errors = Vec::new();
        if url.trim().is_empty() {
            errors.push(invalid("store.url", "it is empty; write for example `sqlite:/var/lib/nsm/nsm.db`"));
        }
        match url.split_once(':') {
            _ if url.trim().is_empty() => {}
            Some(("sqlite" | "mongodb" | "mongodb+srv", rest)) if !rest.is_empty() => {}
            Some(("sqlite", _)) => errors.push(invalid("store.url", format!("it names no file; {KNOWN}"))),
            Some((scheme, _)) if is_scheme(scheme) => {
                errors.push(invalid("store.url", format!("no store has the scheme `{scheme}`; {KNOWN}")));
            }
            // It may hold a password, so it is not repeated.
            Some(_) | None => errors.push(invalid("store.url", format!("it has no scheme; {KNOWN}"))),
        }
        let files = [
            ("store.username_file", &self.username_file),
            ("store.password_file", &self.password_file),
            ("store.ca_file", &self.ca_file),
        ];
        for (key, file) in files {
            match file {
                Some(path) if path.trim().is_empty() => {
                    errors.push(invalid(key, "it is empty; write the path of a file, or leave it out"));
                }
                Some(_) if url.starts_with("sqlite:") => {
                    errors.push(invalid(
                        key,
                        "a store in a file needs none; name a server in `store.url`, or leave it out",
                    ));
                }
                Some(_) | None => {}
            }
        }
        if self.username_file.is_some() && self.password_file.is_none() {
            errors.push(invalid("store.username_file", "`store.password_file` is missing beside it"));
        }
        let path = |file: &Option<String>| file.as_ref().map(PathBuf::from);
        let access = Access {
            username_file: path(&self.username_file),
            password_file: path(&self.password_file),
            ca_file: path(&self.ca_file),
        };
        let is_default = self.url.is_none();
        if errors.is_empty() { Ok(StoreSettings { url, access, is_default }) } else { Err(errors) }
    }
}

impl StoreSettings {
    /// The store's file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").map(Path::new)
    }

    /// The URL as it may be shown: of a server's, which may hold a password, no more than its kind.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.url.split_once(':') {
            Some(("sqlite", _)) | None => self.url.clone(),
            Some((scheme, _)) => format!("{scheme}:…"),
        }
    }
}
