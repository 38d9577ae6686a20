//! What a real cluster says of workloads that fail in each way: Kubernetes 1.34, recorded by the suite `cluster`.

use std::{collections::BTreeMap, path::Path};

use jiff::{SignedDuration, Timestamp};
use kube::api::ObjectList;
use lifecycle::{Truth, time::saturating_add};

use super::super::{
    kinds::{Claim, Class, CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet},
    partial_object::PartialObject,
    sample::Look,
    watch::place,
    workload_state::{Change, Event, WorkloadStates},
};

fn take<K: PartialObject>(traces: &mut WorkloadStates) -> Timestamp {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/workloads/tests/recorded");
    let text = std::fs::read_to_string(directory.join(format!("{}.json", K::plural(&())))).unwrap();
    let listed: ObjectList<K> = serde_json::from_str(&text).unwrap();
    let mut take = |change| traces.take(Event { kind: K::KIND, change });
    take(Change::Begins);
    listed.items.iter().for_each(|object| take(Change::Listed(place(object, false).unwrap())));
    take(Change::Complete);
    listed.items.iter().map(PartialObject::created).max().unwrap_or(Timestamp::MIN)
}

/// What was recorded, and when the last of it was made.
fn recorded() -> (WorkloadStates, Timestamp) {
    let mut traces = WorkloadStates::default();
    let made = [
        take::<Deployment>(&mut traces),
        take::<StatefulSet>(&mut traces),
        take::<DaemonSet>(&mut traces),
        take::<ReplicaSet>(&mut traces),
        take::<Job>(&mut traces),
        take::<CronJob>(&mut traces),
        take::<Pod>(&mut traces),
        take::<Claim>(&mut traces),
        take::<Class>(&mut traces),
    ];
    (traces, made.into_iter().max().unwrap())
}

/// Why each fails at that instant, without what differs from one recording to the next. A pod is called after its owner.
fn failures(traces: &WorkloadStates, at: Timestamp) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for it in Look::of_all(traces, at).failing("recorded", Timestamp::MIN, None) {
        let (kind, why) = (it.kind, &it.failure.why);
        let name = it.name.split('-').take(2).collect::<Vec<_>>().join("-");
        let reason = why.split(['(', ':', ')']).nth(1).map(|reason| format!(" ({reason})"));
        let why = why.split(" (").next().unwrap().to_owned();
        found.insert(format!("{kind} {name}"), why + &reason.unwrap_or_default());
    }
    found
}

#[test]
fn what_fails_at_once() {
    let (traces, made) = recorded();
    let expected = [
        // Its pod counted as ready for the moment in which it ran, and so did its rollout as complete.
        ("Deployment crash-loop", "has 0 of 1 pods ready"),
        ("Deployment over-quota", "gets no pods (FailedCreate)"),
        ("Deployment stuck-rollout", "has 0 of 1 pods ready and makes no progress"),
        ("Job failed-job", "has failed (BackoffLimitExceeded)"),
        ("Pod crash-loop", "waits with its container `it` (CrashLoopBackOff)"),
        ("Pod ended-badly", "has failed"),
        ("Pod fits-nowhere", "cannot be scheduled (Unschedulable)"),
        ("Pod no-config", "waits with its container `it` (CreateContainerConfigError)"),
        ("Pod no-image", "waits with its container `it` (ImagePullBackOff)"),
        ("Pod stuck-pod", "waits with its container `it` (ImagePullBackOff)"),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(what, why)| (what.to_owned(), why.to_owned())).into();
    assert_eq!(failures(&traces, saturating_add(made, SignedDuration::from_secs(60))), expected);
}

#[test]
fn what_fails_once_its_time_is_over() {
    let (traces, made) = recorded();
    let found = failures(&traces, saturating_add(made, SignedDuration::from_mins(12)));
    let few = "has 0 of 1 pods ready";
    for (what, why) in [
        ("Deployment crash-loop", few),
        ("Deployment no-image", few),
        ("Deployment young-rollout", few),
        ("PersistentVolumeClaim pending-claim", "gets no volume"),
        ("StatefulSet slow-set", few),
    ] {
        assert_eq!(found.get(what).map(String::as_str), Some(why), "{what}");
    }
    assert_eq!(found.len(), 10 + 4, "{found:?}");
    let sample = Look::of_all(&traces, made).of("recorded", Timestamp::MIN, None);
    assert_eq!(sample.condition.truth, Truth::True);
}
