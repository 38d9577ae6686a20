//! What the stories are told with: a controller's replicas, each with a line of its own to the apiserver.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;
use testbed::oracle::Ledger;
use testbed::relay::Relay;
use testbed::{ControlPlane, Options, Process, User, eventually, program, temp_namespace};

/// Short, but longer than a busy machine keeps a process waiting.
pub(crate) const LEASE: Duration = Duration::from_secs(6);
/// Within this time the other leads, whatever became of the leader.
pub(crate) const HANDOVER: Duration = Duration::from_secs(2 * LEASE.as_secs());
/// For what follows at once. Many times what it takes on idle cores.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// As whom both controllers call the apiserver: with what the chart grants them, and nothing else.
const CONTROLLER: &str = "controller";

/// Everything one story needs.
pub(crate) struct World {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) role: &'static str,
    client: Client,
    /// The installation's own, and of this story alone.
    namespace: String,
    directory: TempDir,
}

/// One replica as a process.
pub(crate) struct Replica {
    pub(crate) process: Process,
    pub(crate) relay: Relay,
    /// What the lease and the history call it.
    pub(crate) instance: String,
}

/// Tells a story on the shared control plane.
pub(crate) async fn story(role: &'static str, tell: impl AsyncFnOnce(&World) -> Result<()>) {
    story_on(shared().await, role, tell).await;
}

/// Tells a story on this control plane.
///
/// # Panics
/// It did not go as told.
pub(crate) async fn story_on(
    plane: Result<&'static ControlPlane>,
    role: &'static str,
    tell: impl AsyncFnOnce(&World) -> Result<()>,
) {
    let world = World::new(plane.expect("the control plane starts"), role).await.expect("a world can be made");
    if let Err(error) = tell(&world).await {
        panic!("{error:#}");
    }
}

/// The control plane of all stories that do not break it. It has no controller manager: Jobs are objects, and no pod runs.
async fn shared() -> Result<&'static ControlPlane> {
    let plane = ControlPlane::shared_objects().await?;
    grant(&plane.client(User::ADMIN).await?).await?;
    Ok(plane)
}

/// A control plane that may be broken, otherwise alike. It ends with the process.
pub(crate) async fn own() -> Result<&'static ControlPlane> {
    let users = vec![User::new(CONTROLLER)];
    let plane = ControlPlane::start(Options { users, controller_manager: false }).await?;
    grant(&plane.client(User::ADMIN).await?).await?;
    Ok(Box::leak(Box::new(plane)))
}

async fn grant(client: &Client) -> Result<()> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": CONTROLLER},
        "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "list", "watch", "delete"]},
            {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["create", "update", "list", "watch", "delete"]},
            {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["patch"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": CONTROLLER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CONTROLLER},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": CONTROLLER}],
    });
    let params = PatchParams::apply("testbed").force();
    Api::<ClusterRole>::all(client.clone()).patch(CONTROLLER, &params, &Patch::Apply(role)).await?;
    Api::<ClusterRoleBinding>::all(client.clone()).patch(CONTROLLER, &params, &Patch::Apply(binding)).await?;
    Ok(())
}

impl World {
    async fn new(plane: &'static ControlPlane, role: &'static str) -> Result<Self> {
        let client = plane.client(User::ADMIN).await?;
        let namespace = temp_namespace(&client, &[], &[]).await?.metadata.name.context("a namespace has a name")?;
        let world = Self { plane, role, client, namespace, directory: tempfile::tempdir()? };
        let pod = json!({
            "metadata": {},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": "local.test/none:v1"}]},
        });
        for kind in ["collector", "action"] {
            std::fs::write(world.path(&format!("{kind}.yaml")), pod.to_string())?;
        }
        let config = json!({
            "store": {"url": format!("sqlite:{}", world.path("nsm.db").display())},
            "leadership": {"lease": format!("{}s", LEASE.as_secs()), "name": "nsm"},
            "jobs": {"templates": world.directory.path()},
            "telemetry": {"format": "json"},
        });
        std::fs::create_dir(world.path("config"))?;
        std::fs::write(world.path("config").join("nsm.yaml"), config.to_string())?;
        Ok(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a replica, as a pod of this name would be.
    pub(crate) async fn replica(&self, name: &str) -> Result<Replica> {
        let (relay, kubeconfig) = Relay::to_apiserver(self.plane, CONTROLLER).await?;
        let mut command = program(self.role)?;
        command.env("CONFIG_PATH", self.path("config")).env("KUBECONFIG", kubeconfig);
        command.env("POD_NAME", name).env("POD_UID", "uid").env("POD_NAMESPACE", &self.namespace);
        Ok(Replica { process: Process::spawn(self.role, &mut command)?, relay, instance: format!("{name}.uid") })
    }

    pub(crate) fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The name of the lease.
    pub(crate) fn lease(&self) -> String {
        format!("nsm-{}", self.role)
    }

    /// Whom the lease names now.
    pub(crate) async fn holder(&self) -> Result<String> {
        let lease = self.leases().get(&self.lease()).await?;
        lease.spec.and_then(|spec| spec.holder_identity).context("the lease names nobody")
    }

    /// Waits until one of them leads and works, and no other.
    pub(crate) async fn one_leads(&self, replicas: &mut [Replica], deadline: Duration) -> Result<()> {
        eventually("exactly one leads", deadline, async || {
            let holder = self.holder().await?;
            let mut leading = Vec::new();
            for replica in replicas.iter_mut() {
                if replica.runs()? && replica.says_that_it_leads() && replica.has_begun() {
                    leading.push(replica.instance.clone());
                }
            }
            ensure!(leading == [holder.as_str()], "{leading:?} lead, the lease names `{holder}`");
            Ok(())
        })
        .await
    }

    /// Whose work the store shows: each leader of the collect-controllers begins an epoch, when it begins.
    pub(crate) fn epochs_are_of(&self, names: &[&str]) -> Result<()> {
        if self.role != "collect-controller" {
            return Ok(());
        }
        let ledger = Ledger::read(&self.path("nsm.db"))?;
        let epochs: Vec<_> = ledger.claims.iter().filter(|claim| claim.group == "epoch").map(|it| &it.actor).collect();
        let expected: Vec<_> = names.iter().map(|name| format!("collect-controller/{name}.uid")).collect();
        ensure!(epochs.iter().copied().eq(&expected), "epochs were begun by {epochs:?}");
        Ok(())
    }
}

impl Replica {
    pub(crate) fn says_that_it_leads(&self) -> bool {
        self.process.log().contains("leads by lease")
    }

    pub(crate) fn runs(&mut self) -> Result<bool> {
        Ok(self.process.exited()?.is_none())
    }

    /// Waits until it leads, and its work has begun.
    pub(crate) async fn leads(&mut self, deadline: Duration) -> Result<()> {
        eventually(&format!("`{}` leads", self.instance), deadline, async || {
            if let Some(status) = self.process.exited()? {
                // Nothing helps any more, so this is no error of the look.
                return Ok(Some(status));
            }
            ensure!(self.says_that_it_leads() && self.has_begun(), "{}", self.process.log_tail());
            Ok(None)
        })
        .await?
        .map_or(Ok(()), |status: ExitStatus| bail!("it ended ({status})\n{}", self.process.log_tail()))
    }

    /// Whether its log shows that the work of a leader is under way. Of an action-controller nothing is seen from outside.
    fn has_begun(&self) -> bool {
        let log = self.process.log();
        !log.contains("collect-controller") || log.contains("is in force")
    }

    /// Waits until it is a candidate, and not the leader.
    pub(crate) async fn waits(&mut self) -> Result<()> {
        eventually(&format!("`{}` is a candidate", self.instance), SOON, async || {
            ensure!(self.runs()? && self.process.log().contains("begins"), "{}", self.process.log_tail());
            Ok(())
        })
        .await?;
        ensure!(!self.says_that_it_leads(), "it leads");
        Ok(())
    }

    /// Waits until it ends by itself, which is not to look like success.
    pub(crate) async fn ends_badly(&mut self, deadline: Duration) -> Result<()> {
        let status = self.process.wait(deadline).await?;
        ensure!(!status.success(), "it ended well\n{}", self.process.log_tail());
        Ok(())
    }
}
