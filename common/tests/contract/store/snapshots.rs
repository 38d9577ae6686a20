//! Snapshots: never behind what they were, and never another fold's.

use lifecycle::{
    Record, Uid,
    record::{FOLD_VERSION, Snapshot},
};
use serde_json::{Value, json};

use super::{Bench, entry};

/// The record of a history of so many entries.
fn record(uid: &str, head: u64) -> Record {
    let entries: Vec<_> = (1..=head).map(|seq| entry(uid, seq)).collect();
    Record::of(Uid::new(uid), &entries)
}

fn of_fold(fold: u32, record: Record) -> Value {
    serde_json::to_value(Snapshot { fold, record }).unwrap()
}

pub(crate) async fn a_snapshot_is_read_as_it_was_put(bench: &impl Bench) {
    let store = bench.open().await;
    store.put_snapshot(&record("u", 3)).await.unwrap();
    assert_eq!(store.snapshot(&Uid::new("u")).await.unwrap(), Some(record("u", 3)));
    assert_eq!(store.snapshot(&Uid::new("v")).await.unwrap(), None);
}

pub(crate) async fn a_snapshot_moves_only_forward(bench: &impl Bench) {
    let store = bench.open().await;
    for head in [3, 2, 5, 4] {
        store.put_snapshot(&record("u", head)).await.unwrap();
    }
    assert_eq!(store.snapshot(&Uid::new("u")).await.unwrap().map(|record| record.head), Some(5));
}

pub(crate) async fn a_snapshot_of_another_fold_is_ignored(bench: &impl Bench) {
    let store = bench.open().await;
    bench.plant_snapshot(&of_fold(FOLD_VERSION + 1, record("later", 3))).await;
    bench.plant_snapshot(&of_fold(FOLD_VERSION - 1, record("earlier", 3))).await;
    assert_eq!(store.snapshot(&Uid::new("later")).await.unwrap(), None);
    assert_eq!(store.snapshot(&Uid::new("earlier")).await.unwrap(), None);
    assert_eq!(store.snapshots(None, 9).await.unwrap(), []);
}

/// Another version may have folded further; its snapshot helps nobody here, and lists come from snapshots.
pub(crate) async fn a_snapshot_of_another_fold_is_replaced(bench: &impl Bench) {
    let store = bench.open().await;
    bench.plant_snapshot(&of_fold(FOLD_VERSION + 1, record("u", 5))).await;
    store.put_snapshot(&record("u", 3)).await.unwrap();
    assert_eq!(store.snapshot(&Uid::new("u")).await.unwrap(), Some(record("u", 3)));
}

pub(crate) async fn snapshots_are_listed_by_uid_and_by_pages(bench: &impl Bench) {
    let store = bench.open().await;
    for uid in ["c", "a", "d", "b"] {
        store.put_snapshot(&record(uid, 1)).await.unwrap();
    }
    let page = async |after: Option<&str>, limit| {
        let listed = store.snapshots(after.map(Uid::new).as_ref(), limit).await.unwrap();
        listed.into_iter().map(|record| record.uid.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 3).await, ["a", "b", "c"]);
    assert_eq!(page(Some("c"), 3).await, ["d"]);
    assert_eq!(page(Some("bb"), 1).await, ["c"]);
}

pub(crate) async fn an_unreadable_snapshot_is_none_and_makes_no_page_short(bench: &impl Bench) {
    let store = bench.open().await;
    bench.plant_snapshot(&json!({"fold": FOLD_VERSION, "record": {"uid": "b", "head": 1}})).await;
    bench.plant_snapshot(&of_fold(FOLD_VERSION + 1, record("c", 1))).await;
    for uid in ["a", "d", "e"] {
        store.put_snapshot(&record(uid, 1)).await.unwrap();
    }
    assert_eq!(store.snapshot(&Uid::new("b")).await.unwrap(), None);
    assert_eq!(store.snapshots(None, 2).await.unwrap(), [record("a", 1), record("d", 1)]);
}

pub(crate) async fn uids_are_listed_by_whichever_process_folded_and_by_pages(bench: &impl Bench) {
    let store = bench.open().await;
    bench.plant_snapshot(&of_fold(FOLD_VERSION + 1, record("b", 1))).await;
    for uid in ["c", "a"] {
        store.put_snapshot(&record(uid, 1)).await.unwrap();
    }
    let page = async |after: Option<&str>, limit| store.uids(after.map(Uid::new).as_ref(), limit).await.unwrap();
    assert_eq!(page(None, 2).await, ["a", "b"].map(Uid::new));
    assert_eq!(page(Some("b"), 9).await, ["c"].map(Uid::new));
}
