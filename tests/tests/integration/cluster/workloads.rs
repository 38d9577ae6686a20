//! Workloads that fail, made on a real node, and what is read of them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testbed::{Cluster, User, eventually};

use crate::cluster::LATER;

/// What is recorded for the tests of `evidence`: `RECORD=1 cargo test -p tests --test cluster workloads` writes it.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../evidence/src/workloads/tests/recorded");

/// What is read of a namespace, and the classes of the cluster.
const KINDS: [&str; 9] = [
    "deployments",
    "statefulsets",
    "daemonsets",
    "replicasets",
    "jobs",
    "cronjobs",
    "pods",
    "persistentvolumeclaims",
    "storageclasses",
];

/// What fails at once.
const FAILING: [&str; 9] = [
    "crash-loop",
    "ended-badly",
    "failed-job",
    "fits-nowhere",
    "no-config",
    "no-image",
    "over-quota",
    "stuck-pod",
    "stuck-rollout",
];

/// What fails ten minutes later, if nothing changes.
const LATE: [&str; 3] = ["pending-claim", "slow-set", "young-rollout"];

fn container(image: &str, script: &str) -> Value {
    json!({"name": "it", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]})
}

fn workload(kind: &str, name: &str, container: &Value, more: Value) -> Value {
    let (version, strategy) = if kind == "Job" { ("batch/v1", "Never") } else { ("apps/v1", "Always") };
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": more});
    object["spec"]["template"] = json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [container], "restartPolicy": strategy, "terminationGracePeriodSeconds": 0},
    });
    if kind != "Job" {
        object["spec"]["selector"] = json!({"matchLabels": {"app": name}});
    }
    object
}

fn pod(name: &str, container: &Value, more: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0},
    });
    pod["spec"].as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    pod
}

fn cast(image: &str) -> Vec<Value> {
    let sleeps = container(image, "sleep 3600");
    let mut never_ready = sleeps.clone();
    never_ready["readinessProbe"] = json!({"exec": {"command": ["false"]}, "periodSeconds": 1});
    let mut no_config = sleeps.clone();
    no_config["envFrom"] = json!([{"configMapRef": {"name": "nowhere"}}]);
    let mut greedy = sleeps.clone();
    greedy["resources"] = json!({"requests": {"example.org/part": "1"}, "limits": {"example.org/part": "1"}});
    let fails = container(image, "exit 3");
    let gate = json!([{"name": "example.org/turn"}]);
    let gated = |mut object: Value| {
        object["spec"]["template"]["spec"]["schedulingGates"] = gate.clone();
        object
    };
    vec![
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "parts"},
            "spec": {"hard": {"requests.example.org/part": "0"}}}),
        workload("Deployment", "well", &sleeps, json!({})),
        workload("Deployment", "asleep", &sleeps, json!({"replicas": 0})),
        // Nothing listens there.
        workload("Deployment", "no-image", &container("127.0.0.1:1/none:1", "true"), json!({})),
        workload("Deployment", "crash-loop", &fails, json!({})),
        workload("Deployment", "over-quota", &greedy, json!({})),
        workload("Deployment", "stuck-rollout", &never_ready, json!({"progressDeadlineSeconds": 2})),
        workload("Deployment", "young-rollout", &never_ready, json!({})),
        workload("StatefulSet", "slow-set", &never_ready, json!({"serviceName": "slow-set"})),
        workload("DaemonSet", "everywhere", &sleeps, json!({})),
        // What somebody holds back on purpose.
        gated(workload("Deployment", "gated-web", &sleeps, json!({"progressDeadlineSeconds": 2}))),
        gated(workload("StatefulSet", "gated-db", &sleeps, json!({"serviceName": "gated-db"}))),
        gated(workload("Job", "gated-job", &sleeps, json!({}))),
        pod("gated-pod", &sleeps, json!({"schedulingGates": gate})),
        workload("Deployment", "paused-web", &sleeps, json!({"paused": true})),
        workload("Job", "suspended-job", &sleeps, json!({"suspend": true})),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "suspended-cron"}, "spec": {
            "schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": {
                "spec": {"containers": [fails], "restartPolicy": "Never"}}}},
        }}),
        workload("Job", "failed-job", &fails, json!({"backoffLimit": 0})),
        workload("Job", "done-job", &container(image, "true"), json!({})),
        pod("ended-badly", &fails, json!({})),
        pod("ended-well", &container(image, "true"), json!({})),
        pod("fits-nowhere", &sleeps, json!({"nodeSelector": {"example.org/memory_store": "none"}})),
        pod("no-config", &no_config, json!({})),
        pod("stuck-pod", &container("127.0.0.1:1/none:1", "true"), json!({})),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "pending-claim"}, "spec": {
            "storageClassName": "none-such", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        }}),
    ]
}

/// Whose they are: pods are called after what made them.
fn of_cast(failing: &[String]) -> BTreeSet<&'static str> {
    let owner = |name: &str| FAILING.iter().chain(&LATE).copied().find(|owner| name.starts_with(owner));
    failing.iter().map(|name| owner(name).unwrap_or("somebody else")).collect()
}

#[tokio::test]
async fn each_kind_of_failure_is_told_and_nothing_else() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let reader = common::cluster::Cluster::connect(Some(cluster.plane().kubeconfig(User::ADMIN)?), None).await?;
    cluster
        .in_temp_namespace(async |namespace| {
            for mut object in cast(cluster.busybox()) {
                object["metadata"]["namespace"] = json!(namespace);
                cluster.apply(&object.to_string()).await?;
            }
            let failing: BTreeSet<_> = FAILING.into_iter().collect();
            eventually("what fails at once does", LATER, async || {
                let look = evidence::workloads::list(&reader, namespace, Timestamp::now()).await;
                let finding = look.of(namespace, Timestamp::MIN, None);
                ensure!(of_cast(&finding.failing) == failing, "{finding:?}");
                Ok(())
            })
            .await?;
            eventually("the other pods run, and the Jobs have ended", LATER, async || {
                for (kind, name, path, expected) in [
                    ("deployment", "well", "{.status.readyReplicas}", "1"),
                    ("daemonset", "everywhere", "{.status.numberReady}", "1"),
                    ("job", "done-job", "{.status.succeeded}", "1"),
                    ("pod", "ended-well", "{.status.phase}", "Succeeded"),
                    ("pod", "gated-pod", "{.status.conditions[0].reason}", "SchedulingGated"),
                    ("pod", "gated-db-0", "{.status.conditions[0].reason}", "SchedulingGated"),
                    ("deployment", "gated-web", "{.status.conditions[?(@.type=='Progressing')].status}", "False"),
                ] {
                    let output = format!("--output=jsonpath={path}");
                    let found = cluster.kubectl(["get", kind, name, "--namespace", namespace, &output]).await?;
                    ensure!(found == expected, "{name}: {found}");
                }
                Ok(())
            })
            .await?;
            let later = Timestamp::now() + SignedDuration::from_mins(12);
            let finding =
                evidence::workloads::list(&reader, namespace, later).await.of(namespace, Timestamp::MIN, None);
            let all: BTreeSet<_> = FAILING.into_iter().chain(LATE).collect();
            ensure!(of_cast(&finding.failing) == all, "{finding:?}");
            // A policy that waits for nothing: what is not ready fails at once, and a claim is no workload.
            let look = evidence::workloads::list(&reader, namespace, Timestamp::now()).await;
            let finding = look.of(namespace, Timestamp::MIN, Some(SignedDuration::ZERO));
            let at_once: BTreeSet<_> = all.into_iter().filter(|name| *name != "pending-claim").collect();
            ensure!(of_cast(&finding.failing) == at_once, "{finding:?}");
            if std::env::var_os("RECORD").is_some() {
                record(cluster, namespace, Path::new(RECORDED)).await?;
            }
            Ok(())
        })
        .await
}

/// Writes what is there, without what names this machine.
async fn record(cluster: &Cluster, namespace: &str, directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for kind in KINDS {
        // What waits to be tried again is being tried now and then.
        let listed = eventually("pods wait to be tried again", LATER, async || {
            let listed = cluster.kubectl(["get", kind, "--namespace", namespace, "--output=json"]).await?;
            let count = |reason: &str| listed.matches(&format!("\"reason\": \"{reason}\"")).count();
            let (crashes, pulls) = (count("CrashLoopBackOff"), count("ImagePullBackOff"));
            ensure!(kind != "pods" || (crashes, pulls) == (1, 2), "{crashes} and {pulls}");
            Ok(listed)
        });
        let mut listed: Value = serde_json::from_str(&listed.await?)?;
        for object in listed["items"].as_array_mut().into_iter().flatten() {
            object["metadata"]["namespace"] = json!("recorded");
            object["metadata"].as_object_mut().expect("metadata").remove("annotations");
            if object["kind"] == "Pod" {
                let kept = ["containers", "restartPolicy", "nodeSelector", "schedulingGates"];
                object["spec"].as_object_mut().expect("a spec").retain(|key, _| kept.contains(&key.as_str()));
            }
        }
        std::fs::write(directory.join(format!("{kind}.json")), format!("{listed:#}\n"))?;
    }
    Ok(())
}
