//! Heartbeats: the last one of each instance, and nothing else.

use common::store::Heartbeat;
use serde_json::json;

use super::{Bench, at};

fn heartbeat(id: &str, second: u64) -> Heartbeat {
    let body = json!({"job": {"a.b/$c": id}, "at": second, "none": null});
    Heartbeat { id: id.to_owned(), role: "worker".to_owned(), started: at(0), at: at(second), body }
}

pub(crate) async fn the_last_heartbeat_of_each_instance_is_kept(bench: &impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.heartbeats(9).await.unwrap(), []);
    for (id, second) in [("b.2", 1), ("a", 2), ("b.2", 3), ("c", 1), ("a", 1)] {
        store.heartbeat(&heartbeat(id, second)).await.unwrap();
    }
    assert_eq!(store.heartbeats(9).await.unwrap(), [heartbeat("a", 1), heartbeat("b.2", 3), heartbeat("c", 1)]);
    assert_eq!(store.heartbeats(2).await.unwrap(), [heartbeat("a", 1), heartbeat("b.2", 3)]);
}

pub(crate) async fn a_heartbeat_is_forgotten_and_may_come_again(bench: &impl Bench) {
    let store = bench.open().await;
    for id in ["a", "b"] {
        store.heartbeat(&heartbeat(id, 1)).await.unwrap();
    }
    for _ in 0..2 {
        store.remove_heartbeat("a").await.unwrap();
    }
    assert_eq!(store.heartbeats(9).await.unwrap(), [heartbeat("b", 1)]);
    store.heartbeat(&heartbeat("a", 2)).await.unwrap();
    assert_eq!(store.heartbeats(9).await.unwrap(), [heartbeat("a", 2), heartbeat("b", 1)]);
}
