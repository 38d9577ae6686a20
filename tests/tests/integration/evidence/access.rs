//! As whom Prometheus is asked, and whom we take for it. Everything secret is in files, which may be exchanged.

use std::path::{Path, PathBuf};

use evidence::prometheus::Look;
use jiff::Timestamp;
use lifecycle::Truth;
use serde_json::{Value, json};
use testbed::{Authority, Pair};

use crate::evidence::server::{Server, answer, tls};
use crate::evidence::{ANSWER, told, truths, way};

const UNDERSTOOD: [Truth; 2] = [Truth::True, Truth::False];
const NOT_LET_IN: &str = "Prometheus answered 401 Unauthorized: it does not let us in";

/// A server that wants this header, and a directory for secrets.
async fn guarded(header: &'static str) -> (Server, tempfile::TempDir) {
    let server = Server::deciding(None, move |head| {
        let is_there = head.lines().any(|line| line == format!("authorization: {header}"));
        if is_there { answer("200 OK", ANSWER) } else { answer("401 Unauthorized", "") }
    });
    (server.await, tempfile::tempdir().unwrap())
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

async fn look(server: &Server, more: &Value) -> Look {
    way(&server.url(), more.clone()).look(Timestamp::now()).await
}

#[tokio::test]
async fn a_password_as_it_stands_in_its_file() {
    // `nsm:a pass:word` in base64 (RFC 7617).
    let (server, directory) = guarded("Basic bnNtOmEgcGFzczp3b3Jk").await;
    let file = write(directory.path(), "password", "old\n");
    let prometheus = way(&server.url(), json!({"username": "nsm", "password_file": file}));
    assert_eq!(told(&prometheus.look(Timestamp::now()).await, "a"), (Truth::Unknown, NOT_LET_IN.to_owned()));
    write(directory.path(), "password", "a pass:word\r\n");
    assert_eq!(truths(&prometheus.look(Timestamp::now()).await), UNDERSTOOD);
}

#[tokio::test]
async fn a_token_as_it_stands_in_its_file() {
    let (server, directory) = guarded("Bearer t0k-en.2~").await;
    let prometheus = way(&server.url(), json!({"token_file": write(directory.path(), "token", "old")}));
    assert_eq!(told(&prometheus.look(Timestamp::now()).await, "a"), (Truth::Unknown, NOT_LET_IN.to_owned()));
    write(directory.path(), "token", "t0k-en.2~\n");
    assert_eq!(truths(&prometheus.look(Timestamp::now()).await), UNDERSTOOD);
}

/// Mimir, Cortex and Thanos tell their tenants apart so.
#[tokio::test]
async fn headers_as_they_are_written_and_as_they_stand_in_their_files() {
    let server = Server::deciding(None, |head| {
        let has = |line| head.lines().any(|it| it == line);
        let is_there = has("x-scope-orgid: team-a") && has("x-key: a b");
        if is_there { answer("200 OK", ANSWER) } else { answer("401 Unauthorized", "") }
    });
    let (server, directory) = (server.await, tempfile::tempdir().unwrap());
    let file = write(directory.path(), "key", "old");
    let headers = json!([{"name": "X-Scope-OrgID", "value": "team-a"}, {"name": "x-key", "value_file": file}]);
    let prometheus = way(&server.url(), json!({"headers": headers}));
    assert_eq!(told(&prometheus.look(Timestamp::now()).await, "a"), (Truth::Unknown, NOT_LET_IN.to_owned()));
    write(directory.path(), "key", "a b\n");
    assert_eq!(truths(&prometheus.look(Timestamp::now()).await), UNDERSTOOD);
}

#[tokio::test]
async fn without_a_login_nothing_is_sent() {
    let (server, _directory) = guarded("").await;
    assert_eq!(told(&look(&server, &json!({})).await, "a"), (Truth::Unknown, NOT_LET_IN.to_owned()));
    assert!(!server.heads()[0].contains("authorization"), "{:?}", server.heads());
}

/// Settings with which nothing is sent, and a reason without the secret.
#[track_caller]
fn check_unsent(server: &Server, look: &Look, expected: &str) {
    assert_eq!(told(look, "a"), (Truth::Unknown, expected.to_owned()));
    assert!(server.heads().is_empty(), "{:?}", server.heads());
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_sends_nothing() {
    let (server, directory) = guarded("").await;
    let missing = json!({"token_file": "/nowhere/token"});
    let expected = "cannot read `/nowhere/token`: No such file or directory (os error 2)";
    check_unsent(&server, &look(&server, &missing).await, expected);
    for (text, what) in [("s3cret two", "what is in `@` is not a token"), ("s3c\nret", "what is in `@` is not a token")]
    {
        let file = write(directory.path(), "token", text);
        let expected = what.replace('@', file.to_str().unwrap());
        check_unsent(&server, &look(&server, &json!({"token_file": file})).await, &expected);
    }
    let empty = write(directory.path(), "empty", "\n");
    let expected = format!("`{}` is empty", empty.display());
    check_unsent(&server, &look(&server, &json!({"token_file": empty})).await, &expected);
    let basic = json!({"username": "nsm", "password_file": empty});
    check_unsent(&server, &look(&server, &basic).await, &expected);
}

/// A server with a certificate for its address, and the files of both sides.
struct Secured {
    server: Server,
    pair: Pair,
    authority: Authority,
    directory: tempfile::TempDir,
}

/// With `is_strict` those are let in alone that show a certificate of the same authority.
async fn secured(is_strict: bool) -> Secured {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create(directory.path(), "ca").unwrap();
    let pair = authority.server("server", &["127.0.0.1"]).unwrap();
    let clients = is_strict.then_some(authority.certificate.as_path());
    let server = Server::deciding(Some(tls(&pair, clients)), |_| answer("200 OK", ANSWER)).await;
    Secured { server, pair, authority, directory }
}

#[tokio::test]
async fn an_authority_as_it_stands_in_its_file() {
    let Secured { server, pair, directory, .. } = secured(false).await;
    let file = write(directory.path(), "authorities", "none");
    let prometheus = way(&server.url(), json!({"ca_file": file}));
    let expected = format!("there is no certificate in `{}`", file.display());
    check_unsent(&server, &prometheus.look(Timestamp::now()).await, &expected);
    std::fs::copy(&pair.authority, &file).unwrap();
    assert_eq!(truths(&prometheus.look(Timestamp::now()).await), UNDERSTOOD);
}

#[tokio::test]
async fn any_certificate_will_do_where_that_is_said() {
    let Secured { server, .. } = secured(false).await;
    for more in [json!({"insecure": true}), json!({"insecure": true, "ca_file": "/nowhere/ca"})] {
        assert_eq!(truths(&look(&server, &more).await), UNDERSTOOD);
    }
}

#[tokio::test]
async fn a_certificate_is_shown() {
    let Secured { server, authority, directory, .. } = secured(true).await;
    let nobody = json!({"ca_file": authority.certificate});
    let (truth, reason) = told(&look(&server, &nobody).await, "a");
    assert_eq!(truth, Truth::Unknown, "{reason}");
    assert!(server.heads().is_empty());

    let other = Authority::create(directory.path(), "other").unwrap();
    let stranger = other.client("stranger", "nobody").unwrap();
    let client = authority.client("client", "monitoring").unwrap();
    let (cert, key) = (directory.path().join("c.crt"), directory.path().join("c.key"));
    let prometheus = way(&server.url(), json!({"ca_file": authority.certificate, "cert_file": cert, "key_file": key}));
    let show = |pair: &Pair| {
        std::fs::copy(&pair.certificate, &cert).unwrap();
        std::fs::copy(&pair.key, &key).unwrap();
    };
    show(&stranger);
    assert_eq!(truths(&prometheus.look(Timestamp::now()).await), [Truth::Unknown; 2]);
    assert!(server.heads().is_empty());
    show(&client);
    assert_eq!(truths(&prometheus.look(Timestamp::now()).await), UNDERSTOOD);

    std::fs::write(&key, "no key").unwrap();
    let expected = format!("there is no certificate with its key in `{}` and `{}`", cert.display(), key.display());
    assert_eq!(told(&prometheus.look(Timestamp::now()).await, "a"), (Truth::Unknown, expected));
}

#[tokio::test]
async fn a_certificate_is_shown_to_whomever_where_that_is_said() {
    let Secured { server, authority, directory: _directory, .. } = secured(true).await;
    let client = authority.client("client", "monitoring").unwrap();
    let more = json!({"insecure": true, "cert_file": client.certificate, "key_file": client.key});
    assert_eq!(truths(&look(&server, &more).await), UNDERSTOOD);
}
