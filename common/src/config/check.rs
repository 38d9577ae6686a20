//! What the checks of several sections share.

use std::net::SocketAddr;

use lifecycle::policy::Invalid;

/// Goes on after an error, so that one run shows them all.
pub(super) trait Take {
    fn take<T>(&mut self, result: Result<T, Vec<Invalid>>) -> Option<T>;
}

impl Take for Vec<Invalid> {
    fn take<T>(&mut self, result: Result<T, Vec<Invalid>>) -> Option<T> {
        result.map_err(|found| self.extend(found)).ok()
    }
}

pub(super) fn invalid(key: &str, why: impl Into<String>) -> Invalid {
    Invalid { key: key.to_owned(), why: why.into() }
}

pub(super) fn fail<T>(key: &str, why: String) -> Result<T, Vec<Invalid>> {
    Err(vec![invalid(key, why)])
}

/// The address that is listened on, under its key.
pub(super) fn listen(key: &str, text: Option<&str>) -> Result<Option<SocketAddr>, Vec<Invalid>> {
    match text.map(|text| (text, text.parse())) {
        None => Ok(None),
        Some((_, Ok(address))) => Ok(Some(address)),
        Some((text, Err(_))) => {
            fail(key, format!("`{text}` is not an address with a port; write for example `127.0.0.1:9180`"))
        }
    }
}

/// Whether a text is a DNS subdomain name (RFC 1123), as objects of the cluster have.
pub(super) fn is_object_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(inner) && label.ends_with(inner) && label.chars().all(|c| inner(c) || c == '-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}
