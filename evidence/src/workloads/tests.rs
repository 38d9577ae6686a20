//! What each kind says of itself, told in JSON; `recorded.rs` reads what a real cluster said.

mod readiness;
mod recorded;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Truth, time::saturating_add};
use serde_json::{Value, json};

use super::{
    kinds::{Claim, Class, CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet},
    partial_object::PartialObject,
    sample::Look,
    watch::place,
    workload_state::{Change, Event, Kind, WorkloadStates},
};

/// When everything here was created.
fn created() -> Timestamp {
    "2026-08-17T09:00:00Z".parse().unwrap()
}

fn minute(number: i64) -> Timestamp {
    saturating_add(created(), SignedDuration::from_mins(number))
}

/// One object of namespace `ns`, with what is told of it.
fn object<K: PartialObject>(name: &str, told: &Value) -> K {
    let mut object = json!({"metadata": {"name": name, "namespace": "ns", "creationTimestamp": created()}});
    for (key, value) in told.as_object().unwrap() {
        match key.as_str() {
            "metadata" => object[key].as_object_mut().unwrap().extend(value.as_object().unwrap().clone()),
            _ => object[key] = value.clone(),
        }
    }
    serde_json::from_value(object).unwrap()
}

/// Traces in which all kinds were read, and held this.
fn read(objects: &[(Kind, super::workload_state::Place)]) -> WorkloadStates {
    let mut traces = WorkloadStates::default();
    for kind in Kind::ALL {
        traces.take(Event { kind, change: Change::Begins });
        for (_, place) in objects.iter().filter(|(of, _)| *of == kind) {
            traces.take(Event { kind, change: Change::Listed(place.clone()) });
        }
        traces.take(Event { kind, change: Change::Complete });
    }
    traces
}

fn of<K: PartialObject>(name: &str, told: &Value) -> (Kind, super::workload_state::Place) {
    (K::KIND, place(&object::<K>(name, told), false).unwrap())
}

/// What a namespace with these says in this minute: why it fails, or nothing.
fn said(objects: &[(Kind, super::workload_state::Place)], at: i64) -> Option<String> {
    said_by(None, objects, at)
}

/// The same by a policy that says for how many minutes something may be not ready.
fn said_by(not_ready_after: Option<i64>, objects: &[(Kind, super::workload_state::Place)], at: i64) -> Option<String> {
    let not_ready_after = not_ready_after.map(SignedDuration::from_mins);
    let finding = Look::of_all(&read(objects), minute(at)).of("ns", created(), not_ready_after);
    match finding.condition.truth {
        Truth::True => {
            assert!(!finding.failing.is_empty());
            Some(finding.condition.reason)
        }
        Truth::False => {
            assert_eq!((finding.condition.reason.as_str(), finding.failing.len()), ("nothing in it fails", 0));
            None
        }
        Truth::Unknown => panic!("{finding:?}"),
    }
}

/// One object alone, in these minutes: from the first on in which it fails it says this.
#[track_caller]
fn check<K: PartialObject>(told: &Value, well: &[i64], fails: &[i64], why: &str) {
    let objects = [of::<K>("it", told)];
    for at in well {
        assert_eq!(said(&objects, *at), None, "in minute {at}: {told}");
    }
    for at in fails {
        assert_eq!(said(&objects, *at), Some(format!("{} `it` {why}", K::KIND)), "in minute {at}: {told}");
    }
}

/// A Deployment of which this many pods are ready, whose rollout says this of itself.
fn deployment(ready: i32, progress: &Value) -> Value {
    json!({"spec": {"replicas": 2}, "status": {"readyReplicas": ready, "conditions": [progress]}})
}

fn progress(status: &str, reason: &str, minutes: i64) -> Value {
    json!({"type": "Progressing", "status": status, "reason": reason, "lastUpdateTime": minute(minutes)})
}

#[test]
fn a_deployment_has_until_its_own_deadline() {
    let few = "has 1 of 2 pods ready";
    check::<Deployment>(&json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}), &[0, 9], &[10, 99], few);
    let shorter = json!({"spec": {"replicas": 2, "progressDeadlineSeconds": 60}, "status": {"readyReplicas": 1}});
    check::<Deployment>(&shorter, &[0], &[1], few);
    // While its runner says that it goes on, it does; a minute later than it should have been told, it does not.
    check::<Deployment>(&deployment(1, &progress("True", "ReplicaSetUpdated", 30)), &[11, 30, 40], &[41], few);
    check::<Deployment>(&deployment(1, &progress("True", "NewReplicaSetAvailable", 0)), &[], &[1], few);
    let stalled = progress("False", "ProgressDeadlineExceeded", 0);
    check::<Deployment>(&deployment(1, &stalled), &[], &[1], "has 1 of 2 pods ready and makes no progress");
    // A new version that does not become ready fails, although the old one serves.
    check::<Deployment>(&deployment(2, &stalled), &[], &[1], "has 2 of 2 pods ready and makes no progress");
    check::<Deployment>(&deployment(2, &progress("True", "NewReplicaSetAvailable", 0)), &[0, 99], &[], "");
    check::<Deployment>(&json!({"spec": {"replicas": 0}, "status": {}}), &[99], &[], "");
    check::<Deployment>(&json!({}), &[9], &[10], "has 0 of 1 pods ready");
}

#[test]
fn pods_that_a_quota_refuses_count_at_once() {
    let refused =
        json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: q"});
    let why = "gets no pods (FailedCreate: exceeded quota: q)";
    let told = json!({"status": {"conditions": [refused]}});
    check::<Deployment>(&told, &[], &[0], why);
    check::<ReplicaSet>(&told, &[], &[0], why);
}

#[test]
fn sets_have_ten_minutes() {
    let told = json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 2}});
    check::<StatefulSet>(&told, &[0, 9], &[10], "has 2 of 3 pods ready");
    check::<ReplicaSet>(&told, &[0, 9], &[10], "has 2 of 3 pods ready");
    check::<StatefulSet>(&json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 3}}), &[99], &[], "");
    let told = json!({"status": {"desiredNumberScheduled": 2, "numberReady": 1}});
    check::<DaemonSet>(&told, &[0, 9], &[10], "has 1 of 2 pods ready");
    check::<DaemonSet>(&json!({"status": {"desiredNumberScheduled": 0, "numberReady": 0}}), &[99], &[], "");
}

fn owned(kind: &str, uid: &str) -> Value {
    let api = match kind {
        "Job" | "CronJob" => "batch/v1",
        "Workflow" => "argoproj.io/v1alpha1",
        _ => "apps/v1",
    };
    json!({"ownerReferences": [{"apiVersion": api, "kind": kind, "name": "owner", "uid": uid, "controller": true}]})
}

#[test]
fn what_something_else_answers_for_is_not_asked() {
    let mut told = json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 0}});
    told["metadata"] = owned("Deployment", "d");
    check::<ReplicaSet>(&told, &[99], &[], "");
    let mut told = json!({"status": {"phase": "Failed"}});
    told["metadata"] = owned("Job", "j");
    check::<Pod>(&told, &[99], &[], "");
}

/// One that has gone wrong for the first, to be tried again, has not failed.
#[test]
fn what_nobody_else_judges_is_not_overlooked_for_having_an_owner() {
    let of_a_workflow = |status: Value| json!({"metadata": owned("Workflow", "w"), "status": status});
    check::<Pod>(&of_a_workflow(json!({"phase": "Pending"})), &[9], &[10], "has not been started");
    check::<Pod>(&of_a_workflow(json!({"phase": "Running"})), &[9], &[10], "is not ready");
    check::<Pod>(&of_a_workflow(json!({"phase": "Failed", "reason": "Evicted"})), &[0, 99], &[], "");
    // Its steps end one after another, and from the first on it is not ready.
    let steps =
        json!([{"name": "a", "state": {"terminated": {"exitCode": 0}}}, {"name": "b", "state": {"running": {}}}]);
    let at_work = json!({"phase": "Running", "containerStatuses": steps,
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]});
    check::<Pod>(&of_a_workflow(at_work), &[9, 99], &[], "");
    let mut set = json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 2}});
    set["metadata"] = json!({"ownerReferences": [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "owner", "uid": "r", "controller": true},
    ]});
    check::<ReplicaSet>(&set, &[9], &[10], "has 2 of 3 pods ready");
    let mut deployment = json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 2}});
    deployment["metadata"] = owned("Application", "a");
    check::<Deployment>(&deployment, &[9], &[10], "has 2 of 3 pods ready");
}

#[test]
fn what_somebody_holds_back_does_not_fail() {
    let mut paused = deployment(1, &progress("Unknown", "DeploymentPaused", 0));
    paused["spec"]["paused"] = json!(true);
    check::<Deployment>(&paused, &[10, 99], &[], "");
    check::<Job>(
        &json!({"spec": {"suspend": true}, "status": {"conditions": [progress("True", "x", 0)]}}),
        &[99],
        &[],
        "",
    );
}

/// A pod of a workload of this kind, that waits behind a gate or got its node in that minute.
fn held(kind: &str, owner: &str, scheduled: Option<i64>) -> Value {
    let condition = match scheduled {
        None => json!({"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}),
        Some(at) => json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": minute(at)}),
    };
    let mut metadata = owned(kind, "o");
    metadata["ownerReferences"][0]["name"] = json!(owner);
    metadata["labels"] = json!({"pod-template-hash": "5d4f"});
    json!({"metadata": metadata, "status": {"phase": "Pending", "conditions": [condition]}})
}

#[test]
fn a_workload_whose_pods_are_held_back_does_not_fail_for_want_of_them() {
    let stalled = deployment(1, &progress("False", "ProgressDeadlineExceeded", 0));
    let few = Some("Deployment `web` has 1 of 2 pods ready and makes no progress".to_owned());
    let web = || of::<Deployment>("web", &stalled);
    let pod = |owner: &str, scheduled| of::<Pod>("p", &held("ReplicaSet", owner, scheduled));
    assert_eq!(said(&[web()], 20), few);
    assert_eq!(said(&[web(), pod("web-5d4f", None)], 20), None);
    assert_eq!(said(&[web(), pod("other-5d4f", None)], 20), few, "another's pod");
    // From when it got its node it has as long as what is new.
    assert_eq!(said(&[web(), pod("web-5d4f", Some(60))], 69), None);
    assert_eq!(said(&[web(), pod("web-5d4f", Some(60))], 70), few);
    assert_eq!(said(&[web(), pod("web-5d4f", Some(0))], 9), few, "it never waited");
    // One is held back, and two are lacking.
    let db =
        |ready: i32| of::<StatefulSet>("db", &json!({"spec": {"replicas": 3}, "status": {"readyReplicas": ready}}));
    let pod = || of::<Pod>("db-2", &held("StatefulSet", "db", None));
    assert_eq!(said(&[db(2), pod()], 20), None);
    assert_eq!(said(&[db(1), pod()], 20), Some("StatefulSet `db` has 1 of 3 pods ready".to_owned()));
}

fn ended(how: &str, minutes: i64) -> Value {
    json!({"startTime": minute(minutes), "conditions": [{"type": how, "status": "True", "reason": "R", "message": "m"}]})
}

#[test]
fn a_job_that_failed_fails_and_a_later_run_of_a_cronjob_makes_up_for_it() {
    check::<Job>(&json!({"status": ended("Failed", 0)}), &[], &[0], "has failed (R: m)");
    check::<Job>(&json!({"status": ended("Complete", 0)}), &[99], &[], "");
    check::<Job>(&json!({"status": {"active": 1}}), &[99], &[], "");
    let run = |name: &str, how: &str, at: i64| {
        of::<Job>(name, &json!({"metadata": owned("CronJob", "c"), "status": ended(how, at)}))
    };
    let failed = Some("Job `b` has failed (R: m)".to_owned());
    assert_eq!(said(&[run("a", "Complete", 1), run("b", "Failed", 2)], 9), failed);
    assert_eq!(said(&[run("b", "Failed", 2), run("d", "Complete", 3)], 9), None);
    let other = of::<Job>("e", &json!({"metadata": owned("CronJob", "other"), "status": ended("Complete", 3)}));
    assert_eq!(said(&[run("b", "Failed", 2), other], 9), failed);
    // No later run can make up for it while it is suspended, which is what one does with a run that fails every night.
    let cron =
        |uid: &str, suspend: bool| of::<CronJob>("c", &json!({"metadata": {"uid": uid}, "spec": {"suspend": suspend}}));
    assert_eq!(said(&[run("b", "Failed", 2), cron("c", true)], 9), None);
    assert_eq!(said(&[run("b", "Failed", 2), cron("c", false)], 9), failed);
    assert_eq!(said(&[run("b", "Failed", 2), cron("other", true)], 9), failed);
}

fn waiting(reason: &str) -> Value {
    json!({"status": {"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": reason}}}]}})
}

#[test]
fn what_a_container_waits_for_in_vain_counts_at_once() {
    for reason in ["ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError", "SomethingNew"] {
        check::<Pod>(&waiting(reason), &[], &[0], &format!("waits with its container `web` ({reason})"));
    }
    for reason in ["ContainerCreating", "PodInitializing"] {
        check::<Pod>(&waiting(reason), &[0, 9], &[10], "has not been started");
    }
    let mut init = waiting("x");
    init["status"]["initContainerStatuses"] = init["status"]["containerStatuses"].take();
    init["status"]["containerStatuses"] = json!([]);
    check::<Pod>(&init, &[], &[0], "waits with its container `web` (x)");
}

/// Between two crashes a container runs for a moment: that is no recovery.
#[test]
fn what_crashes_in_a_loop_has_to_run_for_as_long_as_it_waited() {
    let told = |restarts: i32, exit_code: i32| {
        let container = json!({
            "name": "web", "restartCount": restarts,
            "state": {"running": {"startedAt": minute(20)}},
            "lastState": {"terminated": {"exitCode": exit_code}},
        });
        let ready = json!({"type": "Ready", "status": "True"});
        json!({"status": {"phase": "Running", "conditions": [ready], "containerStatuses": [container]}})
    };
    check::<Pod>(&told(9, 1), &[25], &[20, 24], "was started 10 times with its container `web`");
    check::<Pod>(&told(5, 1), &[23], &[22], "was started 6 times with its container `web`");
    check::<Pod>(&told(1, 1), &[20], &[], "");
    check::<Pod>(&told(9, 0), &[20], &[], "");
    let ends = |restarts: i32| {
        let mut told = told(restarts, 1);
        told["status"]["containerStatuses"][0]["state"] = json!({"terminated": {"exitCode": 3}});
        told
    };
    check::<Pod>(&ends(1), &[], &[20, 99], "was started 2 times with its container `web`");
    check::<Pod>(&ends(0), &[20], &[], "");
}

#[test]
fn pods_that_fit_nowhere_and_those_that_nobody_answers_for() {
    let condition = |of: &str, status: &str, reason: &str| json!({"type": of, "status": status, "reason": reason, "message": "0/1 nodes"});
    let pod = |phase: &str, condition: Value| json!({"status": {"phase": phase, "conditions": [condition]}});
    let why = "cannot be scheduled (Unschedulable: 0/1 nodes)";
    check::<Pod>(&pod("Pending", condition("PodScheduled", "False", "Unschedulable")), &[], &[0], why);
    let gated = pod("Pending", condition("PodScheduled", "False", "SchedulingGated"));
    check::<Pod>(&gated, &[9, 10, 9_999], &[], "");
    let mut gate = json!({"spec": {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}});
    gate["status"] = json!({"phase": "Pending"});
    check::<Pod>(&gate, &[10, 9_999], &[], "");
    let mut lifted = condition("PodScheduled", "True", "");
    lifted["lastTransitionTime"] = json!(minute(60));
    check::<Pod>(&pod("Pending", lifted), &[60, 69], &[70], "has not been started");
    check::<Pod>(&pod("Running", condition("Ready", "False", "")), &[9], &[10], "is not ready");
    check::<Pod>(&pod("Running", condition("Ready", "True", "")), &[99], &[], "");
    check::<Pod>(&pod("Unknown", condition("Ready", "True", "")), &[9], &[10], "is on a node that says nothing");
    check::<Pod>(&pod("Succeeded", condition("Ready", "False", "")), &[99], &[], "");
    let evicted =
        json!({"status": {"phase": "Failed", "reason": "Evicted", "message": "The \"node\"\nwas \u{202e}low"}});
    check::<Pod>(&evicted, &[], &[0], "has failed (Evicted: The \"node\" was  low)");
    check::<Pod>(&json!({"status": {"phase": "Failed"}}), &[], &[0], "has failed");
}

#[test]
fn a_claim_fails_unless_it_waits_for_its_first_pod() {
    let claim = |class: Option<&str>| json!({"spec": {"storageClassName": class}, "status": {"phase": "Pending"}});
    check::<Claim>(&claim(None), &[9], &[10], "gets no volume");
    check::<Claim>(&json!({"status": {"phase": "Lost"}}), &[], &[0], "has lost its volume");
    check::<Claim>(&json!({"status": {"phase": "Bound"}}), &[99], &[], "");
    let class = |mode: &str| {
        let class = json!({"metadata": {"name": "late"}, "provisioner": "p", "volumeBindingMode": mode});
        (Kind::Class, place(&serde_json::from_value::<Class>(class).unwrap(), false).unwrap())
    };
    let late = || of::<Claim>("it", &claim(Some("late")));
    let fails = Some("PersistentVolumeClaim `it` gets no volume".to_owned());
    assert_eq!(said(&[late(), class("WaitForFirstConsumer")], 99), None);
    assert_eq!(said(&[late(), class("Immediate")], 99), fails);
    assert_eq!(said(&[late()], 99), fails, "a class that there is not");
    let mut used = claim(Some("late"));
    used["metadata"] = json!({"annotations": {"volume.kubernetes.io/selected-node": "n"}});
    assert_eq!(said(&[of::<Claim>("it", &used), class("WaitForFirstConsumer")], 99), fails);
}

fn lacking(name: &str) -> (Kind, super::workload_state::Place) {
    of::<StatefulSet>(name, &json!({}))
}

#[test]
fn of_many_three_are_named_and_fifty_are_told() {
    let all: Vec<_> = (10..70).map(|number| lacking(&format!("s{number}"))).collect();
    let of = |count: usize| Look::of_all(&read(&all[..count]), minute(10)).of("ns", created(), None);
    let few = "has 0 of 1 pods ready";
    let three = format!("StatefulSet `s10` {few}; StatefulSet `s11` {few}; StatefulSet `s12` {few}");
    assert_eq!(of(3).condition.reason, three);
    assert_eq!(of(4).condition.reason, format!("{three}; and one other fails"));
    assert_eq!(of(60).condition.reason, format!("{three}; and 57 others fail"));
    assert_eq!((of(60).failing.len(), of(60).cut, of(2).cut), (50, 10, 0));
    assert_eq!(of(2).failing, ["s10", "s11"]);
}

#[test]
fn two_of_one_name_are_told_once() {
    let pod = of::<Pod>("s", &json!({"status": {"phase": "Failed"}}));
    assert_eq!(Look::of_all(&read(&[lacking("s"), pod]), minute(10)).of("ns", created(), None).failing, ["s"]);
}

#[test]
fn another_namespace_and_a_former_one_of_its_name_are_others() {
    let sample = Look::of_all(&read(&[lacking("s")]), minute(10));
    let truth = |name: &str, created| sample.of(name, created, None).condition.truth;
    assert_eq!(truth("ns", created()), Truth::True);
    assert_eq!(truth("other", created()), Truth::False);
    assert_eq!(truth("ns", minute(1)), Truth::False, "what is older was in a former one");
}

#[test]
fn nothing_is_known_before_all_was_read_and_while_something_cannot_be() {
    let truth = |traces: &WorkloadStates| {
        let sample = Look::of_all(traces, minute(10));
        (sample.of("ns", created(), None).condition.truth, sample.outage().map(str::to_owned))
    };
    let (unknown, outage) = truth(&WorkloadStates::default());
    assert_eq!((unknown, outage.as_deref()), (Truth::Unknown, Some("Deployments were not read yet")));
    let mut traces = read(&[lacking("s")]);
    assert!(traces.is_settled() && !WorkloadStates::default().is_settled());
    assert_eq!(truth(&traces), (Truth::True, None));
    let mut change = |kind, change| traces.take(Event { kind, change });
    change(Kind::Job, Change::Broke("forbidden".to_owned()));
    assert_eq!(truth(&traces), (Truth::Unknown, Some("Jobs cannot be read: forbidden".to_owned())));
    // A list that began says nothing before it came through.
    let mut change = |kind, change| traces.take(Event { kind, change });
    change(Kind::Job, Change::Begins);
    assert_eq!(truth(&traces).0, Truth::Unknown);
    let mut change = |kind, change| traces.take(Event { kind, change });
    change(Kind::Job, Change::Complete);
    assert_eq!(truth(&traces), (Truth::True, None));
}

#[test]
fn what_a_list_does_not_name_is_gone_and_so_is_what_is_being_deleted() {
    let mut traces = read(&[lacking("s")]);
    let change = |traces: &mut WorkloadStates, change| traces.take(Event { kind: Kind::StatefulSet, change });
    let fails = |traces: &WorkloadStates| {
        Look::of_all(traces, minute(10)).of("ns", created(), None).condition.truth == Truth::True
    };
    change(&mut traces, Change::Begins);
    assert!(fails(&traces), "the new list has not come through yet");
    change(&mut traces, Change::Complete);
    assert!(!fails(&traces));
    change(&mut traces, Change::Now(lacking("s").1));
    assert!(fails(&traces));
    let going = json!({"metadata": {"deletionTimestamp": created()}});
    change(&mut traces, Change::Now(of::<StatefulSet>("s", &going).1));
    assert!(!fails(&traces));
    change(&mut traces, Change::Now(lacking("s").1));
    change(&mut traces, Change::Now(place(&object::<StatefulSet>("s", &json!({})), true).unwrap()));
    assert!(!fails(&traces));
}
