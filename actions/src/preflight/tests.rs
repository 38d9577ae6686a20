//! The preflight: what it finds that is not as the record says, at its beginning and at its end.

use common::{budget::SlotAllocator, identity::OtherCluster};
use lifecycle::{
    Actor, Uid,
    overrides::{Deadline, DeadlineBy},
};

use super::*;
use crate::fixture::{
    Apiserver,
    Asked::{self, Delete, Other, Read, Whose},
    Scene, at, at_once, stand_still,
};

/// What is written, and what is asked for, where this is so when the namespace is read for so manieth a time; and how many
/// slots of the budget were claimed.
async fn when(number: usize, change: fn(&Apiserver)) -> (String, Vec<Asked>, u64) {
    let scene = Scene::stale().await;
    let apiserver = scene.apiserver.clone();
    scene.apiserver.before(number, Read, at_once(move || change(&apiserver)));
    let (written, asked) = scene.carry_out().await;
    (written, asked, scene.claimed(ClaimKind::Slots, 0).await)
}

/// What somebody does meanwhile.
type Change = fn(&Apiserver);

/// What is not as the record says, each for another reason.
const CHANGES: [(&str, Change); 15] = [
    ("it has gone", Apiserver::remove),
    ("another has its name", |it| it.replace("00000000-0000-4000-8000-000000000002")),
    ("somebody else deletes it", Apiserver::terminate),
    ("its owner protects it", |it| it.annotate("protect", "")),
    ("its owner keeps it", |it| it.annotate("keep_until", "2030-01-01T00:00:00Z")),
    ("it lives for longer", |it| it.annotate("ttl", "3h")),
    ("it lives until later", |it| it.annotate("expires_at", "2030-01-01T00:00:00Z")),
    ("it carries the marker of another store", |it| it.annotate("record", "7.1")),
    ("its marker cannot be read", |it| it.annotate("record", "x")),
    ("its owner protects it, nearly", |it| it.annotate("Protected", "no")),
    ("its owner keeps it, nearly", |it| it.annotate("keep-until", "2030-01-01")),
    ("its owner keeps it, nobody knows until when", |it| it.annotate("keepUntil", "Friday")),
    ("it lives until nobody knows when", |it| it.annotate("expires_at", "2030-13-01")),
    ("its owner protects it by a label", |it| it.label_as_ours("protect", "true")),
    ("its owner keeps it by a label", |it| it.label_as_ours("keep_until", "2030-01-01")),
];

#[tokio::test(start_paused = true)]
async fn what_is_not_as_the_record_says_is_neither_deleted_nor_written_down() {
    for (what, change) in CHANGES {
        let (written, asked, _) = when(1, change).await;
        assert_eq!((written.as_str(), asked.contains(&Delete)), ("", false), "{what}");
    }
}

/// Between the evidence and the last read (docs/design/protocol.md S5).
#[tokio::test(start_paused = true)]
async fn what_changes_at_the_last_moment_counts() {
    for (what, change) in CHANGES {
        let (written, asked, _) = when(2, change).await;
        assert_eq!((written, asked), (String::new(), vec![Other, Read, Whose, Read]), "{what}");
    }
}

/// Another cluster took the place of ours, with the same names and uids in it, as one that was restored from a backup has.
#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_where_another_cluster_answers() {
    let scene = Scene::stale().await;
    let apiserver = scene.apiserver.clone();
    scene.apiserver.before(1, Whose, at_once(move || apiserver.is_of_another_cluster()));
    let error = scene.try_to_carry_out().await.unwrap_err();
    assert!(error.is::<OtherCluster>(), "{error:#}");
    assert_eq!((scene.written().await, scene.apiserver.asked()), (String::new(), vec![Other, Read, Whose]));
}

/// What is seen at once not to be due takes no slot from others.
#[tokio::test(start_paused = true)]
async fn what_is_clearly_not_due_costs_no_slot() {
    for change in [0, 3, 4, 5, 6, 9, 10, 11, 12].map(|number: usize| CHANGES[number]) {
        let (_, asked, slots) = when(1, change.1).await;
        assert_eq!((asked, slots), (vec![Other, Read], 0), "{}", change.0);
    }
    assert_eq!(when(2, CHANGES[3].1).await.2, 1, "it had one by then");
}

/// No matter by whose clock it was over first.
#[tokio::test(start_paused = true)]
async fn what_is_not_over_by_our_clock_is_not_deleted() {
    let scene = Scene::empty(&[], |_| {}).await;
    scene.apiserver.annotate("expires_at", &at(20).to_string());
    let deadline = Deadline { at: at(20), by: DeadlineBy::ExpiresAt(at(20).to_string()), unreadable: None };
    scene.becomes_stale_by(at(-7_200), deadline).await;
    assert_eq!(scene.carry_out().await, (String::new(), vec![Other, Read]));
    assert_eq!(scene.claimed(ClaimKind::Slots, 0).await, 0);
    stand_still(20);
    assert_eq!(scene.carry_out().await.0, "intended done");
}

/// After the switches were asked, which is when the clocks are compared.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_during_the_preflight_ends_it() {
    for number in [1, 2] {
        let scene = Scene::stale().await;
        scene.apiserver.before(number, Read, scene.clock_jumps(60));
        assert_eq!(scene.carry_out().await, (String::new(), vec![Other, Read, Whose, Read]), "at read {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_good_in_its_own_window() {
    for (before_its_end, expected) in [(10, ""), (40, "intended done")] {
        let scene = Scene::stale().await;
        stand_still(600 - before_its_end);
        scene.apiserver.before(2, Read, at_once(|| stand_still(20)));
        assert_eq!(scene.carry_out().await.0, expected);
        assert_eq!(scene.claimed(ClaimKind::Slots, 0).await, 1);
        assert_eq!(scene.claimed(ClaimKind::Slots, 600).await, 0);
    }
}

/// Somebody else has the one slot there is of this kind.
async fn takes_the_slot(scene: &Scene, kind: ClaimKind) {
    assert!(matches!(claim_for(&SlotAllocator::default(), scene, kind).await, Slot::Claimed(_)));
}

async fn claim_for(claims: &SlotAllocator, scene: &Scene, kind: ClaimKind) -> Slot {
    let settings = scene.worker.context.settings();
    let rate_limit = if kind == ClaimKind::Slots { settings.budget } else { settings.unannounced };
    let window = Window::of(at(0), settings.timings.budget_window);
    claims.claim(&*scene.store, kind, rate_limit, window, &Uid::new("other"), &Actor::person("me")).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_in_the_budget_it_waits_for_the_next_window() {
    let scene = Scene::with(&[("NSM__BUDGET__AT_LEAST", "1")]).await;
    takes_the_slot(&scene, ClaimKind::Slots).await;
    assert_eq!(scene.carry_out().await, ("not:budget".to_owned(), vec![Other, Read]));
    assert_eq!(scene.record().await.attempts.not_before, Some(at(600)));
    stand_still(600);
    assert_eq!(scene.carry_out().await.0, "not:budget intended done");
}

#[tokio::test(start_paused = true)]
async fn an_unannounced_deletion_waits_for_its_limit_or_an_approval_and_costs_the_apiserver_nothing() {
    let scene = Scene::empty(&[("NSM__BUDGET__UNANNOUNCED__AT_LEAST", "1")], |_| {}).await;
    scene.becomes_stale(at(-60), at(-3_600)).await;
    takes_the_slot(&scene, ClaimKind::Unannounced).await;
    assert_eq!(scene.carry_out().await, ("not:unannounced".to_owned(), vec![Other, Read]));
    assert_eq!(scene.carry_out().await, ("not:unannounced".to_owned(), Vec::new()), "it is known to wait");
    let hour = jiff::SignedDuration::from_hours(1);
    controls::approve(&*scene.store, &Actor::person("me"), hour, at(0)).await.unwrap();
    assert_eq!(scene.carry_out().await.0, "not:unannounced intended done");

    let scene = Scene::with(&[("NSM__BUDGET__UNANNOUNCED__AT_LEAST", "1")]).await;
    takes_the_slot(&scene, ClaimKind::Unannounced).await;
    assert_eq!(scene.carry_out().await.0, "intended done", "it was announced");
}

/// A worker that has found the budget of a window used up does not read each namespace that waits for it.
#[tokio::test(start_paused = true)]
async fn a_budget_that_is_known_to_be_used_up_costs_the_apiserver_nothing() {
    let scene = Scene::with(&[("NSM__BUDGET__AT_LEAST", "1")]).await;
    takes_the_slot(&scene, ClaimKind::Slots).await;
    assert!(matches!(claim_for(&scene.worker.claims, &scene, ClaimKind::Slots).await, Slot::Exhausted { .. }));
    assert_eq!(scene.carry_out().await, ("not:budget".to_owned(), vec![Other]));
}
