//! A real apiserver takes everything that is rendered.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use testbed::{User, eventually};

use super::harness::{FULL, HOME, Helm, Release, SOON, everything, find};

/// Kinds of the Prometheus operator, with no more of their schemas than that they are objects.
fn monitoring(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

async fn with_monitoring() -> Result<Release> {
    let release = Release::none().await?;
    for (kind, plural) in [("ServiceMonitor", "servicemonitors"), ("PrometheusRule", "prometheusrules")] {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        release.admin.post(path, &monitoring(kind, plural)).await?.accepted();
        let path = format!("/apis/monitoring.coreos.com/v1/namespaces/{HOME}/{plural}");
        eventually(&format!("{plural} are served"), SOON, async || {
            let answer = release.admin.get(&path).await?;
            ensure!(answer.is_ok(), "{}", answer.body);
            Ok(())
        })
        .await?;
    }
    Ok(release)
}

#[tokio::test]
async fn everything_is_taken() -> Result<()> {
    let release = with_monitoring().await?;
    for values in [json!({}), everything()] {
        let objects = release.helm.render(&values)?;
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let file = release.helm.values(&list)?;
        let kubectl = std::process::Command::new(release.plane.kubectl())
            .args(["create", "--dry-run=server", "--validate=strict", "--output=name", "--namespace", HOME])
            .args(["--filename", &file, "--kubeconfig"])
            .arg(release.plane.kubeconfig(User::ADMIN)?)
            .output()?;
        assert!(kubectl.status.success(), "{}", String::from_utf8_lossy(&kubectl.stderr));
        let said = String::from_utf8_lossy(&kubectl.stdout).lines().count();
        assert_eq!(said, list["items"].as_array().context("a list")?.len());
    }
    let said = release.install("nsm", &everything())?;
    assert!(said.contains("It deletes what its policies say"), "{said}");
    Ok(())
}

#[tokio::test]
async fn restricted_pod_security_lets_every_pod_in() -> Result<()> {
    let release = with_monitoring().await?;
    release.install("nsm", &everything())?;
    let objects = release.helm.render(&everything())?;
    let mut templates = Vec::new();
    for component in ["collect-controller", "action-controller", "api"] {
        templates.push(find(&objects, "Deployment", &format!("{FULL}-{component}"))["spec"]["template"].clone());
    }
    for component in ["collector", "action"] {
        templates.push(job_template(&objects, component)?);
    }
    let pods = format!("/api/v1/namespaces/{HOME}/pods?dryRun=All");
    for (number, template) in templates.iter().enumerate() {
        let mut pod = template.clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(format!("pod-{number}"));
        if let Some(args) = ["prune", "work"].get(number.wrapping_sub(3)) {
            pod["spec"]["containers"][0]["args"] = json!([args]);
        }
        release.admin.post(&pods, &pod).await?.accepted();
        // What lets these in would not let in everything.
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let answer = release.admin.post(&pods, &pod).await?;
        assert!(answer.code == 403, "{}", answer.body);
    }
    Ok(())
}

/// The template of a Job, as it is mounted for the controllers.
pub(super) fn job_template(objects: &[Value], component: &str) -> Result<Value> {
    let file = &find(objects, "ConfigMap", &format!("{FULL}-jobs"))["data"][format!("{component}.yaml")];
    Ok(serde_saphyr::from_str(file.as_str().context("no template")?)?)
}

/// The apiserver's own check of the expressions: a field that does not exist would refuse everything, or nothing.
#[tokio::test]
async fn no_policy_has_an_expression_of_the_wrong_type() -> Result<()> {
    let release = with_monitoring().await?;
    release.install("nsm", &everything())?;
    for which in ["mark", "stop", "changes", "workers"] {
        let path = format!("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{FULL}-{which}");
        let status = eventually("the policy was checked", SOON, async || {
            let policy = release.admin.send(Method::GET, &path, &Value::Null).await?;
            let status = policy.accepted()["status"].clone();
            ensure!(status["observedGeneration"].is_number(), "{status}");
            Ok(status)
        })
        .await?;
        assert_eq!(status["typeChecking"]["expressionWarnings"], Value::Null, "{which}: {status:#}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_release_refuses() -> Result<()> {
    let release = Release::none().await?;
    release.install("nsm", &json!({}))?;
    let refused = |result: Result<String>| {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("installed in this cluster already, as release `tools/nsm`"), "{error}");
    };
    refused(release.install("other", &json!({})));
    // The same name elsewhere is another one too.
    release.namespace("elsewhere", &json!({})).await?;
    let kubeconfig = release.plane.kubeconfig(User::ADMIN)?.display().to_string();
    refused(release.helm.run(&[
        "install",
        "nsm",
        &Helm::chart(),
        "--kubeconfig",
        &kubeconfig,
        "--namespace",
        "elsewhere",
    ]));
    release.upgrade(&json!({"config": {"workers": {"max": 3}}}))?;
    release.helm(&["uninstall", "nsm"])?;
    release.install("other", &json!({}))?;
    Ok(())
}
