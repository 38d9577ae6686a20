use lifecycle::Actor;
use serde_json::json;

use super::*;
use crate::fixture::turns::{Scene, at, with_marker};

/// What nothing was asked for.
const NOTHING: [&str; 0] = [];

fn operator() -> Actor {
    Actor::person("operator")
}

/// A collector whose store began an epoch after all namespaces were created.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    controls::begin_epoch(&*scene.store.inner, &operator(), at(900)).await.unwrap();
    scene
}

#[tokio::test]
async fn a_marker_that_cannot_be_read_is_recorded_once_and_left_until_somebody_trusts_the_store() {
    let long = "9".repeat(100_000);
    for marker in ["garbage", "900.", "900.2.", &long] {
        let mut scene = scene().await;
        scene.turn(with_marker("a", marker)).await;
        let kinds = ["RecordMarkerMismatched", "Adopted"];
        assert_eq!(scene.kinds("a").await, kinds, "{marker}");
        for _ in 0..3 {
            assert_eq!(scene.turn(with_marker("a", marker)).await, NOTHING, "{marker}");
        }
        scene.sleep(10);
        let asked = scene.turn(with_marker("a", marker)).await;
        assert!(!asked.contains(&"history") && !asked.contains(&"append"), "{marker}: {asked:?}");
        assert_eq!(scene.kinds("a").await, kinds, "{marker}");
        assert_eq!(scene.events(), ["MarkMismatch"], "{marker}");
        assert!(scene.markers().is_empty(), "{marker}: the evidence is gone");

        let trusted = controls::trust_store(&*scene.store.inner, &operator(), scene.now()).await.unwrap().unwrap();
        assert_eq!((trusted.mismatch, trusted.namespaces), (None, vec!["ci-a".to_owned()]), "{marker}");
        scene.sleep(10);
        scene.turn(with_marker("a", marker)).await;
        assert_eq!(scene.kinds("a").await.last().unwrap(), "RecordMarkerTrusted", "{marker}");
        assert_eq!(scene.markers(), ["1010.3.a"], "{marker}");
    }
}

/// Else a namespace that takes long to go, or a history that is damaged, would have the store read at each of its turns.
#[tokio::test]
async fn where_nothing_can_be_recorded_about_an_unreadable_marker_nothing_is_asked_for_either() {
    let mut scene = scene().await;
    let terminating = Namespace { deleted: Some(at(950)), ..with_marker("a", "garbage") };
    scene.turn(terminating.clone()).await;
    assert_eq!(scene.turn(terminating).await, NOTHING);
    assert_eq!(scene.kinds("a").await, NOTHING);

    let entry = json!({"uid": "b", "seq": 1, "at": at(950), "actor": "collector/later", "name": "ci-b", "token": "t",
        "kind": "Painted", "data": {}});
    scene.store.inner.append(&serde_json::from_value(entry).unwrap()).await.unwrap();
    scene.turn(with_marker("b", "garbage")).await;
    assert_eq!(scene.turn(with_marker("b", "garbage")).await, NOTHING);
    assert_eq!(scene.kinds("b").await, ["Painted"]);
    assert!(scene.markers().is_empty() && scene.events().is_empty());
}

/// Whether there is a mismatch of the whole store once four namespaces carry such markers.
async fn is_mismatched(marker: impl Fn(&str) -> String) -> bool {
    let mut scene = scene().await;
    for uid in ["a", "b", "c", "d"] {
        scene.turn(with_marker(uid, &marker(uid))).await;
        assert_eq!(scene.kinds(uid).await[0], "RecordMarkerMismatched");
    }
    controls::store_mismatch(&*scene.store.inner).await.unwrap().is_some()
}

#[tokio::test]
async fn markers_that_cannot_be_read_make_no_store_mismatch_however_many_there_are() {
    assert!(is_mismatched(|uid| format!("900.99.{uid}")).await);
    assert!(!is_mismatched(|_| "garbage".to_owned()).await);
}
