//! What runs under the ServiceAccounts of the Jobs: the policy `workers` (docs/design/protocol.md section 3).
//!
//! The controllers create Jobs, the job controller makes pods of them. Here the controllers may create pods too, to show that it is
//! not for want of rights that they are refused.

use anyhow::Result;
use serde_json::{Value, json};

use super::admission::job_template;
use super::harness::{Answered, Caller, FULL, HOME, Release};

const WORKERS: &str = "nsm-namespace-manager-workers";

/// The four ways in which a pod comes about.
const PODS: &str = "/api/v1/namespaces/tools/pods?dryRun=All";
const JOBS: &str = "/apis/batch/v1/namespaces/tools/jobs?dryRun=All";
const CRON_JOBS: &str = "/apis/batch/v1/namespaces/tools/cronjobs?dryRun=All";

struct World {
    release: Release,
    /// The two controllers, with more rights than they have.
    controllers: Vec<Caller>,
    collector: Value,
    action: Value,
}

impl World {
    async fn new() -> Result<Self> {
        let values = json!({"config": {"mode": "enforce"}, "secrets": {"store": {"name": "store"}, "webhook": {"name": "hook"}}});
        let release = Release::installed(&values).await?;
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "more", "namespace": HOME},
            "rules": [{"apiGroups": ["", "batch"], "resources": ["pods", "jobs", "cronjobs"], "verbs": ["*"]}],
        });
        let subject =
            |name: &str| json!({"kind": "ServiceAccount", "namespace": HOME, "name": format!("{FULL}-{name}")});
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "more", "namespace": HOME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "more"},
            "subjects": [subject("collect-controller"), subject("action-controller")],
        });
        let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/tools";
        release.admin.post(&format!("{rbac}/roles"), &role).await?.accepted();
        release.admin.post(&format!("{rbac}/rolebindings"), &binding).await?.accepted();
        let objects = release.helm.render(&values)?;
        let mut collector = job_template(&objects, "collector")?;
        collector["spec"]["containers"][0]["args"] = json!(["prune"]);
        let mut action = job_template(&objects, "action")?;
        action["spec"]["containers"][0]["args"] = json!(["work"]);
        let controllers = vec![release.role("collect-controller").await?, release.role("action-controller").await?];
        Ok(Self { release, controllers, collector, action })
    }

    /// Asks for this pod in every way, as each of the controllers, and as somebody else who may do everything.
    async fn ask(&self, template: &Value) -> Result<Vec<(String, Answered)>> {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": template["spec"]});
        let job = json!({"template": template, "backoffLimit": 0});
        let cron = json!({"schedule": "* * * * *", "jobTemplate": {"spec": job}});
        let of = |kind: &str, spec: &Value| json!({"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        let mut answers = Vec::new();
        for (number, controller) in self.controllers.iter().enumerate() {
            for (path, body) in [(PODS, &pod), (JOBS, &of("Job", &job)), (CRON_JOBS, &of("CronJob", &cron))] {
                answers.push((format!("controller {number}, {path}"), controller.post(path, body).await?));
            }
        }
        answers.push(("anybody".to_owned(), self.release.admin.post(PODS, &pod).await?));
        Ok(answers)
    }

    async fn accepted(&self, template: &Value) -> Result<()> {
        for (how, answer) in self.ask(template).await? {
            assert!(answer.is_ok(), "{how}: {} {:#}", answer.code, answer.body);
        }
        Ok(())
    }

    async fn refused(&self, what: &str, template: &Value, words: &str) -> Result<()> {
        for (how, answer) in self.ask(template).await? {
            // Pod security refuses some of it before.
            assert!(
                answer.is_refused_by(WORKERS, words) || answer.message().contains("violates PodSecurity"),
                "{what}, {how}: {} {:#}",
                answer.code,
                answer.body
            );
        }
        Ok(())
    }
}

/// The template with a change in its container.
fn container(template: &Value, key: &str, value: Value) -> Value {
    let mut changed = template.clone();
    changed["spec"]["containers"][0][key] = value;
    changed
}

/// The template with a change in its pod.
fn pod(template: &Value, key: &str, value: Value) -> Value {
    let mut changed = template.clone();
    changed["spec"][key] = value;
    changed
}

#[tokio::test]
async fn jobs_are_what_the_chart_says_and_nothing_else() -> Result<()> {
    let world = World::new().await?;
    let World { collector, action, .. } = &world;

    let args = |args: &str| json!(args.split(' ').collect::<Vec<_>>());
    for good in ["prune", "resident --shard 0 --of 3 --slot 29719140", "sweep --shard 12 --of 16"] {
        world.accepted(&container(collector, "args", args(good))).await?;
    }
    world.accepted(action).await?;

    for bad in ["", "work", "prune now", "resident --shard a --of 3 --slot 1", "sweep --shard 1 --of 2 --config /tmp"] {
        world.refused(bad, &container(collector, "args", args(bad)), "arguments").await?;
    }
    for bad in [json!([]), json!(["work", "more"]), json!(["prune"])] {
        world.refused("args", &container(action, "args", bad), "arguments").await?;
    }
    // Two arguments are not one with a space in it.
    world.refused("spaces", &container(collector, "args", json!(["sweep --shard 1", "--of 2"])), "arguments").await?;

    for template in [collector, action] {
        for image in ["busybox:1", "namespace-manager:0.1.1", "evil/namespace-manager:0.1.0"] {
            world.refused(image, &container(template, "image", json!(image)), "image").await?;
        }
        for command in [json!(["/bin/sh"]), json!(null), json!(["/usr/local/bin/nsm"])] {
            world.refused("command", &container(template, "command", command), "command").await?;
        }
        let mut env = template["spec"]["containers"][0]["env"].clone();
        env.as_array_mut().unwrap().push(json!({"name": "NSM__MODE", "value": "enforce"}));
        world.refused("env", &container(template, "env", env), "environment").await?;
        world.refused("no env", &container(template, "env", json!([])), "environment").await?;
        let from = json!([{"secretRef": {"name": "store"}}]);
        world.refused("envFrom", &container(template, "envFrom", from), "environment").await?;

        for (name, source) in [
            ("a", json!({"hostPath": {"path": "/"}})),
            ("a", json!({"secret": {"secretName": "other"}})),
            ("kube-api-access-a", json!({"hostPath": {"path": "/"}})),
            ("kube-api-access-a", json!({"projected": {"sources": [{"secret": {"name": "other"}}]}})),
        ] {
            let mut changed = template.clone();
            let mut volume = source;
            volume["name"] = json!(name);
            changed["spec"]["volumes"].as_array_mut().unwrap().push(volume);
            world.refused("volume", &changed, "volumes and mounts").await?;
        }
        let mut mounts = template["spec"]["containers"][0]["volumeMounts"].clone();
        mounts.as_array_mut().unwrap().push(json!({"name": "config", "mountPath": "/usr/local/bin"}));
        world.refused("mount", &container(template, "volumeMounts", mounts), "volumes and mounts").await?;

        let mut second = template["spec"]["containers"].clone();
        second.as_array_mut().unwrap().push(json!({"name": "b", "image": "busybox:1"}));
        world.refused("sidecar", &pod(template, "containers", second.clone()), "one container").await?;
        let init = json!([second[1]]);
        world.refused("init", &pod(template, "initContainers", init), "one container").await?;

        world.refused("network", &pod(template, "hostNetwork", json!(true)), "more than restricted").await?;
        let aliases = json!([{"ip": "10.0.0.1", "hostnames": ["mongodb"]}]);
        world.refused("aliases", &pod(template, "hostAliases", aliases), "names mean").await?;
        let hook = json!({"postStart": {"exec": {"command": ["/usr/local/bin/nsm"]}}});
        world.refused("hook", &container(template, "lifecycle", hook), "nothing but its command").await?;
        let root = json!({"runAsUser": 0, "runAsNonRoot": false, "seccompProfile": {"type": "RuntimeDefault"}});
        world.refused("root", &pod(template, "securityContext", root), "more than restricted").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_controllers_use_no_other_service_account() -> Result<()> {
    let world = World::new().await?;
    for account in ["default", "nsm-namespace-manager-api", "nsm-namespace-manager-action-controller"] {
        let template = pod(&world.action, "serviceAccountName", json!(account));
        for (how, answer) in world.ask(&template).await? {
            // Everybody else may: it is theirs.
            let expected = how == "anybody" || answer.is_refused_by(WORKERS, "is not one of the Jobs'");
            assert!(expected, "{account}, {how}: {} {:#}", answer.code, answer.body);
        }
    }
    // One kind of Job does not run under the other's name.
    world
        .refused(
            "action as collector",
            &pod(&world.action, "serviceAccountName", json!("nsm-namespace-manager-collector")),
            "",
        )
        .await?;
    world
        .refused(
            "collector as action",
            &pod(&world.collector, "serviceAccountName", json!("nsm-namespace-manager-action")),
            "",
        )
        .await?;
    Ok(())
}

/// A Job that was made before an upgrade ends as it began, and does not change into something else.
#[tokio::test]
async fn what_exists_may_end_and_not_change() -> Result<()> {
    let world = World::new().await?;
    let jobs = "/apis/batch/v1/namespaces/tools/jobs";
    let body = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "old"},
        "spec": {"template": world.action, "backoffLimit": 0, "suspend": true},
    });
    world.controllers[1].post(jobs, &body).await?.accepted();
    world.release.upgrade(&json!({"image": {"tag": "0.2.0"}, "config": {"mode": "enforce"}}))?;
    let old = format!("{jobs}/old");
    testbed::eventually("the new image is in force", super::harness::SOON, async || {
        let answer = world.controllers[1].post(JOBS, &body).await?;
        anyhow::ensure!(answer.is_refused_by(WORKERS, "is not the one of this release"), "{}", answer.body);
        Ok(())
    })
    .await?;
    world.controllers[1].patch(&old, &json!({"metadata": {"labels": {"a": "b"}}})).await?.accepted();
    let answer = world.controllers[1].patch(&old, &json!({"spec": {"suspend": false}})).await?;
    answer.refused_by(WORKERS, "is not the one of this release");
    Ok(())
}
