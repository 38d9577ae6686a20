//! The API of an installation, asked over HTTP.

use std::{fs, path::Path, time::Duration};

use api::{
    Approved, Because, Refusal,
    queries::{controls::StopState, history, listing::Listing, why::Why},
};
use common::{
    proxies::Proxies,
    status::{Overview, WorkerLine},
};
use reqwest::{
    Certificate, Client, Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::failure::{Code, Failure};

/// How long it may take to reach the API.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(70);

/// Timeout of a stop. It is answered once every deletion is fenced or given up, and the caller waits for it.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer that is read, in bytes: a page of the longest entries.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The API, and who asks it.
#[derive(Debug)]
pub(crate) struct ApiClient {
    /// Without a slash at its end.
    address: String,
    client: Client,
    /// The whole header, declared sensitive.
    token: Option<HeaderValue>,
}

impl ApiClient {
    pub(crate) fn new(address: &str, token_file: Option<&Path>, authority: Option<&Path>) -> Result<Self, Failure> {
        if !["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)) {
            let text = format!("`{address}` is not the address of an API; write for example `https://nsm.example.org`");
            return Err(Failure::new(Code::Usage, text));
        }
        // A provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(Policy::none())
            .proxy(Proxies::system().for_clients())
            .user_agent("nsm");
        if let Some(path) = authority {
            let unusable = |why: String| unusable("authority", path, &why);
            let pem = fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let all = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
            client = client.tls_certs_only(all);
        }
        let client = client.build().map_err(|error| Failure::new(Code::Failed, said(&error)))?;
        let token = token_file.map(bearer).transpose()?;
        Ok(Self { address: address.trim_end_matches('/').to_owned(), client, token })
    }

    /// Every namespace asked for, and what stands for all of them.
    pub(crate) async fn namespaces(&self, all: bool) -> Result<Listing, Failure> {
        let mut listing: Option<Listing> = None;
        loop {
            let after = listing.as_ref().and_then(|so_far| so_far.next.as_deref());
            let after = after.map_or(String::new(), |after| format!("&after={}", encoded(after)));
            let page: Listing = self.get(&format!("/api/v1/namespaces?all={all}{after}")).await?;
            let is_last = page.next.is_none();
            listing = Some(match listing {
                None => page,
                Some(mut so_far) => {
                    so_far.items.extend(page.items);
                    Listing { items: so_far.items, ..page }
                }
            });
            if let Some(listing) = listing.take_if(|_| is_last) {
                return Ok(listing);
            }
        }
    }

    pub(crate) async fn why(&self, name_or_uid: &str) -> Result<Why, Failure> {
        self.get(&format!("/api/v1/namespaces/{}", encoded(name_or_uid))).await
    }

    pub(crate) async fn history(&self, name_or_uid: &str, after: u64) -> Result<history::Page, Failure> {
        self.get(&format!("/api/v1/namespaces/{}/history?after={after}", encoded(name_or_uid))).await
    }

    pub(crate) async fn status(&self) -> Result<Overview, Failure> {
        self.get("/api/v1/status").await
    }

    pub(crate) async fn workers(&self) -> Result<Vec<WorkerLine>, Failure> {
        self.get("/api/v1/workers").await
    }

    pub(crate) async fn stop(&self, reason: Option<String>) -> Result<StopState, Failure> {
        let stopped = timeout(STOP_TIMEOUT, self.post("/api/v1/stop", &Because { reason })).await;
        stopped.unwrap_or_else(|_| {
            let (address, seconds) = (&self.address, STOP_TIMEOUT.as_secs());
            let text =
                format!("the API at `{address}` did not answer within {seconds} s; nothing is known to be stopped");
            Err(Failure::new(Code::OutOfReach, text))
        })
    }

    pub(crate) async fn resume(&self, reason: Option<String>) -> Result<StopState, Failure> {
        self.post("/api/v1/resume", &Because { reason }).await
    }

    pub(crate) async fn approve(&self, approved: &Approved) -> Result<StopState, Failure> {
        self.post("/api/v1/approve", approved).await
    }

    async fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, Failure> {
        self.ask(Method::GET, route, None).await
    }

    async fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(anyhow::Error::from)?;
        self.ask(Method::POST, route, Some(body)).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, route: &str, body: Option<Vec<u8>>) -> Result<T, Failure> {
        let out_of_reach = |error: reqwest::Error| {
            let text = format!("cannot ask the API at `{}`: {}", self.address, said(&error.without_url()));
            Failure::new(Code::OutOfReach, text)
        };
        let mut request = self.client.request(method, format!("{}{route}", self.address));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(out_of_reach)?;
        let status = response.status();
        let answer = whole(response).await.map_err(out_of_reach)?;
        if !status.is_success() {
            return Err(self.refused(status, &answer));
        }
        serde_json::from_slice(&answer).map_err(|error| {
            let text = format!("the API at `{}` gave an answer that this version cannot read: {error}", self.address);
            Failure::new(Code::Failed, text)
        })
    }

    /// What an answer says that is not what was asked for.
    fn refused(&self, status: StatusCode, answer: &[u8]) -> Failure {
        let Ok(Refusal { error }) = serde_json::from_slice(answer) else {
            let text = format!("what is at `{}` answered {status}, and is no API of this program", self.address);
            return Failure::new(Code::Failed, text);
        };
        let (what, why, mend) = (error.what, error.why, error.mend);
        match status {
            // Said as beside the store.
            StatusCode::NOT_FOUND => Failure::new(Code::NotFound, why),
            StatusCode::BAD_REQUEST => Failure::new(Code::Usage, format!("{what}: {why}")),
            StatusCode::UNAUTHORIZED => {
                Failure::new(Code::Refused, format!("{what}: {why}; name a file with a token (`--token-file`): {mend}"))
            }
            StatusCode::FORBIDDEN => Failure::new(Code::Refused, format!("{what}: {why}; {mend}")),
            StatusCode::SERVICE_UNAVAILABLE => Failure::new(Code::OutOfReach, format!("{what}: {why}; {mend}")),
            _ => Failure::new(Code::Failed, format!("{what}: {why}; {mend}")),
        }
    }
}

/// Reads the header that says who asks.
fn bearer(path: &Path) -> Result<HeaderValue, Failure> {
    let token = fs::read_to_string(path).map_err(|error| unusable("token", path, &error.to_string()))?;
    let header = HeaderValue::try_from(format!("Bearer {}", token.trim()));
    let mut header = header.map_err(|_| unusable("token", path, "it is not one line of ASCII"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn unusable(what: &str, path: &Path, why: &str) -> Failure {
    Failure::new(Code::Failed, format!("cannot use the {what} in `{}`: {why}", path.display()))
}

async fn whole(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        // What is too long is cut, and so cannot be read.
        if answer.len() + chunk.len() > MAX_ANSWER {
            break;
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// An error with its causes.
fn said(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A text as a part of an address (RFC 3986 section 2.3).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_an_address() {
        assert_eq!(encoded("ci-4.2_~"), "ci-4.2_~");
        assert_eq!(encoded("../a?b=c&d#é"), "..%2Fa%3Fb%3Dc%26d%23%C3%A9");
    }
}
