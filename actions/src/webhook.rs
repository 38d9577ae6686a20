//! The webhook: a POST of JSON, signed with a shared secret.

use std::{sync::LazyLock, time::Duration};

use common::config::WebhookSettings;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use lifecycle::{Status, entry::Pair};
use reqwest::{Client, StatusCode, redirect::Policy};
use serde::Serialize;
use sha2::Sha256;

/// How long one POST may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the receiver finds the signature: `sha256=` and the HMAC of the body in hexadecimal.
pub(crate) const SIGNATURE: &str = "x-nsm-signature-256";

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

/// What became of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// 2xx.
    Accepted,
    /// A no that another try would not change.
    Refused(String),
    /// It may have arrived, or may arrive next time.
    Unclear(String),
}

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    // A provider may be installed already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .user_agent("namespace-manager")
        .build()
        .expect("a client without certificates of its own can be built")
});

/// Posts a message, once.
pub(crate) async fn post(webhook: &WebhookSettings, message: &Message) -> Told {
    let body = serde_json::to_vec(message).expect("plain data serializes");
    let mut request = CLIENT.post(&webhook.url).header("content-type", "application/json");
    if let Some(path) = &webhook.secret_file {
        // Read for each notice, so that it can be exchanged while we run.
        match tokio::fs::read(path).await {
            Ok(secret) => request = request.header(SIGNATURE, sign(secret.trim_ascii(), &body)),
            Err(error) => return Told::Unclear(format!("cannot read the secret in `{}`: {error}", path.display())),
        }
    }
    match request.body(body).send().await {
        Ok(answer) => judge(answer.status()),
        // The address may hold a secret: it is left out of what is said.
        Err(error) => Told::Unclear(error.without_url().to_string()),
    }
}

/// Whom a webhook goes to, without what may be secret in its path.
pub(crate) fn origin(webhook: &WebhookSettings) -> String {
    let url = reqwest::Url::parse(&webhook.url).ok();
    url.map_or_else(|| "the webhook".to_owned(), |url| url.origin().ascii_serialization())
}

fn judge(status: StatusCode) -> Told {
    match status {
        status if status.is_success() => Told::Accepted,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Told::Unclear(format!("it answered {status}"))
        }
        status if status.is_client_error() || status.is_redirection() => Told::Refused(format!("it answered {status}")),
        status => Told::Unclear(format!("it answered {status}")),
    }
}

fn sign(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    digest.iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_rfc() {
        // RFC 4231, test case 2.
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(b"Jefe", b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn only_a_definite_no_ends_the_tries() {
        let refused = |code: u16| matches!(judge(StatusCode::from_u16(code).unwrap()), Told::Refused(_));
        let unclear = |code: u16| matches!(judge(StatusCode::from_u16(code).unwrap()), Told::Unclear(_));
        assert_eq!(judge(StatusCode::NO_CONTENT), Told::Accepted);
        assert!(refused(400) && refused(404) && refused(410) && refused(301));
        assert!(unclear(408) && unclear(429) && unclear(500) && unclear(503));
    }
}
