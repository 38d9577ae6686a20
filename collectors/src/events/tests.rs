//! What people read in a namespace about what holds its deletion back: once, and with what they can do about it.

use std::time::Duration;

use common::controls;
use lifecycle::Actor;
use tokio::time::sleep;

use crate::fixture::{Event, RESIDENT, SWEEP, Scene, UID, Writes, at};

/// The one Event with this reason, of this kind, that stands in the namespace it is about.
#[track_caller]
fn the_one(scene: &Scene, kind: &str, reason: &str) -> String {
    let mut events = scene.apiserver.events(reason);
    assert_eq!(events.len(), 1, "{events:?}");
    let Event { namespace, kind: found, about, note, .. } = events.remove(0);
    assert_eq!((&*namespace, &*found, &*about), ("ci-1", kind, UID));
    note
}

#[track_caller]
fn says(note: &str, words: &[&str]) {
    for word in words {
        assert!(note.contains(word), "no `{word}` in: {note}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_taken_off_at_once_is_told_of_once() {
    let scene = Scene::new().await;
    scene.apiserver.set_writes(Writes::Stripped);
    for _ in 0..2 {
        scene.collect(SWEEP).await;
    }
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(1_800))).await;
    let note = the_one(&scene, "Warning", "StatusNotVisible");
    says(&note, &["it is not deleted", "takes annotations off", "`on.stale.require_visible: false`"]);
}

/// Whether it stays or looks once at a time, and whoever says no.
#[tokio::test(start_paused = true)]
async fn a_status_that_cannot_be_written_is_told_of_once() {
    for (writes, why) in [(Writes::Refused, "no statuses here"), (Writes::Fail, "failed calling webhook")] {
        for stays in [true, false] {
            let scene = Scene::new().await;
            scene.apiserver.set_writes(writes);
            if stays {
                scene.collect_while(RESIDENT, sleep(Duration::from_secs(1_800))).await;
            }
            for _ in 0..3 {
                scene.collect(SWEEP).await;
            }
            let note = the_one(&scene, "Warning", "StatusNotVisible");
            says(&note, &["it is not deleted", why, "`on.stale.require_visible: false`"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_once_is_no_news_to_a_collector_that_stays() {
    let scene = Scene::new().await;
    scene.apiserver.set_writes(Writes::Fail);
    let mended = async {
        scene.is_written(UID, "StatusChanged").await;
        scene.apiserver.set_writes(Writes::Accepted);
        scene.is_written(UID, "StatusShown").await;
    };
    scene.collect_while(RESIDENT, mended).await;
    assert_eq!(scene.apiserver.events("StatusNotVisible"), []);
}

#[tokio::test(start_paused = true)]
async fn a_mark_beyond_its_history_is_told_of_once() {
    let scene = Scene::new().await;
    let epoch = controls::begin_epoch(scene.store(), &Actor::person("me"), at(0)).await.unwrap();
    scene.collect(SWEEP).await;
    let mark = format!("{epoch}.999.{UID}");
    scene.apiserver.annotate("record", &mark);
    for _ in 0..2 {
        scene.collect(SWEEP).await;
    }
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(600))).await;
    let note = the_one(&scene, "Warning", "MarkMismatch");
    says(&note, &["it is not deleted", "this store lost entries", "`nsm approve --store`"]);
    assert_eq!(scene.apiserver.annotation("record"), Some(mark), "it is the evidence");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_after_it_was_recorded_as_gone_is_managed_again_and_told_of_once() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.records_its_end().await;
    for _ in 0..3 {
        scene.collect(SWEEP).await;
    }
    let note = the_one(&scene, "Normal", "AdoptedAgain");
    says(&note, &["was recorded as gone", "managed again", "`nsm keep ci-1", "`nsm protect ci-1`"]);
}

/// Nothing waits for it, so nothing is recorded; whether a collector stays or looks once at a time.
#[tokio::test(start_paused = true)]
async fn annotations_that_are_refused_are_told_of_once_whatever_the_status() {
    for stays in [true, false] {
        let scene = Scene::new().await;
        scene.apiserver.set_age(60);
        scene.apiserver.set_writes(Writes::Refused);
        if stays {
            scene.collect_while(RESIDENT, sleep(Duration::from_secs(1_800))).await;
        }
        for _ in 0..3 {
            scene.collect(SWEEP).await;
        }
        assert!(!scene.kinds(UID).await.contains(&"StatusNotShown".to_owned()), "no deletion waits for it");
        let note = the_one(&scene, "Warning", "AnnotationsRefused");
        says(&note, &["the apiserver answered 403: no statuses here", "let the manager write its annotations"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_refusal_is_no_news() {
    let scene = Scene::new().await;
    scene.apiserver.set_age(60);
    scene.apiserver.set_writes(Writes::Fail);
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(1_800))).await;
    assert_eq!(scene.apiserver.events("AnnotationsRefused"), []);
}

/// A refusal that an entry tells of is told of by that entry.
#[tokio::test(start_paused = true)]
async fn a_status_that_is_refused_is_not_told_of_twice() {
    let scene = Scene::new().await;
    scene.apiserver.set_writes(Writes::Refused);
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(1_800))).await;
    the_one(&scene, "Warning", "StatusNotVisible");
    assert_eq!(scene.apiserver.events("AnnotationsRefused"), []);
}

/// A watch may bring what was.
#[tokio::test(start_paused = true)]
async fn what_a_late_list_shows_after_it_has_gone_stays_gone() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.records_its_end().await;
    scene.apiserver.lists_what_has_gone();
    scene.collect(SWEEP).await;
    assert_eq!(scene.kinds(UID).await.last().map(String::as_str), Some("Gone"));
    assert_eq!(scene.apiserver.events("AdoptedAgain"), []);
}
