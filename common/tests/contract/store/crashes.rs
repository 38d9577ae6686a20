//! A writer's death: what it was told is written is there, whenever it dies.

use std::collections::BTreeMap;

use common::store::{Access, Inserted, Store};
use tokio::task::JoinSet;

use super::{Bench, appended, entry, history, opened};
use crate::child::{self, Process};

const DEATHS: usize = 12;
const UIDS: [&str; 4] = ["a", "b", "c", "d"];

pub(crate) async fn a_killed_writer_leaves_what_was_acknowledged(bench: &impl Bench) {
    let mut acknowledged = BTreeMap::new();
    for death in 0..DEATHS {
        let mut process = Process::start("store::crashes::writing_process", &[&bench.url()]);
        // It goes on writing while it is read and killed, so it dies anywhere in a write.
        let mut said: Vec<String> = (0..rand::random_range(1..60)).map_while(|_| process.next()).collect();
        process.kill();
        said.extend(process.rest());
        assert!(!said.is_empty(), "it wrote nothing before death {death}");
        for line in said {
            let [uid, seq, token] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            acknowledged.insert((uid.to_owned(), seq.parse::<u64>().unwrap()), token.to_owned());
        }
        let store = bench.open().await;
        check_nothing_is_lost(&*store, &acknowledged).await;
    }
}

async fn check_nothing_is_lost(store: &dyn Store, acknowledged: &BTreeMap<(String, u64), String>) {
    let mut found = BTreeMap::new();
    for uid in UIDS {
        let history = history(store, uid).await;
        assert!(history.iter().map(|entry| entry.seq).eq(1..=history.len() as u64), "`{uid}` has a gap");
        found.extend(history.into_iter().map(|entry| ((uid.to_owned(), entry.seq), entry.token)));
    }
    // What was written last may not have been acknowledged any more.
    found.retain(|id, _| acknowledged.contains_key(id));
    assert_eq!(&found, acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the process that a test kills"]
async fn writing_process() {
    let Some(orders) = child::orders() else { return };
    let store = opened(&orders[0], &Access::default()).await;
    let mut writers = JoinSet::new();
    for uid in UIDS {
        let store = store.clone();
        writers.spawn(async move {
            let mut seq = history(&*store, uid).await.len() as u64;
            loop {
                seq += 1;
                let entry = entry(uid, seq);
                assert_eq!(appended(&*store, &entry).await, Inserted::Written);
                child::say(&format!("{uid} {seq} {}", entry.token));
            }
        });
    }
    writers.join_all().await;
}
