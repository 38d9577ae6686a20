//! What tests of turns begin with: a collector, a store that remembers what it was asked for, and an apiserver without a
//! socket that remembers what it was sent.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex as Lock,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use common::{
    clock::Clock,
    cluster::Cluster,
    config::Source,
    context::Context,
    queue,
    store::{self, Claim, ClaimKind, Heartbeat, Inserted, Note, Observed, Place, Result, SharedStore, Store},
    vitals::Vitals,
    web::Web,
};
use http::{Request, Response, header};
use jiff::Timestamp;
use kube::client::Body;
use lifecycle::{Entry, Keys, Namespace, Record, Uid, keys::RECORD};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore, watch};

use crate::{
    events::Events, health::Health, marks::Marks, memory::Memory, metrics::Checks, pipelines::Pipelines, shard::Shard,
    turn::Collector,
};

/// A store that remembers what it was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) inner: SharedStore,
    calls: Lock<Vec<&'static str>>,
}

macro_rules! remembered {
    ($($name:ident($($arg:ident: $of:ty),*) -> $found:ty;)+) => {
        #[async_trait]
        impl Store for Asked {
            $(async fn $name(&self, $($arg: $of),*) -> Result<$found> {
                self.calls.lock().unwrap().push(stringify!($name));
                self.inner.$name($($arg),*).await
            })+
        }
    };
}

remembered! {
    append(entry: &Entry) -> Inserted;
    history(uid: &Uid, after: u64, limit: usize) -> Vec<Entry>;
    tail(from: Timestamp, after: Option<&Place>, limit: usize) -> Vec<Entry>;
    uids_named(name: &str, limit: usize) -> Vec<Uid>;
    put_snapshot(record: &Record) -> ();
    snapshot(uid: &Uid) -> Option<Record>;
    snapshots(after: Option<&Uid>, limit: usize) -> Vec<Record>;
    uids(after: Option<&Uid>, limit: usize) -> Vec<Uid>;
    put_observation(uid: &Uid, observed: &Observed) -> ();
    observation(uid: &Uid) -> Option<Observed>;
    put_note(note: &Note) -> ();
    note(about: &str) -> Option<Note>;
    forget_notes(before: Timestamp, limit: usize) -> usize;
    claim(claim: &Claim) -> Inserted;
    claims(kind: ClaimKind, group: &str, from: u64, limit: usize) -> Vec<Claim>;
    last_claim(kind: ClaimKind, group: &str) -> Option<Claim>;
    beat(beat: &Heartbeat) -> ();
    beats(limit: usize) -> Vec<Heartbeat>;
    forget_beat(id: &str) -> ();
    forget(uid: &Uid) -> ();
    forget_claims(kind: ClaimKind, before: &str, limit: usize) -> usize;
    ping() -> ();
}

/// A request to the apiserver: its method and path, and its body.
type Sent = (String, Value);

/// A collector at second 1,000, of one policy that matches `ci-.*`.
pub(crate) struct Scene {
    _directory: TempDir,
    pub(crate) store: Arc<Asked>,
    pub(crate) collector: Collector,
    sent: Arc<Lock<Vec<Sent>>>,
    second: Arc<AtomicI64>,
    memory: Memory,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let store = Arc::new(Asked { inner: store::open(&url).await.unwrap(), calls: Lock::default() });
        let policy = r#"[{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h", "visible_for": "0"}]"#;
        let variables = [("NSM__STORE__URL", url.as_str()), ("NSM__MODE", "enforce"), ("NSM__POLICIES", policy)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Source::new(None, variables).load().unwrap();
        let (second, sent) = (Arc::new(AtomicI64::new(1_000)), Arc::default());
        let told = Arc::clone(&second);
        let context = Context {
            store: store.clone(),
            queue: queue::open("memory:").await.unwrap(),
            cluster: apiserver(Arc::clone(&second), Arc::clone(&sent)),
            clock: Clock::told(move || at(told.load(Ordering::SeqCst))),
            web: Web::system(),
            vitals: Vitals::default(),
            settings: watch::channel(Arc::new(settings)).1,
            instance: "test".to_owned(),
        };
        let checks = Checks::default();
        let collector = Collector {
            actor: context.actor(common::beats::COLLECTOR),
            shard: Shard::WHOLE,
            events: Events::new(&context),
            marks: Mutex::new(Marks::default()),
            asking: Mutex::new(()),
            annotating: Semaphore::new(1),
            health: Health::new(checks.clone()),
            pipelines: Pipelines::new(checks.clone()),
            checks,
            context,
        };
        Self { _directory: directory, store, collector, sent, second, memory: Memory::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.second.load(Ordering::SeqCst))
    }

    pub(crate) fn sleep(&self, seconds: i64) {
        self.second.fetch_add(seconds, Ordering::SeqCst);
    }

    /// What the store was asked for since that was last asked here.
    pub(crate) fn asked_for(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.store.calls.lock().unwrap())
    }

    /// Takes the turn of a namespace as it is now. Returns what the store was asked for.
    pub(crate) async fn turn(&mut self, namespace: Namespace) -> Vec<&'static str> {
        self.asked_for();
        self.memory.there(namespace, None);
        let (uid, seen) = self.memory.begin().unwrap();
        let left = self.collector.turn(&uid, seen, None, false).await.unwrap();
        self.memory.end(&uid, left);
        self.asked_for()
    }

    /// The kinds of the entries about a namespace.
    pub(crate) async fn kinds(&self, uid: &str) -> Vec<String> {
        let history = self.store.inner.history(&Uid::new(uid), 0, 100).await.unwrap();
        history.iter().map(|entry| entry.fact.kind().to_owned()).collect()
    }

    /// The reasons of the Events so far.
    pub(crate) fn events(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        let events = sent.iter().filter(|(what, _)| what.starts_with("POST") && what.ends_with("/events"));
        events.map(|(_, body)| body["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The marks that were written so far.
    pub(crate) fn marks(&self) -> Vec<String> {
        let (sent, key) = (self.sent.lock().unwrap(), Keys::default().ours(RECORD));
        let patches = sent.iter().filter(|(what, _)| what.starts_with("PATCH"));
        patches.map(|(_, body)| body["metadata"]["annotations"][&key].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// A namespace `ci-UID` of second 0 that carries this mark.
pub(crate) fn marked(uid: &str, mark: &str) -> Namespace {
    Namespace {
        uid: Uid::new(uid),
        name: format!("ci-{uid}"),
        resource_version: "1".to_owned(),
        created: at(0),
        deleted: None,
        labels: Default::default(),
        annotations: [(Keys::default().ours(RECORD), mark.to_owned())].into(),
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Says that the time is what the second says, and nothing else.
fn apiserver(second: Arc<AtomicI64>, sent: Arc<Lock<Vec<Sent>>>) -> Cluster {
    Cluster::through(tower::service_fn(move |request: Request<Body>| {
        let (second, sent) = (Arc::clone(&second), Arc::clone(&sent));
        async move {
            let what = format!("{} {}", request.method(), request.uri().path());
            let body = request.into_body().collect_bytes().await.unwrap();
            sent.lock().unwrap().push((what, serde_json::from_slice(&body).unwrap_or_default()));
            let date = at(second.load(Ordering::SeqCst)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let answer = Response::builder().header(header::DATE, date).body(Body::from(b"{}".to_vec())).unwrap();
            Ok::<_, Infallible>(answer)
        }
    }))
}
