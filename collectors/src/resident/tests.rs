//! A collector from its start on.

use common::controls;
use lifecycle::{
    Actor, Fact,
    entry::{Adopted, Terms},
};

use super::*;
use crate::{
    Work,
    fixture::{RESIDENT, SWEEP, Scene, at, turns},
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
    let terms = Terms::of(settings.policies.iter().next().unwrap());
    let (created, ci, deadline, again) = (at(seconds - 60), Vec::new(), None, false);
    let adopted = Fact::Adopted(Adopted { terms, created, ci, deadline, again, deleted_before: 0 });
    scene.append(WENT, adopted, at(seconds)).await;
    assert_eq!(scene.store().snapshot(&Uid::new(WENT)).await.unwrap(), None);
    scene
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_predecessor_left_half_done_comes_to_its_end() {
    let slot = Slot::of(at(0), Duration::from_secs(1_800));
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
async fn whoever_begins_reads_the_heartbeats_once() {
    let (scene, asked) = (turns::Scene::new().await, CancellationToken::new());
    asked.cancel();
    run(scene.collector.context.clone(), Shard::WHOLE, Stays::ForOneLook, asked).await.unwrap();
    let calls = scene.asked_for();
    assert_eq!(calls.iter().filter(|call| **call == "beats").count(), 1, "{calls:?}");
}
