//! One request, and every limit of it.

use std::time::Duration;

use common::{config::CiSettings, http_client::HttpClient};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Client, RequestBuilder, StatusCode, Url,
    header::{DATE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER},
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use crate::http::{LIMIT, body, client, late, token, why};

/// The largest body that is taken, counted as it comes. A project's is about 10 KiB.
const LARGEST: usize = 1024 * 1024;

/// How long a client is used: then a file of authorities that was exchanged comes into use.
const CLIENT_FOR: Duration = Duration::from_secs(60);

/// The longest that a server can ask to be left alone: a wrong answer must not silence us for ever.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The longest ETag that is kept, in bytes.
const MAX_ETAG_LENGTH: usize = 256;

/// How often more may be asked (GitHub: best practices for the REST API).
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

/// The client that requests share, and since when.
#[derive(Debug, Default)]
pub(super) struct CiClient(Mutex<Option<(Instant, Client)>>);

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    /// How long it wants to be left alone.
    pub(super) wait: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl CiClient {
    /// Asks, and returns the answer, or why there is none.
    pub(super) async fn get(
        &self,
        (name, settings): (&str, &CiSettings),
        web: &HttpClient,
        url: Url,
        etag: Option<&str>,
        prepare: impl Fn(RequestBuilder, &SecretString) -> RequestBuilder,
    ) -> Result<Got, String> {
        let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
        let conditions: HeaderMap = etag.map(|etag| (IF_NONE_MATCH, etag)).into_iter().collect();
        let network = async {
            let token = token(&settings.token_file).await?;
            let request = self.client(name, settings).await?.get(url.clone()).headers(conditions.clone());
            prepare(request, &token).send().await.map_err(|error| why(name, &error))
        };
        let fetch = async {
            let answer = web.get(&url, conditions.clone(), network).await?;
            let (status, headers) = (answer.status(), answer.headers());
            let etag = text(headers, ETAG.as_str()).filter(|etag| etag.len() <= MAX_ETAG_LENGTH).map(str::to_owned);
            let wait = wait(status, headers);
            Ok(Got { status, etag, wait, body: body(name, answer, LARGEST).await? })
        };
        tokio::time::timeout(LIMIT, fetch).await.unwrap_or_else(|_| Err(late(name)))
    }

    async fn client(&self, name: &str, settings: &CiSettings) -> Result<Client, String> {
        let mut kept = self.0.lock().await;
        if let Some((_, client)) = kept.as_ref().filter(|(since, _)| since.elapsed() < CLIENT_FOR) {
            return Ok(client.clone());
        }
        let client = client(name, &settings.url, &settings.trust, None).await?;
        *kept = Some((Instant::now(), client.clone()));
        Ok(client)
    }
}

impl Got {
    /// Whether the body is an object of JSON, as an API answers: a proxy or a login page says nothing of a pipeline.
    pub(super) fn is_object(&self) -> bool {
        serde_json::from_slice::<Value>(&self.body).is_ok_and(|body| body.is_object())
    }
}

/// How long the server wants to be left alone. Where it says until when, that is by its own clock.
fn wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let instant = |text: &str| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let now = text(headers, DATE.as_str()).and_then(instant);
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now?)).ok();
    let after = text(headers, RETRY_AFTER.as_str()).map(|text| match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => instant(text).and_then(until).unwrap_or(MAX_WAIT),
    });
    let reset = || {
        text(headers, REMAINING).filter(|remaining| *remaining == "0")?;
        let at = text(headers, RESET)?.parse().ok().and_then(|second| Timestamp::from_second(second).ok())?;
        until(at)
    };
    let is_refused = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN);
    let wait = after.or_else(|| reset().filter(|_| is_refused));
    let usual = (status == StatusCode::TOO_MANY_REQUESTS).then_some(Duration::from_secs(60));
    wait.or(usual).filter(|_| !status.is_success()).map(|wait| wait.min(MAX_WAIT))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    #[track_caller]
    fn check(status: u16, headers: &[(&'static str, &str)], seconds: Option<u64>) {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let found = wait(StatusCode::from_u16(status).unwrap(), &headers.collect());
        assert_eq!(found, seconds.map(Duration::from_secs));
    }

    #[test]
    fn who_asks_to_be_left_alone_is() {
        check(429, &[("retry-after", "30")], Some(30));
        check(503, &[("retry-after", "30")], Some(30));
        check(429, &[], Some(60));
        check(503, &[], None);
        check(200, &[("retry-after", "30")], None);
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        check(429, &[date, ("retry-after", "Wed, 21 Oct 2026 07:29:10 GMT")], Some(70));
    }

    #[test]
    fn nobody_is_left_alone_for_ever() {
        check(429, &[("retry-after", "99999999")], Some(3_600));
        check(429, &[("retry-after", "soon")], Some(3_600));
    }

    #[test]
    fn what_is_used_up_is_there_again_when_it_says() {
        let headers = [
            ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1792567780"),
        ];
        check(403, &headers, Some(100));
        check(429, &headers, Some(100));
        check(404, &headers, None);
        check(403, &[headers[0], ("x-ratelimit-remaining", "7"), headers[2]], None);
    }
}
