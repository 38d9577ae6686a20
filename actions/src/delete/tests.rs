//! One deletion from its task on, with an apiserver and a store between whose steps anything may happen.

use jiff::Timestamp;
use lifecycle::{
    Action, Status,
    event::{ActionIntended, NoticeState, Protected},
};
use serde_json::json;

use super::*;
use crate::fixture::{Asked, Scene, UID, at, at_once, becomes, stand_still};
use Asked::{Delete, Other, Patch, Read, Whose};

/// Everything that a deletion asks for where nothing is in its way: the time, the namespace before and after the slots.
const WHOLE: [Asked; 5] = [Other, Read, Whose, Read, Delete];

#[tokio::test(start_paused = true)]
async fn what_is_due_is_deleted_by_its_uid_and_the_version_it_was_seen_at() {
    let scene = Scene::stale().await;
    scene.apiserver.before(
        2,
        Read,
        at_once({
            let apiserver = scene.apiserver.clone();
            move || apiserver.annotate("unimportant", "x")
        }),
    );
    assert_eq!(scene.carry_out().await, ("intended done".to_owned(), WHOLE.to_vec()));
    assert_eq!(scene.apiserver.deletion(), json!({"uid": UID, "resourceVersion": "2"}));
}

#[tokio::test(start_paused = true)]
async fn what_is_new_shows_in_lists_and_is_told_and_nothing_else_is() {
    let scene = Scene::stale().await;
    assert_eq!(scene.carry_out().await.0, "intended done");
    let snapshot = scene.worker.context.store.snapshot(&scene.record().await.uid).await.unwrap();
    assert_eq!((snapshot, scene.events().await), (Some(scene.record().await), 1));
    // It is done. Told of nothing, the planner would offer the same again at once.
    assert_eq!(scene.carry_out().await, ("intended done".to_owned(), Vec::new()));
    assert_eq!(scene.events().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_due_is_not_checked() {
    let scene = Scene::stale().await;
    assert_eq!(scene.carry_out_due_to(1).await, (String::new(), Vec::new()));
    scene.append(Event::Protected(Protected { on: true }), at(0)).await;
    assert_eq!(scene.carry_out().await, ("Protected".to_owned(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn in_mode_observe_it_is_recorded_once_and_nothing_is_asked() {
    let scene = Scene::with(&[("NSM__MODE", "observe")]).await;
    for _ in 0..2 {
        assert_eq!(scene.carry_out().await, ("DryRun".to_owned(), Vec::new()));
    }
}

/// What was seen before the intent was written, when the worker stood still for so long after its preflight.
async fn when_it_stands_still_after_the_preflight(seconds: u64) -> String {
    let scene = Scene::stale().await;
    scene.apiserver.before(2, Read, at_once(move || stand_still(seconds)));
    scene.carry_out().await.0
}

/// At most 40 s after it was seen, and 20 s are left to hand the request over (docs/design/protocol.md S4).
#[tokio::test(start_paused = true)]
async fn evidence_that_is_no_longer_fresh_allows_no_intent() {
    assert_eq!(when_it_stands_still_after_the_preflight(40).await, "intended done");
    assert_eq!(when_it_stands_still_after_the_preflight(41).await, "");
}

async fn when_the_intent_took(seconds: u64) -> (String, Vec<Asked>) {
    let scene = Scene::stale().await;
    scene.store.after_intent(at_once(move || stand_still(seconds)));
    scene.carry_out().await
}

/// At most 20 s after its intent was begun (docs/design/protocol.md S4).
#[tokio::test(start_paused = true)]
async fn a_request_that_could_not_be_handed_over_in_time_is_not_sent() {
    assert_eq!(when_the_intent_took(19).await, ("intended done".to_owned(), WHOLE.to_vec()));
    let preflight_only = WHOLE[..4].to_vec();
    assert_eq!(when_the_intent_took(20).await, ("intended skipped:abandoned".to_owned(), preflight_only));
}

/// Meanwhile the cluster went on.
#[tokio::test(start_paused = true)]
async fn a_request_of_a_machine_that_slept_is_not_sent() {
    let what_it_slept = async |seconds| {
        let scene = Scene::stale().await;
        let apiserver = scene.apiserver.clone();
        scene.store.after_intent(at_once(move || apiserver.goes_on_alone(seconds)));
        scene.carry_out().await.0
    };
    assert_eq!(what_it_slept(60).await, "intended done");
    assert_eq!(what_it_slept(61).await, "intended skipped:abandoned");
}

/// It has not seen the intent, but the intent's writer sees the stop (docs/design/protocol.md S13).
#[tokio::test(start_paused = true)]
async fn a_stop_that_is_activated_right_after_the_intent_holds_the_request_back() {
    let scene = Scene::stale().await;
    scene.store.after_intent(scene.stop());
    assert_eq!(scene.carry_out().await, ("intended skipped:stopped".to_owned(), WHOLE[..4].to_vec()));
}

#[tokio::test(start_paused = true)]
async fn why_it_waits_is_written_once_an_hour() {
    let scene = Scene::stale().await;
    scene.stop().await;
    for expected in ["not:stopped", "not:stopped", "not:stopped not:stopped"] {
        assert_eq!(scene.carry_out().await, (expected.to_owned(), Vec::new()));
        stand_still(1_800);
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_second_with_its_intent_begins_anew() {
    let scene = Scene::stale().await;
    scene.store.before_intent(scene.somebody_writes());
    let (written, asked) = scene.carry_out().await;
    assert_eq!(written, "Kept intended done");
    assert_eq!(asked, [Other, Read, Whose, Read, Read, Whose, Read, Delete]);

    let scene = Scene::stale().await;
    scene.store.before_intent(scene.somebody_appends(becomes(Status::Unknown)));
    assert_eq!(scene.carry_out().await, ("StatusChanged".to_owned(), WHOLE[..4].to_vec()));
}

#[tokio::test(start_paused = true)]
async fn where_others_keep_writing_it_is_left_to_the_next() {
    let scene = Scene::stale().await;
    for _ in 0..MAX_ROUNDS + 1 {
        scene.store.before_intent(scene.somebody_writes());
    }
    let (written, asked) = scene.carry_out().await;
    assert_eq!(written, ["Kept"; MAX_ROUNDS].join(" "));
    assert!(!asked.contains(&Delete), "{asked:?}");
}

fn intent(until: Timestamp) -> Event {
    Event::ActionIntended(Box::new(ActionIntended {
        action: Action::Delete,
        cause_seq: 2,
        attempt: 1,
        holder: "action/other".to_owned(),
        until,
        resource_version: "1".to_owned(),
        cause: Status::Stale,
        decision: "it is stale".to_owned(),
        evidence: Vec::new(),
        evidence_at: at(0),
        slot: "s/1".to_owned(),
        unannounced: None,
        config: "c".to_owned(),
        mode: Mode::Enforce,
        notice: NoticeState::NoChannel,
    }))
}

#[tokio::test(start_paused = true)]
async fn what_somebody_is_at_is_left_to_them_until_their_time_is_over_and_then_fenced() {
    let scene = Scene::stale().await;
    scene.append(intent(at(10)), at(0)).await;
    assert_eq!(scene.carry_out().await, ("intended".to_owned(), Vec::new()));
    stand_still(10);
    // The fence moved the namespace, and is what tells the time.
    let (written, asked) = scene.carry_out().await;
    assert_eq!(written, "intended failed:Fenced intended done");
    assert_eq!(asked, [Patch, Read, Whose, Read, Delete]);
}

/// An intent that was never closed says nothing of whether its request was carried out.
#[tokio::test(start_paused = true)]
async fn what_ran_out_and_was_carried_out_is_seen_and_not_deleted_again() {
    for is_gone in [false, true] {
        let scene = Scene::stale().await;
        scene.append(intent(at(0)), at(0)).await;
        if is_gone {
            scene.apiserver.remove();
        } else {
            scene.apiserver.terminate();
        }
        let asked = if is_gone { vec![Patch, Whose] } else { vec![Patch] };
        assert_eq!(scene.carry_out().await, ("intended seen".to_owned(), asked));
    }
}
