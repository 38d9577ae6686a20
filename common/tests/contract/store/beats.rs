//! Heartbeats: the last one of each instance, and nothing else.

use common::store::Heartbeat;
use serde_json::json;

use super::{Bench, at};

fn beat(id: &str, second: u64) -> Heartbeat {
    let body = json!({"job": {"a.b/$c": id}, "at": second, "none": null});
    Heartbeat { id: id.to_owned(), role: "worker".to_owned(), started: at(0), at: at(second), body }
}

pub(crate) async fn the_last_beat_of_each_instance_is_kept(bench: &impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.beats(9).await.unwrap(), []);
    for (id, second) in [("b.2", 1), ("a", 2), ("b.2", 3), ("c", 1), ("a", 1)] {
        store.beat(&beat(id, second)).await.unwrap();
    }
    assert_eq!(store.beats(9).await.unwrap(), [beat("a", 1), beat("b.2", 3), beat("c", 1)]);
    assert_eq!(store.beats(2).await.unwrap(), [beat("a", 1), beat("b.2", 3)]);
}

pub(crate) async fn a_beat_is_forgotten_and_may_come_again(bench: &impl Bench) {
    let store = bench.open().await;
    for id in ["a", "b"] {
        store.beat(&beat(id, 1)).await.unwrap();
    }
    for _ in 0..2 {
        store.forget_beat("a").await.unwrap();
    }
    assert_eq!(store.beats(9).await.unwrap(), [beat("b", 1)]);
    store.beat(&beat("a", 2)).await.unwrap();
    assert_eq!(store.beats(9).await.unwrap(), [beat("a", 2), beat("b", 1)]);
}
