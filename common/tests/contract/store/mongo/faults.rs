//! What happens to a server while the store is open: it freezes, dies, comes back, or its answer is lost. The store
//! says so in time, loses nothing it acknowledged, and goes on by itself.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::ensure;
use common::{
    history::token,
    store::{Access, ClaimKind, Heartbeat, Inserted, SharedStore, StoreError},
};
use lifecycle::{Record, Uid};
use serde_json::json;
use testbed::{HANG, MongoOptions, MongoServer, eventually};
use tokio::{task::JoinSet, time::Instant};

use super::proxy::Proxy;
use crate::store::{append, at, claims::claim, entry, history, in_time, opened, seqs};

/// What the port promises of every call. It is held against time that is paused once the server cannot answer: what a call takes is then
/// what it waits for, and nothing of the machine.
const IN_TIME: Duration = Duration::from_secs(5);

async fn server() -> MongoServer {
    MongoServer::start(MongoOptions::default()).await.unwrap()
}

async fn is_back(store: &SharedStore) {
    eventually("the store is back", HANG, async || Ok(store.ping().await?)).await.unwrap();
}

#[tokio::test]
async fn every_call_to_a_frozen_server_ends_in_time_and_the_store_goes_on_when_it_thaws() {
    let server = server().await;
    let store = opened(&server.fresh_url(), &Access::default()).await;
    append(&*store, &[entry("u", 1)]).await;
    server.freeze().unwrap();
    tokio::time::pause();
    let mut calls = JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        calls.spawn(async move {
            let start = Instant::now();
            let failed = call(&store, number).await;
            (number, failed, start.elapsed())
        });
    }
    for (number, failed, took) in calls.join_all().await {
        assert!(matches!(failed, Err(StoreError::Unavailable { .. })), "call {number}: {failed:?}");
        assert!(took < IN_TIME, "call {number} took {took:?}");
    }
    tokio::time::resume();
    server.thaw().unwrap();
    is_back(&store).await;
    // Frozen requests may have been carried out when it thawed, and then they count.
    let known = seqs(&history(&*store, "u").await);
    assert!(known == [1] || known == [1, 2], "{known:?}");
}

/// Each call of the port.
async fn call(store: &SharedStore, number: u32) -> Result<(), StoreError> {
    let uid = Uid::new("u");
    let heartbeat = Heartbeat { id: "b".into(), role: "r".into(), started: at(0), at: at(0), body: json!({}) };
    match number {
        0 => store.append(&entry("u", 2)).await.map(drop),
        1 => store.history(&uid, 0, 9).await.map(drop),
        2 => store.tail(at(0), None, 9).await.map(drop),
        3 => store.uids_named("n", 9).await.map(drop),
        4 => store.put_snapshot(&Record::of(uid, &[entry("u", 1)])).await,
        5 => store.snapshot(&uid).await.map(drop),
        6 => store.snapshots(None, 9).await.map(drop),
        7 => store.claim(&claim(ClaimKind::Slots, "w", 1)).await.map(drop),
        8 => store.claims(ClaimKind::Slots, "w", 0, 9).await.map(drop),
        9 => store.last_claim(ClaimKind::Controls, "stop").await.map(drop),
        10 => store.heartbeat(&heartbeat).await,
        11 => store.heartbeats(9).await.map(drop),
        12 => store.remove_heartbeat("b").await,
        13 => store.forget(&Uid::new("v")).await,
        14 => store.forget_claims(ClaimKind::Unannounced, "w", 9).await.map(drop),
        _ => store.ping().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_has_what_it_acknowledged_and_is_found_again() {
    let server = server().await;
    let store = opened(&server.fresh_url(), &Access::default()).await;
    let mut acknowledged = Vec::new();
    for death in 0..3 {
        let written = AtomicUsize::new(0);
        let writer = async {
            let mut own = Vec::new();
            let mut seq = acknowledged.len() as u64;
            loop {
                seq += 1;
                let entry = entry("u", seq);
                // What is not acknowledged may be there for all that: then the number is its own.
                match store.append(&entry).await {
                    Ok(Inserted::Written) => {
                        own.push(entry.token);
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                    other => break (own, other),
                }
            }
        };
        let killer = async {
            // Somewhere in the middle of it.
            let goes_on = eventually("something is written", HANG, async || {
                let written = written.load(Ordering::Relaxed);
                ensure!(written > 10 * (death + 1), "{written} are");
                Ok(())
            });
            goes_on.await.unwrap();
            server.kill();
        };
        let ((own, failed), ()) = tokio::join!(writer, killer);
        assert!(matches!(failed, Err(StoreError::Unavailable { .. })), "{failed:?}");
        assert!(!own.is_empty(), "nothing was written before death {death}");
        acknowledged.extend(own);
        server.restart().await.unwrap();
        is_back(&store).await;
        let tokens: Vec<_> = history(&*store, "u").await.into_iter().map(|entry| entry.token).collect();
        assert_eq!(tokens[..acknowledged.len()], acknowledged, "death {death}");
        acknowledged = tokens;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_was_written() {
    let server = MongoServer::shared().await.unwrap();
    let proxy = Proxy::to(server.port()).await;
    let database = format!("nsm-{}", token());
    let store = opened(&server.url_at(&proxy.address(), &database), &Access::default()).await;
    let other = opened(&server.url(&database), &Access::default()).await;

    let own = entry("u", 1);
    proxy.lose_the_answer_to(&own.token);
    assert_eq!(store.append(&own).await.unwrap(), Inserted::Written);
    assert!(proxy.has_lost_it());
    assert_eq!(history(&*other, "u").await, [own]);

    let own = claim(ClaimKind::Slots, "w", 1);
    proxy.lose_the_answer_to(&own.token);
    assert_eq!(store.claim(&own).await.unwrap(), Inserted::Written);
    assert!(proxy.has_lost_it());
    assert_eq!(other.last_claim(ClaimKind::Slots, "w").await.unwrap(), Some(own));

    // Somebody else's document is not taken for one's own, also when the refusal is what gets lost.
    append(&*other, &[entry("u", 2)]).await;
    let late = entry("u", 2);
    proxy.lose_the_answer_to(&late.token);
    assert_eq!(store.append(&late).await.unwrap(), Inserted::Taken);
    assert!(proxy.has_lost_it());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting_that_is_cut_short_leaves_no_gap_and_is_finished_by_a_repeat() {
    let server = MongoServer::shared().await.unwrap();
    let proxy = Proxy::to(server.port()).await;
    let database = format!("nsm-{}", token());
    let store = opened(&server.url(&database), &Access::default()).await;
    let cut = opened(&server.url_at(&proxy.address(), &database), &Access::default()).await;
    let mut entries = Vec::new();
    for seq in 1..=700 {
        let entry = entry("u", seq);
        append(&*store, std::slice::from_ref(&entry)).await;
        entries.push(entry);
    }
    let record = Record::of(Uid::new("u"), &entries);
    while in_time(store.put_snapshot(&record).await).is_none() {}

    proxy.lose_the_answer_to("deletes");
    cut.forget(&record.uid).await.unwrap_err();
    assert!(proxy.has_lost_it());
    assert!(seqs(&history(&*store, "u").await).into_iter().eq(1..=500), "the newest go first");
    assert_eq!(common::history::load(&*store, &record.uid).await.unwrap(), record, "it says how it ended");
    while in_time(cut.forget(&record.uid).await).is_none() {}
    assert_eq!(history(&*store, "u").await, []);
    assert_eq!(store.snapshot(&record.uid).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_listens_opening_fails_in_time_and_shows_no_password() {
    let start = Instant::now();
    let error = common::store::open("mongodb://eve:s3cret@127.0.0.1:1/nsm").await.unwrap_err().to_string();
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    assert!(error.starts_with("cannot open store `mongodb://127.0.0.1:1/nsm`: "), "{error}");
    assert!(!error.contains("s3cret") && !error.contains("eve"), "{error}");
}
