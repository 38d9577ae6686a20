//! What people read in a namespace about what holds its deletion back: once, and with what they can do about it.

use std::time::Duration;

use common::controls;
use lifecycle::Actor;
use tokio::time::sleep;

use crate::fixture::{KubeEvent, RESIDENT, SWEEP, Scene, UID, Writes, at};

/// The one Event with this reason, of this kind, that stands in the namespace it is about.
#[track_caller]
fn the_one(scene: &Scene, kind: &str, reason: &str) -> String {
    let mut events = scene.apiserver.events(reason);
    assert_eq!(events.len(), 1, "{events:?}");
    let KubeEvent { namespace, kind: found, about, note, .. } = events.remove(0);
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

/// Whether it stays or checks once at a time, and no matter who says no.
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
async fn a_marker_beyond_its_history_is_told_of_once() {
    let scene = Scene::new().await;
    let epoch = controls::begin_epoch(scene.store(), &Actor::person("me"), at(0)).await.unwrap();
    scene.collect(SWEEP).await;
    let marker = format!("{epoch}.999.{UID}");
    scene.apiserver.annotate("record", &marker);
    for _ in 0..2 {
        scene.collect(SWEEP).await;
    }
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(600))).await;
    let note = the_one(&scene, "Warning", "MarkMismatch");
    says(&note, &["it is not deleted", "this store lost entries", "`nsm approve --store`"]);
    assert_eq!(scene.apiserver.annotation("record"), Some(marker), "it is the evidence");
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

/// Nothing waits for it, so nothing is recorded; whether a collector stays or checks once at a time.
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

/// By what its owner may do about it, and until when it counts; at each start of a collector what is known is not told again.
#[tokio::test(start_paused = true)]
async fn an_owner_override_that_cannot_be_read_is_told_of_once_and_by_date() {
    let scene = Scene::new().await;
    scene.apiserver.annotate("expires_at", "2027-13-01");
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(86_400))).await;
    for _ in 0..3 {
        scene.collect(SWEEP).await;
    }
    let note = the_one(&scene, "Warning", "MalformedOverride");
    // Thirty days after the beginning.
    says(&note, &["expires_at: 2027-13-01", "cannot be read", "an end at 2027-02-14 08:00:00 UTC", "`max_keep`"]);
    let kinds = scene.kinds(UID).await;
    assert!(!kinds.iter().any(|kind| kind == "DeadlineMoved"), "it does not slide: {kinds:?}");
}

/// It changes nothing that is recorded, and each sweep is a process of its own, as is a collector that takes a slot over.
#[tokio::test(start_paused = true)]
async fn a_key_that_counts_for_nothing_is_told_of_by_the_next_collector_and_once() {
    let scene = Scene::new().await;
    scene.collect(SWEEP).await;
    scene.apiserver.annotate("TTL", "2d");
    scene.collect(SWEEP).await;
    says(&the_one(&scene, "Warning", "MalformedOverride"), &["TTL: 2d", "counts as nothing"]);
    scene.collect(SWEEP).await;
    scene.collect_while(RESIDENT, sleep(Duration::from_secs(60))).await;
    scene.collect(SWEEP).await;
    the_one(&scene, "Warning", "MalformedOverride");
    scene.apiserver.annotate("TTL", "3d");
    scene.collect(SWEEP).await;
    assert_eq!(scene.apiserver.events("MalformedOverride").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_nearly_right_is_told_of_with_the_right_one() {
    for (key, value, counts_as) in [
        ("keep-until", "2027-01-16", "a request to keep until 2027-01-17 00:00:00 UTC"),
        ("keepUntil", "Friday", "a request to keep until 2027-02-14 08:00:00 UTC, the longest allowed"),
        ("protected", "false", "a protection"),
        ("TTL", "2d", "nothing"),
    ] {
        let scene = Scene::new().await;
        scene.apiserver.annotate(key, value);
        scene.collect(SWEEP).await;
        scene.collect(SWEEP).await;
        let note = the_one(&scene, "Warning", "MalformedOverride");
        let right = match key {
            "protected" => "protect",
            "TTL" => "ttl",
            _ => "keep_until",
        };
        says(&note, &[&format!("{key}: {value}"), &format!("`manager.cicd.skao.int/{right}`"), counts_as]);
    }
}

/// What counts for nothing changes nothing that is recorded; who wrote it while it is managed is told all the same.
#[tokio::test(start_paused = true)]
async fn a_key_that_counts_for_nothing_is_told_of_when_it_is_written() {
    let scene = Scene::new().await;
    let written = async {
        scene.is_written(UID, "StatusShown").await;
        assert_eq!(scene.apiserver.events("MalformedOverride"), []);
        scene.apiserver.annotate("expires-at", "2027-02-01");
        sleep(Duration::from_secs(1_800)).await;
    };
    scene.collect_while(RESIDENT, written).await;
    scene.collect(SWEEP).await;
    says(&the_one(&scene, "Warning", "MalformedOverride"), &["expires-at: 2027-02-01", "counts as nothing"]);
}
