//! A real cluster with one node: pods run.

mod disturb;
mod images;
mod leftovers;
mod link;
mod machine;
mod needs;
mod servers;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures::FutureExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{self, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::control_plane::{self, ControlPlane, Options};
use crate::image::Image;
use crate::product::{self, Timings};
use crate::shared::{Part, Shared};
use crate::{Process, User, eventually, family, servers as binaries, temp_namespace};
use machine::{Machine, Node};

/// Ten times what a start takes on two idle cores.
const START: Duration = Duration::from_secs(120);
/// For an import: 0.2 s for 6 MB, measured.
const IMPORT: Duration = Duration::from_secs(60);
/// For one command: `helm upgrade --wait` waits for pods.
const COMMAND: Duration = Duration::from_secs(300);
const DNS: &str = include_str!("cluster/dns.yaml");

/// A control plane with a scheduler and a node: kubelet, containerd, kube-proxy, a network of pods and DNS. Pods run, Services reach them,
/// and Jobs end. It ends when this is dropped, and leaves nothing.
///
/// The node lives in namespaces of its own (network, mounts, processes), so everything its servers do to a machine vanishes with
/// it, and several live side by side. It needs root, and packages of Debian, which it names if they are missing. Between the node and
/// this machine is a pair of virtual interfaces: the apiserver listens on this end of it; from here, pods are reached by their addresses,
/// and Services of type NodePort by the node's.
///
/// A shared one ([`Cluster::shared`]) may be another process's: then dropping it ends nothing.
#[derive(Debug)]
pub struct Cluster {
    // Fields are dropped in this order: what runs in the node, the node, what it calls, the files last.
    servers: Option<Servers>,
    node: Node,
    plane: ControlPlane,
    busybox: String,
    /// The images of the product that it knows, by what their processes wait for.
    products: Mutex<BTreeMap<Timings, String>>,
    directory: TempDir,
}

/// What is ended with a cluster that was started by this process.
#[derive(Debug)]
struct Servers {
    node_servers: Mutex<Vec<Process>>,
    _machine: Machine,
    scheduler: Mutex<Process>,
}

/// How a cluster is reached: what another process needs to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    node: Node,
    plane: control_plane::Place,
    busybox: String,
    products: BTreeMap<Timings, String>,
}

impl Cluster {
    /// The cluster of all tests of a run, started at first use, with [`ControlPlane::SHARED_USERS`]. Do not break it: others are using it.
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub async fn shared() -> Result<&'static Self> {
        Self::of_this_process().await.map(|cluster| &**cluster)
    }

    pub(crate) async fn of_this_process() -> Result<&'static Arc<Self>> {
        static SHARED: Shared<Arc<Cluster>> = Shared::new();
        let attach = |place| Self::attach(place).map(Arc::new);
        SHARED.find(Part::Cluster, attach, async || Self::start_shared().await.map(Arc::new)).await
    }

    /// Starts a cluster that several tests use.
    pub(crate) async fn start_shared() -> Result<Self> {
        let users = ControlPlane::SHARED_USERS.map(User::new).into();
        Self::start(Options { users, ..Options::default() }).await
    }

    /// How another process reaches it.
    pub(crate) fn place(&self) -> Place {
        Place {
            node: self.node.clone(),
            plane: self.plane.place().clone(),
            busybox: self.busybox.clone(),
            products: self.products.lock().expect("nobody panics while holding it").clone(),
        }
    }

    /// The cluster of another process.
    pub(crate) fn attach(place: Place) -> Result<Self> {
        let Place { node, plane, busybox, products } = place;
        ensure!(node.is_alive(), "the node that tests share has ended");
        Ok(Self {
            servers: None,
            node,
            plane: ControlPlane::attach(plane),
            busybox,
            products: Mutex::new(products),
            directory: family::directory("cluster")?,
        })
    }

    /// Starts a cluster and waits until pods run and find each other by name.
    ///
    /// # Errors
    /// This is not root, packages or binaries are missing, or a server does not start; then the error ends with its log.
    pub async fn start(options: Options) -> Result<Self> {
        Self::start_telling(options, |_| {}).await
    }

    /// The same, telling each step as it begins.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_telling(mut options: Options, tell: impl Fn(&str)) -> Result<Self> {
        needs::check()?;
        ensure!(options.controller_manager, "a cluster has a controller manager");
        let binaries = binaries::complete_directory()?;
        let directory = family::directory("cluster")?;
        tell("making the node's namespaces and network");
        let machine = Machine::start(directory.path()).await?;
        for (name, group) in [
            (servers::node_user(machine.node.link.number), Some("system:nodes")),
            (servers::PROXY_USER.to_owned(), None),
            (servers::SCHEDULER_USER.to_owned(), None),
        ] {
            let user = User::new(&name);
            options.users.push(group.into_iter().fold(user, User::in_group));
        }

        tell("starting etcd, kube-apiserver, kube-controller-manager and containerd");
        let host = machine.node.link.host();
        let (plane, runtime) = tokio::join!(
            ControlPlane::start_with(&binaries, host, &options),
            Runtime::start(&machine, directory.path(), &binaries),
        );
        let (plane, runtime) = (plane?, runtime?);

        tell("starting kube-scheduler, kubelet and kube-proxy");
        let scheduler = Mutex::new(plane.start_scheduler(servers::SCHEDULER_USER)?);
        let kubelet = Process::spawn("kubelet", &mut servers::kubelet(&machine, directory.path(), &plane)?)?;
        let proxy = Process::spawn("kube-proxy", &mut servers::proxy(&machine, directory.path(), &plane)?)?;
        let cluster = Self {
            node: machine.node.clone(),
            servers: Some(Servers {
                node_servers: Mutex::new(vec![kubelet, proxy, runtime.containerd]),
                _machine: machine,
                scheduler,
            }),
            plane,
            busybox: runtime.busybox.name,
            products: Mutex::default(),
            directory,
        };
        cluster.apply(&DNS.replace("IMAGE", &runtime.dns.name)).await?;
        tell("waiting for the node");
        cluster.wait_for_node().await?;
        tell("waiting for DNS");
        cluster.wait_for_dns().await?;
        Ok(cluster)
    }

    /// Its control plane: clients, kubeconfigs, the audit log.
    #[must_use]
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// A client of the administrator.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn client(&self) -> Result<Client> {
        self.plane.client(User::ADMIN).await
    }

    /// Address of the node, as this machine calls it: Services of type NodePort are there.
    #[must_use]
    pub fn node_address(&self) -> Ipv4Addr {
        self.node.link.node()
    }

    /// Address of this machine, as the node and its pods call it. A server that listens there or on 0.0.0.0 can be exposed.
    #[must_use]
    pub fn host_address(&self) -> Ipv4Addr {
        self.node.link.host()
    }

    /// An image with a shell and the usual small programs (busybox), that is there already.
    #[must_use]
    pub fn busybox(&self) -> &str {
        &self.busybox
    }

    /// Makes an image known to the node. Afterwards pods can name it.
    ///
    /// # Errors
    /// The archive is missing, or not one of an image.
    pub async fn import(&self, image: &Image) -> Result<()> {
        import(&self.node, image).await
    }

    /// The image of what cargo built last, as a pod names it; the node knows it.
    ///
    /// # Errors
    /// The programs are not built, or the image cannot be imported.
    pub async fn product(&self, timings: Timings) -> Result<String> {
        let known = self.products.lock().expect("nobody panics while holding it").get(&timings).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let image = spawn_blocking(move || product::image(timings)).await??;
        self.import(image).await?;
        self.products.lock().expect("nobody panics while holding it").insert(timings, image.name.clone());
        Ok(image.name.clone())
    }

    /// Makes a server on this machine, which listens on [`Cluster::host_address`] or on 0.0.0.0, a Service of the same port.
    ///
    /// # Errors
    /// The Service exists, or the namespace does not.
    pub async fn expose(&self, name: &str, namespace: &str, port: u16) -> Result<()> {
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"ports": [{"name": "server", "port": port, "targetPort": port}]},
        }))?;
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.host_address()], "conditions": {"ready": true}}],
            "ports": [{"name": "server", "port": port}],
        }))?;
        let client = self.client().await?;
        Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &service).await?;
        Api::namespaced(client, namespace).create(&PostParams::default(), &slice).await?;
        Ok(())
    }

    /// Makes a namespace, runs `body` with its name, and deletes it, whatever happened. If `body` fails or panics, the states of the pods, the
    /// events and the ends of the logs are told.
    ///
    /// # Errors
    /// What `body` returns, with all that; or the namespace cannot be made.
    pub async fn in_temp_namespace<T>(&self, body: impl AsyncFnOnce(&str) -> Result<T>) -> Result<T> {
        let name = temp_namespace(&self.client().await?, &[], &[]).await?.name_any();
        let result = AssertUnwindSafe(body(&name)).catch_unwind().await;
        let result = match result {
            Ok(Ok(value)) => Ok(Ok(value)),
            Ok(Err(error)) => Ok(Err(anyhow!(
                "{error:#}
{}",
                self.dump(&name).await
            ))),
            Err(panic) => {
                eprintln!("{}", self.dump(&name).await);
                Err(panic)
            }
        };
        let deleted = self.kubectl(["delete", "namespace", &name, "--wait=false"]).await;
        match result {
            Ok(Ok(value)) => deleted.map(|_| value),
            Ok(Err(error)) => Err(error),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// What somebody would look at who wants to know why pods of this namespace do not do what they should.
    pub async fn dump(&self, namespace: &str) -> String {
        let pods = self.kubectl(["get", "pods", "--namespace", namespace, "--output=name"]).await.unwrap_or_default();
        let mut looks = vec![
            "get pods,jobs --output=wide".to_owned(),
            "get events --sort-by=.metadata.creationTimestamp".to_owned(),
        ];
        for pod in pods.lines() {
            looks.push(format!("logs {pod} --all-containers --prefix --tail=40"));
            looks.push(format!("logs {pod} --previous --tail=40"));
        }
        let mut told = String::new();
        for look in looks {
            let output = self.kubectl(look.split(' ').chain(["--namespace", namespace])).await;
            // Most containers have no earlier turn.
            if output.is_ok() || !look.contains("--previous") {
                let output = output.unwrap_or_else(|error| format!("{error:#}"));
                told += &format!("--- kubectl {look}\n{}\n", output.trim_end());
            }
        }
        told
    }

    /// Runs kubectl as the administrator and returns what it prints.
    ///
    /// # Errors
    /// It fails; then the error tells what it complained of.
    pub async fn kubectl(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        self.run(&mut self.client_command("kubectl", arguments)?).await
    }

    /// Creates or changes what a manifest (YAML or JSON) describes, as the administrator.
    ///
    /// # Errors
    /// The apiserver refuses it.
    pub async fn apply(&self, manifest: &str) -> Result<String> {
        let mut file = tempfile::NamedTempFile::new_in(self.directory.path())?;
        file.write_all(manifest.as_bytes())?;
        self.kubectl([OsStr::new("apply"), OsStr::new("--filename"), file.path().as_os_str()]).await
    }

    /// Runs helm as the administrator and returns what it prints. It finds no settings, caches or plugins of the user who runs the tests.
    ///
    /// # Errors
    /// It fails; then the error tells what it complained of.
    pub async fn helm(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        self.run(&mut self.client_command("helm", arguments)?).await
    }

    fn client_command(&self, program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Command> {
        let mut command = Command::new(self.plane.binaries().join(program));
        command.args(arguments).env("KUBECONFIG", self.plane.kubeconfig(User::ADMIN)?);
        for place in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"] {
            command.env(place, self.directory.path().join(place));
        }
        Ok(command)
    }

    async fn run(&self, command: &mut Command) -> Result<String> {
        output(command, COMMAND).await
    }

    async fn wait_for_node(&self) -> Result<()> {
        let nodes: Api<v1::Node> = Api::all(self.client().await?);
        let name = servers::node_name(self.node.link.number);
        self.eventually("the node is ready", async || {
            let status = nodes.get(&name).await?.status.context("no status")?;
            let conditions = status.conditions.unwrap_or_default();
            let ready = conditions.iter().find(|condition| condition.type_ == "Ready").context("no condition")?;
            ensure!(ready.status == "True", "{}", ready.message.as_deref().unwrap_or_default());
            Ok(())
        })
        .await
    }

    /// The pod answers, and the rules that make a Service of it are in place.
    async fn wait_for_dns(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client().await?, "kube-system");
        self.eventually("DNS is available", async || {
            let status = deployments.get("coredns").await?.status.context("no status")?;
            ensure!(status.available_replicas == Some(1), "no replica is available");
            let mut ask = self.node.command(images::BUSYBOX);
            ask.args(["nslookup", "-type=a", "kubernetes.default.svc.cluster.local", servers::DNS]);
            output(&mut ask, Duration::from_secs(3)).await?;
            Ok(())
        })
        .await
    }

    /// Waits for a condition, or for the end of a server that should not end.
    async fn eventually(&self, what: &str, mut probe: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let waited = eventually(what, START, async || {
            if let Some(ended) = self.ended()? {
                return Ok(Err(ended));
            }
            probe().await.map(Ok)
        });
        match waited.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(ended)) => bail!("{ended}"),
            Err(error) => Err(error.context(self.log_tails())),
        }
    }

    /// What ended though nobody wanted it.
    fn ended(&self) -> Result<Option<String>> {
        let Some(servers) = &self.servers else { return Ok(None) };
        let mut scheduler = servers.scheduler.lock().expect("nobody panics while holding it");
        let mut servers = servers.node_servers.lock().expect("nobody panics while holding it");
        for server in std::iter::once(&mut *scheduler).chain(servers.iter_mut()) {
            if let Some(status) = server.exited()? {
                return Ok(Some(format!("`{}` ended ({status})\n{}", server.name(), server.log_tail())));
            }
        }
        Ok(None)
    }

    fn log_tails(&self) -> String {
        let Some(servers) = &self.servers else { return String::new() };
        let servers = servers.node_servers.lock().expect("nobody panics while holding it");
        servers.iter().map(Process::log_tail).collect::<Vec<_>>().join("\n")
    }
}

/// A container runtime that knows the images of the testbed.
struct Runtime {
    containerd: Process,
    dns: Image,
    busybox: Image,
}

impl Runtime {
    async fn start(machine: &Machine, directory: &Path, binaries: &Path) -> Result<Self> {
        let pause = images::pause(directory)?;
        let mut containerd = Process::spawn("containerd", &mut servers::containerd(machine, directory, &pause.name)?)?;
        let dns = images::dns(binaries, directory)?;
        let busybox = images::busybox(directory)?;
        let ready = eventually("containerd answers", START, async || {
            let ended = containerd.exited()?;
            if ended.is_none() {
                output(servers::ctr(&machine.node).arg("version"), Duration::from_secs(5)).await?;
            }
            Ok(ended)
        });
        match ready.await {
            Ok(None) => {}
            Ok(Some(status)) => bail!("containerd ended ({status})\n{}", containerd.log_tail()),
            Err(error) => return Err(error.context(containerd.log_tail())),
        }
        for image in [&pause, &dns, &busybox] {
            import(&machine.node, image).await.with_context(|| containerd.log_tail())?;
        }
        Ok(Self { containerd, dns, busybox })
    }
}

async fn import(node: &Node, image: &Image) -> Result<()> {
    output(servers::ctr(node).args(["images", "import"]).arg(&image.archive), IMPORT).await?;
    // What kubelet asks learns of it by an event.
    eventually("the image is known to kubelet", IMPORT, async || {
        let list =
            output(servers::ctr(node).args(["images", "list", &format!("name=={}", image.name)]), IMPORT).await?;
        ensure!(list.contains("io.cri-containerd.image=managed"), "{list}");
        Ok(())
    })
    .await
}

/// Runs a command to its end, as a member of the family, and returns what it printed.
async fn output(command: &mut Command, deadline: Duration) -> Result<String> {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null());
    let mut command = tokio::process::Command::from(std::mem::replace(command, Command::new("true")));
    command.process_group(family::group()?).kill_on_drop(true);
    let output = timeout(deadline, command.output()).await;
    let output = output.with_context(|| format!("no end after {deadline:?}: {shown}"))?;
    let output = output.with_context(|| format!("cannot start {shown}"))?;
    let [out, complaint] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    ensure!(output.status.success(), "{shown} failed ({}): {}{out}", output.status, complaint);
    Ok(out)
}
