//! The webhook: a POST of JSON, signed with a shared secret.

mod excerpt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::{
    config::WebhookSettings,
    http_client::{HttpClient, HttpResponse, RequestError},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{
    HeaderMap, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, DATE, RETRY_AFTER},
    request::Builder,
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use lifecycle::{
    Status,
    channel::{Delivery, Failure, FailureScope},
    event::Pair,
};
use serde::Serialize;
use sha2::Sha256;

/// Where the receiver finds the signature of the body alone: `sha256=` and its HMAC in hexadecimal.
pub(crate) const SIGNATURE: &str = "x-nsm-signature-256";

/// The headers of Standard Webhooks (specification 1.0.0): the message's id, the second in which this try was made, and
/// the signature of both and the body, so that nobody can send a message again later.
pub(crate) const ID: &str = "webhook-id";
pub(crate) const TIMESTAMP: &str = "webhook-timestamp";
pub(crate) const SIGNATURES: &str = "webhook-signature";

/// What a secret begins with that is written as Standard Webhooks say: the rest is the key in base64.
const ENCODED: &[u8] = b"whsec_";

/// What is posted. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// The version of this shape, 1.
    pub(crate) v: u32,
    /// The same for every try of one notice.
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) status: Status,
    /// The status whose deletion is announced.
    pub(crate) about: Status,
    pub(crate) reason: String,
    /// When the deletion falls due.
    pub(crate) deadline: Timestamp,
    /// Promised: not before this instant.
    pub(crate) not_before: Timestamp,
    /// The CI labels of the namespace, as they were at adoption.
    pub(crate) owner: Vec<Pair>,
    pub(crate) what_you_can_do: String,
}

/// Posts a message, once. `now` is the time that is signed.
pub(crate) async fn deliver(
    web: &HttpClient,
    webhook: &WebhookSettings,
    message: &Message,
    now: Timestamp,
) -> Delivery {
    let body = serde_json::to_vec(message).expect("plain data serializes");
    let (request, mut secrets) = match sign(&message.id, &body, webhook, now).await {
        Ok(signed) => signed,
        Err(why) => return failed(FailureScope::Channel, why),
    };
    match request.header(CONTENT_TYPE, "application/json").body(body) {
        Ok(request) => {
            secrets.extend(excerpt::secrets(&webhook.url));
            secrets.extend(web.proxy_to(request.uri()).map(excerpt::secrets).unwrap_or_default());
            judge(web.send(request).await, &secrets, now)
        }
        Err(error) => failed(FailureScope::Channel, error.to_string()),
    }
}

/// The request with its signatures, where there is a secret, and what of it nobody else may see. The file is read for each
/// message, so that it can be exchanged while we run.
async fn sign(
    id: &str,
    body: &[u8],
    webhook: &WebhookSettings,
    now: Timestamp,
) -> Result<(Builder, Vec<String>), String> {
    let second = now.as_second().to_string();
    let request = Request::post(&webhook.url).header(ID, id).header(TIMESTAMP, &second);
    let Some(path) = &webhook.secret_file else { return Ok((request, Vec::new())) };
    let place = path.display();
    let secret =
        tokio::fs::read(path).await.map_err(|error| format!("the secret in `{place}` cannot be read: {error}"))?;
    let secret = secret.trim_ascii();
    let key = match secret.strip_prefix(ENCODED) {
        None => secret.to_owned(),
        // The error would show some of it.
        Some(encoded) => BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| format!("the secret in `{place}` begins with `whsec_`, and the rest is no base64"))?,
    };
    let ours = hmac(secret, &[body]).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let standard = BASE64_STANDARD.encode(hmac(&key, &[id.as_bytes(), b".", second.as_bytes(), b".", body]));
    let request = request.header(SIGNATURE, format!("sha256={ours}")).header(SIGNATURES, format!("v1,{standard}"));
    // The key alone, too: a log that repeats it may leave out what it begins with.
    let of_file = String::from_utf8_lossy(secret.strip_prefix(ENCODED).unwrap_or(secret)).into_owned();
    Ok((request, vec![of_file, ours, standard]))
}

/// Whom a webhook goes to, without what may be secret in its path.
pub(crate) fn origin(webhook: &WebhookSettings) -> String {
    let uri = webhook.url.parse::<Uri>().unwrap_or_default();
    match (uri.scheme_str(), uri.host(), uri.port()) {
        (Some(scheme), Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(scheme), Some(host), None) => format!("{scheme}://{host}"),
        _ => "the webhook".to_owned(),
    }
}

/// What an answer says, and of what (docs/notices.md).
fn judge(answer: Result<HttpResponse, RequestError>, secrets: &[String], now: Timestamp) -> Delivery {
    let answer = match answer {
        Ok(answer) => answer,
        Err(RequestError { why, is_lasting: true }) => return failed(FailureScope::Channel, why),
        Err(RequestError { why, is_lasting: false }) => return failed(FailureScope::Attempt, why),
    };
    let status = answer.status;
    if status.is_success() {
        return Delivery::Accepted;
    }
    Delivery::Failed(Failure {
        scope: scope(status),
        why: format!("it answered {status}"),
        answer: excerpt::of(&answer.body, secrets),
        wait: wait(&answer.headers, now),
    })
}

/// What a status other than of a success says something about. One that nobody expects concerns every message alike.
const fn scope(status: StatusCode) -> FailureScope {
    match status.as_u16() {
        400 | 413 | 422 => FailureScope::Message,
        410 => FailureScope::Recipient,
        408 | 425 | 429 => FailureScope::Attempt,
        300..500 => FailureScope::Channel,
        _ => FailureScope::Attempt,
    }
}

/// How long the receiver wants to be left alone: in seconds, or until an instant by its own clock.
fn wait(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let instant = |text: &str| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let after = text(RETRY_AFTER)?;
    match after.parse::<u32>() {
        Ok(seconds) => Some(SignedDuration::from_secs(seconds.into())),
        Err(_) => Some(instant(after)?.duration_since(text(DATE).and_then(instant).unwrap_or(now))),
    }
}

fn failed(scope: FailureScope, why: String) -> Delivery {
    Delivery::Failed(Failure { scope, why, answer: None, wait: None })
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests;
