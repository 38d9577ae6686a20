//! What the stories are told with: a controller's replicas, each with a line of its own to the apiserver.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;
use testbed::audit_checker::Ledger;
use testbed::relay::Relay;
use testbed::{ControlPlane, HANG, Options, Process, User, eventually, program, temp_namespace};

/// As long as it is where nobody says otherwise.
const LEASE: Duration = Duration::from_secs(10);

/// As whom both controllers call the apiserver: with what the chart grants them, and nothing else.
const CONTROLLER: &str = "controller";
/// What lets it do that.
const ROLE: &str = "leadership-controller";

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

/// The replicas of one controller that run. Where one ends because it lost its lease, as it may on a machine that has no time for it,
/// another begins, as in a cluster.
pub(crate) struct Replicas<'w> {
    world: &'w World,
    running: Vec<Replica>,
    started: usize,
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
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": ROLE},
        "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "list", "watch", "delete"]},
            {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["create", "update", "list", "watch", "delete"]},
            {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": CONTROLLER}],
    });
    let params = PatchParams::apply("testbed").force();
    Api::<ClusterRole>::all(client.clone()).patch(ROLE, &params, &Patch::Apply(role)).await?;
    Api::<ClusterRoleBinding>::all(client.clone()).patch(ROLE, &params, &Patch::Apply(binding)).await?;
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

    /// Whom the lease names now, if it is there and names anybody.
    pub(crate) async fn holder(&self) -> Result<Option<String>> {
        let spec = self.leases().get_opt(&self.lease()).await?.and_then(|lease| lease.spec);
        Ok(spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty()))
    }

    /// Checks whose work the store shows: each leader of the collect-controllers begins an epoch, when it begins. Of these two the former
    /// came first, and nobody came twice.
    pub(crate) fn epochs_are_of(&self, former: &str, latter: &str) -> Result<()> {
        if self.role != "collect-controller" {
            return Ok(());
        }
        let ledger = Ledger::read(&self.path("nsm.db"))?;
        let epochs: Vec<_> = ledger.claims.iter().filter(|claim| claim.group == "epoch").map(|it| &it.actor).collect();
        let place =
            |instance: &str| epochs.iter().position(|actor| **actor == format!("collect-controller/{instance}"));
        ensure!(
            place(former).is_some() && place(former) < place(latter),
            "`{former}` led, then `{latter}`: {epochs:?}"
        );
        ensure!(epochs.iter().collect::<BTreeSet<_>>().len() == epochs.len(), "one led twice: {epochs:?}");
        Ok(())
    }
}

impl<'w> Replicas<'w> {
    /// Starts so many.
    pub(crate) async fn start(world: &'w World, count: usize) -> Result<Self> {
        let mut replicas = Self { world, running: Vec::new(), started: 0 };
        for _ in 0..count {
            replicas.add().await?;
        }
        Ok(replicas)
    }

    /// Starts another.
    pub(crate) async fn add(&mut self) -> Result<()> {
        self.started += 1;
        self.running.push(self.world.replica(&format!("replica-{}", self.started)).await?);
        Ok(())
    }

    /// Waits until one leads and works, and all others wait. Returns its instance.
    pub(crate) async fn leader(&mut self) -> Result<String> {
        let leader = eventually("one leads, and the others wait", HANG, async || {
            if let Err(error) = self.tend().await {
                // Nothing helps any more, so this is no error of the look.
                return Ok(Err(error));
            }
            let (leading, holder) = (self.leading()?, self.world.holder().await?);
            ensure!(self.running.iter().all(|replica| replica.says("begins")), "some have not begun");
            ensure!(leading.iter().eq(&holder), "{leading:?} lead, the lease names {holder:?}");
            holder.map(Ok).context("nobody leads")
        });
        leader.await?
    }

    /// Does something to the one that leads, which does not count among the replicas any more. One that lost its lease before that leads no
    /// longer: then it is done to the next.
    pub(crate) async fn disturb(&mut self, what: impl Fn(&mut Replica) -> Result<()>) -> Result<Replica> {
        loop {
            let leader = self.leader().await?;
            let place = self.running.iter().position(|replica| replica.instance == leader).context("it runs")?;
            let mut leader = self.running.remove(place);
            let done = what(&mut leader);
            if done.is_ok() {
                return Ok(leader);
            }
            ensure!(leader.has_lost_its_lease(), "{done:?}\n{}", leader.process.log_tail());
            self.add().await?;
        }
    }

    /// Those that say they lead, whose work has begun and that have not ended.
    pub(crate) fn leading(&mut self) -> Result<Vec<String>> {
        let mut leading = Vec::new();
        for replica in &mut self.running {
            if replica.runs()? && replica.leads() {
                leading.push(replica.instance.clone());
            }
        }
        Ok(leading)
    }

    /// Starts another for each that lost its lease. Nothing else may end one.
    async fn tend(&mut self) -> Result<()> {
        for place in (0..self.running.len()).rev() {
            if !self.running[place].runs()? {
                let ended = self.running.remove(place);
                ensure!(
                    ended.has_lost_its_lease(),
                    "`{}` ended by itself\n{}",
                    ended.instance,
                    ended.process.log_tail()
                );
                self.add().await?;
            }
        }
        Ok(())
    }
}

impl Replica {
    /// Whether it said this.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.process.log().contains(words)
    }

    /// Whether it ended, or is about to, because somebody else may lead.
    pub(crate) fn has_lost_its_lease(&self) -> bool {
        self.says("no longer leads") || self.says("the lease ran out and this process did not stop")
    }

    fn runs(&mut self) -> Result<bool> {
        Ok(self.process.exited()?.is_none())
    }

    /// Whether it leads, and its work is under way. Of an action-controller nothing is seen from outside.
    fn leads(&self) -> bool {
        let log = self.process.log();
        log.contains("leads by lease") && (!log.contains("collect-controller") || log.contains("is in force"))
    }

    /// Waits until it ends by itself, which is not to look like success.
    pub(crate) async fn ends_badly(&mut self) -> Result<()> {
        let status = self.process.wait(HANG).await?;
        ensure!(!status.success(), "it ended well\n{}", self.process.log_tail());
        Ok(())
    }
}
