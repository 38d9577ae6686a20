//! An installation: a configuration, a store, the namespaces it is for, and the processes that run on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::audit_checker::{Faults, Ledger};
use testbed::{AuditTail, Process, User, eventually, program, program_with, timing};
use tokio::time::sleep;

use super::plane::WORKER;
use super::{Answer, Demo, LATER, Nsm, Plane, SOON, command, now, until};

/// Namespaces with this label, and the installation's name as its value, are under its policy.
const LABEL: &str = "story";

/// An installation of a story's own.
pub(crate) struct World {
    pub(crate) plane: Plane,
    /// With all rights: owners and other people.
    pub(crate) client: Client,
    /// What tells it from every other.
    pub(crate) name: String,
    directory: TempDir,
    pub(super) told: Mutex<Told>,
}

/// What happened so far.
#[derive(Debug)]
pub(super) struct Told {
    /// As whom nsm calls the apiserver.
    pub(super) user: &'static str,
    /// Of all namespaces of the story.
    pub(super) names: Vec<String>,
    logs: Vec<PathBuf>,
    /// The requests that name the story: the names of its namespaces hold its own.
    pub(super) audit: AuditTail,
    /// The URL of the database where the store is one and no file.
    database: Option<String>,
    /// What was done to the apiserver.
    pub(super) faults: Faults,
}

impl World {
    pub(super) async fn new(plane: Plane, configure: impl FnOnce(&mut Value)) -> Result<Self> {
        let name = format!("{:08x}", rand::random::<u32>());
        let told = Told {
            user: WORKER,
            names: Vec::new(),
            logs: Vec::new(),
            audit: plane.audit_of(&name)?,
            database: None,
            faults: Faults::default(),
        };
        let world = Self {
            client: plane.client(User::ADMIN).await?,
            plane,
            name,
            directory: tempfile::tempdir()?,
            told: Mutex::new(told),
        };
        world.configure(configure)?;
        Ok(world)
    }

    /// Writes the configuration: the one that stories begin with, changed.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut config = json!({
            "mode": "enforce",
            "store": {"url": format!("sqlite:{}", self.store().display())},
            "budget": {"at_least": 1000, "share": 1.0, "unannounced": {"at_least": 1000, "share": 1.0}},
            "telemetry": {"format": "compact"},
            "health": {"kubernetes": false},
            "policies": [{
                "name": "demo",
                "match": {"all": [{"labels": {LABEL: self.name}}]},
                "visible_for": "0",
            }],
        });
        change(&mut config);
        let url = config["store"]["url"].as_str().filter(|url| url.starts_with("mongodb://"));
        self.told().database = url.map(str::to_owned);
        self.write_config(&format!("{config:#}\n"))
    }

    /// Writes this as the configuration, in one step.
    pub(crate) fn write_config(&self, text: &str) -> Result<()> {
        let new = self.path("new.yaml");
        std::fs::write(&new, text)?;
        std::fs::rename(new, self.config()).context("cannot write the configuration")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("nsm.yaml")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("nsm.db")
    }

    /// The URL of the database where the store is one and no file.
    pub(super) fn database(&self) -> Option<String> {
        self.told().database.clone()
    }

    /// A file of this world's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The name of the manager's own namespace, once [`World::make_home`] made it.
    pub(crate) fn home(&self) -> String {
        format!("home-{}", self.name)
    }

    /// Makes the manager's own namespace: the apiserver lets nobody delete `default`, whatever a policy says.
    pub(crate) async fn make_home(&self) -> Result<()> {
        let metadata = ObjectMeta { name: Some(self.home()), ..ObjectMeta::default() };
        let home = Namespace { metadata, ..Namespace::default() };
        self.namespaces().create(&PostParams::default(), &home).await.context("cannot make a home")?;
        Ok(())
    }

    /// Lets nsm call the apiserver as this user from its next start on.
    pub(crate) fn be(&self, user: &'static str) {
        self.told().user = user;
    }

    /// As whom nsm calls the apiserver.
    pub(crate) fn user(&self) -> &'static str {
        self.told().user
    }

    /// Keeps the apiserver from executing for so long.
    pub(crate) async fn freeze_apiserver(&self, time: Duration) -> Result<()> {
        self.told().faults.frozen += SignedDuration::try_from(time)?;
        self.plane.freeze_apiserver()?;
        sleep(time).await;
        self.plane.thaw_apiserver()
    }

    /// Ends the apiserver on the spot.
    pub(crate) fn kill_apiserver(&self) {
        self.told().faults.killed = true;
        self.plane.kill_apiserver();
    }

    /// Starts `nsm standalone` and waits until it watches.
    pub(crate) async fn start(&self) -> Result<Nsm> {
        let nsm = self.spawn(&[])?;
        nsm.says("namespaces are watched").await?;
        Ok(nsm)
    }

    /// Starts `nsm standalone` with more arguments, and waits for nothing.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Result<Nsm> {
        self.spawn_as(program("nsm")?, arguments)
    }

    /// Starts `nsm standalone` with these timings besides those of tests, and waits for nothing.
    pub(crate) fn spawn_with(&self, timings: &str) -> Result<Nsm> {
        self.spawn_as(program_with("nsm", timings)?, &[])
    }

    fn spawn_as(&self, mut command: Command, arguments: &[&str]) -> Result<Nsm> {
        let kubeconfig = self.plane.kubeconfig(self.told().user)?;
        command.arg("standalone").arg("--config").arg(self.config()).arg("--kubeconfig").arg(kubeconfig);
        command.env("POD_NAMESPACE", self.home());
        let nsm = Nsm::spawn(command.args(arguments))?;
        self.told().logs.push(nsm.log_path().to_owned());
        Ok(nsm)
    }

    /// Starts a role as a process, as a pod of this name would be, which calls the apiserver as this user.
    pub(crate) fn role(&self, role: &str, arguments: &[String], pod: &str, user: &str) -> Result<Process> {
        let mut command = program(role)?;
        command.args(arguments).env("NO_COLOR", "1");
        command.env("CONFIG_PATH", self.config()).env("KUBECONFIG", self.plane.kubeconfig(user)?);
        command.env("POD_NAME", pod).env("POD_UID", "uid").env("POD_NAMESPACE", self.home());
        let process = Process::spawn(role, &mut command)?;
        self.told().logs.push(process.log_path().to_owned());
        Ok(process)
    }

    /// Runs one sweep, as a CronJob does it and as this user, which is to end well. Returns its log.
    pub(crate) async fn sweep(&self, user: &str) -> Result<String> {
        let mut sweep = self.role("collector", &["sweep".to_owned()], "sweeper", user)?;
        let status = sweep.wait(SOON).await?;
        ensure!(status.success(), "{status}: {}", sweep.log());
        Ok(sweep.log())
    }

    /// Runs `nsm` with this installation's configuration, as a person with all rights.
    pub(crate) async fn nsm(&self, arguments: &[&str]) -> Result<Answer> {
        self.answer(program("nsm")?, arguments).await
    }

    /// Runs `nsm` with other timings than the others, which is to end well.
    pub(crate) async fn nsm_with(&self, timings: &str, arguments: &[&str]) -> Result<String> {
        let answer = self.answer(program_with("nsm", timings)?, arguments).await?;
        ensure!(answer.code == Some(0), "`nsm {}`: {answer:?}", arguments.join(" "));
        Ok(answer.out)
    }

    async fn answer(&self, mut nsm: Command, arguments: &[&str]) -> Result<Answer> {
        nsm.args(arguments).arg("--config").arg(self.config()).env("KUBECONFIG", self.plane.kubeconfig(User::ADMIN)?);
        command::answer(&mut nsm).await
    }

    /// Runs `nsm`, which is to end well.
    pub(crate) async fn nsm_ok(&self, arguments: &[&str]) -> Result<String> {
        let answer = self.nsm(arguments).await?;
        ensure!(answer.code == Some(0), "`nsm {}`: {answer:?}", arguments.join(" "));
        Ok(answer.out)
    }

    pub(crate) fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    /// Creates a namespace under the policy, with these annotations of its owner.
    pub(crate) async fn namespace(&self, overrides: &[(&str, &str)]) -> Result<Demo> {
        let name = format!("story-{}-{}", self.name, self.told().names.len());
        self.namespace_named(&name, &[(LABEL, &self.name)], overrides).await
    }

    /// Creates so many namespaces under the policy.
    pub(crate) async fn crowd(&self, count: usize, overrides: &[(&str, &str)]) -> Result<Vec<Demo>> {
        let mut crowd = Vec::with_capacity(count);
        for _ in 0..count {
            crowd.push(self.namespace(overrides).await?);
        }
        Ok(crowd)
    }

    /// Creates a namespace as asked, under the policy or not.
    pub(crate) async fn namespace_named(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        overrides: &[(&str, &str)],
    ) -> Result<Demo> {
        ensure!(
            name.contains(&self.name),
            "`{name}` is to hold `{}`, by which the story's requests are found",
            self.name
        );
        self.told().names.push(name.to_owned());
        Demo::create(self, name, labels, overrides).await
    }

    /// The label that puts a namespace under the policy.
    pub(crate) fn label(&self) -> (&'static str, &str) {
        (LABEL, &self.name)
    }

    /// Shows that the program works now: a namespace that is due later than every other one is deleted.
    pub(crate) async fn witness(&self) -> Result<()> {
        let witness = self.namespace(&[("ttl", "1s")]).await?;
        witness.is_deleted().await.context("the witness")
    }

    /// Stops all deletions before there is anything to delete.
    pub(crate) async fn begin_stopped(&self) -> Result<()> {
        let mut nsm = self.start().await?;
        self.nsm_ok(&["stop"]).await?;
        nsm.process().terminate(SOON).await.map(drop)
    }

    /// Waits until the deletion of this namespace would be due, but for the stop, changes what it is judged by, and lets deletions go on: this
    /// one comes after the change, however long that took.
    pub(crate) async fn changed_before_its_deletion(
        &self,
        demo: &Demo,
        change: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        demo.is_skipped("stopped").await?;
        change().await?;
        self.nsm_ok(&["resume"]).await.map(drop)
    }

    /// Waits until all of these are deleted, and what became of the requests is written down.
    pub(crate) async fn are_deleted(&self, demos: &[Demo], deadline: Duration) -> Result<()> {
        eventually("all are deleted", deadline, async || {
            let left = self.left_of(demos).await?;
            let kinds = left.first().map(|demo| demo.kinds());
            ensure!(left.is_empty(), "{} of {} are left, the first with {kinds:?}", left.len(), demos.len());
            let ledger = self.whole_ledger().await?;
            let open = demos.iter().find(|demo| demo.history_in(&ledger).has_open_intent());
            ensure!(open.is_none(), "what became of the request is not written down: {:?}", open.map(Demo::kinds));
            Ok(())
        })
        .await
    }

    /// Waits until the histories of all of these say that they were deleted.
    pub(crate) async fn are_done(&self, demos: &[Demo]) -> Result<()> {
        eventually("the histories of all say that they were deleted", LATER, async || {
            let ledger = self.whole_ledger().await?;
            let is_open = |demo: &&Demo| demo.history_in(&ledger).of_kind("ActionDone").next().is_none();
            let open = demos.iter().find(is_open);
            ensure!(open.is_none(), "one does not: {:#?}", open.map(|demo| &demo.history_in(&ledger).0));
            Ok(())
        })
        .await
    }

    /// Those of which no deletion was accepted, of some that are under the policy.
    pub(crate) async fn left_of<'a>(&self, demos: &'a [Demo]) -> Result<Vec<&'a Demo>> {
        let (key, value) = self.label();
        let ours = ListParams::default().labels(&format!("{key}={value}"));
        let there = self.namespaces().list_metadata(&ours).await?;
        let alive = there.iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
        let alive: BTreeSet<_> = alive.filter_map(ResourceExt::uid).collect();
        Ok(demos.iter().filter(|demo| alive.contains(&demo.uid)).collect())
    }

    /// Waits until the life of all of these is over, which was to last so many seconds.
    pub(crate) async fn is_over(&self, demos: &[Demo], ttl: i64) -> Result<()> {
        for demo in demos {
            let end = demo.created().await? + SignedDuration::from_secs(ttl);
            until(end).await?;
        }
        Ok(())
    }

    /// Waits for the next window of the budget where this one ends before the story could.
    pub(crate) async fn fresh_window(&self) -> Result<()> {
        const ENOUGH: i64 = 60;
        let window = timing("budget_window").as_secs();
        let into = now().as_second().rem_euclid(window);
        let wait = if into > window - ENOUGH { window - into } else { 0 };
        until(now() + SignedDuration::from_secs(wait)).await
    }

    /// What the store says now.
    pub(crate) fn ledger(&self) -> Result<Ledger> {
        Ledger::read(&self.store())
    }

    /// What the store says now, be it a file or a database. A story whose program never came to open its store has no
    /// histories.
    pub(crate) async fn whole_ledger(&self) -> Result<Ledger> {
        ledger_in(&self.store(), self.database().as_deref()).await
    }

    /// The ends of the logs of its processes.
    pub(super) fn logs(&self) -> String {
        const LINES: usize = 60;
        let tail = |path: &PathBuf| {
            let log = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            format!("--- {}\n{}\n", path.display(), lines[lines.len().saturating_sub(LINES)..].join("\n"))
        };
        self.told().logs.iter().map(tail).collect()
    }

    pub(super) fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().expect("nobody panics while holding it")
    }
}

/// What a database says, where there is one, or else a file, where that is there.
pub(super) async fn ledger_in(file: &Path, database: Option<&str>) -> Result<Ledger> {
    match database {
        Some(url) => Ledger::read_database(url).await,
        None if file.exists() => Ledger::read(file),
        None => Ok(Ledger::default()),
    }
}
