//! The webhook against real receivers on loopback.

mod refused;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use common::http_client::TIMEOUT;

use super::*;

/// The second in which every test posts.
const NOW: i64 = 1_614_265_330;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_signature_is_that_of_the_rfc() {
    // RFC 4231, test case 2.
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hex(&hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"])), expected);
}

/// A webhook whose secret is this, as long as the directory lives.
fn webhook(url: &str, secret: Option<&str>) -> (tempfile::TempDir, WebhookSettings) {
    let directory = tempfile::tempdir().unwrap();
    let secret_file = secret.map(|secret| {
        let path = directory.path().join("secret");
        std::fs::write(&path, secret).unwrap();
        path
    });
    (directory, WebhookSettings { url: url.to_owned(), secret_file })
}

async fn signed(id: &str, body: &str, secret: &str) -> Result<HeaderMap, String> {
    let (_directory, webhook) = webhook("http://127.0.0.1:1/", Some(secret));
    let (request, _) = sign(id, body.as_bytes(), &webhook, Timestamp::from_second(NOW).unwrap()).await?;
    Ok(request.body(()).unwrap().headers().clone())
}

#[tokio::test]
async fn a_message_is_signed_with_its_id_and_time_as_standard_webhooks_say() {
    // Worked out with `openssl dgst -sha256 -mac HMAC` over `<id>.<second>.<body>`; the key is the secret decoded, 24 bytes.
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
    let headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#, secret).await.unwrap();
    assert_eq!(headers[ID], "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(headers[TIMESTAMP], NOW.to_string());
    assert_eq!(headers[SIGNATURES], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let plain = signed("a", "b", "s3cret").await.unwrap();
    let expected = hmac(b"s3cret", &[format!("a.{NOW}.b").as_bytes()]);
    assert_eq!(plain[SIGNATURES], format!("v1,{}", BASE64_STANDARD.encode(expected)));
}

#[tokio::test]
async fn a_secret_that_is_no_base64_is_not_told() {
    let why = signed("a", "b", "whsec_?t0psecret").await.unwrap_err();
    assert!(why.contains("whsec_") && !why.contains("t0p"), "{why}");
}

#[test]
fn each_status_concerns_what_it_concerns() {
    let of = |scope: FailureScope| -> Vec<u16> {
        (300..600).filter(|code| super::scope(StatusCode::from_u16(*code).unwrap()) == scope).collect()
    };
    assert_eq!(of(FailureScope::Message), [400, 413, 422]);
    assert_eq!(of(FailureScope::Recipient), [410]);
    let attempt = of(FailureScope::Attempt);
    assert!(attempt.starts_with(&[408, 425, 429, 500]) && attempt.ends_with(&[599]), "{attempt:?}");
    for code in [301, 302, 307, 308, 401, 403, 404, 405, 407, 415] {
        assert!(of(FailureScope::Channel).contains(&code), "{code}");
    }
}

#[test]
fn who_asks_to_be_left_alone_says_for_how_long_or_until_when() {
    let waits = |after: &str, date: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        wait(&headers, "2026-10-21T07:00:00Z".parse().unwrap()).map(|wait| wait.as_secs())
    };
    assert_eq!(waits("30", None), Some(30));
    assert_eq!(waits("Wed, 21 Oct 2026 07:29:10 GMT", Some("Wed, 21 Oct 2026 07:28:00 GMT")), Some(70));
    assert_eq!(waits("Wed, 21 Oct 2026 07:01:00 GMT", None), Some(60));
    assert_eq!(waits("soon", None), None);
    assert_eq!(wait(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
}

/// What a receiver does with a request.
#[derive(Clone, Copy)]
enum Does {
    /// A status, headers, and a body.
    Answers(&'static str, &'static str, &'static str),
    /// A status, and as body the line of the request that begins so.
    Repeats(&'static str, &'static str),
    /// Takes the request and says nothing.
    Stalls,
    /// Takes the request and hangs up.
    Cuts,
}

const fn answers(status: &'static str) -> Does {
    Does::Answers(status, "", "")
}

/// Posts to a real receiver on loopback. Returns what came of it, and the request the receiver saw.
async fn posted(does: Does, secret: Option<&str>) -> (Delivery, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_directory, settings) =
        webhook(&format!("http://{}/hook?token=t0psecret", listener.local_addr().unwrap()), secret);
    posted_by(&HttpClient::system(), &settings, &listener, does).await
}

/// The same by this way, at the end of which somebody listens.
async fn posted_by(
    web: &HttpClient,
    settings: &WebhookSettings,
    listener: &TcpListener,
    does: Does,
) -> (Delivery, String) {
    let receive = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !whole(&seen) {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the request broke off");
        }
        let seen = String::from_utf8(seen).unwrap();
        match does {
            Does::Answers(status, headers, body) => {
                stream.write_all(answer(status, headers, body).as_bytes()).await.unwrap()
            }
            Does::Repeats(status, begin) => {
                let line = seen.lines().find(|line| line.starts_with(begin)).expect("the line is there");
                stream.write_all(answer(status, "", &format!("you sent {line}")).as_bytes()).await.unwrap();
            }
            Does::Stalls => std::future::pending().await,
            Does::Cuts => drop(stream),
        }
        seen
    };
    let message = message();
    let (mut told, mut seen) = (None, None);
    let now = Timestamp::from_second(NOW).unwrap();
    let (deliver, receive) = (deliver(web, settings, &message, now), receive);
    tokio::pin!(deliver, receive);
    // A receiver that stalls never ends, so the post alone is waited for.
    while told.is_none() || (seen.is_none() && !matches!(does, Does::Stalls)) {
        tokio::select! {
            delivery = &mut deliver, if told.is_none() => told = Some(delivery),
            request = &mut receive, if seen.is_none() => seen = Some(request),
        }
    }
    (told.unwrap(), seen.unwrap_or_default())
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// Whether the body is as long as the header says.
fn whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
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

/// What failed, of a delivery that did.
#[track_caller]
fn failure(delivery: Delivery) -> Failure {
    match delivery {
        Delivery::Failed(failure) => failure,
        Delivery::Accepted => panic!("it was accepted"),
    }
}

#[tokio::test]
async fn the_body_is_signed_with_the_secret_as_it_stands_in_the_file() {
    let (delivery, seen) = posted(answers("204 No Content"), Some("s3cret\n")).await;
    assert_eq!(delivery, Delivery::Accepted);
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let ours = hex(&hmac(b"s3cret", &[body.as_bytes()]));
    assert!(head.contains(&format!("{SIGNATURE}: sha256={ours}")), "{head}");
    let standard = BASE64_STANDARD.encode(hmac(b"s3cret", &[format!("u:3.{NOW}.{body}").as_bytes()]));
    for line in [format!("{ID}: u:3"), format!("{TIMESTAMP}: {NOW}"), format!("{SIGNATURES}: v1,{standard}")] {
        assert!(head.contains(&line), "no `{line}` in {head}");
    }
    let expected = r#"{"v":1,"id":"u:3","kind":"deletion-announced","namespace":"ci-1","uid":"u","status":"ok","about":"stale","reason":"its time to live ends","deadline":"2027-01-15T08:00:00Z","not_before":"2027-01-15T08:00:00Z","owner":[{"k":"team","v":"blue"}],"what_you_can_do":"keep it"}"#;
    assert_eq!(body, expected);
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let (_, seen) = posted(answers("200 OK"), None).await;
    assert!(!seen.contains(SIGNATURE) && !seen.contains(SIGNATURES) && seen.contains(ID), "{seen}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_concerns_the_channel() {
    let (delivery, _) = posted(Does::Answers("302 Found", "location: /x\r\n", ""), None).await;
    let failure = failure(delivery);
    assert_eq!((failure.scope, failure.why.as_str()), (FailureScope::Channel, "it answered 302 Found"));
}

#[tokio::test]
async fn a_refusal_is_told_with_what_was_answered() {
    let (delivery, _) = posted(Does::Answers("400 Bad Request", "", "invalid_payload"), None).await;
    let failure = failure(delivery);
    assert_eq!(
        (failure.scope, failure.text()),
        (FailureScope::Message, "it answered 400 Bad Request: invalid_payload".to_owned())
    );
}

#[tokio::test]
async fn what_fails_may_be_tried_again_when_the_receiver_wants_it() {
    for (status, headers, wait) in [
        ("429 Too Many Requests", "retry-after: 90\r\n", Some(90)),
        ("500 Internal Server Error", "", None),
        ("503 Service Unavailable", "retry-after: 5\r\n", Some(5)),
    ] {
        let (delivery, _) = posted(Does::Answers(status, headers, ""), None).await;
        let failure = failure(delivery);
        assert_eq!((failure.scope, failure.why), (FailureScope::Attempt, format!("it answered {status}")));
        assert_eq!(failure.wait.map(|wait| wait.as_secs()), wait);
    }
    let (delivery, _) = posted(Does::Cuts, None).await;
    assert_eq!(failure(delivery).scope, FailureScope::Attempt);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_stalls_is_left_after_ten_seconds() {
    let began = tokio::time::Instant::now();
    let (delivery, _) = posted(Does::Stalls, None).await;
    assert_eq!(failure(delivery).scope, FailureScope::Attempt);
    assert!(began.elapsed() >= TIMEOUT && began.elapsed() < 2 * TIMEOUT, "{:?}", began.elapsed());
}

/// What comes of a post to where nobody takes it.
async fn unanswered(url: &str, secret_file: Option<&str>) -> Failure {
    let settings = WebhookSettings { url: url.to_owned(), secret_file: secret_file.map(Into::into) };
    failure(deliver(&HttpClient::system(), &settings, &message(), Timestamp::UNIX_EPOCH).await)
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_told_of_without_what_may_be_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/hook?token=t0p");
    let failure = unanswered(&url, None).await;
    assert_eq!(failure.scope, FailureScope::Attempt);
    assert!(!failure.text().contains("t0p"), "{failure:?}");
    assert!(!origin(&WebhookSettings { url, secret_file: None }).contains("t0p"));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_sends_nothing_and_concerns_the_channel() {
    let failure = unanswered("http://127.0.0.1:1/", Some("/nowhere/secret")).await;
    assert_eq!(failure.scope, FailureScope::Channel);
    assert!(failure.why.contains("/nowhere/secret"), "{failure:?}");
}
