//! How fast it is. It measures and judges nothing: `cargo test -p common --test contract -- --ignored --nocapture speed`.

use std::time::Instant;

use common::store::SharedStore;
use lifecycle::Uid;
use tokio::task::JoinSet;

use super::{Bench, File};
use crate::store::{append, entry};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn of_appends_and_reads_at_a_hundred_thousand_entries() {
    let bench = File::new();
    let store = bench.open().await;
    for (writers, each) in [(1, 500), (32, 200), (256, 100), (1_000, 70)] {
        let rate = appends_per_second(&store, writers, each).await;
        println!("{writers} writers: {rate:.0} durable appends/s");
    }
    let start = Instant::now();
    for number in 0..1_000 {
        assert_eq!(store.history(&Uid::new(format!("1000-{number}")), 60, 10).await.unwrap().len(), 10);
    }
    println!("one reader: {:.0} histories of 10/s, one after the other", 1_000.0 / start.elapsed().as_secs_f64());
}

async fn appends_per_second(store: &SharedStore, writers: u64, each: u64) -> f64 {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            for seq in 1..=each {
                append(&*store, &[entry(&format!("{writers}-{writer}"), seq)]).await;
            }
        });
    }
    tasks.join_all().await;
    f64::from(u32::try_from(writers * each).unwrap()) / start.elapsed().as_secs_f64()
}
