//! A store and the cluster and the installation it is of, told with the embedded store in paused time.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Request, Response};
use kube::client::Body;
use tokio::time::{Instant, timeout};

use super::*;
use crate::{
    config::Source,
    heartbeat::{ControllerBody, DEAD_AFTER, Publisher},
    http_client::HttpClient,
    liveness::Liveness,
    process::captured,
    queue,
    store::{SharedStore, temporary},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[tokio::test]
async fn a_store_belongs_to_the_first_cluster_it_knows() {
    let (_directory, store) = temporary().await;
    let (me, here, there) = (Actor::person("me"), Uid::new("here"), Uid::new("there"));
    let held = async |uid: &Uid| hold_to(&*store, uid, &me, at(1)).await.unwrap();
    assert_eq!(held(&here).await, Ok(()));
    assert_eq!(held(&here).await, Ok(()));
    let other = held(&there).await.unwrap_err();
    assert_eq!(other, OtherCluster { known: here.clone(), found: there.clone() });
    for named in ["`here`", "`there`", "nsm approve --cluster"] {
        assert!(other.to_string().contains(named), "{other}");
    }
    assert_eq!(controls::approve_cluster(&*store, &me, &there, at(2)).await.unwrap(), Some(here.clone()));
    assert_eq!((held(&there).await, held(&here).await.is_err()), (Ok(()), true));
}

#[tokio::test]
async fn of_two_clusters_at_once_one_has_the_store() {
    let (_directory, store) = temporary().await;
    let hold = async |uid: &str| {
        let (me, uid) = (Actor::person("me"), Uid::new(uid));
        hold_to(&*store, &uid, &me, at(1)).await.unwrap().is_ok()
    };
    let (one, other) = tokio::join!(hold("a"), hold("b"));
    assert!(one != other, "{one} {other}");
}

#[test]
fn another_installation_is_known_for_as_long_as_it_is_heard_of() {
    let heartbeat = |id: &str, body| Heartbeat {
        id: id.into(),
        role: "collect-controller".into(),
        started: at(0),
        at: at(100),
        body,
    };
    let heartbeats = [
        heartbeat("own", json!({"installation": "b"})),
        heartbeat("worker", json!({})),
        heartbeat("other", json!({"installation": "a"})),
    ];
    let other =
        |own, installation, second| other_installation(&heartbeats, own, installation, at(second)).map(|it| it.0);
    assert_eq!(other("own", "b", 101), Some("a"));
    assert_eq!(other("own", "a", 101), None, "the other replica of the same");
    assert_eq!(other("x", "a", 101), Some("b"));
    assert_eq!(other("own", "b", 1_000), None);
}

/// A cluster whose namespace `kube-system` we may read once we have the right.
fn cluster_with(right: &Arc<AtomicBool>) -> Cluster {
    let right = Arc::clone(right);
    Cluster::through(tower::service_fn(move |request: Request<Body>| {
        assert_eq!(request.uri().path(), "/api/v1/namespaces/kube-system");
        let (code, answer) = if right.load(Ordering::Relaxed) {
            (200, json!({"metadata": {"name": "kube-system", "uid": "here"}}))
        } else {
            let message = "namespaces \"kube-system\" is forbidden";
            (403, json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": message}))
        };
        let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap();
        std::future::ready(Ok::<_, Infallible>(answer))
    }))
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_which_cluster_it_is_waits_says_so_once_and_goes_on_with_the_right() {
    let (_directory, store) = temporary().await;
    let (log, _guard) = captured();
    let (right, clock) = (Arc::new(AtomicBool::new(false)), Clock::from_fn(|| at(1)));
    let (cluster, me, cancel) = (cluster_with(&right), Actor::person("me"), CancellationToken::new());
    let mut beginning = Box::pin(belong_together(&*store, &cluster, &me, &clock, &cancel));
    assert!(timeout(Duration::from_secs(3_600), &mut beginning).await.is_err(), "it began");
    assert_eq!(controls::cluster(&*store).await.unwrap(), None, "nothing is concluded from it");
    let said = log.text();
    assert_eq!(said.matches("WARN").count(), 1, "{said}");
    for word in ["`kube-system`", "may not be read", "`get` on namespaces"] {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }

    right.store(true, Ordering::Relaxed);
    let began = Instant::now();
    beginning.await.unwrap();
    assert!(began.elapsed() <= RETRY_BACKOFF.1, "it noticed after {:?}", began.elapsed());
    assert_eq!(controls::cluster(&*store).await.unwrap(), Some(Uid::new("here")));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_right_can_be_asked_to_end() {
    let (_directory, store) = temporary().await;
    let (clock, cancel) = (Clock::from_fn(|| at(1)), CancellationToken::new());
    let (cluster, me) = (cluster_with(&Arc::default()), Actor::person("me"));
    let ending = async {
        sleep(Duration::from_secs(60)).await;
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(belong_together(&*store, &cluster, &me, &clock, &cancel), ending);
    assert!(ended.unwrap_err().to_string().contains("asked to end"));
}

const ROLE: &str = "collect-controller";

/// A controller of this instance on a store, at the time that passes in the test.
async fn controller(store: &SharedStore, instance: &str) -> Context {
    let began = Instant::now();
    let settings = Source::new(None, [("HOME".to_owned(), "/home/someone".to_owned())]).load().unwrap();
    Context {
        store: store.clone(),
        queue: queue::open("memory:").await.unwrap(),
        cluster: cluster_with(&Arc::default()),
        clock: Clock::from_fn(move || at(0) + jiff::SignedDuration::try_from(began.elapsed()).unwrap()),
        http: HttpClient::from_fn(|_| Box::pin(async { Err("nobody answers".to_owned()) })),
        liveness: Liveness::default(),
        settings: tokio::sync::watch::channel(Arc::new(settings)).1,
        instance: instance.to_owned(),
    }
}

/// Whether a controller of this installation may begin, or why not.
async fn begins(controller: &Context, installation: &str) -> Result<(), String> {
    is_alone(controller, ROLE, installation).await.map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn another_installation_begins_once_the_first_was_not_heard_of_for_long() {
    let (_directory, store) = temporary().await;
    let (first, replica) = (controller(&store, "a").await, controller(&store, "b").await);
    let other = controller(&store, "c").await;
    begins(&first, "one/nsm").await.unwrap();
    sleep(Duration::from_secs(60)).await;
    // It goes on as controllers do.
    let told = ControllerBody { installation: Some("one/nsm".to_owned()), ..ControllerBody::default() };
    Publisher::new(ROLE, &first).heartbeat(&first, serde_json::to_value(told).unwrap()).await;
    let dead_after = Duration::try_from(DEAD_AFTER).unwrap();
    sleep(dead_after).await;
    let refused = begins(&other, "two/nsm").await.unwrap_err();
    for word in ["`one/nsm`", "`two/nsm`", "`collect-controller/a`", "`store.url`", "90 s"] {
        assert!(refused.contains(word), "no `{word}` in: {refused}");
    }
    // What was refused leaves nothing behind that would refuse the first.
    assert_eq!(begins(&replica, "one/nsm").await, Ok(()));
    assert!(begins(&other, "two/nsm").await.is_err(), "now the replica is heard of");

    sleep(dead_after + Duration::from_secs(1)).await;
    assert_eq!(begins(&other, "two/nsm").await, Ok(()));
    assert!(begins(&first, "one/nsm").await.is_err(), "the store is the other's now");
}

#[tokio::test(start_paused = true)]
async fn of_two_installations_that_begin_at_once_not_both_do() {
    let (_directory, store) = temporary().await;
    let (one, other) = (controller(&store, "a").await, controller(&store, "b").await);
    let (one, other) = tokio::join!(begins(&one, "one/nsm"), begins(&other, "two/nsm"));
    assert!(one.is_err() || other.is_err());
}

/// Its kubeconfig may name the namespace of an installation that has pods.
#[tokio::test(start_paused = true)]
async fn a_process_without_pods_is_an_installation_of_its_own() {
    let (_directory, store) = temporary().await;
    for instance in ["a", "b"] {
        assert_eq!(crate::process::installation(&controller(&store, instance).await), instance);
    }
}
