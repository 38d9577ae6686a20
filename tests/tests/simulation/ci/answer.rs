//! How a CI system answers, whichever it is.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::{Request, Uri, header::IF_NONE_MATCH};
use lifecycle::pipeline::CiSystem;
use serde_json::json;

use super::Ci;

/// An answer of the API.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: String,
}

impl Ci {
    /// Answers a request; whether lists hold what they were not asked for, too.
    pub(crate) fn answer(&self, request: &Request<Vec<u8>>, lists_all: bool) -> Answer {
        let found = match self.system {
            CiSystem::Gitlab => self.find_of_gitlab(request.uri(), lists_all),
            CiSystem::Github => self.find_of_github(request.uri(), lists_all),
        };
        let Some(found) = found else { return Answer::missing() };
        let body = found.to_string();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        let is_known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
        let (status, body) = if is_known { (304, String::new()) } else { (200, body) };
        Answer { status, etag: Some(etag), body }
    }

    /// Whether this may be missing for a moment: once for each address.
    pub(crate) fn blinks(&mut self, uri: &Uri) -> bool {
        self.blinked.insert(uri.path().to_owned())
    }
}

impl Answer {
    /// There is nothing of this address.
    pub(crate) fn missing() -> Self {
        Self { status: 404, etag: None, body: json!({ "message": "404 Not found" }).to_string() }
    }
}

/// Whether it is the address of a project, or repository, alone.
pub(crate) fn is_project(path: &str) -> bool {
    let of_gitlab = path.strip_prefix("/api/v4/projects/").is_some_and(|rest| !rest.contains('/'));
    of_gitlab || path.strip_prefix("/repos/").is_some_and(|rest| rest.matches('/').count() == 1)
}

/// What an address asks for by this key.
pub(super) fn parameter(uri: &Uri, key: &str) -> Option<String> {
    let address = reqwest::Url::parse(&format!("http://ci.test{}", uri.path_and_query()?)).ok()?;
    address.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}
