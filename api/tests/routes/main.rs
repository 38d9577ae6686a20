//! Every route with every kind of token, on a store in a file and an apiserver that is told what to say. Each answer is
//! held to the page that describes it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apiserver;
mod hooks;
mod page;
mod world;

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, header},
};
use common::{controls, store::ClaimKind};
use serde_json::{Value, json};

use crate::world::World;

/// Which tokens are tried, in the order of the columns.
const TOKENS: [(&str, Option<&str>); 7] = [
    ("none", None),
    ("garbage", Some("garbage")),
    ("other audience", Some("for-others")),
    ("no rights", Some("stranger")),
    ("reader", Some("reader")),
    ("operator", Some("operator")),
    ("apiserver away", Some("operator")),
];

/// Asks every route with every token, and compares the statuses.
async fn check(config: &str, expected: &str) {
    let mut answered = Vec::new();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut statuses = Vec::new();
        for (kind, token) in TOKENS {
            let world = World::new(config).await;
            world.apiserver.set_away(kind == "apiserver away");
            let answer = world.ask(method.parse().unwrap(), path, token, "").await;
            statuses.push(answer.status.as_str().to_owned());
            let effect = world.store.last_claim(ClaimKind::Controls, "stop").await.unwrap();
            assert_eq!(effect.is_some(), path.ends_with("/stop") && answer.status == StatusCode::OK, "{line}: {kind}");
            let challenged = answer.headers.get(header::WWW_AUTHENTICATE).is_some_and(|value| value == "Bearer");
            assert_eq!(challenged, answer.status == StatusCode::UNAUTHORIZED, "{line}: {kind}");
        }
        answered.push(format!("{method} {path} {}", statuses.join(" ")));
    }
    let expected: Vec<_> = expected.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected: Vec<_> = expected.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(answered.join("\n"), expected.join("\n"));
}

#[tokio::test]
async fn without_a_token_and_a_right_there_is_health_alone() {
    check(
        "",
        "
        GET  /livez                               200 200 200 200 200 200 200
        GET  /readyz                              200 200 200 200 200 200 200
        GET  /readyz?verbose                      401 401 401 403 200 200 503
        GET  /api/metrics                         401 401 401 403 200 200 503
        GET  /api/openapi.json                    401 401 401 200 200 200 503
        GET  /api/v1/namespaces                   401 401 401 403 200 200 503
        GET  /api/v1/namespaces/ci-42             401 401 401 403 200 200 503
        GET  /api/v1/namespaces/nobody            401 401 401 403 404 404 503
        GET  /api/v1/namespaces/ci-42/history     401 401 401 403 200 200 503
        GET  /api/v1/namespaces/nobody/history    401 401 401 403 404 404 503
        GET  /api/v1/status                       401 401 401 403 200 200 503
        GET  /api/v1/workers                      401 401 401 403 200 200 503
        POST /api/v1/stop                         401 401 401 403 403 200 503
        POST /api/v1/resume                       401 401 401 403 403 200 503
        POST /api/v1/approve                      401 401 401 403 403 200 503
        GET  /api/v1/stop                         401 401 401 403 403 405 503
        POST /api/v1/namespaces                   401 401 401 403 405 405 503
        GET  /api/v1                              404 404 404 404 404 404 404
        POST /hooks/gitlab                        404 404 404 404 404 404 404
        POST /hooks/github                        404 404 404 404 404 404 404
        GET  /hooks/gitlab                        405 405 405 405 405 405 405
        ",
    )
    .await;
}

#[tokio::test]
async fn what_is_opened_needs_no_token_and_nothing_else_is_open() {
    check(
        "api: {open: [records, metrics]}",
        "
        GET  /api/metrics                         200 200 200 200 200 200 200
        GET  /api/openapi.json                    401 401 401 200 200 200 503
        GET  /api/v1/namespaces                   200 200 200 200 200 200 200
        GET  /api/v1/namespaces/ci-42             200 200 200 200 200 200 200
        GET  /api/v1/namespaces/ci-42/history     200 200 200 200 200 200 200
        GET  /api/v1/status                       401 401 401 403 200 200 503
        GET  /api/v1/workers                      401 401 401 403 200 200 503
        POST /api/v1/stop                         401 401 401 403 403 200 503
        ",
    )
    .await;
    check(
        "api: {open: [status]}",
        "
        GET  /readyz?verbose                      200 200 200 200 200 200 200
        GET  /api/metrics                         401 401 401 403 200 200 503
        GET  /api/v1/namespaces                   401 401 401 403 200 200 503
        GET  /api/v1/status                       200 200 200 200 200 200 200
        GET  /api/v1/workers                      200 200 200 200 200 200 200
        POST /api/v1/approve                      401 401 401 403 403 200 503
        ",
    )
    .await;
}

#[tokio::test]
async fn an_answer_of_the_cluster_is_remembered_and_its_silence_is_not() {
    let world = World::new("").await;
    world.apiserver.set_away(true);
    for _ in 0..2 {
        assert_eq!(world.get("/api/v1/status", "reader").await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    world.apiserver.set_away(false);
    for _ in 0..3 {
        assert_eq!(world.get("/api/v1/status", "reader").await.status, StatusCode::OK);
        assert_eq!(world.get("/api/v1/status", "garbage").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(world.get("/api/v1/status", "stranger").await.status, StatusCode::FORBIDDEN);
    }
    // Two that were not answered; then one token review each, and one access review each of those who were known.
    assert_eq!(world.apiserver.asked(), 2 + 3 + 2);
    world.apiserver.set_away(true);
    assert_eq!(world.get("/api/v1/status", "reader").await.status, StatusCode::OK);
    assert_eq!(world.get("/api/metrics", "reader").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_told_in_detail_and_makes_nothing_unready() {
    let world = World::new("").await;
    let told = async |verbose: &str| world.get(&format!("/readyz{verbose}"), "reader").await.text();
    assert_eq!(told("?verbose").await, "ok\nthe store answers\nno collector tells of a source that it cannot read\n");
    let since = "2026-08-17T12:50:00Z";
    let heartbeat = json!({
        "id": "collector/c.1", "role": "collector", "started": since, "at": "2026-08-17T12:59:50Z",
        "body": {
            "shard": 0, "of": 1, "slot": null, "watched": 1,
            "outages": [{"source": "prometheus", "since": since, "why": "it does\nnot answer"}],
        },
    });
    world.store.heartbeat(&serde_json::from_value(heartbeat).unwrap()).await.unwrap();
    let expected = format!("ok\nthe store answers\nprometheus tells nothing since {since}: it does not answer\n");
    assert_eq!(told("?verbose").await, expected);
    assert_eq!(told("?verbose=false&a").await, expected);
    assert_eq!(told("").await, "ok\n", "without a right nobody is told");
}

#[tokio::test]
async fn the_audience_is_the_configured_one() {
    let world = World::new("api: {audience: somebody-else}").await;
    assert_eq!(world.get("/api/v1/status", "reader").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get("/api/v1/status", "for-others").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_control_is_signed_by_who_the_cluster_knows() {
    let world = World::new("").await;
    let answer = world.ask(Method::POST, "/api/v1/stop", Some("operator"), r#"{"reason": "storm"}"#).await;
    assert_eq!(answer.json()["by"], "person/jane");
    let stop = controls::stopped(&*world.store).await.unwrap().unwrap();
    assert_eq!((stop.actor.as_str(), stop.body.reason.as_deref()), ("person/jane", Some("storm")));
    let answer = world.ask(Method::POST, "/api/v1/resume", Some("operator"), "").await.json();
    assert_eq!((&answer["by"], &answer["ended"]["why"]), (&json!("person/jane"), &json!("storm")));
    let answer = world.ask(Method::POST, "/api/v1/approve", Some("operator"), r#"{"for": "2h"}"#).await.json();
    assert_eq!((&answer["control"], &answer["by"]), (&json!("approve"), &json!("person/jane")));
    assert!(controls::approval(&*world.store, world.now()).await.unwrap().is_some());
    let answer = world.ask(Method::POST, "/api/v1/approve", Some("operator"), r#"{"store": true}"#).await.json();
    assert_eq!((&answer["control"], &answer["mismatch"]), (&json!("trust_store"), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let world = World::new("").await;
    for (method, path, body, why) in [
        ("GET", "/api/v1/namespaces?limit=0", "", "`limit` is 0, and goes from 1 to 1000"),
        ("GET", "/api/v1/namespaces?limit=1001", "", "`limit` is 1001, and goes from 1 to 1000"),
        ("GET", "/api/v1/namespaces?status=well", "", "unknown variant `well`"),
        ("GET", "/api/v1/namespaces?colour=blue", "", "unknown field `colour`"),
        ("GET", "/api/v1/namespaces/ci-42/history?after=-1", "", "invalid digit"),
        ("GET", "/api/v1/namespaces/%FF", "", "UTF-8"),
        ("GET", "/api/v1/namespaces/a%0Ab", "", "control characters"),
        ("POST", "/api/v1/stop", "{", "EOF while parsing"),
        ("POST", "/api/v1/stop", r#"{"reason": 1}"#, "expected a string"),
        ("POST", "/api/v1/stop", r#"{"because": "x"}"#, "unknown field `because`"),
        ("POST", "/api/v1/stop", r#"{"reason": "\u001b[2J"}"#, "control characters"),
        ("POST", "/api/v1/approve", r#"{"for": "4"}"#, "`for`: "),
        ("POST", "/api/v1/approve", r#"{"for": "4h", "store": true}"#, "ask for one"),
    ] {
        let answer = world.ask(method.parse().unwrap(), path, Some("operator"), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path} {body}");
        let error = &answer.json()["error"];
        assert!(error["why"].as_str().unwrap().contains(why), "{error}");
    }
    let long = format!(r#"{{"reason": "{}"}}"#, "a".repeat(70_000));
    let answer = world.ask(Method::POST, "/api/v1/stop", Some("operator"), &long).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(controls::stopped(&*world.store).await.unwrap(), None);
}

#[tokio::test]
async fn pages_lead_to_the_next_one() {
    let world = World::new("").await;
    world.tell("ci-43", "u2").await;
    let first = world.get("/api/v1/namespaces?limit=1", "reader").await.json();
    assert_eq!((&first["items"][0]["name"], &first["next"]), (&json!("ci-42"), &json!("u1")));
    let second = world.get("/api/v1/namespaces?limit=1&after=u1", "reader").await.json();
    assert_eq!(second["items"][0]["name"], "ci-43");
    let first = world.get("/api/v1/namespaces/ci-42/history?limit=1", "reader").await.json();
    assert_eq!((&first["entries"][0]["kind"], &first["next"]), (&json!("Adopted"), &json!(1)));
    let second = world.get("/api/v1/namespaces/u1/history?limit=1&after=1", "reader").await.json();
    assert_eq!((&second["entries"][0]["kind"], &second["uids"]), (&json!("StatusChanged"), &json!(["u1"])));
    let found = world.get("/api/v1/namespaces?status=stale&name=43", "reader").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let found = world.get("/api/v1/namespaces?status=ok", "reader").await.json();
    assert_eq!(found["items"], json!([]));
}

#[tokio::test]
async fn metrics_are_there_before_the_first_namespace() {
    let world = World::empty("").await;
    let scrape = async |accept: &str| {
        let headers = [("authorization", "Bearer reader"), ("accept", accept)];
        let answer = world.send(Method::GET, "/api/metrics", &headers, Body::empty()).await;
        assert_eq!(
            (answer.status, &answer.headers[header::VARY]),
            (StatusCode::OK, &HeaderValue::from_static("accept"))
        );
        (answer.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned(), answer.text())
    };
    let (kind, text) = scrape("*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("\n# TYPE namespace_manager_managed gauge\n") && !text.contains("# EOF"), "{text}");
    let (kind, text) = scrape("application/openmetrics-text; version=1.0.0, text/plain; q=0.5").await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_token_is_in_no_answer() {
    let world = World::new("").await;
    for token in ["garbage", "for-others", "stranger", "operator"] {
        for path in ["/api/v1/status", "/api/v1/namespaces", "/api/v1/namespaces/ci-42"] {
            let answer = world.get(path, token).await;
            assert!(!answer.text().contains(token), "{}", answer.text());
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
    }
}
