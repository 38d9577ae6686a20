//! One sweep of a collector over namespaces with workloads in them, and a plain client that reads the same and drops it.
//!
//! Both are processes of their own, so that the processor time of each is told by the kernel. The collector has adopted
//! everything before: what is measured is what a sweep costs that finds nothing new.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, ServiceAccount};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::requests::{Verbs, Window};
use super::scene::{MANAGER, Scene};
use super::{crowd, ledger};
use crate::relay::{Bytes, Relay};
use crate::{AuditEvent, User};

/// As the collector lists.
const PAGE: u32 = 250;
/// Requests at a time: more do not make two cores create faster.
const CONCURRENCY: usize = 32;
/// Workloads and pods of each namespace.
const WORKLOADS: usize = 3;
const PODS: usize = 5;
/// The one that took the middle of the times is told.
const TURNS: usize = 5;

/// A sweep, and the floor.
#[derive(Debug, serde::Serialize)]
pub struct Sweep {
    /// Workloads and pods that there were.
    pub objects: usize,
    pub sweep: Turn,
    pub floor: Turn,
}

/// One process from its start to its end.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Turn {
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// The largest resident set that was seen while it ran.
    pub peak_rss: u64,
    pub bytes: Bytes,
    pub requests: Verbs,
    #[serde(skip)]
    window: Window,
}

impl Sweep {
    pub(super) fn with_requests(mut self, audit: &[AuditEvent]) -> Self {
        self.sweep.requests = self.sweep.window.verbs(audit, Some(MANAGER));
        self.floor.requests = self.floor.window.verbs(audit, Some(super::scene::BARE));
        self
    }
}

/// Measures with so many namespaces, on a control plane of its own.
pub(super) async fn measure(namespaces: usize) -> Result<Sweep> {
    let say = |what: &str| eprintln!("{namespaces} namespaces with workloads: {what}");
    let scene = Scene::judging_workloads().await?;
    let client = scene.plane.client(User::ADMIN).await?;
    say("creating them");
    crowd::create_more(&client, 0..namespaces).await?;
    stream::iter(0..namespaces)
        .map(|number| fill(&client, number))
        .buffer_unordered(CONCURRENCY)
        .try_for_each(|()| futures::future::ready(Ok(())))
        .await?;
    say("adopting them");
    let mut manager = scene.start()?;
    ledger::wait_for(&scene, &mut manager, "StatusChanged", Timestamp::UNIX_EPOCH, namespaces).await?;
    manager.stop().await?;
    say("sweeping");
    // The first writes what was owed.
    let mut sweeps = Vec::new();
    for turn in 0..=TURNS {
        let done = turn_of(scene.sweep(), &scene.manager_relay).await.context("a sweep")?;
        if turn > 0 {
            sweeps.push(done);
        }
    }
    let mut floors = Vec::new();
    for _ in 0..TURNS {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([OsStr::new(LIST), scene.bare_kubeconfig.as_os_str()]);
        floors.push(turn_of(command, &scene.bare_relay).await.context("a plain client")?);
    }
    let measured = Sweep { objects: namespaces * (WORKLOADS + PODS), sweep: middle(sweeps)?, floor: middle(floors)? };
    Ok(measured.with_requests(&scene.plane.audit()?))
}

fn middle(mut turns: Vec<Turn>) -> Result<Turn> {
    turns.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    turns.get(turns.len() / 2).cloned().context("several were taken")
}

/// Runs a process to its end.
async fn turn_of(mut command: Command, relay: &Relay) -> Result<Turn> {
    let (from, bytes, cpu) = (Timestamp::now(), relay.bytes(), cpu_of_children()?);
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let (peak_rss, said) = tokio::task::spawn_blocking(move || watched(child)).await??;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = (cpu_of_children()? - cpu).as_secs_f64();
    ensure!(said.is_empty() || !said.contains("ERROR"), "{said}");
    let bytes = relay.bytes().since(bytes);
    // The audit log counts requests by when they arrived; what comes later is not this process's.
    Ok(Turn { seconds, cpu_seconds, peak_rss, bytes, requests: Verbs::new(), window: Window::since(from) })
}

/// The largest memory until it ended, and what it said.
fn watched(mut child: Child) -> Result<(u64, String)> {
    let mut peak = 0;
    let mut error = child.stderr.take().context("it is piped")?;
    let reader = std::thread::spawn(move || std::io::read_to_string(&mut error));
    let status = loop {
        if let Ok(memory) = super::usage::peak_rss(child.id()) {
            peak = peak.max(memory);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let said = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    ensure!(status.success(), "{status}\n{said}");
    Ok((peak, said))
}

/// The processor time of all processes that were started here and have ended.
fn cpu_of_children() -> Result<Duration> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: nix::sys::time::TimeVal| -> Result<Duration> {
        Ok(Duration::from_micros(u64::try_from(value.tv_sec())? * 1_000_000 + u64::try_from(value.tv_usec())?))
    };
    Ok(time(usage.user_time())? + time(usage.system_time())?)
}

impl Scene {
    /// One sweep, as a Job runs it.
    fn sweep(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0("collector").arg("sweep");
        command.env("CONFIG_PATH", &self.config).env("KUBECONFIG", &self.manager_kubeconfig);
        command
    }
}

/// What runs in a namespace of the crowd: as if controllers had made and a kubelet had started it.
async fn fill(client: &Client, number: usize) -> Result<()> {
    let namespace = format!("crowd-{number}");
    let account = json!({"metadata": {"name": "default"}});
    create::<ServiceAccount>(client, &namespace, account).await?;
    for (name, kind) in [("web", "Deployment"), ("db", "StatefulSet"), ("worker", "Deployment")] {
        let workload = json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": template(name),
            },
        });
        let status = json!({"status": {
            "observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
        }});
        match kind {
            "Deployment" => {
                create::<Deployment>(client, &namespace, workload).await?;
                tell::<Deployment>(client, &namespace, name, status).await?;
            }
            _ => {
                create::<StatefulSet>(client, &namespace, workload).await?;
                tell::<StatefulSet>(client, &namespace, name, status).await?;
            }
        }
    }
    for pod in 0..PODS {
        let name = format!("web-5d9c7b8f6-{pod:05}");
        let mut object = template("web");
        object["metadata"]["name"] = json!(name);
        create::<Pod>(client, &namespace, object).await?;
        tell::<Pod>(client, &namespace, &name, running()).await?;
    }
    Ok(())
}

fn template(name: &str) -> Value {
    let environment: Vec<_> =
        (0..8).map(|number| json!({"name": format!("SETTING_{number}"), "value": "as a pipeline sets it"})).collect();
    let container = json!({
        "name": name, "image": format!("registry.example.org/group/project/{name}:1.2.3"), "env": environment,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    });
    json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}})
}

fn running() -> Value {
    const AT: &str = "2026-08-17T09:50:41Z";
    let condition = |of: &str| json!({"type": of, "status": "True", "lastTransitionTime": AT});
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    json!({"status": {
        "phase": "Running", "podIP": "10.0.0.7", "hostIP": "10.1.0.1", "startTime": AT,
        "conditions": conditions,
        "containerStatuses": [{
            "name": "web", "ready": true, "restartCount": 0, "started": true, "image": "web", "imageID": "sha256:0",
            "containerID": "containerd://0", "state": {"running": {"startedAt": AT}},
        }],
    }})
}

async fn create<K>(client: &Client, namespace: &str, object: Value) -> Result<()>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + serde::Serialize
        + std::fmt::Debug,
{
    let object = serde_json::from_value(object)?;
    Api::<K>::namespaced(client.clone(), namespace).create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn tell<K>(client: &Client, namespace: &str, name: &str, status: Value) -> Result<()>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

/// The argument with which this program is the plain client.
pub const LIST: &str = "--list";

/// Reads what a sweep reads, page by page, and drops it.
///
/// # Errors
/// The apiserver does not answer.
pub async fn list(kubeconfig: &Path) -> Result<()> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    let client = Client::try_from(config)?;
    drop_all::<Namespace>(&client, true).await?;
    drop_all::<Deployment>(&client, false).await?;
    drop_all::<StatefulSet>(&client, false).await?;
    drop_all::<DaemonSet>(&client, false).await?;
    drop_all::<ReplicaSet>(&client, false).await?;
    drop_all::<Job>(&client, false).await?;
    drop_all::<Pod>(&client, false).await?;
    drop_all::<PersistentVolumeClaim>(&client, false).await?;
    drop_all::<StorageClass>(&client, false).await
}

/// A page of which nothing is kept.
#[derive(Deserialize)]
struct Page {
    metadata: PageMeta,
    #[serde(rename = "items")]
    _items: IgnoredAny,
}

#[derive(Deserialize)]
struct PageMeta {
    #[serde(rename = "continue")]
    token: Option<String>,
}

async fn drop_all<K: kube::Resource<DynamicType = ()>>(client: &Client, metadata_alone: bool) -> Result<()> {
    let request = kube::core::Request::new(K::url_path(&(), None));
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let request = if metadata_alone { request.list_metadata(&params)? } else { request.list(&params)? };
        let page: Page = client.request(request).await?;
        match page.metadata.token.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}
