//! How long the stores take on the disk of the temporary directory: the embedded one, and a database on SecantusDB, which
//! speaks the protocol of MongoDB. No real mongod was run.

use std::time::{Duration, Instant};

use common::{
    history::{load, token},
    store::{self, Inserted, SharedStore, Store},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Actor, Condition, Entry, Event, Mode, Record, Status, Truth, Uid,
    event::{Adopted, Pair, PolicyRef, StatusChanged},
    keys::CI_LABELS,
    overrides::{Deadline, DeadlineBy},
    time::saturating_add,
};
use tempfile::TempDir;
use testbed::{MongoOptions, MongoServer};
use tokio::{runtime::Runtime, task::JoinSet};

/// As many as a collector takes turns at once.
const WRITERS: [u64; 2] = [1, 48];
/// Snapshots of a cluster of some size, and the page in which lists are read.
const SNAPSHOTS: u64 = 5_000;
const PAGE: usize = 500;
/// Entries of the history that is loaded.
const HISTORY: u64 = 10;

/// The adapters that are measured.
const ADAPTERS: [Adapter; 2] = [Adapter::Sqlite, Adapter::Secantus];

#[derive(Clone, Copy)]
enum Adapter {
    Sqlite,
    Secantus,
}

/// A store of its own, which goes with it.
struct Place {
    runtime: Runtime,
    store: SharedStore,
    _directory: TempDir,
    _server: Option<MongoServer>,
}

impl Adapter {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Secantus => "SecantusDB",
        }
    }
}

impl Place {
    fn new(adapter: Adapter) -> Self {
        let directory = TempDir::new().expect("the temporary directory can be written");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be started");
        let server = match adapter {
            Adapter::Sqlite => None,
            Adapter::Secantus => {
                Some(runtime.block_on(MongoServer::start(MongoOptions::default())).expect("the server starts"))
            }
        };
        let url = server.as_ref().map_or_else(
            || format!("sqlite:{}", directory.path().join("store.db").display()),
            |server| server.url("bench"),
        );
        let store = runtime.block_on(store::open(&url)).expect("a new store can be opened");
        Self { runtime, store, _directory: directory, _server: server }
    }
}

fn dawn() -> Timestamp {
    Timestamp::constant(1_767_571_200, 0)
}

/// Entries as a collector writes them: an adoption, then judgements.
fn entry(uid: &str, seq: u64) -> Entry {
    let at = saturating_add(dawn(), SignedDuration::from_secs(i64::try_from(seq).unwrap_or(i64::MAX)));
    let event = if seq == 1 {
        Event::Adopted(Adopted {
            terms: PolicyRef {
                policy: "ci".to_owned(),
                policy_hash: "0123456789abcdef".to_owned(),
                mode: Mode::Enforce,
            },
            created: dawn(),
            ci: CI_LABELS.iter().map(|k| Pair { k: (*k).to_owned(), v: format!("some-{k}") }).collect(),
            deadline: Some(Deadline {
                at: saturating_add(dawn(), SignedDuration::from_hours(1)),
                by: DeadlineBy::Policy,
                unreadable: None,
            }),
            again: false,
            deleted_before: 0,
        })
    } else {
        let reason = "it has lived for 30m of the 1h that policy `ci` gives it".to_owned();
        let evidence = Condition { truth: Truth::False, reason: reason.clone(), observed_at: at };
        Event::StatusChanged(StatusChanged {
            from: Status::Unknown,
            to: Status::Ok,
            reason,
            evidence: vec![evidence.clone(), evidence],
            finalize_at: None,
            successors: Vec::new(),
        })
    };
    Entry {
        uid: Uid::new(uid),
        seq,
        at,
        actor: Actor::role("collector", "bench"),
        name: format!("ci-{uid}"),
        token: token(),
        event,
    }
}

async fn append(store: &dyn Store, entry: &Entry) {
    assert_eq!(store.append(entry).await.expect("the store is there"), Inserted::Written);
}

/// Durable appends, each writer to a history of its own and one after the other.
fn appends(criterion: &mut Criterion) {
    ADAPTERS.into_iter().for_each(|adapter| appends_to(criterion, adapter));
}

fn appends_to(criterion: &mut Criterion, adapter: Adapter) {
    let place = Place::new(adapter);
    let mut group = criterion.benchmark_group(format!("{}, append", adapter.name()));
    let mut turn = 0_u64;
    for writers in WRITERS {
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("writers", writers), |bencher| {
            bencher.iter_custom(|count| {
                turn += 1;
                place.runtime.block_on(append_all(&place.store, turn, writers, count))
            });
        });
    }
    group.finish();
}

/// The time for `count` appends in all.
async fn append_all(store: &SharedStore, turn: u64, writers: u64, count: u64) -> Duration {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for writer in 0..writers {
        let own = count / writers + u64::from(writer < count % writers);
        let store = store.clone();
        tasks.spawn(async move {
            let uid = format!("{turn}-{writer}");
            for seq in 1..=own {
                append(&*store, &entry(&uid, seq)).await;
            }
        });
    }
    tasks.join_all().await;
    began.elapsed()
}

fn reads(criterion: &mut Criterion) {
    ADAPTERS.into_iter().for_each(|adapter| reads_of(criterion, adapter));
}

fn reads_of(criterion: &mut Criterion, adapter: Adapter) {
    let place = Place::new(adapter);
    let name = adapter.name();
    let store = &*place.store;
    let record = place.runtime.block_on(async {
        let mut record = Record::new(Uid::new("load"));
        for seq in 1..=HISTORY {
            let entry = entry("load", seq);
            append(store, &entry).await;
            record.fold(&entry);
        }
        for number in 0..SNAPSHOTS {
            let uid = Uid::new(format!("snapshot-{number:05}"));
            store.put_snapshot(&Record { uid, ..record.clone() }).await.expect("the store is there");
        }
        record
    });

    criterion.bench_function(&format!("{name}, load/history of 10"), |bencher| {
        bencher.iter(|| place.runtime.block_on(load(store, &record.uid)).expect("the store is there"));
    });
    place.runtime.block_on(store.put_snapshot(&record)).expect("the store is there");
    criterion.bench_function(&format!("{name}, load/from a snapshot"), |bencher| {
        bencher.iter(|| place.runtime.block_on(load(store, &record.uid)).expect("the store is there"));
    });
    let mut group = criterion.benchmark_group(format!("{name}, snapshots"));
    group.throughput(Throughput::Elements(PAGE as u64));
    group.bench_function("page of 500", |bencher| {
        let page = || place.runtime.block_on(store.snapshots(None, PAGE)).expect("the store is there");
        bencher.iter(|| assert_eq!(page().len(), PAGE));
    });
    group.finish();
}

criterion_group!(benches, appends, reads);
criterion_main!(benches);
