//! Whose a store of before is, told with the embedded store and an apiserver without a socket.

use std::{convert::Infallible, future::ready, path::PathBuf};

use axum::http::{Request, Response};
use kube::client::Body;
use lifecycle::{Actor, Record, Uid};
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A cluster whose `kube-system` has the uid `here`, and which has one namespace more.
fn cluster() -> Cluster {
    Cluster::through(tower::service_fn(|request: Request<Body>| {
        let object = |uid: &str| json!({"metadata": {"name": uid, "uid": uid}});
        let answer = match request.uri().path() {
            "/api/v1/namespaces/kube-system" => object("here"),
            "/api/v1/namespaces" => json!({"metadata": {}, "items": [object("here"), object("ci-1")]}),
            path => panic!("nobody asks for {path}"),
        };
        ready(Ok::<_, Infallible>(Response::new(Body::from(answer.to_string().into_bytes()))))
    }))
}

/// What a store tells of itself.
#[derive(Clone, Copy, Debug)]
enum Tells {
    /// The cluster it knows.
    Cluster(&'static str),
    /// No cluster, but of this namespace.
    Namespace(&'static str),
}

/// A directory of default stores in which one of this name tells this.
async fn directory(name: &str, tells: Tells) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let store = store::open_with(&format!("sqlite:{}", path.display()), &Access::default()).await.unwrap();
    let (me, now) = (Actor::person("me"), Timestamp::UNIX_EPOCH);
    match tells {
        Tells::Cluster(uid) => drop(controls::remember_cluster(&*store, &me, &Uid::new(uid), now).await.unwrap()),
        Tells::Namespace(uid) => store.put_snapshot(&Record { head: 1, ..Record::new(Uid::new(uid)) }).await.unwrap(),
    }
    (directory, path)
}

/// The settings of a store that nobody said a place for, on the context of this name.
fn on(directory: &TempDir, context: &str) -> (StoreSettings, PathBuf) {
    let place = directory.path().join(format!("nsm-{context}.db"));
    let url = format!("sqlite:{}", place.display());
    (StoreSettings { url, access: Access::default(), is_default: true }, place)
}

#[tokio::test]
async fn the_store_of_before_is_taken_over_where_it_is_of_this_cluster_and_only_there() {
    for (tells, is_taken) in [
        (Tells::Cluster("here"), true),
        (Tells::Cluster("there"), false),
        (Tells::Namespace("ci-1"), true),
        (Tells::Namespace("ci-2"), false),
    ] {
        let (directory, former) = directory("nsm.db", tells).await;
        let (settings, place) = on(&directory, "a");
        take_over(&settings, &cluster(), Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((former.exists(), place.exists()), (!is_taken, is_taken), "{tells:?}");
        if is_taken {
            let store = store::open_with(&settings.url, &Access::default()).await.unwrap();
            match tells {
                Tells::Cluster(uid) => assert_eq!(controls::cluster(&*store).await.unwrap(), Some(Uid::new(uid))),
                Tells::Namespace(uid) => assert!(store.snapshot(&Uid::new(uid)).await.unwrap().is_some()),
            }
        }
    }
}

#[tokio::test]
async fn a_store_of_before_that_somebody_runs_on_stays_where_it_is() {
    let (directory, former) = directory("nsm.db", Tells::Cluster("here")).await;
    let (settings, place) = on(&directory, "a");
    let held = hold::hold(&former, Timestamp::UNIX_EPOCH).unwrap();
    take_over(&settings, &cluster(), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((former.exists(), place.exists()), (true, false));
    drop(held);
    take_over(&settings, &cluster(), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((former.exists(), place.exists()), (false, true));
}

#[tokio::test]
async fn where_there_is_a_store_already_none_takes_its_place() {
    let (directory, former) = directory("nsm.db", Tells::Cluster("here")).await;
    let (settings, place) = on(&directory, "a");
    fs::write(&place, "").unwrap();
    take_over(&settings, &cluster(), Timestamp::UNIX_EPOCH).await.unwrap();
    assert!(former.exists());
    assert_eq!(fs::read(&place).unwrap(), b"");
}

#[tokio::test]
async fn the_store_of_this_cluster_under_another_contexts_name_is_named() {
    for (tells, is_named) in [(Tells::Cluster("here"), true), (Tells::Cluster("there"), false)] {
        let (directory, other) = directory("nsm-before.db", tells).await;
        let (settings, place) = on(&directory, "renamed");
        match is_first(&settings, &cluster()).await {
            Ok(()) => assert!(!is_named),
            Err(why) => {
                let why = why.to_string();
                assert!(is_named && why.contains(&other.display().to_string()), "{why}");
                assert!(why.contains(&format!("move it to `{}`", place.display())), "{why}");
            }
        }
    }
}
