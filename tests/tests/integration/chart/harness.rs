//! What the tests of the chart have in common.

mod caller;
mod helm;
mod release;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

pub(crate) use caller::{Answered, Caller};
pub(crate) use helm::Helm;
pub(crate) use release::{Release, dry, path};

/// A guard against a hang, for what follows at once.
pub(crate) use testbed::HANG as SOON;

/// Where releases are installed: a name that nothing built in protects.
pub(crate) const HOME: &str = "tools";
/// What everything of the release `nsm` is called.
pub(crate) const FULL: &str = "nsm-namespace-manager";
/// What begins our annotations.
pub(crate) const PREFIX: &str = "manager.cicd.skao.int/";

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the checkout.
pub(crate) fn file(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read `{path}`"))
}

/// Values with which everything that the chart can render is rendered.
pub(crate) fn everything() -> Value {
    let peer = json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}]);
    json!({
        "image": {"repository": "local.test/namespace-manager", "digest": format!("sha256:{}", "a".repeat(64))},
        "imagePullSecrets": [{"name": "registry"}],
        "config": {
            "mode": "enforce",
            "api": {"open": ["metrics"]},
            "annotations": {"former_prefixes": ["old.example.org/"]},
            "exclude": ["infra-.*", "a\\d{2}(x|y)"],
            "store": {"url": "mongodb://mongodb.stores:27018/nsm"},
            "queue": {"url": "amqps://rabbitmq.queues:5699/nsm"},
            "notices": {"webhook": {"url": "https://hooks.example.org/namespaces"}},
            "prometheus": {"url": "https://prometheus.example.org:9443", "username": "nsm"},
            "gitlab": {"url": "https://gitlab.example.org:8443"},
            "github": {"url": "https://api.github.com"},
            "policies": [{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "4h", "checks": {"pipeline": "gitlab"}}],
        },
        "secrets": {
            "store": {"name": "store", "ca": "ca.crt"},
            "queue": {"name": "queue", "ca": "ca.crt"},
            "webhook": {"name": "webhook"},
            "prometheus": {"name": "prometheus", "password": "password", "ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"},
            "gitlab": {"name": "gitlab", "ca": "ca.crt"},
            "github": {"name": "github"},
            "hooks": {"name": "hooks", "gitlab": "gitlab", "github": "github"},
            "apiTls": {"name": "api-tls"},
        },
        "api": {"service": {"annotations": {"example.org/a": "b"}}},
        "proxy": {"url": "http://proxy.example.org:3128", "except": [".svc", "10.0.0.0/8"]},
        "pods": {
            "labels": {"example.org/cost": "ci"},
            "annotations": {"example.org/note": "x"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "ci", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "priorityClassName": "system-cluster-critical",
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "namespace-manager"}},
            }],
        },
        "serviceAccounts": {"annotations": {"example.org/role": "r"}},
        "networkPolicy": {
            "apiserverPorts": [6443], "store": peer, "queue": peer, "webhook": peer,
            "prometheus": peer, "gitlab": peer, "github": peer, "proxy": peer, "api": peer, "metrics": peer,
        },
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
        "priorityAndFairness": {"enabled": true},
        "extraManifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map", "namespace": HOME}},
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\n  namespace: tools\n",
        ],
    })
}

/// The objects of a kind, by name.
pub(crate) fn find<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} `{name}` was rendered"))
}
