//! Since when something is not ready, and how long it may be: its own time, or a policy's.

use serde_json::{Value, json};

use super::{
    Claim, DaemonSet, Deployment, Job, Kind, Pod, ReplicaSet, StatefulSet, deployment, ended, held, minute, of, owned,
    progress, said, said_by, waiting,
};
use crate::workloads::workload_state::Place;

/// A pod `NAME` of the workload `it` of this kind that was made in that minute, and is so.
fn pod(kind: &str, name: &str, made: i64, so: &str) -> (Kind, Place) {
    let mut metadata = owned(kind, "o");
    metadata["ownerReferences"][0]["name"] = json!("it");
    metadata["creationTimestamp"] = json!(minute(made));
    if so == "going" {
        metadata["deletionTimestamp"] = json!(minute(made));
    }
    let scheduled = json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": minute(made)});
    let ready = json!({"type": "Ready", "status": if so == "ready" { "True" } else { "False" }});
    of::<Pod>(name, &json!({"metadata": metadata, "status": {"phase": "Running", "conditions": [scheduled, ready]}}))
}

/// A workload of each kind without a time of its rollout that has 2 of 3 pods ready.
fn sets() -> [(&'static str, (Kind, Place)); 3] {
    let told = json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 2}});
    let on_nodes = json!({"status": {"desiredNumberScheduled": 3, "numberReady": 2}});
    [
        ("StatefulSet", of::<StatefulSet>("it", &told)),
        ("DaemonSet", of::<DaemonSet>("it", &on_nodes)),
        ("ReplicaSet", of::<ReplicaSet>("it", &told)),
    ]
}

/// The first minute of these in which such a workload fails with these pods, told as `NAME MINUTE STATE`.
#[track_caller]
fn check(pods: &[(&str, i64, &str)], expected: Option<i64>) {
    for (kind, set) in sets() {
        let pods = pods.iter().map(|(name, made, so)| pod(kind, name, *made, so));
        let all: Vec<_> = std::iter::once(set).chain(pods).collect();
        let first = (0..=300).find(|at| said(&all, *at).is_some());
        assert_eq!(first, expected, "{kind} with {all:?}");
    }
}

/// Days after it was made, one pod is replaced after the other.
#[test]
fn a_rollout_of_what_is_old_has_as_long_as_a_new_one() {
    check(&[("a", 0, "ready"), ("b", 0, "ready"), ("c", 200, "unready")], Some(210));
    // While the one that goes is there still, and once it has gone and the next is not made yet.
    check(&[("a", 0, "ready"), ("b", 0, "ready"), ("c", 200, "going")], Some(210));
    check(&[("a", 0, "ready"), ("b", 200, "ready")], Some(210));
    check(&[], Some(10));
}

#[test]
fn one_that_is_not_ready_for_long_is_not_made_up_for_by_younger_ones() {
    check(&[("a", 0, "unready"), ("b", 200, "ready"), ("c", 200, "unready")], Some(10));
}

/// What the workload says comes from another watch than what its pods say, and a little later.
#[test]
fn a_count_that_is_late_does_not_count() {
    check(&[("a", 0, "ready"), ("b", 0, "ready"), ("c", 0, "ready")], None);
}

#[test]
fn a_policy_says_how_long_what_is_not_ready_may_be_so() {
    let unready = |told: Value| of::<Deployment>("it", &told);
    let pod_alone = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}});
    let [stateful, daemon, replica] = sets().map(|(_, set)| set);
    let others = [of::<Pod>("it", &pod_alone), stateful, daemon, replica];
    let deployments = [
        // Each has told so that its time began in minute 0.
        unready(json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 1}})),
        unready(deployment(1, &progress("True", "ReplicaSetUpdated", 0))),
        unready(deployment(1, &progress("True", "NewReplicaSetAvailable", 0))),
        unready(deployment(1, &progress("False", "ProgressDeadlineExceeded", 10))),
    ];
    for object in deployments.into_iter().chain(others) {
        let first = |not_ready_after| {
            (0..=120).find(|at| said_by(Some(not_ready_after), std::slice::from_ref(&object), *at).is_some())
        };
        assert_eq!((first(0), first(3), first(60)), (Some(0), Some(3), Some(60)), "{object:?}");
    }
}

/// Scaled up, woken from nothing, or on a node that was drained: its last rollout is long over.
#[test]
fn what_became_unready_after_a_rollout_has_its_time_from_then_on() {
    let over = deployment(1, &progress("True", "NewReplicaSetAvailable", 0));
    // It says nothing of rollouts that have no deadline.
    let silent = json!({"spec": {"replicas": 2, "progressDeadlineSeconds": i32::MAX}, "status": {"readyReplicas": 1}});
    let pod = |made| {
        let mut metadata = owned("ReplicaSet", "r");
        metadata["ownerReferences"][0]["name"] = json!("it-5d4f");
        metadata["labels"] = json!({"pod-template-hash": "5d4f"});
        metadata["creationTimestamp"] = json!(minute(made));
        of::<Pod>("p", &json!({"metadata": metadata, "status": {"phase": "Running"}}))
    };
    for told in [over.clone(), silent] {
        let of_both = |made| [of::<Deployment>("it", &told), pod(made)];
        let first = |made| (0..=300).find(|at| said_by(Some(60), &of_both(made), *at).is_some());
        assert_eq!((first(0), first(200)), (Some(60), Some(260)), "{told}");
    }
    // By itself it has none: it was complete once.
    assert!(said(&[of::<Deployment>("it", &over), pod(200)], 200).is_some());
}

/// A Secret that it mounts is missing; its Job says nothing of that.
#[test]
fn a_pod_of_a_job_that_never_starts_is_judged_itself() {
    let of_job = |told: Value| {
        let mut told = told;
        told["metadata"] = owned("Job", "j");
        of::<Pod>("it", &told)
    };
    let waits = of_job(json!({"status": {"phase": "Pending"}}));
    assert_eq!(said(std::slice::from_ref(&waits), 9), None);
    assert_eq!(said(&[waits], 10).as_deref(), Some("Pod `it` has not been started"));
    assert_eq!(said(&[of_job(json!({"status": {"phase": "Running"}}))], 99), None, "it takes its time");
    assert_eq!(said(&[of::<Pod>("it", &held("Job", "it", None))], 99), None, "somebody holds it back");
}

#[test]
fn what_is_more_than_not_ready_counts_whatever_a_policy_says() {
    let stalled = of::<Pod>("it", &waiting("ImagePullBackOff"));
    let failed = of::<Job>("it", &json!({"status": ended("Failed", 0)}));
    let refused = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"});
    let refused = of::<Deployment>("it", &json!({"status": {"conditions": [refused]}}));
    for object in [stalled, failed, refused] {
        assert!(said_by(Some(60), &[object], 1).is_some());
    }
    // Nor is a claim a workload.
    let claim = of::<Claim>("it", &json!({"status": {"phase": "Pending"}}));
    assert_eq!(said_by(Some(0), std::slice::from_ref(&claim), 9), None);
    assert!(said_by(Some(60), &[claim], 10).is_some());
}

#[test]
fn what_is_held_back_on_purpose_is_so_by_a_policy_that_waits_for_nothing() {
    let db = of::<StatefulSet>("it", &json!({"spec": {"replicas": 1}, "status": {"readyReplicas": 0}}));
    let gated = of::<Pod>("it-0", &held("StatefulSet", "it", None));
    assert_eq!(said_by(Some(0), &[db.clone(), gated], 20), None);
    let free = of::<Pod>("it-0", &held("StatefulSet", "it", Some(20)));
    assert!(said_by(Some(0), &[db.clone(), free.clone()], 20).is_some());
    assert_eq!(said_by(Some(5), &[db, free], 24), None);
    // The same of a rollout that is told of.
    let web = of::<Deployment>("web", &deployment(1, &progress("True", "NewReplicaSetAvailable", 0)));
    let gated = of::<Pod>("p", &held("ReplicaSet", "web-5d4f", None));
    assert_eq!(said_by(Some(0), &[web.clone(), gated], 20), None);
    let free = of::<Pod>("p", &held("ReplicaSet", "web-5d4f", Some(20)));
    assert_eq!(said_by(Some(5), &[web.clone(), free.clone()], 24), None);
    assert!(said_by(Some(5), &[web, free], 25).is_some());
}
