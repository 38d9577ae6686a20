//! A cluster and a store for the tests of a whole collector, in paused time.

mod apiserver;
pub(crate) mod turns;

use std::{future::Future, sync::Arc, time::Duration};

use common::{
    clock::Clock,
    config::Source,
    context::Context,
    history::{append_named, load},
    http_client::HttpClient,
    liveness::Liveness,
    queue,
    store::{self, Store},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Actor, Entry, Event, Uid, event::Gone};
use tempfile::TempDir;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

pub(crate) use self::apiserver::{Apiserver, KubeEvent, Pods, Writes};
use crate::{Shard, Work};

/// The namespace that is there at first.
pub(crate) const UID: &str = "00000000-0000-4000-8000-000000000001";

/// One check of everything.
pub(crate) const SWEEP: Work = Work::Sweep { shard: Shard::WHOLE };

/// It stays.
pub(crate) const RESIDENT: Work = Work::Resident { shard: Shard::WHOLE, slot: None };

pub(crate) struct Scene {
    _directory: TempDir,
    pub(crate) apiserver: Apiserver,
    pub(crate) context: Context,
}

impl Scene {
    /// `ci-1` is two hours old and lives for one. Its status has to stand on it for a minute before it is deleted.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let policy = r#"[{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h", "visible_for": "1m"}]"#;
        let variables = [
            ("NSM__STORE__URL", url.as_str()),
            ("NSM__MODE", "enforce"),
            ("NSM__POLICIES", policy),
            ("NSM__HEALTH__KUBERNETES", "false"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Source::new(None, variables).load().unwrap();
        let apiserver = Apiserver::new();
        let clock = apiserver.clone();
        let context = Context {
            store: store::open(&url).await.unwrap(),
            queue: queue::open("memory:").await.unwrap(),
            cluster: apiserver.cluster(),
            clock: Clock::from_fn(move || clock.now()),
            http: HttpClient::from_fn(|_| Box::pin(async { Err("nobody answers".to_owned()) })),
            liveness: Liveness::default(),
            settings: watch::channel(Arc::new(settings)).1,
            instance: "test".to_owned(),
        };
        Self { _directory: directory, apiserver, context }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.context.store
    }

    /// Collects until that ends by itself.
    pub(crate) async fn collect(&self, work: Work) {
        crate::run(self.context.clone(), work, CancellationToken::new()).await.unwrap();
    }

    /// Collects until this is over.
    pub(crate) async fn collect_while(&self, work: Work, until: impl Future<Output = ()>) {
        let cancel = CancellationToken::new();
        let running = crate::run(self.context.clone(), work, cancel.clone());
        let ending = async {
            until.await;
            cancel.cancel();
        };
        let (ended, ()) = tokio::join!(running, ending);
        ended.unwrap();
    }

    /// Appends to the history of a uid, and to nothing else, as one does that dies right then.
    pub(crate) async fn append(&self, uid: &str, event: Event, now: Timestamp) {
        let mut record = load(self.store(), &Uid::new(uid)).await.unwrap();
        append_named(self.store(), &mut record, "ci-1", &Actor::person("me"), event, now).await.unwrap();
    }

    /// Somebody records that `ci-1` has gone.
    pub(crate) async fn records_its_end(&self) {
        self.append(UID, Event::Gone(Gone {}), at(0)).await;
        let record = load(self.store(), &Uid::new(UID)).await.unwrap();
        self.store().put_snapshot(&record).await.unwrap();
    }

    pub(crate) async fn history(&self, uid: &str) -> Vec<Entry> {
        self.store().history(&Uid::new(uid), 0, 99).await.unwrap()
    }

    /// The kinds of what is written of a uid.
    pub(crate) async fn kinds(&self, uid: &str) -> Vec<String> {
        self.history(uid).await.iter().map(|entry| entry.event.kind().to_owned()).collect()
    }

    /// Waits until something of this kind is written of a uid: for an hour at most, which costs no time.
    pub(crate) async fn is_written(&self, uid: &str, kind: &str) {
        for _ in 0..3_600 {
            if self.kinds(uid).await.iter().any(|written| written == kind) {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("no {kind} is written: {:?}", self.kinds(uid).await);
    }
}

/// So many seconds after the beginning of a test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}
