//! A collector from its start on.

use common::controls;
use lifecycle::{
    Actor, Event,
    event::{Adopted, PolicyRef},
};

use super::*;
use crate::{
    Work,
    fixture::{RESIDENT, SWEEP, Scene, Writes, at, turns},
};

/// A namespace that went while nobody watched.
const WENT: &str = "00000000-0000-4000-8000-000000000007";

/// A collector adopted a namespace at this second, and died before it wrote the snapshot: no list shows that there was
/// one. Controllers began an hour before, and just now.
async fn after_a_collector_died(seconds: i64) -> Scene {
    let scene = Scene::new().await;
    for start in [at(seconds - 3_600), at(0)] {
        controls::begin_epoch(scene.store(), &Actor::person("me"), start).await.unwrap();
    }
    let settings = scene.context.settings();
    let terms = PolicyRef::of(settings.policies.iter().next().unwrap());
    let (created, ci, deadline, again) = (at(seconds - 60), Vec::new(), None, false);
    let adopted = Event::Adopted(Adopted { terms, created, ci, deadline, again, deleted_before: 0 });
    scene.append(WENT, adopted, at(seconds)).await;
    assert_eq!(scene.store().snapshot(&Uid::new(WENT)).await.unwrap(), None);
    scene
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_predecessor_left_half_done_comes_to_its_end() {
    let slot = TimeSlot::of(at(0), Duration::from_secs(1_800));
    for work in [RESIDENT, Work::Resident { shard: Shard::WHOLE, slot: Some(slot) }, SWEEP] {
        let scene = after_a_collector_died(-300).await;
        if work == SWEEP {
            scene.collect(work).await;
        } else {
            scene.collect_while(work, scene.is_written(WENT, "Gone")).await;
        }
        assert_eq!(scene.kinds(WENT).await, ["Adopted", "Gone"], "{work:?}");
    }
}

#[tokio::test]
async fn a_collector_that_begins_reads_the_heartbeats_once() {
    let (scene, asked) = (turns::Scene::new().await, CancellationToken::new());
    asked.cancel();
    run(scene.collector.context.clone(), Shard::WHOLE, Stays::ForOneLook, asked).await.unwrap();
    let calls = scene.asked_for();
    assert_eq!(calls.iter().filter(|call| **call == "heartbeats").count(), 1, "{calls:?}");
}

/// How often annotations were contested, by what a sweep leaves of itself. So many seconds pass after it.
async fn contested_after_a_sweep(scene: &Scene, seconds: u64) -> u64 {
    scene.collect(SWEEP).await;
    tokio::time::advance(Duration::from_secs(seconds)).await;
    let heartbeats = scene.store().heartbeats(heartbeat::MAX_HEARTBEATS).await.unwrap();
    let left: Vec<CollectorBody> =
        heartbeats.into_iter().map(|heartbeat| serde_json::from_value(heartbeat.body).unwrap()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    left[0].checks.contested
}

/// As by those who stay.
#[tokio::test(start_paused = true)]
async fn sweeps_put_annotations_right_once_in_ten_minutes() {
    let scene = Scene::new().await;
    contested_after_a_sweep(&scene, 60).await;
    let mut right = Vec::new();
    for minute in 0..21 {
        scene.apiserver.annotate("status", "mine");
        contested_after_a_sweep(&scene, 60).await;
        if scene.apiserver.annotation("status").as_deref() == Some("stale") {
            right.push(minute);
        }
    }
    assert_eq!(right, [0, 10, 20]);
}

/// Whatever fails is tried again, by those who stay soon.
#[tokio::test(start_paused = true)]
async fn annotations_that_cannot_be_written_are_not_contested() {
    let scene = Scene::new().await;
    contested_after_a_sweep(&scene, 60).await;
    for writes in [Writes::Refused, Writes::Fail] {
        scene.apiserver.set_writes(writes);
        scene.apiserver.annotate("status", "mine");
        for _ in 0..3 {
            assert_eq!(contested_after_a_sweep(&scene, 60).await, 0, "{writes:?}");
        }
        scene.collect_while(RESIDENT, sleep(Duration::from_secs(300))).await;
        assert_eq!(scene.apiserver.annotation("status").as_deref(), Some("mine"));
    }
    scene.apiserver.set_writes(Writes::Accepted);
    assert_eq!(contested_after_a_sweep(&scene, 60).await, 0);
    assert_eq!(scene.apiserver.annotation("status").as_deref(), Some("stale"));
}

/// Each sweep is a process of its own.
#[tokio::test(start_paused = true)]
async fn annotations_that_somebody_changes_again_and_again_are_counted_from_sweep_to_sweep() {
    let scene = Scene::new().await;
    let contested = async || contested_after_a_sweep(&scene, 900).await;
    assert_eq!(contested().await, 0, "it is adopted");
    for expected in [0, 1, 2] {
        scene.apiserver.annotate("status", "mine");
        assert_eq!(contested().await, expected);
        assert_eq!(scene.apiserver.annotation("status").as_deref(), Some("stale"));
    }
    tokio::time::advance(Duration::from_secs(3_600)).await;
    scene.apiserver.annotate("status", "mine");
    assert_eq!(contested().await, 2, "the last time was long ago");
}
