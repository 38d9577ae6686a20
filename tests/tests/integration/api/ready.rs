//! What readiness tells of the sources of evidence, and to whom.

use common::store::{self, Heartbeat};
use reqwest::Method;
use serde_json::json;

use crate::api::world::{World, shared};

#[tokio::test]
async fn an_outage_is_told_to_whoever_may_read_the_status_and_leaves_it_ready() {
    let world = World::new(shared().await, |_, _| {}).await;
    let reader = world.reader().await;
    let records = world.token(&[("records", &["get", "list"])], Some("namespace-manager")).await;
    let store = store::open(&format!("sqlite:{}", world.path("nsm.db").display())).await.unwrap();
    let now = jiff::Timestamp::now();
    let since = now - jiff::SignedDuration::from_mins(5);
    let outage = json!({"source": "prometheus", "since": since, "why": "Prometheus cannot be reached"});
    let body = json!({"shard": 0, "of": 1, "slot": null, "watched": 3, "outages": [outage]});
    let (id, role) = ("collector/c.1".to_owned(), "collector".to_owned());
    store.heartbeat(&Heartbeat { id, role, started: since, at: now, body }).await.unwrap();

    let said = async |path: &str, token| {
        let answer = world.ask(Method::GET, path, token).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(said("/readyz", None).await, (200, "ok\n".to_owned()), "a probe");
    assert_eq!(said("/readyz?verbose", None).await.0, 401);
    assert_eq!(said("/readyz?verbose", Some(&records)).await.0, 403);
    let (status, text) = said("/readyz?verbose", Some(&reader)).await;
    let expected = format!("prometheus tells nothing since {since}: Prometheus cannot be reached\n");
    assert!(status == 200 && text.starts_with("ok\n") && text.contains(&expected), "{status} {text}");
}
