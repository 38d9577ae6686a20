//! Where the histories are kept, as it is configured.

use std::path::{Path, PathBuf};

use lifecycle::policy::Invalid;

use super::invalid;
use crate::{
    config::raw::RawStore,
    store::{Access, is_scheme},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// For [`crate::store`]. It may hold a password: it is shown to nobody.
    pub url: String,
    pub access: Access,
    /// Nobody said where it is kept.
    pub is_default: bool,
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

/// Which stores there are.
const KNOWN: &str = "write `sqlite:PATH` or `mongodb://HOST/DATABASE`";

/// `default` is where the store is kept unless it says otherwise.
pub(super) fn check(raw: &RawStore, default: Result<String, String>) -> Result<StoreSettings, Vec<Invalid>> {
    let url = raw.url.clone().map_or(default, Ok).map_err(|why| vec![invalid("store.url", why)])?;
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
        ("store.username_file", &raw.username_file),
        ("store.password_file", &raw.password_file),
        ("store.ca_file", &raw.ca_file),
    ];
    for (key, file) in files {
        match file {
            Some(path) if path.trim().is_empty() => {
                errors.push(invalid(key, "it is empty; write the path of a file, or leave it out"));
            }
            Some(_) if url.starts_with("sqlite:") => {
                errors
                    .push(invalid(key, "a store in a file needs none; name a server in `store.url`, or leave it out"));
            }
            Some(_) | None => {}
        }
    }
    if raw.username_file.is_some() && raw.password_file.is_none() {
        errors.push(invalid("store.username_file", "`store.password_file` is missing beside it"));
    }
    let path = |file: &Option<String>| file.as_ref().map(PathBuf::from);
    let access = Access {
        username_file: path(&raw.username_file),
        password_file: path(&raw.password_file),
        ca_file: path(&raw.ca_file),
    };
    let is_default = raw.url.is_none();
    if errors.is_empty() { Ok(StoreSettings { url, access, is_default }) } else { Err(errors) }
}
