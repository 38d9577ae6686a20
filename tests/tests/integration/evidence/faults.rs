//! What goes wrong between Prometheus and us (docs/design/protocol.md section 4, "Inputs"): each leaves everything
//! unknown.

use std::pin::pin;
use std::time::Duration;

use evidence::prometheus::{Look, Prometheus};
use jiff::Timestamp;
use lifecycle::Truth;
use serde_json::json;
use testbed::{Authority, Pair};
use tokio::net::TcpListener;

use crate::evidence::server::{Does, Server, answer, tls};
use crate::evidence::{ANSWER, told, truths, way};

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A body that says the length it has, or another.
fn sends(length: usize, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn half() -> &'static str {
    &ANSWER[..ANSWER.len() / 2]
}

async fn look(prometheus: &Prometheus) -> Look {
    prometheus.look(Timestamp::now()).await
}

/// Checks that a look left everything unknown, for a reason that begins so.
#[track_caller]
fn check_unknown(look: &Look, expected: &str) {
    let (truth, reason) = told(look, "a");
    assert_eq!((truth, look.outage()), (Truth::Unknown, Some(reason.as_str())));
    assert!(reason.starts_with(expected), "{reason}");
    assert!(!reason.contains("127.0.0.1") && !reason.ends_with('.'), "{reason}");
}

/// Does this with a request, and checks that everything is unknown, for a reason that begins so. Returns the server.
async fn check(does: Does, expected: &str) -> Server {
    let server = Server::start(does).await;
    check_unknown(&look(&way(&server.url(), json!({}))).await, expected);
    server
}

#[tokio::test]
async fn an_answer_as_it_should_be_is_understood() {
    let server = Server::start(answer("200 OK", ANSWER)).await;
    assert_eq!(truths(&look(&way(&server.url(), json!({}))).await), [Truth::True, Truth::False]);
    let heads = server.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with("GET /api/v1/alerts HTTP/1.1\r\n"), "{heads:?}");
}

#[tokio::test]
async fn what_begins_the_path_stays() {
    let server = Server::start(answer("200 OK", ANSWER)).await;
    for base in ["/monitoring", "/monitoring/"] {
        look(&way(&format!("{}{base}", server.url()), json!({"query": "up > 1 & 2"}))).await;
    }
    let expected = "GET /monitoring/api/v1/query?query=up+%3E+1+%26+2 HTTP/1.1\r\n";
    assert!(server.heads().iter().all(|head| head.starts_with(expected)), "{:?}", server.heads());
}

#[tokio::test]
async fn refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    check_unknown(&look(&way(&url, json!({}))).await, "Prometheus cannot be reached: Connection refused");
}

#[tokio::test]
async fn an_error_of_the_server_whatever_its_body_says() {
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"] {
        check(answer(status, ANSWER), &format!("Prometheus answered {status}")).await;
    }
}

#[tokio::test]
async fn not_let_in() {
    check(answer("401 Unauthorized", ANSWER), "Prometheus answered 401 Unauthorized: it does not let us in").await;
    check(answer("403 Forbidden", ANSWER), "Prometheus answered 403 Forbidden: it does not let us in").await;
    check(answer("429 Too Many Requests", ANSWER), "Prometheus answered 429 Too Many Requests").await;
    check(answer("204 No Content", ""), "Prometheus answered 204 No Content").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(answer("200 OK", ANSWER)).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
    check(Does::Sends(redirect), "Prometheus answered 302 Found: its address may be another").await;
    assert!(elsewhere.heads().is_empty());
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_signed() {
    let directory = tempfile::tempdir().unwrap();
    let pair = Pair::create(directory.path(), "server", &["127.0.0.1"]).unwrap();
    let other = Authority::create(directory.path(), "other").unwrap();
    let server = Server::deciding(Some(tls(&pair, None)), |_| answer("200 OK", ANSWER)).await;
    for more in [json!({}), json!({"ca_file": other.certificate})] {
        check_unknown(&look(&way(&server.url(), more)).await, "Prometheus cannot be reached: invalid peer certificate");
    }
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_certificate_for_somebody_else() {
    let directory = tempfile::tempdir().unwrap();
    let pair = Pair::create(directory.path(), "server", &["elsewhere.example"]).unwrap();
    let server = Server::deciding(Some(tls(&pair, None)), |_| answer("200 OK", ANSWER)).await;
    let prometheus = way(&server.url(), json!({"ca_file": pair.authority}));
    let reason = "Prometheus cannot be reached: invalid peer certificate";
    let (truth, told) = told(&look(&prometheus).await, "a");
    assert!(truth == Truth::Unknown && told.starts_with(reason), "{told}");
}

#[tokio::test]
async fn a_web_page() {
    let page = "<!DOCTYPE html><title>Log in</title><p>s3cret";
    let server = Server::start(answer("200 OK", page)).await;
    let look = look(&way(&server.url(), json!({}))).await;
    assert_eq!(told(&look, "a"), (Truth::Unknown, "the answer of Prometheus is a web page".to_owned()));
}

/// Lets a server come to its stop in real time, and then the time pass: it is over after ten seconds, however the server
/// goes on.
async fn check_timeout(does: Does) {
    let server = Server::start(does).await;
    let prometheus = way(&server.url(), json!({}));
    let began = tokio::time::Instant::now();
    let mut looking = pin!(look(&prometheus));
    tokio::select! {
        look = &mut looking => panic!("it was over too early: {:?}", look.outage()),
        () = server.stalled() => {}
    }
    tokio::time::pause();
    check_unknown(&looking.await, "Prometheus did not answer within 10 seconds");
    assert!(began.elapsed() >= LIMIT && began.elapsed() < 2 * LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn nothing_comes() {
    check_timeout(Does::Stalls(String::new())).await;
}

#[tokio::test]
async fn the_rest_does_not_come() {
    check_timeout(Does::Stalls(sends(ANSWER.len(), half()))).await;
}

#[tokio::test]
async fn the_rest_comes_byte_by_byte() {
    check_timeout(Does::Trickles(sends(ANSWER.len() + 1000, ANSWER))).await;
}

#[tokio::test]
async fn half_an_answer() {
    let broke_off = "the answer of Prometheus broke off";
    check(Does::Sends(sends(ANSWER.len(), half())), broke_off).await;
    // Whole as JSON, but not as an answer.
    check(Does::Sends(sends(ANSWER.len() + 1, ANSWER)), broke_off).await;
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    check(Does::Sends(format!("{chunked}{:x}\r\n{ANSWER}\r\n", ANSWER.len())), broke_off).await;
    // Without a length its end is that of the connection.
    check(Does::Sends(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", half())), broke_off).await;
    check(Does::Sends("HTTP/1.1 200 O".to_owned()), "Prometheus did not answer").await;
}

/// How much may be on its way in buffers of the system when somebody stops reading: many times what is.
const BUFFERS: u64 = 64 << 20;

/// 200 MB, of which no more than 8 MiB are taken.
async fn check_flood(head: &str) {
    let chunks = 200 * 1_000_000 / 0x10000;
    let server = check(Does::Floods(head.to_owned(), chunks), "the answer of Prometheus is larger than 8 MiB").await;
    assert!(server.sent() < (8 << 20) + BUFFERS, "{} bytes were taken", server.sent());
}

#[tokio::test]
async fn two_hundred_megabytes_in_chunks() {
    check_flood("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
}

#[tokio::test]
async fn two_hundred_megabytes_as_announced() {
    check_flood("HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n").await;
}

#[tokio::test]
async fn two_hundred_megabytes_until_the_connection_ends() {
    check_flood("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
}

#[tokio::test]
async fn eight_megabytes_are_taken() {
    let spaces = |count: usize| answer("200 OK", &format!("{}{ANSWER}", " ".repeat(count - ANSWER.len())));
    let server = Server::start(spaces(8 << 20)).await;
    assert_eq!(truths(&look(&way(&server.url(), json!({}))).await), [Truth::True, Truth::False]);
    check(spaces((8 << 20) + 1), "the answer of Prometheus is larger than 8 MiB").await;
}

#[tokio::test]
async fn compression_is_not_asked_for_and_not_taken() {
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f";
    let server = check(Does::Sends(head.to_owned()), "the answer of Prometheus is compressed").await;
    let heads = server.heads();
    assert!(!heads[0].to_lowercase().contains("accept-encoding"), "{heads:?}");
}

#[tokio::test]
async fn what_is_well_again_is_believed_again() {
    let times = std::sync::atomic::AtomicU64::new(0);
    let server = Server::deciding(None, move |_| match times.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => answer("500 Internal Server Error", ""),
        1 => Does::Sends(String::new()),
        _ => answer("200 OK", ANSWER),
    })
    .await;
    let prometheus = way(&server.url(), json!({}));
    check_unknown(&look(&prometheus).await, "Prometheus answered 500");
    check_unknown(&look(&prometheus).await, "Prometheus did not answer");
    assert_eq!(truths(&look(&prometheus).await), [Truth::True, Truth::False]);
}
