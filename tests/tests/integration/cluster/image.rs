//! Our own image in a pod: what it is linked with has to do without a system.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};
use testbed::product::Timings;
use testbed::{Cluster, eventually};

use crate::cluster::LATER;

/// Where every pod finds its token, and the authority of the apiserver.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A kubeconfig of the pod's own account for an apiserver called `host`.
fn kubeconfig(host: &str, authority: &Value) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": format!("https://{host}"), "certificate-authority": authority}}],
        "users": [{"name": "u", "user": {"tokenFile": format!("{ACCOUNT}/token")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    })
    .to_string()
}

/// One pod, in which `nsm` asks the apiserver for the same in several ways; each container is one way.
#[tokio::test]
async fn it_resolves_names_and_judges_certificates_as_nobody_on_a_read_only_root() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let image = cluster.product(Timings::Short).await?;
    cluster
        .in_temp_namespace(async |namespace| {
            let ours = json!(format!("{ACCOUNT}/ca.crt"));
            let ways = [
                ("short", kubeconfig("kubernetes", &ours)),
                ("full", kubeconfig("kubernetes.default.svc.cluster.local", &ours)),
                ("missing", kubeconfig("nothing.default.svc.cluster.local", &ours)),
                // The authorities of the internet, in the image: they do not sign this apiserver.
                ("stranger", kubeconfig("kubernetes.default.svc", &json!("/etc/ssl/certs/ca-certificates.crt"))),
            ];
            let containers: Vec<Value> = ways.iter().map(|(way, _)| container(&image, way, namespace)).collect();
            let files: serde_json::Map<_, _> = ways.iter().map(|(way, file)| ((*way).to_owned(), json!(file))).collect();
            let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
                },
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": {"name": namespace},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                    "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
                },
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "ways", "namespace": namespace},
                    "data": files,
                },
            ]});
            cluster.apply(&objects.to_string()).await?;
            let pod = json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "nsm", "namespace": namespace},
                "spec": {
                    "restartPolicy": "Never",
                    // The apiserver's shortest name is one of another namespace.
                    "dnsConfig": {"searches": ["default.svc.cluster.local"]},
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": containers,
                    "volumes": [{"name": "ways", "configMap": {"name": "ways"}}],
                },
            });
            cluster.apply(&pod.to_string()).await?;

            let pods: Api<Pod> = Api::namespaced(cluster.client().await?, namespace);
            eventually("all containers have ended", LATER, async || {
                let status = pods.get("nsm").await?.status.context("no status")?;
                let containers = status.container_statuses.unwrap_or_default();
                let ended = containers.iter().filter(|container| {
                    container.state.as_ref().is_some_and(|state| state.terminated.is_some())
                });
                ensure!(ended.count() == ways.len(), "{containers:?}");
                Ok(())
            })
            .await?;
            let said = async |way| cluster.kubectl(["logs", "nsm", "--namespace", namespace, "--container", way]).await;
            for (way, words) in [
                ("short", "is protected"),
                ("full", "is protected"),
                ("missing", "failed to lookup address information: Name or service not known"),
                ("stranger", "invalid peer certificate: UnknownIssuer"),
            ] {
                let said = said(way).await?;
                ensure!(said.contains(words), "`{way}` should say `{words}`: {said}");
            }
            Ok(())
        })
        .await
}

fn container(image: &str, way: &str, namespace: &str) -> Value {
    json!({
        "name": way,
        "image": image,
        "args": ["protect", namespace, "--kubeconfig", format!("/ways/{way}")],
        "securityContext": {
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "ways", "mountPath": "/ways"}],
    })
}
