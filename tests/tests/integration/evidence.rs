//! The sources of evidence against real servers: Prometheus itself, those that answer as GitLab and GitHub do, and a server that does
//! whatever can go wrong.
//!
//! Which alerts count is told in the crate `evidence`, without a server.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod access;
mod faults;
mod github;
mod pipelines;
mod proxies;
mod real;
mod server;

use common::{config::RawPrometheus, http_client::HttpClient};
use evidence::prometheus::{Look, Prometheus};
use jiff::{SignedDuration, Timestamp};
use lifecycle::Truth;
use serde_json::{Value, json};

/// An answer that says that something fires for namespace `a`, and nothing for any other.
const ANSWER: &str = r#"{"status":"success","data":{"alerts":[
    {"labels":{"alertname":"Watchdog"},"annotations":{},"state":"firing","activeAt":"2026-01-01T00:00:00Z","value":"1"},
    {"labels":{"alertname":"Down","namespace":"a"},"annotations":{},"state":"firing","activeAt":"2026-01-01T00:00:00Z","value":"1"}
]}}"#;

/// The way to a server, with these settings on top of its address.
fn way(url: &str, more: Value) -> Prometheus {
    let mut section = json!({"url": url});
    section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings = serde_json::from_value::<RawPrometheus>(section).unwrap().check().unwrap();
    Prometheus::new(settings, HttpClient::system())
}

/// What is said of a namespace that has been there for years, and why.
fn told(look: &Look, name: &str) -> (Truth, String) {
    let condition = look.of(name, Timestamp::now() - SignedDuration::from_hours(20_000)).condition;
    assert_eq!(condition.observed_at, look.at);
    (condition.truth, condition.reason)
}

/// Whether something fires for the namespaces `a` and `b`.
fn truths(look: &Look) -> [Truth; 2] {
    ["a", "b"].map(|name| told(look, name).0)
}
