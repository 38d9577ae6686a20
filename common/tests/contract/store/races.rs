//! Many writers at once: of any number of them exactly one gets the number.

use std::collections::BTreeSet;

use common::store::{Access, ClaimKind, Inserted, SharedStore, Store};
use tokio::task::JoinSet;

use super::{Bench, appended, claimed, claims::claim, entry, history, opened};
use crate::child::{self, Process};

const WRITERS: u64 = 32;
const EACH: u64 = 20;

/// Appends so many entries to a history, each under the next number as this writer knows it. Returns the tokens.
pub(crate) async fn contend(store: &dyn Store, uid: &str, count: u64) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut seq = 1;
    for _ in 0..count {
        loop {
            let entry = entry(uid, seq);
            seq += 1;
            match appended(store, &entry).await {
                Inserted::Written => break tokens.push(entry.token),
                Inserted::Taken => {}
            }
        }
    }
    tokens
}

/// The history's numbers are 1, 2, 3, …, and its tokens those that were acknowledged.
async fn check_whole(store: &dyn Store, uid: &str, acknowledged: Vec<String>) {
    let history = history(store, uid).await;
    assert!(history.iter().map(|entry| entry.seq).eq(1..=acknowledged.len() as u64), "there is a gap");
    let stored: BTreeSet<String> = history.into_iter().map(|entry| entry.token).collect();
    assert_eq!(stored, acknowledged.into_iter().collect());
}

pub(crate) async fn many_writers_of_one_history_lose_nothing_and_leave_no_gap(bench: &impl Bench) {
    // Two handles, as two processes have.
    let stores = [bench.open().await, bench.open().await];
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let store = stores[usize::from(number % 2 == 0)].clone();
        writers.spawn(async move { contend(&*store, "u", EACH).await });
    }
    let acknowledged: Vec<String> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(acknowledged.len() as u64, WRITERS * EACH);
    check_whole(&*stores[0], "u", acknowledged).await;
}

pub(crate) async fn of_concurrent_claims_each_number_has_one_winner(bench: &impl Bench) {
    let store = bench.open().await;
    let mut claimants = JoinSet::new();
    for _ in 0..WRITERS {
        claimants.spawn(claim_all(store.clone()));
    }
    let mut won: Vec<(u64, String)> = claimants.join_all().await.into_iter().flatten().collect();
    won.sort_unstable();
    let stored = store.claims(ClaimKind::Slots, "w", 0, 99).await.unwrap();
    assert_eq!(won, stored.into_iter().map(|claim| (claim.number, claim.token)).collect::<Vec<_>>());
    assert_eq!(won.len() as u64, EACH);
}

async fn claim_all(store: SharedStore) -> Vec<(u64, String)> {
    let mut won = Vec::new();
    for number in 0..EACH {
        let claim = claim(ClaimKind::Slots, "w", number);
        if claimed(&*store, &claim).await == Inserted::Written {
            won.push((number, claim.token));
        }
    }
    won
}

/// They may be written together, and yet one that is taken does not fail the others.
pub(crate) async fn of_appends_at_once_each_gets_its_own_answer(bench: &impl Bench) {
    let store = bench.open().await;
    store.append(&entry("taken", 1)).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 0..200_u64 {
        let store = store.clone();
        let own = number % 10 != 0;
        let entry = entry(&if own { format!("u{number}") } else { "taken".to_owned() }, 1);
        writers.spawn(async move { (own, appended(&*store, &entry).await) });
    }
    for (own, inserted) in writers.join_all().await {
        assert_eq!(inserted, if own { Inserted::Written } else { Inserted::Taken });
    }
}

pub(crate) async fn two_processes_write_one_history(bench: &impl Bench) {
    let store = bench.open().await;
    let mut processes = [0, 1].map(|_| Process::start("store::races::contending_process", &[&bench.url(), "u", "150"]));
    processes.iter_mut().for_each(|process| process.expect("ready"));
    processes.iter_mut().for_each(Process::go_on);
    let acknowledged: Vec<String> = processes.iter_mut().flat_map(Process::rest).collect();
    assert_eq!(acknowledged.len(), 300);
    check_whole(&*store, "u", acknowledged).await;
}

#[tokio::test]
#[ignore = "is the other process of a test"]
async fn contending_process() {
    let Some([url, uid, count]) = child::orders().and_then(|orders| <[String; 3]>::try_from(orders).ok()) else {
        return;
    };
    let store = opened(&url, &Access::default()).await;
    child::say("ready");
    child::wait();
    contend(&*store, &uid, count.parse().unwrap()).await.iter().for_each(|token| child::say(token));
}
