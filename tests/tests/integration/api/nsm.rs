//! `nsm` through the API says what `nsm` beside the store says.

use std::sync::LazyLock;

use common::store;
use lifecycle::{Entry, Record, Uid};
use regex::Regex;
use serde_json::{Value, json};

use crate::api::world::{World, shared};

/// Writes the history of a namespace that was adopted, and its snapshot.
async fn tell(world: &World<'_>, name: &str, entries: usize) {
    let store = store::open(&format!("sqlite:{}", world.path("nsm.db").display())).await.unwrap();
    let at = "2026-08-17T08:00:00Z";
    let adopted =
        json!({"policy": "ci", "policy_hash": "h", "mode": "enforce", "created": at, "ci": [], "deadline": null});
    let kept = json!({"requested": at, "until": at, "first_seen": at, "by": "alice", "reason": "a demo"});
    let history: Vec<Entry> = (1..=entries)
        .map(|seq| {
            let (kind, data) = if seq == 1 { ("Adopted", &adopted) } else { ("Kept", &kept) };
            let entry = json!({"uid": format!("uid-{name}"), "seq": seq, "at": at, "actor": "collector/a", "name": name,
                "token": format!("t{seq}"), "kind": kind, "data": data});
            serde_json::from_value(entry).unwrap()
        })
        .collect();
    for entry in &history {
        store.append(entry).await.unwrap();
    }
    store.put_snapshot(&Record::of(Uid::new(format!("uid-{name}")), &history)).await.unwrap();
}

/// How far away an instant is, as texts tell it: it changes from one moment to the next.
static DISTANCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\((now|in [^()]+|[^()]+ ago)\)").unwrap());

/// Without what changes from one moment to the next.
fn settled(json: &str) -> Value {
    let json = &DISTANCE.replace_all(json, "(some time)");
    let mut value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    if let Some(object) = value.as_object_mut() {
        object.remove("at");
        object.remove("by");
    }
    value
}

#[tokio::test]
async fn every_answer_is_the_same_through_the_api() {
    let world = World::new(shared().await, |_, _| {}).await;
    let operator = world.operator().await;
    let live = world.namespace().await;
    for number in 0..3 {
        tell(&world, &format!("ci-gone-{number}"), 2).await;
    }
    tell(&world, "ci-long", 1_203).await;
    for arguments in [
        &["ls"][..],
        &["ls", "--all"],
        &["why", "ci-gone-1"],
        &["why", &live],
        &["why", "ci-nobody"],
        &["history", "ci-long"],
        &["history", "uid-ci-gone-2"],
        &["history", "ci-gon-1"],
        &["workers"],
        &["status"],
        &["stop", "--reason", "storm"],
        &["ls"],
        &["why", "ci-gone-1"],
        &["resume"],
        &["approve", "--for", "90m"],
        &["approve", "--store"],
    ] {
        for format in ["json", "table"] {
            let arguments = [arguments, &["-o", format]].concat();
            // What is recorded twice is told otherwise: the first of both is looked at.
            if arguments[0] == "resume" {
                world.while_running(&["stop"]).await;
            }
            let through = world.through(&arguments, &operator).await;
            if arguments[0] == "resume" {
                world.while_running(&["stop"]).await;
            }
            let while_running = world.while_running(&arguments).await;
            assert_eq!(through.code, while_running.code, "{arguments:?}: {through:?} {while_running:?}");
            if through.code == Some(0) && format == "json" {
                let [mut through, mut while_running] = [settled(&through.out), settled(&while_running.out)];
                // Who had stopped, and when, is different; until when it is approved, too.
                for value in [&mut through, &mut while_running] {
                    if let Some(object) = value.as_object_mut().filter(|object| object.contains_key("control")) {
                        object.remove("ended");
                        object.remove("until");
                    }
                    if let Some(object) = value.as_object_mut().filter(|object| object.contains_key("budget")) {
                        object.remove("budget");
                        object.remove("unannounced");
                    }
                }
                assert_eq!(through, while_running, "{arguments:?}");
            }
            if through.code != Some(0) {
                assert_eq!((through.out, through.err), (while_running.out, while_running.err), "{arguments:?}");
            }
        }
    }
}

#[tokio::test]
async fn who_may_not_is_told_what_is_missing() {
    let world = World::new(shared().await, |_, _| {}).await;
    let reader = world.reader().await;
    let said = world.through(&["stop"], &reader).await;
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.err.contains("may not update `controls` of the API group `namespace-manager.io`"), "{said:?}");
    let garbage = world.path("garbage");
    std::fs::write(&garbage, "garbage").unwrap();
    let said = world.through(&["ls"], &garbage).await;
    assert!(said.code == Some(4) && said.err.contains("kubectl create token NAME --audience"), "{said:?}");
    let said = world.through(&["ls"], &world.path("no-such-file")).await;
    assert!(said.code == Some(1) && said.err.contains("cannot use the token in"), "{said:?}");
}

#[tokio::test]
async fn an_api_that_is_not_there_is_out_of_reach() {
    let mut world = World::new(shared().await, |_, _| {}).await;
    let reader = world.reader().await;
    world.api().kill();
    let said = world.through(&["ls"], &reader).await;
    assert!(said.code == Some(5) && said.err.contains("cannot ask the API at"), "{said:?}");
}

#[tokio::test]
async fn in_a_pod_it_reads_the_store_without_a_home() {
    let world = World::new(shared().await, |_, _| {}).await;
    tell(&world, "ci-1", 2).await;
    let mut nsm = testbed::program("nsm").unwrap();
    nsm.arg("ls").env_clear().env("CONFIG_PATH", world.path("config")).current_dir("/");
    let said = world.run(nsm).await;
    assert!(said.code == Some(0) && said.out.contains("ci-1"), "{said:?}");
}
