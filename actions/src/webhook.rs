//! The webhook: a POST of JSON, signed with a shared secret.

use common::{config::WebhookSettings, web::Web};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, StatusCode, Uri, header};
use jiff::Timestamp;
use lifecycle::{Status, entry::Pair};
use serde::Serialize;
use sha2::Sha256;

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

/// Posts a message, once.
pub(crate) async fn post(web: &Web, webhook: &WebhookSettings, message: &Message) -> Told {
    let body = serde_json::to_vec(message).expect("plain data serializes");
    let mut request = Request::post(&webhook.url).header(header::CONTENT_TYPE, "application/json");
    if let Some(path) = &webhook.secret_file {
        // Read for each notice, so that it can be exchanged while we run.
        match tokio::fs::read(path).await {
            Ok(secret) => request = request.header(SIGNATURE, sign(secret.trim_ascii(), &body)),
            Err(error) => return Told::Unclear(format!("cannot read the secret in `{}`: {error}", path.display())),
        }
    }
    match request.body(body) {
        Ok(request) => web.send(request).await.map_or_else(Told::Unclear, judge),
        Err(error) => Told::Refused(error.to_string()),
    }
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
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use common::web::TIMEOUT;

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

    /// What a receiver does with a request.
    #[derive(Clone, Copy)]
    enum Does {
        Answers(&'static str),
        /// Takes the request and says nothing.
        Stalls,
        /// Takes the request and hangs up.
        Cuts,
    }

    /// Posts to a real receiver on loopback. Returns what became of it, and the request the receiver saw.
    async fn posted(does: Does, secret: Option<&str>) -> (Told, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let secret_file = secret.map(|secret| {
            let path = directory.path().join("secret");
            std::fs::write(&path, secret).unwrap();
            path
        });
        let url = format!("http://{}/hook?token=t0p", listener.local_addr().unwrap());
        let receive = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !whole(&seen) {
                assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the request broke off");
            }
            match does {
                Does::Answers(status) => {
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /x\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                Does::Stalls => std::future::pending().await,
                Does::Cuts => drop(stream),
            }
            String::from_utf8(seen).unwrap()
        };
        let settings = WebhookSettings { url, secret_file };
        let message = message();
        let (mut told, mut seen) = (None, None);
        let web = Web::system();
        let (post, receive) = (post(&web, &settings, &message), receive);
        tokio::pin!(post, receive);
        // A receiver that stalls never ends, so the post alone is waited for.
        while told.is_none() || (seen.is_none() && !matches!(does, Does::Stalls)) {
            tokio::select! {
                outcome = &mut post, if told.is_none() => told = Some(outcome),
                request = &mut receive, if seen.is_none() => seen = Some(request),
            }
        }
        (told.unwrap(), seen.unwrap_or_default())
    }

    /// Whether the body is as long as the header says.
    fn whole(seen: &[u8]) -> bool {
        let text = String::from_utf8_lossy(seen);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        body.len() >= length.parse().unwrap()
    }

    fn message() -> Message {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        Message {
            v: 1,
            id: "u:3".into(),
            kind: "deletion-announced".into(),
            namespace: "ci-1".into(),
            uid: "u".into(),
            status: Status::Ok,
            about: Status::Stale,
            reason: "its time to live ends".into(),
            deadline: at,
            not_before: at,
            owner: vec![Pair { k: "team".into(), v: "blue".into() }],
            what_you_can_do: "keep it".into(),
        }
    }

    #[tokio::test]
    async fn the_body_is_signed_with_the_secret_as_it_stands_in_the_file() {
        let (told, seen) = posted(Does::Answers("204 No Content"), Some("s3cret\n")).await;
        assert_eq!(told, Told::Accepted);
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("{SIGNATURE}: {}", sign(b"s3cret", body.as_bytes()))), "{head}");
        let expected = r#"{"v":1,"id":"u:3","kind":"deletion-announced","namespace":"ci-1","uid":"u","status":"ok","about":"stale","reason":"its time to live ends","deadline":"2027-01-15T08:00:00Z","not_before":"2027-01-15T08:00:00Z","owner":[{"k":"team","v":"blue"}],"what_you_can_do":"keep it"}"#;
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn without_a_secret_nothing_is_signed() {
        let (_, seen) = posted(Does::Answers("200 OK"), None).await;
        assert!(!seen.contains(SIGNATURE), "{seen}");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (told, _) = posted(Does::Answers("302 Found"), None).await;
        assert_eq!(told, Told::Refused("it answered 302 Found".into()));
    }

    #[tokio::test]
    async fn what_fails_may_be_tried_again() {
        for status in ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"] {
            let (told, _) = posted(Does::Answers(status), None).await;
            assert_eq!(told, Told::Unclear(format!("it answered {status}")));
        }
        let (told, _) = posted(Does::Cuts, None).await;
        assert!(matches!(told, Told::Unclear(_)), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_stalls_is_left_after_ten_seconds() {
        let began = tokio::time::Instant::now();
        let (told, _) = posted(Does::Stalls, None).await;
        assert!(matches!(told, Told::Unclear(_)), "{told:?}");
        assert!(began.elapsed() >= TIMEOUT && began.elapsed() < 2 * TIMEOUT, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_receiver_that_refuses_is_told_of_without_what_may_be_secret() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=t0p", listener.local_addr().unwrap());
        drop(listener);
        let settings = WebhookSettings { url, secret_file: None };
        let Told::Unclear(why) = post(&Web::system(), &settings, &message()).await else { panic!() };
        assert!(!why.contains("t0p"), "{why}");
        assert!(!origin(&settings).contains("t0p"));
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_sends_nothing() {
        let settings =
            WebhookSettings { url: "http://127.0.0.1:1/".into(), secret_file: Some("/nowhere/secret".into()) };
        let Told::Unclear(why) = post(&Web::system(), &settings, &message()).await else { panic!() };
        assert!(why.contains("/nowhere/secret"), "{why}");
    }
}
