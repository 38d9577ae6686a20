//! What is written of a deletion that does not end, and what is asked for that.

use std::time::Duration;

use lifecycle::{Event, termination::DeletionStalled};
use tokio::time::sleep;

use crate::fixture::{Pods, RESIDENT, SWEEP, Scene, UID};

/// As a kube-controller-manager 1.34 writes them.
const DISCOVERY: (&str, &str, &str) = (
    "NamespaceDeletionDiscoveryFailure",
    "DiscoveryFailed",
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: \
     metrics.example.org/v1beta1: stale GroupVersion discovery: metrics.example.org/v1beta1",
);

fn remaining(count: u32) -> (&'static str, &'static str, &'static str) {
    let message = match count {
        1 => "Some resources are remaining: configmaps. has 1 resource instances",
        _ => "Some resources are remaining: configmaps. has 2 resource instances",
    };
    ("NamespaceContentRemaining", "SomeResourcesRemain", message)
}

/// What was written of it, in order.
async fn stalled(scene: &Scene) -> Vec<DeletionStalled> {
    let history = scene.history(UID).await;
    let found = history.into_iter().filter_map(|entry| match entry.event {
        Event::DeletionStalled(stalled) => Some(stalled),
        _ => None,
    });
    found.collect()
}

/// So many minutes of a collector that stays.
async fn minutes(scene: &Scene, minutes: u64) {
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(60 * minutes))).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_written_once_it_should_have_ended_and_once_alone() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.terminate(&[DISCOVERY, remaining(1)]);
    minutes(&scene, 14).await;
    assert_eq!((stalled(&scene).await, scene.apiserver.asked_for_pods()), (Vec::new(), 0), "it has time");
    minutes(&scene, 120).await;
    let written = stalled(&scene).await;
    assert_eq!((written.len(), scene.apiserver.asked_for_pods()), (1, 1), "{written:?}");
    let kinds: Vec<_> = written[0].conditions.iter().map(|it| it.condition.as_str()).collect();
    assert_eq!(kinds, [DISCOVERY.0, "NamespaceContentRemaining"]);
    // The next collector knows of it.
    scene.collect(SWEEP).await;
    assert_eq!((stalled(&scene).await, scene.apiserver.asked_for_pods()), (written, 1));
}

#[tokio::test(start_paused = true)]
async fn a_check_of_everything_writes_it_too() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.terminate(&[]);
    scene.apiserver.set_pods(Pods::Left(7));
    sleep(Duration::from_secs(16 * 60)).await;
    scene.collect(SWEEP).await;
    let told: Vec<_> = stalled(&scene).await.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["7 pods are left: `web-0`, `web-1`, `web-2`, `web-3`, `web-4` and 2 more"]);
}

#[tokio::test(start_paused = true)]
async fn another_reason_is_written_and_another_message_is_not() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.terminate(&[remaining(2)]);
    minutes(&scene, 20).await;
    scene.apiserver.terminate(&[remaining(1)]);
    minutes(&scene, 20).await;
    assert_eq!(stalled(&scene).await.len(), 1, "one is left less");
    scene.apiserver.terminate(&[DISCOVERY, remaining(1)]);
    minutes(&scene, 20).await;
    assert_eq!((stalled(&scene).await.len(), scene.apiserver.asked_for_pods()), (2, 2));
    scene.apiserver.terminate(&[]);
    minutes(&scene, 20).await;
    let last = stalled(&scene).await.pop().unwrap();
    assert_eq!(last.to_string(), "nothing says what holds it");
}

/// A namespace with a finalizer of its own says the same before and after its pods went.
#[tokio::test(start_paused = true)]
async fn that_no_pod_is_left_any_more_is_written_once() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.set_pods(Pods::Left(2));
    scene.apiserver.terminate(&[]);
    minutes(&scene, 17).await;
    scene.apiserver.set_pods(Pods::Left(1));
    minutes(&scene, 60).await;
    let told: Vec<_> = stalled(&scene).await.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["2 pods are left: `web-0`, `web-1`"], "some are left still");
    let asked = scene.apiserver.asked_for_pods();
    assert!((10..=14).contains(&asked), "in an hour {asked} times");
    scene.apiserver.set_pods(Pods::Left(0));
    minutes(&scene, 6).await;
    let told: Vec<_> = stalled(&scene).await.iter().map(ToString::to_string).collect();
    assert_eq!(told[1..], ["nothing says what holds it"]);
    let asked = scene.apiserver.asked_for_pods();
    minutes(&scene, 60).await;
    assert_eq!(
        (stalled(&scene).await.len(), scene.apiserver.asked_for_pods()),
        (2, asked),
        "nothing is left to look for"
    );
}

/// Each sweep is a collector of its own.
#[tokio::test(start_paused = true)]
async fn the_next_collector_lists_pods_no_sooner_than_one_that_stays() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.set_pods(Pods::Left(1));
    scene.apiserver.terminate(&[]);
    sleep(Duration::from_secs(16 * 60)).await;
    for _ in 0..30 {
        scene.collect(SWEEP).await;
        sleep(Duration::from_secs(60)).await;
    }
    let asked = scene.apiserver.asked_for_pods();
    assert!((5..=8).contains(&asked), "in half an hour {asked} times");
    assert_eq!(stalled(&scene).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_listed_any_more_are_asked_for_no_more_often() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.set_pods(Pods::Left(1));
    scene.apiserver.terminate(&[]);
    minutes(&scene, 17).await;
    for pods in [Pods::Fail, Pods::Refused] {
        let before = scene.apiserver.asked_for_pods();
        scene.apiserver.set_pods(pods);
        minutes(&scene, 30).await;
        let asked = scene.apiserver.asked_for_pods() - before;
        assert!((4..=8).contains(&asked), "in half an hour {asked} times");
    }
    let told: Vec<_> = stalled(&scene).await.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["1 pod is left: `web-0`"]);
}

/// A condition that comes and goes all the time.
#[tokio::test(start_paused = true)]
async fn a_reason_that_flaps_does_not_fill_the_history() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.terminate(&[DISCOVERY]);
    let flaps = async {
        for number in 0..600 {
            sleep(Duration::from_secs(6)).await;
            scene.apiserver.terminate(if number % 2 == 0 { &[] } else { &[DISCOVERY] });
        }
    };
    scene.collect_while(RESIDENT, flaps).await;
    let count = stalled(&scene).await.len();
    assert!((1..=10).contains(&count), "in 45 minutes {count} times");
}

#[tokio::test(start_paused = true)]
async fn where_pods_may_not_be_listed_that_is_said() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.set_pods(Pods::Refused);
    scene.apiserver.terminate(&[]);
    minutes(&scene, 120).await;
    let told: Vec<_> = stalled(&scene).await.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("whether pods are left is not known: the apiserver answered 403"), "{told:?}");
    assert_eq!(scene.apiserver.asked_for_pods(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_pods_cannot_be_listed_for_a_while_nothing_is_written_before_they_can() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.set_pods(Pods::Fail);
    scene.apiserver.terminate(&[]);
    minutes(&scene, 25).await;
    assert_eq!(stalled(&scene).await, []);
    let asked = scene.apiserver.asked_for_pods();
    assert!((5..=15).contains(&asked), "in ten minutes {asked} times");
    scene.apiserver.set_pods(Pods::Left(1));
    minutes(&scene, 5).await;
    let told: Vec<_> = stalled(&scene).await.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["1 pod is left: `web-0`"]);
}
