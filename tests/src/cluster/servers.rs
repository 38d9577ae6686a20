//! What the servers of a node are told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::ControlPlane;
use crate::cluster::machine::{Machine, Node};
use crate::cluster::needs;

/// First of the resolver's servers in every pod: address of the Service `kube-dns`.
pub(super) const DNS: &str = "10.96.0.10";
/// As whom kube-proxy calls the apiserver: Kubernetes binds a role to that name.
pub(super) const PROXY_USER: &str = "system:kube-proxy";
pub(super) const SCHEDULER_USER: &str = "system:kube-scheduler";
/// In the node, whose `/run` is its own.
const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// Name of a node, and the user that its kubelet is.
pub(super) fn node_name(number: u8) -> String {
    format!("node-{number}")
}

pub(super) fn node_user(number: u8) -> String {
    format!("system:node:{}", node_name(number))
}

/// The container runtime. `pause` is the image of a sandbox.
pub(super) fn containerd(machine: &Machine, directory: &Path, pause: &str) -> Result<Command> {
    let networks = directory.join("networks");
    fs::create_dir(&networks)?;
    let network = json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": machine.node.link.pods()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": directory.join("addresses"),
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    });
    write(&networks.join("pods.conflist"), &network)?;
    let config = format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
# A root without CAP_SYS_RESOURCE cannot protect a sandbox from the kernel's choice when memory runs out.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"
"#,
        root = directory.join("disk/containerd").display(),
        plugins = needs::PLUGINS,
        networks = networks.display(),
    );
    let path = directory.join("containerd.toml");
    fs::write(&path, config)?;
    let mut command = machine.node.command("containerd");
    command.arg("--config").arg(path);
    Ok(command)
}

/// A client of the container runtime, for what kubelet manages.
pub(super) fn ctr(node: &Node) -> Command {
    let mut command = node.command("ctr");
    command.args(["--address", CONTAINERD, "--namespace", "k8s.io"]);
    command
}

pub(super) fn kubelet(machine: &Machine, directory: &Path, plane: &ControlPlane) -> Result<Command> {
    let number = machine.node.link.number;
    let identity = plane.signer()?.server("kubelet", &[&node_name(number), &machine.node.link.node().to_string()])?;
    // Pods that do not use the cluster's DNS ask nobody.
    let resolver = directory.join("resolv.conf");
    fs::write(&resolver, "")?;
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": plane.authority()},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", machine.control_group),
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        // Its defaults give way when a disk is nearly full, which is normal for a machine of a developer.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": false,
        "failSwapOn": false,
        "imageGCHighThresholdPercent": 100, // a removed image cannot be pulled again
        "maxPods": 250,
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "3s", // how soon pods see a changed ConfigMap or Secret; default: a minute
        "oomScoreAdj": 0,
        "podLogsDir": "/var/log/pods",
        "registryPullQPS": 0,
        "resolvConf": resolver,
        "serializeImagePulls": false,
        "tlsCertFile": identity.certificate,
        "tlsPrivateKeyFile": identity.key,
        "volumePluginDir": directory.join("volume-plugins"),
    });
    let path = directory.join("kubelet.json");
    write(&path, &config)?;
    let mut command = machine.node.command(plane.binaries().join("kubelet"));
    command
        .arg(flag("config", path.display()))
        .arg(flag("kubeconfig", plane.kubeconfig(&node_user(number))?.display()))
        .arg(flag("root-dir", directory.join("disk/kubelet").display()))
        .arg(flag("hostname-override", node_name(number)))
        .arg(flag("node-ip", machine.node.link.node()));
    Ok(command)
}

/// What makes Services of rules in the node.
pub(super) fn proxy(machine: &Machine, directory: &Path, plane: &ControlPlane) -> Result<Command> {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": plane.kubeconfig(PROXY_USER)?},
        "clusterCIDR": machine.node.link.pods(),
        "hostnameOverride": node_name(machine.node.link.number),
        // Zero leaves the machine's own settings.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "100ms"},
        "oomScoreAdj": 0,
    });
    // Written once: it ends when this changes.
    let path = directory.join("proxy.json");
    write(&path, &config)?;
    let mut command = machine.node.command(plane.binaries().join("kube-proxy"));
    command.arg(flag("config", path.display()));
    Ok(command)
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

fn write(path: &PathBuf, value: &Value) -> Result<()> {
    fs::write(path, format!("{value:#}\n")).with_context(|| format!("cannot write `{}`", path.display()))
}
