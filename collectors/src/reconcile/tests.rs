//! What a turn leaves in the store of the health of a namespace.

use std::collections::BTreeMap;

use lifecycle::{Namespace, Uid};

use crate::fixture::turns::{Scene, at};

fn namespace() -> Namespace {
    Namespace {
        uid: Uid::new("1"),
        name: "ci-1".to_owned(),
        resource_version: "1".to_owned(),
        created: at(0),
        deleted: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        ending: None,
    }
}

/// Checks health, and takes the turn. Returns whether the store keeps that it fails then, if it keeps anything.
async fn check(scene: &mut Scene, fires: bool) -> Option<bool> {
    scene.sleep(30);
    scene.fires(fires);
    scene.check_health().await;
    scene.turn(namespace()).await;
    let kept = scene.store.inner.observation(&Uid::new("1")).await.unwrap();
    kept.and_then(|kept| kept.health).map(|streak| streak.fails)
}

/// The next collector goes on from there: it would count as failing for all the time in which nothing failed.
#[tokio::test]
async fn what_was_written_without_an_answer_is_taken_back_when_it_is_no_longer_so() {
    let mut scene = Scene::with_prometheus().await;
    assert_eq!(check(&mut scene, false).await, None, "it is adopted");
    scene.loses_the_answer("put_observation");
    assert_eq!(check(&mut scene, true).await, Some(true), "it was written, and that is not known");
    assert_eq!(check(&mut scene, false).await, Some(false));
}

/// Until when health was checked without a break, as a heartbeat would tell now.
fn told(scene: &Scene) -> Option<i64> {
    let body = serde_json::from_value(serde_json::json!({"shard": 0, "of": 1, "slot": null, "watched": 1})).unwrap();
    scene.collector.health.tell(body).looked.map(|looked| looked.until.as_second())
}

/// What the last check found is written down when the next is taken. Where the store failed, it may not be.
#[tokio::test]
async fn nobody_goes_on_from_a_check_that_is_not_written_down() {
    let mut scene = Scene::with_prometheus().await;
    check(&mut scene, false).await;
    check(&mut scene, false).await;
    assert_eq!(told(&scene), Some(1_030));
    scene.loses_the_answer("put_observation");
    check(&mut scene, true).await;
    assert_eq!(told(&scene), Some(1_060));
    scene.check_health().await;
    assert_eq!(told(&scene), Some(1_060), "its turn broke off");
    scene.turn(namespace()).await;
    check(&mut scene, true).await;
    assert_eq!(told(&scene), Some(1_090));
}
