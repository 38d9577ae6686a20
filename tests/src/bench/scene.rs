//! Where it is measured: a control plane, a relay that counts the bytes of nsm, and nsm as its users start it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::relay::Relay;
use crate::{ControlPlane, HANG, Options, Process, User, binary};

/// The user nsm runs as, and nobody else: what the audit log says of it is caused by nsm.
pub(super) const MANAGER: &str = "nsm";
/// The user of the floors.
pub(super) const BARE: &str = "bare";

/// What nsm is told to do: everything it does with namespaces alone, and no limit that would be measured instead of it.
const CONFIG: &str = r#"mode: enforce
store: { url: "sqlite:{store}" }
budget: { at_least: 100000, unannounced: { at_least: 100000 } }
policies:
  - name: bench
    match: { all: [ { labels: { bench: crowd } } ] }
    ttl: 7d
    visible_for: 5s
    checks: { health: off }
"#;

/// The control plane and what is needed to use it.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) plane: ControlPlane,
    pub(super) manager_relay: Relay,
    pub(super) bare_relay: Relay,
    pub(super) store: PathBuf,
    pub(super) program: PathBuf,
    pub(super) config: PathBuf,
    pub(super) manager_kubeconfig: PathBuf,
    pub(super) bare_kubeconfig: PathBuf,
}

/// A running nsm. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Manager {
    process: Process,
    pub(super) began: Instant,
}

impl Scene {
    /// Starts a control plane that knows a user for nsm. Both users may do everything, so that no time goes into rights.
    pub(super) async fn new() -> Result<Self> {
        Self::with(Options::default(), CONFIG).await
    }

    /// The same where workloads are judged, which nobody runs: they stay as they are made.
    pub(super) async fn judging_workloads() -> Result<Self> {
        let options = Options { controller_manager: false, ..Options::default() };
        Self::with(options, &CONFIG.replace("health: off", "health: kubernetes")).await
    }

    async fn with(options: Options, config_text: &str) -> Result<Self> {
        // Looked for first: it would be a pity to find out later that it is older than its sources.
        let program = binary("nsm")?.get_program().into();
        let users = [MANAGER, BARE].map(|name| User::new(name).in_group("system:masters")).into();
        let plane = ControlPlane::start(Options { users, ..options }).await?;
        let directory = plane.kubeconfig(User::ADMIN)?.parent().context("a kubeconfig is in a directory")?.to_owned();
        let config = directory.join("bench.yaml");
        let store = directory.join("bench.db");
        let path = store.to_str().context("the directory of temporary files has a name in UTF-8")?;
        std::fs::write(&config, config_text.replace("{store}", path)).context("cannot write the configuration")?;
        let (manager_relay, manager_kubeconfig) = Relay::to_apiserver(&plane, MANAGER).await?;
        let (bare_relay, bare_kubeconfig) = Relay::to_apiserver(&plane, BARE).await?;
        Ok(Self { plane, manager_relay, bare_relay, store, program, config, manager_kubeconfig, bare_kubeconfig })
    }

    /// Starts nsm.
    pub(super) fn start(&self) -> Result<Manager> {
        let mut command = Command::new(&self.program);
        command.args(["standalone", "--mode", "enforce", "--config"]).arg(&self.config);
        command.arg("--kubeconfig").arg(&self.manager_kubeconfig);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NSM__") {
                command.env_remove(name);
            }
        }
        let began = Instant::now();
        Ok(Manager { process: Process::spawn("nsm", &mut command)?, began })
    }

    /// A client that sends what it is told and no more, and whose bytes are counted.
    pub(super) async fn bare(&self) -> Result<Client> {
        let file = Kubeconfig::read_from(&self.bare_kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Client::try_from(config)?)
    }
}

impl Manager {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Fails if nsm has ended.
    pub(super) fn ensure_running(&mut self) -> Result<()> {
        match self.process.exited()? {
            None => Ok(()),
            Some(status) => bail!("nsm ended ({status})\n{}", self.process.log_tail()),
        }
    }

    /// Asks nsm to end, which ends its watch, so that the audit log has it. Returns how long that took.
    pub(super) async fn stop(mut self) -> Result<Duration> {
        let asked = Instant::now();
        let status = self.process.terminate(HANG).await?;
        ensure!(status.success(), "nsm was asked to end and did with {status}\n{}", self.process.log_tail());
        Ok(asked.elapsed())
    }

    /// The end of what nsm said.
    pub(super) fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}
