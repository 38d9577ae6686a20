//! What answers is not what the store knows, or not to be seen; and what a sweep leaves of itself.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use common::{
    clock::Clock,
    cluster::Cluster,
    config::Source,
    controls,
    history::append_named,
    http_client::HttpClient,
    identity::OtherCluster,
    liveness::Liveness,
    queue, status,
    store::{self, SharedStore},
};
use http::{Method, Request, Response, header};
use kube::client::Body;
use lifecycle::{
    Actor, Event, Mode, Record,
    event::{Adopted, PolicyRef},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;

const NAME: &str = "ci-1";

fn at() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

/// The clock of all, from now on.
fn clock() -> Clock {
    let began = Instant::now();
    Clock::from_fn(move || at() + SignedDuration::try_from(began.elapsed()).unwrap())
}

fn object(name: &str, uid: &str) -> Value {
    let created = "1970-01-01T00:00:00Z";
    json!({"metadata": {"name": name, "uid": uid, "resourceVersion": "1", "creationTimestamp": created}})
}

/// A list of all namespaces of a cluster, by the uid of its `kube-system`.
fn list(system: Option<&str>, uids: &[&str]) -> Value {
    let named = system.map(|uid| object("kube-system", uid)).into_iter();
    let items: Vec<_> = named.chain(uids.iter().map(|uid| object(NAME, uid))).collect();
    json!({"metadata": {"resourceVersion": "7"}, "items": items})
}

/// A cluster that answers each list with the next of these, and each watch with what is set for it, else with the word that
/// its past is forgotten. It is `there`, and knows no other namespace that is asked for by its name.
fn cluster(lists: impl IntoIterator<Item = Value>, watches: impl IntoIterator<Item = Value>) -> Cluster {
    let lists = Arc::new(Mutex::new(lists.into_iter().collect::<VecDeque<_>>()));
    let watches = Arc::new(Mutex::new(watches.into_iter().collect::<VecDeque<_>>()));
    let now = clock();
    Cluster::through(tower::service_fn(move |request: Request<Body>| {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch="));
        let (code, answer) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/api/v1/namespaces") if is_watch => {
                (200, watches.lock().unwrap().pop_front().unwrap_or_else(|| broken(410)))
            }
            (&Method::GET, "/api/v1/namespaces") => {
                lists.lock().unwrap().pop_front().map_or((503, json!({})), |list| (200, list))
            }
            (&Method::GET, "/api/v1/namespaces/kube-system") => (200, object("kube-system", "there")),
            _ => (404, json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"})),
        };
        let body = Body::from(format!("{answer}\n").into_bytes());
        let date = now.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let response = Response::builder().status(code).header(header::DATE, date).body(body);
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    }))
}

/// What a watch is told that ends so.
fn broken(code: u16) -> Value {
    json!({"type": "ERROR", "object": {"code": code}})
}

/// A store that knows the cluster `here` and the history of one namespace, and what a collector makes of what answers.
struct Case {
    _directory: TempDir,
    store: SharedStore,
    url: String,
}

impl Case {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let store = store::open(&url).await.unwrap();
        let me = Actor::person("me");
        controls::remember_cluster(&*store, &me, &Uid::new("here"), at()).await.unwrap();
        let terms = PolicyRef { policy: "a".to_owned(), policy_hash: String::new(), mode: Mode::Enforce };
        let adopted = Adopted { terms, created: at(), ci: Vec::new(), deadline: None, again: false, deleted_before: 0 };
        let mut record = Record::new(Uid::new("u"));
        append_named(&*store, &mut record, NAME, &me, Event::Adopted(adopted), at()).await.unwrap();
        store.put_snapshot(&record).await.unwrap();
        Self { _directory: directory, store, url }
    }

    /// What it is to judge, so that whatever is taken for this cluster's is adopted.
    fn settings(&self) -> Settings {
        let policy = r#"[{"name": "a", "match": {"names": ["ci-.*"]}, "ttl": "60d", "checks": {"health": "off"}}]"#;
        let variables = [("NSM__STORE__URL", self.url.as_str()), ("NSM__POLICIES", policy)];
        Source::new(None, variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).load().unwrap()
    }

    async fn collects(&self, stays: Stays, lists: impl IntoIterator<Item = Value>) -> anyhow::Result<()> {
        self.collects_from(stays, cluster(lists, [])).await
    }

    async fn collects_from(&self, stays: Stays, cluster: Cluster) -> anyhow::Result<()> {
        let context = Context {
            store: self.store.clone(),
            queue: queue::open("memory:").await.unwrap(),
            cluster,
            clock: clock(),
            http: HttpClient::system(),
            liveness: Liveness::default(),
            settings: watch::channel(Arc::new(self.settings())).1,
            instance: "test".to_owned(),
        };
        run(context, Shard::WHOLE, stays, CancellationToken::new()).await
    }

    /// The outages that are told at that second, and how many collectors count as those that watch.
    async fn told(&self, at: Timestamp) -> (Vec<String>, usize) {
        let page = status::overview(&*self.store, &self.settings(), at).await.unwrap();
        let outages = page.outages.iter().map(|outage| outage.source.clone()).collect();
        (outages, page.collectors.iter().filter(|collector| collector.alive).count())
    }

    async fn has_adopted(&self, uid: &str) -> bool {
        !self.store.history(&Uid::new(uid), 0, 100).await.unwrap().is_empty()
    }

    async fn is_gone(&self) -> bool {
        let history = self.store.history(&Uid::new("u"), 0, 100).await.unwrap();
        history.iter().any(|entry| matches!(entry.event, Event::Gone(_)))
    }
}

#[tokio::test]
async fn what_a_list_of_the_same_cluster_does_not_name_is_gone() {
    let case = Case::new().await;
    case.collects(Stays::ForOneLook, [list(Some("here"), &[])]).await.unwrap();
    assert!(case.is_gone().await);
}

#[tokio::test]
async fn nothing_is_gone_or_adopted_by_the_list_of_another_cluster() {
    let case = Case::new().await;
    let error = case.collects(Stays::ForOneLook, [list(Some("there"), &["v"])]).await.unwrap_err();
    let other = OtherCluster { known: Uid::new("here"), found: Uid::new("there") };
    assert_eq!(error.downcast_ref::<OtherCluster>(), Some(&other));
    assert!(!case.is_gone().await);
    assert!(!case.has_adopted("v").await, "before the list was whole");
}

#[tokio::test]
async fn a_list_that_lacks_what_every_cluster_has_is_none() {
    let case = Case::new().await;
    let error = case.collects(Stays::ForOneLook, [list(None, &[])]).await.unwrap_err();
    assert!(error.to_string().contains("it lacks `kube-system`"), "{error}");
    assert!(!case.is_gone().await);
}

#[tokio::test(start_paused = true)]
async fn a_collector_ends_when_another_cluster_takes_the_place_of_its_own() {
    let case = Case::new().await;
    let ends = case.collects(Stays::UntilAsked, [list(Some("here"), &["u"]), list(Some("there"), &["v"])]);
    let error = tokio::time::timeout(Duration::from_secs(200), ends).await.expect("it ends");
    assert!(error.unwrap_err().is::<OtherCluster>());
    assert!(!case.is_gone().await);
    assert!(!case.has_adopted("v").await, "before it was known whose it is");
}

/// The control: what this cluster lists is adopted by the same policy.
#[tokio::test]
async fn what_a_list_of_the_same_cluster_names_is_adopted() {
    let case = Case::new().await;
    case.collects(Stays::ForOneLook, [list(Some("here"), &["v"])]).await.unwrap();
    assert!(case.has_adopted("v").await);
}

/// It goes on where it broke, without a list that would name the cluster.
#[tokio::test(start_paused = true)]
async fn what_a_watch_brings_that_broke_waits_until_the_same_cluster_answers() {
    let case = Case::new().await;
    let strange = json!({"type": "ADDED", "object": object(NAME, "v")});
    let cluster = cluster([list(Some("here"), &["u"])], [broken(500), strange]);
    let ends = tokio::time::timeout(Duration::from_secs(200), case.collects_from(Stays::UntilAsked, cluster));
    assert!(ends.await.expect("it ends").unwrap_err().is::<OtherCluster>());
    assert!(!case.has_adopted("v").await, "before it was asked");
    assert!(!case.is_gone().await);
}

/// Each sweep is over within seconds: it counts until the next one is.
#[tokio::test(start_paused = true)]
async fn a_sweep_watches_until_the_next_one() {
    let case = Case::new().await;
    for _ in 0..2 {
        case.collects(Stays::ForOneLook, [list(Some("here"), &[])]).await.unwrap();
        assert_eq!(case.told(at() + SignedDuration::from_secs(60 + 89)).await, (vec![], 1));
        assert_eq!(case.told(at() + SignedDuration::from_secs(60 + 100)).await, (vec![], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn namespaces_that_cannot_be_listed_are_an_outage() {
    let case = Case::new().await;
    let blind = tokio::time::timeout(Duration::from_secs(200), case.collects(Stays::UntilAsked, []));
    assert!(blind.await.is_err(), "it waits");
    assert_eq!(case.told(at() + SignedDuration::from_secs(200)).await, (vec!["namespaces".to_owned()], 1));
    assert!(!case.is_gone().await);
}
