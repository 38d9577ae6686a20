//! etcd, kube-apiserver and kube-controller-manager, as one thing to start, use, disturb and end.

mod commands;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::audit::{self, AuditEvent, AuditTail};
use crate::certificates::Authority;
use crate::shared::{Part, Shared};
use crate::{Process, User, eventually, family, kubeconfig, port, servers};
use commands::Layout;

/// A hundred times what a start takes on two idle cores.
const START: Duration = Duration::from_secs(300);
/// For one answer: `/readyz` takes milliseconds.
const LOOK: Duration = Duration::from_secs(2);
/// How often another port is tried when somebody took the one that was free.
const PORTS: usize = 5;

/// What a control plane is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who has a token, besides [`User::ADMIN`].
    pub users: Vec<User>,
    /// Whether kube-controller-manager runs: without it, deleted namespaces stay `Terminating` and there are no service accounts. It costs a second.
    pub controller_manager: bool,
}

impl Default for Options {
    /// A controller manager, and no other users.
    fn default() -> Self {
        Self { users: Vec::new(), controller_manager: true }
    }
}

/// A running control plane. It ends when this is dropped, unless it is a shared one ([`ControlPlane::shared`]).
///
/// Its apiserver authorizes with RBAC and, as a real one, needs the controller manager for everything that follows from an object.
#[derive(Debug)]
pub struct ControlPlane {
    place: Place,
    /// `None`: another process runs it, for all tests.
    own: Option<Own>,
}

/// How a control plane is reached: what another process needs to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Directory of its servers' binaries.
    binaries: PathBuf,
    /// Of the apiserver.
    address: SocketAddrV4,
    /// File with the certificate of the authority that signed the apiserver's.
    authority: PathBuf,
    audit_log: PathBuf,
    /// One for each user, by name.
    kubeconfigs: BTreeMap<String, PathBuf>,
}

/// The servers of a control plane that this process started.
#[derive(Debug)]
struct Own {
    layout: Layout,
    // Fields are dropped in this order: who depends on others first, the files last.
    controller_manager: Option<Process>,
    apiserver: Mutex<Process>,
    _etcd: Process,
    _directory: TempDir,
}

impl ControlPlane {
    /// Users of every shared control plane, besides [`User::ADMIN`]. They may do nothing until a role is bound to them.
    pub const SHARED_USERS: [&str; 3] = ["worker", "owner", "stranger"];

    /// More users of [`ControlPlane::shared_objects`]: those of the suites, each of which binds its own roles to them.
    const SUITE_USERS: [&str; 7] = [
        "controller",
        "no-delete",
        "no-patch",
        "no-watch",
        "no-workloads",
        "system:serviceaccount:nsm:api",
        "system:serviceaccount:nsm:action",
    ];

    /// The control plane of all tests of a run, started at first use. It runs with a controller manager and
    /// [`ControlPlane::SHARED_USERS`]. It cannot be frozen or killed: others are using it.
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: Shared<ControlPlane> = Shared::new();
        Self::shared_in(&SHARED, Part::Plane).await
    }

    /// The same without a controller manager: nothing follows from an object. A deleted namespace stays `Terminating` until the test
    /// ends it, a Job has no pods, and forty namespaces cost nothing.
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub async fn shared_objects() -> Result<&'static Self> {
        static SHARED: Shared<ControlPlane> = Shared::new();
        Self::shared_in(&SHARED, Part::Objects).await
    }

    async fn shared_in(shared: &'static Shared<Self>, part: Part) -> Result<&'static Self> {
        let attach = |place| Ok(Self { place, own: None });
        shared.find(part, attach, async || Self::start(Self::shared_options(part)).await).await
    }

    /// What the control plane of a run is made of.
    pub(crate) fn shared_options(part: Part) -> Options {
        let users = Self::SHARED_USERS.iter().chain(&Self::SUITE_USERS).map(|name| User::new(name)).collect();
        Options { users, controller_manager: part != Part::Objects }
    }

    /// The control plane of another process.
    pub(crate) const fn attach(place: Place) -> Self {
        Self { place, own: None }
    }

    /// How another process reaches it.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Starts a control plane and waits until it is ready to serve: about three seconds.
    ///
    /// # Errors
    /// The servers' binaries are missing, or a server does not start; then the error ends with its log.
    pub async fn start(options: Options) -> Result<Self> {
        Self::start_with(&servers::directory()?, Ipv4Addr::LOCALHOST, &options).await
    }

    /// The same, with these binaries, and an apiserver that listens on this address of the machine.
    pub(crate) async fn start_with(binaries: &Path, address: Ipv4Addr, options: &Options) -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::start_on(binaries, SocketAddrV4::new(address, port::free_at(address)?), options).await {
                Err(error) if tries < PORTS && format!("{error:#}").contains("address already in use") => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_on(binaries: &Path, address: SocketAddrV4, options: &Options) -> Result<Self> {
        let directory = family::directory("plane")?;
        let users: Vec<User> = std::iter::once(User::admin()).chain(options.users.iter().cloned()).collect();
        let tokens: Vec<String> = users.iter().map(|_| format!("{:032x}", rand::random::<u128>())).collect();
        let layout = Layout::create(directory.path(), address, &users, &tokens)?;
        let mut kubeconfigs = BTreeMap::new();
        for (number, (user, token)) in users.iter().zip(&tokens).enumerate() {
            let path = directory.path().join(format!("user-{number}.kubeconfig"));
            kubeconfig::write(&path, &layout.url(), layout.authority(), &user.name, token)?;
            let earlier = kubeconfigs.insert(user.name.clone(), path);
            ensure!(earlier.is_none(), "user `{}` is given twice", user.name);
        }

        let etcd = Process::spawn("etcd", &mut layout.etcd(binaries))?;
        let apiserver = Mutex::new(Process::spawn("kube-apiserver", &mut layout.apiserver(binaries))?);
        let place = Place {
            binaries: binaries.to_owned(),
            address,
            authority: layout.authority().to_owned(),
            audit_log: layout.audit_log(),
            kubeconfigs,
        };
        let own = Own { layout, controller_manager: None, apiserver, _etcd: etcd, _directory: directory };
        let mut plane = Self { place, own: Some(own) };
        plane.wait_until_ready().await?;
        if options.controller_manager {
            plane.start_controller_manager().await?;
        }
        Ok(plane)
    }

    /// The apiserver's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.place.address)
    }

    /// Where the apiserver listens.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.place.address
    }

    /// Path of a kubeconfig with which `user` reaches this control plane.
    ///
    /// # Errors
    /// There is no such user.
    pub fn kubeconfig(&self, user: &str) -> Result<&Path> {
        let path = self.place.kubeconfigs.get(user);
        path.map(PathBuf::as_path).with_context(|| {
            format!(
                "no user `{user}`, only {:?}: name it in `Options::users`",
                self.place.kubeconfigs.keys().collect::<Vec<_>>()
            )
        })
    }

    /// Path of the kubectl that belongs to these servers.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.place.binaries.join("kubectl")
    }

    /// A client for `user`. It belongs to the calling runtime: a test makes its own.
    ///
    /// # Errors
    /// There is no such user.
    pub async fn client(&self, user: &str) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig(user)?)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Directory of these servers' binaries.
    pub(crate) fn binaries(&self) -> &Path {
        &self.place.binaries
    }

    /// File with the certificate of the authority that signs the certificate of the apiserver.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.place.authority
    }

    /// Signs what clients that trust [`ControlPlane::authority`] accept.
    ///
    /// # Errors
    /// It is a shared one.
    pub(crate) fn signer(&self) -> Result<&Authority> {
        Ok(self.own()?.layout.signer())
    }

    /// Starts a scheduler that calls the apiserver as `user`.
    pub(crate) fn start_scheduler(&self, user: &str) -> Result<Process> {
        Process::spawn("kube-scheduler", &mut self.own()?.layout.scheduler(self.binaries(), self.kubeconfig(user)?))
    }

    /// Every request answered so far, in the order of the answers. The last ones may take a moment to appear: a client has its answer before the
    /// log has it, so look [`eventually`]. Requests on namespaces come with their bodies.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn audit(&self) -> Result<Vec<AuditEvent>> {
        audit::read(&self.place.audit_log)
    }

    /// The requests from now on whose log line holds `needle`, such as the name of an object: for who looks again and again, and shares the
    /// apiserver with others.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn audit_of(&self, needle: &str) -> Result<AuditTail> {
        AuditTail::from_now(self.place.audit_log.clone(), needle)
    }

    /// Stops the apiserver from executing (SIGSTOP): connections stay open and are accepted, nothing answers.
    ///
    /// # Errors
    /// It does not run, or is a shared one.
    pub fn freeze_apiserver(&self) -> Result<()> {
        self.apiserver()?.freeze()
    }

    /// Continues after [`ControlPlane::freeze_apiserver`].
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw_apiserver(&self) -> Result<()> {
        self.apiserver()?.thaw()
    }

    /// Ends the apiserver on the spot (SIGKILL): connections break, new ones are refused.
    ///
    /// # Panics
    /// It is a shared one.
    pub fn kill_apiserver(&self) {
        self.apiserver().expect("a test that kills an apiserver started it").kill();
    }

    /// Starts the apiserver again after [`ControlPlane::kill_apiserver`], with the same address and data, and waits until it is ready.
    ///
    /// # Errors
    /// It runs, or does not become ready.
    pub async fn restart_apiserver(&self) -> Result<()> {
        {
            let mut apiserver = self.apiserver()?;
            ensure!(apiserver.exited()?.is_some(), "the apiserver runs");
            *apiserver = Process::spawn("kube-apiserver", &mut self.own()?.layout.apiserver(self.binaries()))?;
        }
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let client = self.client(User::ADMIN).await?;
        let ready = eventually("the apiserver is ready", START, async || {
            let ended = self.apiserver()?.exited()?;
            if ended.is_some() {
                return Ok(ended);
            }
            // Bounded, because somebody else may hold the port, and say nothing.
            let ready = client.request_text(http::Request::get("/readyz").body(Vec::new())?);
            timeout(LOOK, ready).await??;
            Ok(None)
        });
        match ready.await {
            Ok(None) => Ok(()),
            Ok(Some(status)) => bail!("the apiserver ended ({status})\n{}", self.apiserver()?.log_tail()),
            Err(error) => Err(error.context(format!("the apiserver did not start\n{}", self.apiserver()?.log_tail()))),
        }
    }

    /// Starts a controller manager, where [`Options::controller_manager`] left it out, and waits until a controller has done something.
    ///
    /// # Errors
    /// This control plane is shared, or the controller manager does not start; then the error ends with its log.
    // Called once the apiserver is ready: before, the controller manager ends at once, as the roles it looks for are missing.
    pub async fn start_controller_manager(&mut self) -> Result<()> {
        let command = &mut self.own()?.layout.controller_manager(self.binaries(), self.kubeconfig(User::ADMIN)?);
        let mut process = Process::spawn("kube-controller-manager", command)?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(User::ADMIN).await?, "default");
        let works = eventually("a controller has done something", START, async || {
            let ended = process.exited()?;
            if ended.is_none() {
                accounts.get("default").await?;
            }
            Ok(ended)
        });
        match works.await {
            Ok(None) => {}
            Ok(Some(status)) => bail!("the controller manager ended ({status})\n{}", process.log_tail()),
            Err(error) => bail!("the controller manager did not start: {error:#}\n{}", process.log_tail()),
        }
        self.own.as_mut().context("it was just started")?.controller_manager = Some(process);
        Ok(())
    }

    fn apiserver(&self) -> Result<MutexGuard<'_, Process>> {
        Ok(self.own()?.apiserver.lock().expect("nobody panics while holding it"))
    }

    fn own(&self) -> Result<&Own> {
        self.own
            .as_ref()
            .context("this control plane is shared by all tests: a test that changes or breaks it starts its own")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use super::*;

    /// The other half of trying another port: the words of the apiserver's log are not ours.
    #[tokio::test]
    async fn says_when_the_port_is_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let SocketAddr::V4(address) = taken.local_addr().unwrap() else { panic!("an address of version 4") };
        let error =
            ControlPlane::start_on(&servers::directory().unwrap(), address, &Options::default()).await.unwrap_err();
        assert!(format!("{error:#}").contains("address already in use"), "{error:#}");
    }
}
