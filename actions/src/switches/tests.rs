//! Each switch by itself: where one says no, nothing is asked for and nothing is intended.

use common::{controls::StoreMismatch, store::SharedStore};
use lifecycle::{
    Actor, Uid,
    hold::{HeldBy, Hold, HoldEnd},
    termination::SharedCause,
};

use super::*;
use crate::fixture::{
    Asked::{self, Delete, Other, Read, Trial, Whose},
    Scene, at,
};

fn me() -> Actor {
    Actor::person("me")
}

/// What is written, what is asked for, and the reason that stands in the history.
async fn held_back(scene: &Scene) -> (String, Vec<Asked>, String) {
    let (written, asked) = scene.carry_out().await;
    (written, asked, scene.record().await.attempts.last.map_or_else(String::new, |last| last.detail))
}

#[tokio::test(start_paused = true)]
async fn a_stop_holds_back_until_it_is_taken_back() {
    let scene = Scene::stale().await;
    scene.stop().await;
    let (written, asked, why) = held_back(&scene).await;
    assert_eq!((written.as_str(), asked), ("not:stopped", Vec::new()));
    assert!(why.contains("jane") && why.contains("a check") && why.contains("nsm resume"), "{why}");
    let off = controls::Stop { on: false, reason: None };
    controls::set_stop(&*scene.store, &me(), &off, at(0)).await.unwrap();
    assert_eq!(scene.carry_out().await.0, "not:stopped intended done");
}

#[tokio::test(start_paused = true)]
async fn under_another_configuration_than_the_one_in_force_nothing_is_done() {
    let scene = Scene::stale().await;
    controls::accept_config(&*scene.store, &me(), "another", at(0)).await.unwrap();
    let (written, asked, why) = held_back(&scene).await;
    assert_eq!((written.as_str(), asked), ("not:unverified", Vec::new()));
    assert!(why.contains("another configuration than the one in force"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_store_mismatch_holds_back_until_somebody_trusts_the_store() {
    let scene = Scene::stale().await;
    let mismatch =
        StoreMismatch { namespace: "ci-7".to_owned(), why: "it carries the marker of another store".to_owned() };
    controls::report_mismatch(&*scene.store, &me(), &mismatch, at(0)).await.unwrap();
    let (written, asked, why) = held_back(&scene).await;
    assert_eq!((written.as_str(), asked), ("not:unverified", Vec::new()));
    assert!(why.contains("`ci-7`") && why.contains("nsm approve --store"), "{why}");
    controls::trust_store(&*scene.store, &me(), at(0)).await.unwrap();
    assert_eq!(scene.carry_out().await.0, "not:unverified intended done");
}

/// What the leader says of the hold, after so many other entries.
async fn says(store: SharedStore, after: u64, ended: Option<HoldEnd>) {
    let cause = SharedCause {
        condition: "NamespaceDeletionDiscoveryFailure".to_owned(),
        group: Some("metrics.example.org".to_owned()),
    };
    let namespaces = vec![HeldBy { uid: Uid::new("u"), name: "ci-9".to_owned() }];
    let hold = Hold { cause, message: "Discovery failed for some groups".to_owned(), namespaces, ended };
    holds::follow(&*store, &me(), after, &hold, at(0)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hold_holds_back_until_it_is_released() {
    let scene = Scene::stale().await;
    says(scene.store.clone(), 0, None).await;
    let (written, asked, why) = held_back(&scene).await;
    assert_eq!((written.as_str(), asked), ("not:held", Vec::new()));
    for words in ["`ci-9`", "API group `metrics.example.org`", "go on by themselves"] {
        assert!(why.contains(words), "{why}");
    }
    says(scene.store.clone(), 1, Some(HoldEnd::Gone("ci-9".to_owned()))).await;
    assert_eq!(scene.carry_out().await.0, "not:held intended done");
}

/// As with the stop: the writer of an intent checks once more before the request.
#[tokio::test(start_paused = true)]
async fn a_hold_that_begins_at_the_last_moment_holds_back_too() {
    let scene = Scene::stale().await;
    scene.store.after_intent(Box::pin(says(scene.store.clone(), 0, None)));
    let (written, asked, _) = held_back(&scene).await;
    assert_eq!(written, "intended skipped:held");
    assert!(!asked.contains(&Delete), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn the_guard_in_the_apiserver_is_seen_at_work_first() {
    let guarded = [("NSM__GUARD__MARK_POLICY", "nsm-mark")];
    let scene = Scene::with(&guarded).await;
    let (written, asked, _) = held_back(&scene).await;
    assert_eq!((written.as_str(), asked), ("intended done", vec![Other, Trial, Read, Whose, Read, Delete]));

    let scene = Scene::with(&guarded).await;
    scene.apiserver.lower_the_guard();
    let (written, asked, why) = held_back(&scene).await;
    assert_eq!((written.as_str(), asked), ("not:unverified", vec![Other, Trial]));
    assert!(why.contains("`nsm-mark` is not in force"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn by_a_clock_that_is_off_nothing_is_done() {
    for (ahead, expected) in [(30, "intended done"), (32, "not:unverified"), (-32, "not:unverified")] {
        let scene = Scene::stale().await;
        scene.clock_jumps(ahead).await;
        let (written, _, why) = held_back(&scene).await;
        assert_eq!(written, expected, "{ahead}");
        assert!(expected == "intended done" || why.contains("set the time of this machine"), "{why}");
    }
}
