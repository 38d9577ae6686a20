//! What goes wrong with pods, on demand.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use nix::sys::signal::Signal;

use super::{Cluster, output, servers};

/// For a command that takes some milliseconds.
const SOON: Duration = Duration::from_secs(20);

impl Cluster {
    /// Sends `signal` to the first process of a container, as the kernel does when memory runs out (SIGKILL), or as if the node had no time for it
    /// (SIGSTOP, until SIGCONT).
    ///
    /// # Errors
    /// No such container runs.
    pub async fn signal(&self, namespace: &str, pod: &str, container: &str, signal: Signal) -> Result<()> {
        let status = self.pod(namespace, pod).await?.status.context("no status")?;
        let containers = status.container_statuses.unwrap_or_default();
        let container = containers.iter().find(|status| status.name == container).context("no such container")?;
        let id = container.container_id.as_deref().and_then(|id| id.strip_prefix("containerd://"));
        let id = id.context("the container has not started")?;
        let tasks = output(servers::ctr(&self.machine).args(["tasks", "list"]), SOON).await?;
        let task = tasks.lines().find(|line| line.starts_with(id)).context("the container does not run")?;
        let process = task.split_whitespace().nth(1).context("a process id")?;
        // As the node numbers it.
        let mut kill = self.machine.command("sh");
        kill.args(["-c", &format!("kill -{} {process}", signal as i32)]);
        output(&mut kill, SOON).await.map(drop)
    }

    /// Lets nothing of this pod reach the apiserver any more: no answer, no refusal. Its other connections go on.
    ///
    /// # Errors
    /// The pod has no address yet.
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
        let status = self.pod(namespace, pod).await?.status.context("no status")?;
        let source = status.pod_ip.context("the pod has no address")?;
        let apiserver = self.plane.address();
        let (host, port) = (apiserver.ip().to_string(), apiserver.port().to_string());
        let mut rule = self.machine.command("iptables");
        rule.args(["--wait", change, "FORWARD", "--source", &source, "--destination", &host]);
        rule.args(["--protocol", "tcp", "--dport", &port, "--jump", "DROP"]);
        output(&mut rule, SOON).await.map(drop)
    }

    async fn pod(&self, namespace: &str, pod: &str) -> Result<Pod> {
        Ok(Api::namespaced(self.client().await?, namespace).get(pod).await?)
    }
}
