//! What stands in the way of every message, and what is shown of an answer.

use std::{net, sync::Arc};

use common::proxies::Proxies;
use rustls::{ServerConfig, ServerConnection, pki_types::PrivatePkcs8KeyDer};

use super::*;

/// TLS by a certificate that nobody but itself signed.
fn self_signed() -> ServerConnection {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = versions.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_concerns_the_channel_and_is_named() {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_directory, settings) = webhook(&format!("https://{}/hook/T0PSECRET", listener.local_addr().unwrap()), None);
    let receive = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Up to the end of the handshake, which does not come to it.
        self_signed().complete_io(&mut stream)
    });
    let (web, message) = (HttpClient::system(), message());
    let delivery = deliver(&web, &settings, &message, Timestamp::UNIX_EPOCH).await;
    receive.await.unwrap().unwrap_err();
    let failure = failure(delivery);
    let told = "its certificate is not trusted: nobody signed it who is trusted here";
    assert_eq!((failure.scope, failure.text().as_str()), (FailureScope::Channel, told));
}

/// The way by a proxy on loopback that wants a login, and has got a wrong one.
async fn by_proxy(variable: &str) -> (HttpClient, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:pr0xy-pass@{}", listener.local_addr().unwrap());
    (HttpClient::by(Proxies::of(|name| (name == variable).then(|| url.clone()))), listener)
}

#[tokio::test]
async fn a_proxy_that_asks_for_a_login_concerns_the_channel_and_is_named() {
    const STATUS: &str = "407 Proxy Authentication Required";
    let (web, listener) = by_proxy("HTTPS_PROXY").await;
    let (_directory, settings) = webhook("https://receiver.example.org/hook/T0PSECRET", None);
    let (delivery, seen) = posted_by(&web, &settings, &listener, answers(STATUS)).await;
    assert!(seen.starts_with("CONNECT receiver.example.org:443 "), "{seen}");
    let told = "a proxy on the way to it asks for a login (407)";
    assert_eq!(failure(delivery), Failure { scope: FailureScope::Channel, why: told.into(), answer: None, wait: None });

    let (web, listener) = by_proxy("HTTP_PROXY").await;
    let (_directory, settings) = webhook("http://receiver.example.org/hook/T0PSECRET", None);
    let repeats = Does::Repeats(STATUS, "proxy-authorization");
    let (delivery, seen) = posted_by(&web, &settings, &listener, repeats).await;
    assert!(seen.starts_with("POST http://receiver.example.org/hook/T0PSECRET "), "{seen}");
    let failure = failure(delivery);
    let told = format!("it answered {STATUS}: you sent proxy-authorization: Basic …==");
    assert_eq!((failure.scope, failure.text()), (FailureScope::Channel, told));
}

#[tokio::test]
async fn a_receiver_that_repeats_what_it_was_sent_shows_no_secret() {
    for (begin, shown) in [
        ("authorization", "authorization: Basic …=="),
        ("POST", "POST /hook/…?token=… HTTP/1.1"),
        (SIGNATURE, "x-nsm-signature-256: sha256=…"),
        (SIGNATURES, "webhook-signature: v1,…"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://anna:passw0rd@{address}/hook/T0PSECRET?token=s3cret-t0ken");
        let (_directory, settings) = webhook(&url, Some("whsec_dDBwLXNlY3JldA=="));
        let repeats = Does::Repeats("401 Unauthorized", begin);
        let (delivery, seen) = posted_by(&HttpClient::system(), &settings, &listener, repeats).await;
        assert!(seen.contains("authorization: Basic YW5uYTpwYXNzdzByZA=="), "{seen}");
        assert_eq!(failure(delivery).answer, Some(format!("you sent {shown}")));
    }
    let says =
        Does::Answers("401 Unauthorized", "", "it must be signed with whsec_t0psecret, and t0psecret was not used");
    let (delivery, _) = posted(says, Some("t0psecret")).await;
    assert_eq!(failure(delivery).answer.as_deref(), Some("it must be signed with whsec_…, and … was not used"));
}
