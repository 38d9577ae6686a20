//! What goes wrong with pods, on demand.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::Api;
use nix::sys::signal::Signal;

use super::{Cluster, output, servers};
use crate::{HANG, eventually};

impl Cluster {
    /// Sends `signal` to the first process of a container, as the kernel does when memory runs out (SIGKILL), or as if the node had no time for it
    /// (SIGSTOP, until SIGCONT).
    ///
    /// # Errors
    /// No such container runs within seconds.
    pub async fn signal(&self, namespace: &str, pod: &str, container: &str, signal: Signal) -> Result<()> {
        let id = self
            .told_of(namespace, pod, |status| {
                let containers = status.container_statuses.context("no container has started")?;
                let container =
                    containers.into_iter().find(|status| status.name == container).context("no such container")?;
                container.container_id.context("the container has not started")
            })
            .await?;
        let id = id.strip_prefix("containerd://").context("not a container of containerd")?;
        let tasks = output(servers::ctr(&self.node).args(["tasks", "list"]), HANG).await?;
        let task = tasks.lines().find(|line| line.starts_with(id)).context("the container does not run")?;
        let process = task.split_whitespace().nth(1).context("a process id")?;
        // As the node numbers it.
        let mut kill = self.node.command("sh");
        kill.args(["-c", &format!("kill -{} {process}", signal as i32)]);
        output(&mut kill, HANG).await.map(drop)
    }

    /// Lets nothing of this pod reach the apiserver any more: no answer, no refusal. Its other connections go on.
    ///
    /// # Errors
    /// The pod has no address within seconds.
    pub async fn cut_off(&self, namespace: &str, pod: &str) -> Result<()> {
        self.rule("--insert", namespace, pod).await
    }

    /// Takes one [`Cluster::cut_off`] back.
    ///
    /// # Errors
    /// The pod was not cut off.
    pub async fn let_back(&self, namespace: &str, pod: &str) -> Result<()> {
        self.rule("--delete", namespace, pod).await
    }

    async fn rule(&self, change: &str, namespace: &str, pod: &str) -> Result<()> {
        let source = self.told_of(namespace, pod, |status| status.pod_ip.context("the pod has no address")).await?;
        let apiserver = self.plane.address();
        let (host, port) = (apiserver.ip().to_string(), apiserver.port().to_string());
        let mut rule = self.node.command("iptables");
        rule.args(["--wait", change, "FORWARD", "--source", &source, "--destination", &host]);
        rule.args(["--protocol", "tcp", "--dport", &port, "--jump", "DROP"]);
        output(&mut rule, HANG).await.map(drop)
    }

    /// What the kubelet told the apiserver of a pod. It does so a moment after the pod has begun: a line in the log can be there before.
    async fn told_of<T>(&self, namespace: &str, pod: &str, what: impl Fn(PodStatus) -> Result<T>) -> Result<T> {
        let pods = Api::<Pod>::namespaced(self.client().await?, namespace);
        let told = eventually("the apiserver knows of the pod", HANG, async || {
            what(pods.get(pod).await?.status.context("no status")?)
        });
        told.await
    }
}
