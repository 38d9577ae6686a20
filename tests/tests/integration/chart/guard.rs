//! The last guard (docs/design/protocol.md section 3): with our own code out of the way, the apiserver itself refuses
//! the worker.
//!
//! Everything here is a plain HTTP request with the token of the action worker's own ServiceAccount.

use anyhow::{Result, ensure};
use lifecycle::keys;
use serde_json::{Value, json};
use testbed::eventually;

use super::harness::{Answered, Caller, FULL, HOME, PREFIX, Release, SOON, dry, path};

const MARK: &str = "nsm-namespace-manager-mark";
const STOP: &str = "nsm-namespace-manager-stop";
const CHANGES: &str = "nsm-namespace-manager-changes";

const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";

fn enforcing() -> Value {
    json!({"config": {
        "mode": "enforce", "exclude": ["infra-.*"], "annotations": {"former_prefixes": ["old.example.org/"]},
    }})
}

fn marked() -> Value {
    json!({"annotations": {format!("{PREFIX}managed"): "true"}})
}

/// Marked, and carrying this annotation too.
fn marked_and(key: &str, value: &str) -> Value {
    let mut metadata = marked();
    metadata["annotations"][key] = json!(value);
    metadata
}

/// A deletion as our worker sends it, with the uid and the resourceVersion of what is there.
async fn with_preconditions(admin: &Caller, name: &str) -> Result<Value> {
    let object = admin.get(&path(name)).await?.accepted()["metadata"].clone();
    let preconditions = json!({"uid": object["uid"], "resourceVersion": object["resourceVersion"]});
    Ok(json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}))
}

/// Throws the stop with the rights of the API's ServiceAccount, as the API does.
async fn stop(api: &Caller) -> Result<Answered> {
    bind(api, STOP, STOP).await
}

async fn bind(api: &Caller, name: &str, policy: &str) -> Result<Answered> {
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": policy, "validationActions": ["Deny"]},
    });
    api.apply(&format!("{BINDINGS}/{name}"), &binding).await
}

/// Waits until the worker's deletion of a managed namespace is refused by the stop; asked dry, so that nothing comes of a lost race.
async fn stopped(worker: &Caller, managed: &str) -> Result<()> {
    eventually("the stop took hold", SOON, async || {
        let answer = worker.delete(&path(managed), &dry()).await?;
        ensure!(answer.is_refused_by(STOP, "deletions are stopped"), "{} {}", answer.code, answer.body);
        Ok(())
    })
    .await
}

/// Waits until the worker could delete a managed namespace.
async fn resumed(worker: &Caller, managed: &str) -> Result<()> {
    eventually("the worker may delete", SOON, async || {
        let answer = worker.delete(&path(managed), &dry()).await?;
        ensure!(answer.is_ok(), "{} {}", answer.code, answer.body);
        Ok(())
    })
    .await
}

/// Every way in which a namespace can be asked to go away.
async fn cannot_delete(release: &Release, worker: &Caller, name: &str, policy: &str, words: &str) -> Result<()> {
    let bodies =
        [Value::Null, with_preconditions(&release.admin, name).await?, dry(), json!({"gracePeriodSeconds": 0})];
    for body in bodies {
        worker.delete(&path(name), &body).await?.refused_by(policy, words);
    }
    worker
        .delete(&format!("{}?dryRun=All&propagationPolicy=Orphan", path(name)), &Value::Null)
        .await?
        .refused_by(policy, words);
    let there = release.admin.get(&path(name)).await?;
    assert_eq!(there.accepted()["status"]["phase"], "Active", "{name}");
    Ok(())
}

#[tokio::test]
async fn the_worker_deletes_what_is_managed_and_nothing_else() -> Result<()> {
    let release = Release::installed(&enforcing()).await?;
    let worker = release.role("action").await?;
    release.namespace("ci-unmanaged", &json!({})).await?;
    release.namespace("ci-unmarked", &json!({"annotations": {format!("{PREFIX}managed"): "false"}})).await?;
    release.namespace("ci-labelled", &json!({"labels": {format!("{PREFIX}managed"): "true"}})).await?;
    release.namespace("ci-protected", &marked_and(&format!("{PREFIX}protect"), "")).await?;
    release.namespace("ci-once-protected", &marked_and("old.example.org/protect", "no")).await?;
    for system in ["argocd", "openshift-console", "linkerd-viz", "namespace-manager-2", "infra-db"] {
        release.namespace(system, &marked()).await?;
    }
    for there in [HOME, "default", "kube-system", "kube-public"] {
        release.admin.patch(&path(there), &json!({"metadata": marked()})).await?.accepted();
    }

    for name in ["ci-unmanaged", "ci-unmarked", "ci-labelled"] {
        cannot_delete(&release, &worker, name, MARK, "does not carry the mark").await?;
    }
    cannot_delete(&release, &worker, "ci-protected", MARK, "is protected by `manager.cicd.skao.int/protect`").await?;
    cannot_delete(&release, &worker, "ci-once-protected", MARK, "is protected by `old.example.org/protect`").await?;
    for name in ["argocd", "openshift-console", "linkerd-viz", "namespace-manager-2"] {
        cannot_delete(&release, &worker, name, MARK, "is a system namespace").await?;
    }
    cannot_delete(&release, &worker, HOME, MARK, "is the manager's own").await?;
    cannot_delete(&release, &worker, "infra-db", MARK, "is excluded by the configuration").await?;
    // These the apiserver keeps by itself, before or after it asks the policy.
    for name in ["default", "kube-system", "kube-public"] {
        let answer = worker.delete(&path(name), &Value::Null).await?;
        assert!(answer.code == 403, "{name}: {} {}", answer.code, answer.body);
        assert_eq!(release.admin.get(&path(name)).await?.accepted()["status"]["phase"], "Active");
    }

    // Many at once: there is no such request, and no right to it.
    for path in ["/api/v1/namespaces", "/api/v1/namespaces?labelSelector=a", "/api/v1/namespaces?dryRun=All"] {
        let answer = worker.delete(path, &Value::Null).await?;
        assert!(matches!(answer.code, 403 | 405), "{path}: {} {}", answer.code, answer.body);
    }

    for name in ["ci-a", "ci-b"] {
        release.namespace(name, &marked()).await?;
    }
    worker.delete(&path("ci-a"), &with_preconditions(&release.admin, "ci-a").await?).await?.accepted();
    worker.delete(&path("ci-b"), &Value::Null).await?.accepted();
    Ok(())
}

#[tokio::test]
async fn the_worker_cannot_make_deletable_what_is_not() -> Result<()> {
    let release = Release::installed(&enforcing()).await?;
    let worker = release.role("action").await?;
    let (managed, protect, fence) = (format!("{PREFIX}managed"), format!("{PREFIX}protect"), format!("{PREFIX}fence"));
    release.namespace("ci-unmanaged", &json!({"labels": {"team": "blue"}})).await?;
    release.namespace("ci-protected", &marked_and(&protect, "")).await?;
    release.namespace("infra-db", &json!({})).await?;
    let annotations = |key: &str, value: Value| json!({"metadata": {"annotations": {key: value}}});

    let refused = [
        ("ci-unmanaged", annotations(&managed, json!("true"))),
        ("ci-protected", annotations(&protect, Value::Null)),
        ("ci-protected", annotations(&protect, json!("no"))),
        ("ci-protected", annotations(&managed, Value::Null)),
        ("ci-unmanaged", annotations(&format!("{PREFIX}keep_until"), json!("2030-01-01T00:00:00Z"))),
        ("ci-unmanaged", annotations("example.org/other", json!("x"))),
    ];
    for (name, patch) in refused {
        worker.patch(&path(name), &patch).await?.refused_by(CHANGES, "annotations beyond those");
    }
    for metadata in [json!({"labels": {"team": "red"}}), json!({"finalizers": ["a.b/c"]})] {
        let answer = worker.patch(&path("ci-unmanaged"), &json!({"metadata": metadata})).await?;
        answer.refused_by(CHANGES, "nothing but annotations");
    }
    // What it writes it may write anywhere: a fence takes nothing from anybody.
    for name in ["ci-unmanaged", "ci-protected", "infra-db", HOME] {
        worker.patch(&path(name), &annotations(&fence, json!("7.0"))).await?.accepted();
    }
    worker
        .patch(&path("ci-protected"), &annotations(&format!("{PREFIX}notified_status"), json!("stale")))
        .await?
        .accepted();

    // A collector marks, and writes what shows a status, and no more than that.
    let collector = release.role("collector").await?;
    for key in lifecycle::annotations::OURS.into_iter().chain([keys::RECORD, keys::FENCE]) {
        let patch = annotations(&format!("{PREFIX}{key}"), json!("[]"));
        collector.patch(&path("ci-unmanaged"), &patch).await?.accepted();
    }
    collector.patch(&path("ci-unmanaged"), &annotations(&managed, json!("true"))).await?.accepted();
    collector.patch(&path("ci-protected"), &annotations(&protect, Value::Null)).await?.refused_by(CHANGES, "beyond");

    // The way round: other verbs, other resources, the guard itself.
    worker.post("/api/v1/namespaces", &json!({"metadata": {"name": "mine"}})).await?.refused_by_rbac();
    worker
        .patch(&format!("{}/status", path("ci-protected")), &annotations(&protect, Value::Null))
        .await?
        .refused_by_rbac();
    let policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    for object in [format!("{BINDINGS}/{MARK}"), format!("{policies}/{MARK}")] {
        worker.delete(&object, &Value::Null).await?.refused_by_rbac();
    }
    for answer in [worker.get("/api/v1/secrets").await?, worker.get(&format!("{}/secrets", path(HOME))).await?] {
        answer.refused_by_rbac();
    }
    Ok(())
}

#[tokio::test]
async fn in_observe_mode_the_worker_has_no_right_to_delete() -> Result<()> {
    let release = Release::installed(&json!({})).await?;
    release.namespace("ci-a", &marked()).await?;
    release.role("action").await?.delete(&path("ci-a"), &Value::Null).await?.refused_by_rbac();
    for other in ["collector", "collect-controller", "action-controller", "api"] {
        release.role(other).await?.delete(&path("ci-a"), &Value::Null).await?.refused_by_rbac();
    }
    Ok(())
}

#[tokio::test]
async fn a_stop_holds_whatever_becomes_of_the_release() -> Result<()> {
    let release = Release::installed(&enforcing()).await?;
    let (worker, api) = (release.role("action").await?, release.role("api").await?);
    for name in ["ci-a", "ci-b", "ci-c"] {
        release.namespace(name, &marked()).await?;
    }
    resumed(&worker, "ci-a").await?;

    stop(&api).await?.accepted();
    stopped(&worker, "ci-a").await?;
    cannot_delete(&release, &worker, "ci-a", STOP, "deletions are stopped").await?;

    // An upgrade with another value changes the policies, and leaves the stop alone.
    let mut other = enforcing();
    other["config"]["exclude"] = json!(["infra-.*", "lab-.*"]);
    release.upgrade(&other)?;
    cannot_delete(&release, &worker, "ci-a", STOP, "deletions are stopped").await?;
    release.namespace("lab-a", &marked()).await?;
    let answer = worker.delete(&path("lab-a"), &dry()).await?;
    assert!(answer.code == 403, "{}", answer.body);

    // The API takes back what it made, and can make and take back nothing else.
    bind(&api, "other", STOP).await?.refused_by_rbac();
    api.delete(&format!("{BINDINGS}/{MARK}"), &Value::Null).await?.refused_by_rbac();
    api.delete(&format!("{BINDINGS}/{STOP}"), &Value::Null).await?.accepted();
    resumed(&worker, "ci-a").await?;

    // Uninstalled, and nothing happened to any namespace.
    let before = namespaces(&release).await?;
    release.helm(&["uninstall", "nsm"])?;
    eventually("the worker's token is worth nothing", SOON, async || {
        let answer = worker.delete(&path("ci-b"), &dry()).await?;
        ensure!(matches!(answer.code, 401 | 403) && answer.message() != "", "{} {}", answer.code, answer.body);
        Ok(())
    })
    .await?;
    assert_eq!(namespaces(&release).await?, before);

    // Once the apiserver knows nothing of the policies any more, it is installed again, and stopped: nothing of a policy may be stale.
    let user = format!("system:serviceaccount:{HOME}:{FULL}-action");
    eventually("no policy is enforced any more", SOON, async || {
        // Its namespace is never let through while one is.
        let answer = release.admin.delete_in_the_name_of(&user, &path(HOME), &dry()).await?;
        ensure!(answer.is_ok(), "{} {}", answer.code, answer.body);
        Ok(())
    })
    .await?;
    release.install("nsm", &enforcing())?;
    let worker = release.guarded().await?;
    let api = release.role("api").await?;
    resumed(&worker, "ci-b").await?;
    stop(&api).await?.accepted();
    stopped(&worker, "ci-b").await?;
    cannot_delete(&release, &worker, "ci-b", STOP, "deletions are stopped").await?;

    // A stop outlives the release, too: installed again, it is stopped from the first moment on.
    release.helm(&["uninstall", "nsm"])?;
    release.install("nsm", &enforcing())?;
    let worker = release.role("action").await?;
    stopped(&worker, "ci-c").await?;
    cannot_delete(&release, &worker, "ci-c", STOP, "deletions are stopped").await?;

    let api = release.role("api").await?;
    api.delete(&format!("{BINDINGS}/{STOP}"), &Value::Null).await?.accepted();
    resumed(&worker, "ci-c").await?;
    worker.delete(&path("ci-c"), &with_preconditions(&release.admin, "ci-c").await?).await?.accepted();
    Ok(())
}

/// Of every namespace what would have changed, had anybody touched it.
async fn namespaces(release: &Release) -> Result<Vec<(Value, Value)>> {
    let list = release.admin.get("/api/v1/namespaces").await?;
    let items = list.accepted()["items"].as_array().cloned().unwrap_or_default();
    let of = |item: &Value| (item["metadata"]["name"].clone(), item["metadata"]["resourceVersion"].clone());
    Ok(items.iter().map(of).collect())
}

/// What tells a worker that the guard stands: the refusal of a deletion that would not have been carried out anyway.
#[tokio::test]
async fn the_probe_is_refused_by_the_mark_and_by_name() -> Result<()> {
    let release = Release::installed(&enforcing()).await?;
    let worker = release.role("action").await?;
    let admission_probe = worker.delete(&path(HOME), &dry()).await?;
    admission_probe.refused_by(&format!("{FULL}-mark"), "is the manager's own");
    // Without the binding the same request is let through: it is the policy that refuses, not the right that is missing.
    release.admin.delete(&format!("{BINDINGS}/{MARK}"), &Value::Null).await?.accepted();
    eventually("the probe is let through", SOON, async || {
        let answer = worker.delete(&path(HOME), &dry()).await?;
        ensure!(answer.is_ok(), "{} {}", answer.code, answer.body);
        Ok(())
    })
    .await?;
    assert_eq!(release.admin.get(&path(HOME)).await?.accepted()["status"]["phase"], "Active");
    Ok(())
}
