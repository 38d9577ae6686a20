//! How fast it is. It measures and judges nothing: `cargo test -p common --test contract -- --ignored --nocapture mongo::speed`.

use std::time::{Duration, Instant};

use common::store::{ClaimKind, SharedStore};
use jiff::SignedDuration;
use lifecycle::{Entry, Record, Uid};
use tokio::task::JoinSet;

use super::Place;
use crate::store::{Bench, append, at, claims::claim, entry};

const UIDS: u64 = 2_000;
const EACH: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn of_reads_at_a_hundred_thousand_entries() {
    let place = Place::of_secantus();
    let store = place.open().await;
    append(&*store, &[entry("few", 1)]).await;
    reads("1 entry", &store, "few", 1).await;
    let start = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..32 {
        let store = store.clone();
        writers.spawn(async move {
            for uid in (writer..UIDS).step_by(32) {
                for seq in 1..=EACH {
                    let minute = i64::try_from(uid * EACH + seq).unwrap();
                    let at = at(0) + SignedDuration::from_secs(60 * minute);
                    append(&*store, &[Entry { at, ..entry(&format!("u{uid}"), seq) }]).await;
                }
                let record = Record { name: "n".into(), head: EACH, ..Record::new(Uid::new(format!("u{uid}"))) };
                store.put_snapshot(&record).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    eprintln!("32 writers: {} entries in {:?}", UIDS * EACH, start.elapsed());
    store.claim(&claim(ClaimKind::Controls, "stop", 1)).await.unwrap();
    reads("100,000 entries", &store, "u1000", EACH).await;
}

async fn reads(what: &str, store: &SharedStore, uid: &str, head: u64) {
    let uid = Uid::new(uid);
    let newest = at(0) + SignedDuration::from_secs(60 * i64::try_from(UIDS * EACH - 30).unwrap());
    eprintln!("with {what}:");
    told("a whole history", async || drop(store.history(&uid, 0, 99).await.unwrap())).await;
    told("what is after the last", async || drop(store.history(&uid, head, 99).await.unwrap())).await;
    told("a snapshot", async || drop(store.snapshot(&uid).await.unwrap())).await;
    told("a page of 500 snapshots", async || drop(store.snapshots(None, 500).await.unwrap())).await;
    told("the last half hour", async || drop(store.tail(newest, None, 500).await.unwrap())).await;
    told("a name", async || drop(store.uids_named("name-of-u1000", 9).await.unwrap())).await;
    told("the stop", async || drop(store.last_claim(ClaimKind::Controls, "stop").await.unwrap())).await;
}

async fn told(what: &str, ask: impl AsyncFn()) {
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        ask().await;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    eprintln!("  {what}: {:?}, p99 {:?}", took[50], took[98]);
}
