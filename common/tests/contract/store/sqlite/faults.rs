//! What happens to a file while it is open. The store says what, loses nothing it acknowledged, and goes on by itself
//! when the cause is gone.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{FileExt, MetadataExt},
    time::Duration,
};

use common::store::{Inserted, Result, StoreError};
use lifecycle::{Entry, Event, Uid, event::Released};

use super::{Bench, File};
use crate::{
    child::{self, Process},
    store::{append, entry, history, seqs},
};

#[track_caller]
fn check_unavailable<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
    match result {
        Err(StoreError::Unavailable { why, .. }) if why.contains(expected) => {}
        other => panic!("{other:?} is not for `{expected}`"),
    }
}

#[tokio::test]
async fn a_file_that_was_removed_takes_no_writes_until_it_is_back() {
    let bench = File::new();
    let store = bench.open().await;
    append(&*store, &[entry("u", 1)]).await;
    let away = bench.path().with_extension("away");
    fs::rename(bench.path(), &away).unwrap();
    check_unavailable(store.append(&entry("u", 2)).await, "was removed or replaced; put it back");
    check_unavailable(store.history(&Uid::new("u"), 0, 9).await, "was removed or replaced");
    check_unavailable(store.ping().await, "was removed or replaced");
    assert!(!bench.path().exists(), "it was made anew");
    fs::rename(&away, bench.path()).unwrap();
    append(&*store, &[entry("u", 2)]).await;
    assert_eq!(seqs(&history(&*store, "u").await), [1, 2]);
}

#[tokio::test]
async fn a_file_that_was_replaced_is_not_touched() {
    let bench = File::new();
    let store = bench.open().await;
    append(&*store, &[entry("u", 1)]).await;
    fs::rename(bench.path(), bench.path().with_extension("away")).unwrap();
    let other = bench.open().await;
    append(&*other, &[entry("v", 1)]).await;
    let log = || fs::metadata(bench.path().with_extension("db-wal")).map(|log| log.ino()).ok();
    let before = log();
    check_unavailable(store.append(&entry("u", 2)).await, "was removed or replaced");
    check_unavailable(store.snapshots(None, 9).await, "was removed or replaced");
    drop(store);
    assert_eq!((log(), before.is_some()), (before, true), "another store's log was taken for the own");
    append(&*other, &[entry("v", 2)]).await;
    assert_eq!(seqs(&history(&*other, "v").await), [1, 2]);
    assert_eq!(history(&*other, "u").await, []);
}

#[tokio::test]
async fn destroyed_pages_are_damage() {
    let bench = File::new();
    let store = bench.open().await;
    append(&*store, &[entry("u", 1)]).await;
    bench.close(store).await;
    let file = OpenOptions::new().write(true).open(bench.path()).unwrap();
    let beyond_the_first = usize::try_from(file.metadata().unwrap().len()).unwrap() - 4096;
    file.write_all_at(&vec![0xa5; beyond_the_first], 4096).unwrap();
    drop(file);
    let store = bench.open().await;
    check_damaged(store.history(&Uid::new("u"), 0, 9).await);
    check_damaged(store.append(&entry("u", 2)).await);
    check_damaged(store.ping().await);
}

#[tokio::test]
async fn a_document_that_is_not_its_rows_is_damage() {
    let bench = File::new();
    let store = bench.open().await;
    append(&*store, &[entry("u", 1), entry("v", 1)]).await;
    bench.sqlite().execute("UPDATE entries SET document = '{}' WHERE uid = 'u'", []).unwrap();
    bench.sqlite().execute("UPDATE entries SET uid = 'w' WHERE uid = 'v'", []).unwrap();
    check_damaged(store.history(&Uid::new("u"), 0, 9).await);
    check_damaged(store.history(&Uid::new("w"), 0, 9).await);
}

#[track_caller]
fn check_damaged<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(&result, Err(StoreError::Damaged { .. })), "{result:?}");
}

/// Time is paused: it stands still while the store waits for the lock, so that the lock is told of and not that an answer is late, however
/// long the machine takes. That a call ends in time whatever the file does is told beside the store, in `common/src/store/sqlite.rs`.
#[tokio::test(start_paused = true)]
async fn a_lock_of_another_process_is_told_and_got_over() {
    let bench = File::new();
    let store = bench.open().await;
    append(&*store, &[entry("u", 1)]).await;
    let mut locker = Process::start("store::sqlite::faults::locking_process", &[bench.path().to_str().unwrap()]);
    locker.expect("locked");
    check_unavailable(store.append(&entry("u", 2)).await, "another process keeps it locked");
    assert_eq!(seqs(&history(&*store, "u").await), [1], "what is there can be read meanwhile");
    locker.go_on();
    locker.rest();
    append(&*store, &[entry("u", 2)]).await;
}

#[test]
#[ignore = "is the other process of a test"]
fn locking_process() {
    let Some(orders) = child::orders() else { return };
    let connection = rusqlite::Connection::open(&orders[0]).unwrap();
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    child::say("locked");
    child::wait();
}

#[tokio::test]
async fn on_a_full_disk_nothing_acknowledged_is_lost_and_writing_goes_on_when_there_is_room() {
    let bench = File::new();
    let blocks = 1_000;
    let mut filler = Process::start_with_full_disk(blocks, "store::sqlite::faults::filling_process", &[&bench.url()]);
    let mut acknowledged = Vec::new();
    let why = loop {
        let said = filler.next().unwrap();
        match said.strip_prefix("failed: ") {
            Some(why) => break why.to_owned(),
            None => acknowledged.push(said),
        }
    };
    assert!(why.contains("being full or failing") && acknowledged.len() > 10, "{why}, {acknowledged:?}");
    let of_tokens = |history: Vec<Entry>| history.into_iter().map(|entry| entry.token).collect::<Vec<_>>();
    let store = bench.open().await;
    assert_eq!(of_tokens(history(&*store, "u").await), acknowledged);
    filler.lift_the_limit();
    filler.go_on();
    acknowledged.extend(filler.rest());
    assert_eq!(of_tokens(history(&*store, "u").await), acknowledged);
}

/// Appends until it fails, and once it may go on, that entry again and a few more.
#[tokio::test]
#[ignore = "is the other process of a test"]
async fn filling_process() {
    let Some(orders) = child::orders() else { return };
    let store = common::store::open(&orders[0]).await.unwrap();
    let mut after_the_failure = None;
    for seq in 1.. {
        let event = Event::Released(Released { why: "x".repeat(8_000) });
        let entry = Entry { event, ..entry("u", seq) };
        let inserted = match store.append(&entry).await {
            Err(error) => {
                assert!(after_the_failure.is_none(), "it did not recover: {error}");
                after_the_failure = Some(seq + 5);
                child::say(&format!("failed: {error}"));
                child::wait();
                store.append(&entry).await.unwrap()
            }
            Ok(inserted) => inserted,
        };
        assert_eq!(inserted, Inserted::Written);
        child::say(&entry.token);
        if after_the_failure.is_some_and(|end| seq >= end) {
            break;
        }
    }
}

/// In a simulation a minute passes as soon as nobody does anything. Waiting for the disk is not nothing.
#[tokio::test(start_paused = true)]
async fn paused_time_stands_still_while_the_store_works() {
    let bench = File::new();
    let store = bench.open().await;
    let start = tokio::time::Instant::now();
    for seq in 1..=20 {
        append(&*store, &[entry("u", seq)]).await;
        assert_eq!(history(&*store, "u").await.len() as u64, seq);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}
