//! What a cause is by what was seen, and what speaks against it.

use jiff::SignedDuration;
use lifecycle::{
    Uid,
    health::{Health, HealthSample, Streak},
    overrides::{Deadline, DeadlineBy},
    supersession::Supersession,
};

use super::*;
use crate::fixture::{Scene, UID, at};

const TRUTHS: [Truth; 3] = [Truth::True, Truth::False, Truth::Unknown];

fn told(truth: Truth) -> Condition {
    Condition { truth, reason: "so it was told".to_owned(), observed_at: at(-1) }
}

fn record(status: Status) -> Record {
    Record { status, reason: "as it was recorded".to_owned(), ..Record::new(Uid::new(UID)) }
}

/// What is seen where nobody checked anything but the clock.
fn unseen(clock: Truth) -> Observation {
    let namespace = Namespace {
        uid: Uid::new(UID),
        name: "ci-1".to_owned(),
        resource_version: "1".to_owned(),
        created: at(-7_200),
        deleted: None,
        ending: None,
        labels: Default::default(),
        annotations: Default::default(),
    };
    let (health, supersession, pipeline) = (Check::Pending, Check::Pending, Check::Pending);
    Observation { namespace, clock: told(clock), health, supersession, pipeline }
}

/// What is seen where every source says this.
fn seen(truth: Truth) -> Observation {
    let (since, looked_at) = (at(-60), at(-1));
    let streak = Streak {
        status_generation: 2,
        fails: true,
        since,
        status_since: since,
        looked_at,
        is_known: truth != Truth::Unknown,
    };
    Observation {
        health: Check::Observed(Health { look: HealthSample { condition: told(truth), failing: Vec::new() }, streak }),
        supersession: Check::Observed(Supersession { condition: told(truth), holds: true, successors: Vec::new() }),
        pipeline: Check::Observed(told(truth)),
        ..unseen(Truth::True)
    }
}

#[test]
fn a_cause_is_what_its_source_says_now_and_not_what_is_recorded() {
    for status in [Status::Failed, Status::Superseded, Status::Cancelled] {
        for truth in TRUTHS {
            assert_eq!(cause(&record(status), &seen(truth), at(0)), told(truth), "{status}");
        }
        let off = Observation { pipeline: Check::Disabled, ..unseen(Truth::True) };
        for nothing in [unseen(Truth::True), off] {
            assert_eq!(cause(&record(status), &nothing, at(0)).truth, Truth::Unknown, "{status}");
        }
    }
}

#[test]
fn what_is_stale_is_over_by_our_clock_too() {
    let over = |seconds| {
        let deadline =
            Deadline { at: at(0) + SignedDuration::from_secs(seconds), by: DeadlineBy::Policy, unreadable: None };
        cause(&Record { deadline: Some(deadline), ..record(Status::Stale) }, &seen(Truth::Unknown), at(0)).truth
    };
    assert_eq!((over(0), over(1)), (Truth::True, Truth::False));
    assert_eq!(cause(&record(Status::Stale), &seen(Truth::True), at(0)).truth, Truth::False, "it has no end");
}

#[test]
fn what_leads_to_no_deletion_is_no_cause() {
    for status in [Status::Unknown, Status::Ok, Status::Unstable, Status::Failing] {
        assert_eq!(cause(&record(status), &seen(Truth::True), at(0)).truth, Truth::False, "{status}");
    }
}

/// What follows, in a word.
fn objected(cause: Truth, clock: Truth) -> &'static str {
    match objection(&record(Status::Failed), &told(cause), &unseen(clock)) {
        None => "nothing",
        Some(Preflight::NotNow) => "not now",
        Some(Preflight::Skip(refusal)) => {
            assert_eq!(refusal.why, SkipReason::Evidence);
            assert!(refusal.detail.contains("so it was told"), "{}", refusal.detail);
            "it waits"
        }
        Some(Preflight::Go(_)) => "it goes",
    }
}

#[test]
fn anything_but_a_plain_yes_of_both_speaks_against_it() {
    for clock in TRUTHS {
        for cause in TRUTHS {
            let expected = match (cause, clock) {
                (Truth::True, Truth::True) => "nothing",
                // Nobody else would write that down.
                (Truth::Unknown, _) => "it waits",
                (Truth::True | Truth::False, _) => "not now",
            };
            assert_eq!(objected(cause, clock), expected, "{cause} by a clock of which is said {clock}");
        }
    }
}

/// Whether the namespace of the scene counts as what replaced another, where the history says that this uid did.
async fn replaces(scene: &Scene, uid: &str) -> bool {
    let settings = scene.worker.context.settings();
    let successor = Successor { uid: Uid::new(uid), name: "ci-1".to_owned() };
    let found = succeeds(&scene.worker.context, &settings, &successor).await.unwrap();
    assert!(found.as_ref().is_none_or(|(_, member)| member.uid.as_str() == uid));
    found.is_some()
}

#[tokio::test(start_paused = true)]
async fn what_replaced_it_is_checked_as_it_is_now() {
    let policy = r#"[{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h",
        "checks": {"superseded": {"by": ["branch"]}}, "on": {"superseded": {"delete": true}}}]"#;
    let scene = Scene::with(&[("NSM__POLICIES", policy)]).await;
    assert!(!replaces(&scene, UID).await, "it is in no group");
    for (key, value) in [("projectId", "1"), ("job", "deploy"), ("jobId", "9"), ("branch", "main")] {
        scene.apiserver.label(key, value);
    }
    assert!(replaces(&scene, UID).await);
    assert!(!replaces(&scene, "00000000-0000-4000-8000-000000000002").await, "another has that name");
    scene.apiserver.remove();
    assert!(!replaces(&scene, UID).await, "it is gone");
}
