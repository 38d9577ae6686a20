//! Real tokens of ServiceAccounts, real rights, and an apiserver that goes away.

use reqwest::Method;
use testbed::{HANG, eventually};

use crate::api::world::{World, plane, shared};

const STATUS: &str = "/api/v1/status";

#[tokio::test]
async fn a_token_counts_when_it_was_made_for_us_and_its_bearer_may() {
    let world = World::new(shared().await, |_, _| {}).await;
    let (reader, operator) = (world.reader().await, world.operator().await);
    let read: &[&str] = &["get", "list"];
    let usual = world.token(&[("status", read)], None).await;
    let for_others = world.token(&[("status", read)], Some("somebody-else")).await;
    let nobody = world.token(&[], Some("namespace-manager")).await;
    let records = world.token(&[("records", &["get"])], Some("namespace-manager")).await;
    let garbage = world.path("garbage");
    std::fs::write(&garbage, "e30.e30.e30").unwrap();
    for (who, path, expected) in [
        (None, "/livez", 200),
        (None, "/readyz", 200),
        (None, STATUS, 401),
        (None, "/api/metrics", 401),
        (Some(&garbage), STATUS, 401),
        (Some(&usual), STATUS, 401),
        (Some(&for_others), STATUS, 401),
        (Some(&nobody), STATUS, 403),
        (Some(&nobody), "/api/openapi.json", 200),
        (Some(&records), STATUS, 403),
        (Some(&records), "/api/v1/namespaces", 403),
        (Some(&records), "/api/v1/namespaces/nobody", 404),
        (Some(&reader), STATUS, 200),
        (Some(&reader), "/api/metrics", 200),
        (Some(&reader), "/api/v1/namespaces", 200),
        (Some(&reader), "/api/v1/workers", 200),
    ] {
        assert_eq!(world.status(Method::GET, path, who).await, expected, "{who:?} {path}");
    }
    assert_eq!(world.status(Method::POST, "/api/v1/approve", Some(&reader)).await, 403);
    assert_eq!(world.status(Method::POST, "/api/v1/approve", Some(&operator)).await, 200);
    for file in [&reader, &operator, &usual, &garbage] {
        assert!(!world.log().contains(&std::fs::read_to_string(file).unwrap()), "a token was logged");
    }
}

#[tokio::test]
async fn nobody_is_let_in_while_the_apiserver_is_away() {
    let plane = plane().await;
    let world = World::new(&plane, |_, _| {}).await;
    let operator = world.operator().await;
    plane.kill_apiserver();
    assert_eq!(world.status(Method::GET, STATUS, Some(&operator)).await, 503);
    assert_eq!(world.status(Method::POST, "/api/v1/approve", Some(&operator)).await, 503);
    assert_eq!(world.status(Method::GET, "/livez", None).await, 200);
    plane.restart_apiserver().await.unwrap();
    eventually("it answers again", HANG, async || {
        anyhow::ensure!(world.status(Method::GET, STATUS, Some(&operator)).await == 200);
        Ok(())
    })
    .await
    .unwrap();
}
