//! The installation as a test finds it, and what is judged when it leaves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::FutureExt;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ResourceQuota};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use testbed::audit_checker::{Entry, Faults, History, Run, Timings, judge};
use testbed::{
    AuditEvent, AuditTail, Disturbance, HANG, Installation, Server, Turn, accepted_namespace_deletes, eventually,
};

use crate::system::hold::Hold;

pub(crate) const HOME: &str = Installation::HOME;
pub(crate) const RELEASE: &str = Installation::RELEASE;
pub(crate) const CONTROLLERS: [&str; 2] = ["collect-controller", "action-controller"];

/// A guard against a hang, for what takes seconds: pods start, watches notice, Jobs end.
pub(crate) const SOON: Duration = HANG;
/// The same for what waits for a changed configuration to come into the pods, or for the next full minute.
pub(crate) const LATER: Duration = Duration::from_secs(480);

/// On every namespace that tests of this suite make.
pub(crate) const LABEL: (&str, &str) = ("tests", "system");
/// Gives the pods of one namespace the right to read.
pub(crate) const READERS: &str = "namespaces-readers";

/// What a test finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The release with the values of the suite, ready.
    Released,
    /// Whatever the test before it left: a release with other values, or none.
    Anything,
}

/// The installation, as long as it is one test's.
pub(crate) struct Stage {
    pub(crate) home: &'static Installation,
    pub(crate) client: Client,
    /// The uids of the namespaces that the test made.
    own: RefCell<BTreeSet<String>>,
    /// Those of them that the program was to delete.
    dead: RefCell<BTreeSet<String>>,
    /// What was asked of the apiserver since the test began.
    requests: RefCell<AuditTail>,
    _turn: Turn,
}

/// Runs a test on the installation. Nothing that another left is in its way, and what it saw happen is judged: the audit checker
/// finds nothing, what was to be deleted was so once, and no part of the program lacked a right.
///
/// # Panics
/// The test fails; then pods, events, logs and requests are told.
pub(crate) async fn on(test: &str, found: Found, body: impl AsyncFnOnce(&Stage) -> Result<()>) {
    let stage = Stage::enter().await.expect("the installation is prepared");
    let judged = async {
        if found == Found::Released {
            stage.release(|_| ()).await?;
        }
        body(&stage).await?;
        stage.verdict().await.context("before the audit checker")
    };
    match AssertUnwindSafe(judged).catch_unwind().await {
        Ok(Ok(())) => stage.note_passed(test).expect("its directory can be written"),
        // Whoever sees no more than the end of a log is to see why.
        Ok(Err(error)) => panic!("{}\n{error:#}", stage.dump().await),
        Err(panic) => {
            eprintln!("{}", stage.dump().await);
            resume_unwind(panic)
        }
    }
}

impl Stage {
    async fn enter() -> Result<Self> {
        let home = Installation::shared().await?;
        let turn = home.turn().await?;
        let client = home.cluster.client().await?;
        let (own, dead) = Default::default();
        let requests = RefCell::new(home.cluster.plane().audit_of("")?);
        let stage = Self { home, client, own, dead, requests, _turn: turn };
        stage.tidy().await.context("what an earlier test left cannot be removed")?;
        stage.forget().await?;
        Ok(stage)
    }

    /// Takes away what a test leaves that fails.
    async fn tidy(&self) -> Result<()> {
        for server in [Server::Broker, Server::Store] {
            if self.home.disturb(server, Disturbance::Thaw).await.is_err() {
                self.home.disturb(server, Disturbance::Restart).await?;
            }
        }
        let all = DeleteParams::default();
        let quotas: Api<ResourceQuota> = Api::namespaced(self.client.clone(), HOME);
        quotas.delete_collection(&all, &ListParams::default()).await?;
        let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        if webhooks.get_opt(Hold::NAME).await?.is_some() {
            webhooks.delete(Hold::NAME, &all).await?;
        }
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client.clone());
        if bindings.get_opt(READERS).await?.is_some() {
            bindings.delete(READERS, &all).await?;
        }
        let stops: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        if stops.get_opt(&format!("{RELEASE}-stop")).await?.is_some() {
            self.home.nsm(&["resume"]).await?;
        }
        let (key, value) = LABEL;
        let ours = ListParams::default().labels(&format!("{key}={value}"));
        let namespaces = self.namespaces();
        for left in namespaces.list_metadata(&ours).await? {
            // It may be gone, or on its way.
            let _ = namespaces.delete(&left.name_any(), &all).await;
        }
        Ok(())
    }

    /// Judges nothing that happened so far.
    pub(crate) async fn forget(&self) -> Result<()> {
        self.requests().await?;
        *self.requests.borrow_mut() = self.home.cluster.plane().audit_of("")?;
        self.own.borrow_mut().clear();
        self.dead.borrow_mut().clear();
        Ok(())
    }

    /// Brings the release to the values of the suite, changed, and waits until its pods are ready. A configuration that
    /// changes is in the pods some seconds later.
    pub(crate) async fn release(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut values = self.home.values()?;
        let config = &mut values["config"];
        config["mode"] = json!("enforce");
        config["leadership"] = json!({"lease": "6s"});
        config["workers"] = json!({"min": 0, "max": 3, "idle_for": "5s"});
        config["budget"] = json!({"at_least": 1000, "unannounced": {"at_least": 1000}});
        config["health"] = json!({"check_every": "2s"});
        config["policies"] = json!([{
            "name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "10s", "visible_for": "1s",
            "checks": {"settling_period": "1s", "grace_period": "1s"},
        }]);
        change(&mut values);
        let before = self.released().await?;
        if before.as_ref() == Some(&values) {
            let ready =
                ["wait", "--namespace", HOME, "--for=condition=Available", "deployments", "--all", "--timeout=4m"];
            return self.home.cluster.kubectl(ready).await.map(drop);
        }
        self.home.release(&values).await?;
        if before.is_some_and(|before| before["image"] != values["image"]) {
            // They would run for half an hour more.
            let old = ["delete", "jobs", "--namespace", HOME, "--selector", "app.kubernetes.io/component=collector"];
            self.home.cluster.kubectl(old).await?;
        }
        Ok(())
    }

    /// The values of the release, if it is there and whole.
    async fn released(&self) -> Result<Option<Value>> {
        let listed = self.home.cluster.helm(["list", "--namespace", HOME, "--deployed", "--short"]).await?;
        if listed.trim() != RELEASE {
            return Ok(None);
        }
        let values = ["get", "values", RELEASE, "--namespace", HOME, "--output", "json"];
        Ok(Some(serde_json::from_str(&self.home.cluster.helm(values).await?)?))
    }

    /// `helm uninstall`, and the second command of the page on operations: nothing of the release is left.
    pub(crate) async fn uninstall(&self) -> Result<()> {
        let uninstall = ["uninstall", RELEASE, "--namespace", HOME, "--ignore-not-found", "--wait", "--timeout", "4m"];
        self.home.cluster.helm(uninstall).await?;
        let instance = format!("app.kubernetes.io/instance={RELEASE}");
        let rest = ["delete", "jobs,cronjobs", "--namespace", HOME, "--selector", &instance];
        self.home.cluster.kubectl(rest).await?;
        eventually("nothing of the release is left", SOON, async || {
            let left = self.home.cluster.kubectl(["get", "all,cronjobs", "--namespace", HOME, "--output=name"]).await?;
            let left: Vec<_> = left.lines().filter(|name| name.contains(RELEASE)).collect();
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
        .await
    }

    pub(crate) fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    pub(crate) fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), HOME)
    }

    /// The names of the pods of a part that run.
    pub(crate) async fn running(&self, component: &str) -> Result<BTreeSet<String>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), HOME);
        let of_part = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
        let listed = pods.list(&of_part).await?;
        let is_running = |pod: &&Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        Ok(listed.iter().filter(is_running).map(ResourceExt::name_any).collect())
    }

    pub(crate) async fn workers_end(&self) -> Result<()> {
        eventually("the workers ended", SOON, async || {
            let running = self.running("action").await?;
            ensure!(running.is_empty(), "{running:?}");
            Ok(())
        })
        .await
    }

    /// A namespace is the test's, and judged with it.
    pub(crate) fn owns(&self, uid: &str) {
        self.own.borrow_mut().insert(uid.to_owned());
    }

    /// The program deleted it.
    pub(crate) fn lost(&self, uid: &str) {
        self.dead.borrow_mut().insert(uid.to_owned());
    }

    pub(crate) async fn history(&self, uid: &str) -> Result<History> {
        Ok(self.home.ledger().await?.history(uid).clone())
    }

    /// Every request since the test began. The log is complete when it holds one that is made now.
    pub(crate) async fn requests(&self) -> Result<Vec<AuditEvent>> {
        let marker = format!("marker-{:016x}", rand::random::<u64>());
        self.namespaces().get_opt(&marker).await?;
        eventually("the audit log is written", SOON, async || {
            let mut requests = self.requests.borrow_mut();
            let events = requests.events()?;
            let is_marker = |event: &AuditEvent| {
                event.object_ref.as_ref().is_some_and(|object| object.name.as_ref() == Some(&marker))
            };
            ensure!(events.iter().rev().any(is_marker), "no marker");
            Ok(events.to_vec())
        })
        .await
    }

    /// Holds what happened to the test's namespaces, and every deletion and request of the program meanwhile, against the rules.
    pub(crate) async fn verdict(&self) -> Result<()> {
        eventually("the audit checker finds nothing", SOON, async || {
            let found = self.judge().await?;
            ensure!(found.is_empty(), "\n{}", found.join("\n"));
            Ok(())
        })
        .await
    }

    async fn judge(&self) -> Result<Vec<String>> {
        let user = Installation::user("action");
        let namespaces = self.namespaces().list_metadata(&ListParams::default()).await?;
        let lives = namespaces.iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
        let alive: BTreeSet<_> = lives.filter_map(ResourceExt::uid).collect();
        let requests = self.requests().await?;
        let mut deletes = accepted_namespace_deletes(&requests);
        // One of an earlier test may be dying; a namespace that is nobody's must not.
        let own = self.own.borrow().clone();
        deletes.retain(|it| it.uid.as_ref().is_none_or(|uid| own.contains(uid)) || !it.namespace.starts_with("ci-"));
        let mut ledger = self.home.ledger().await?;
        ledger.histories.retain(|uid, _| own.contains(uid));

        let mut found = Vec::new();
        for uid in self.dead.borrow().iter() {
            let times = deletes.iter().filter(|it| it.user == user && it.uid.as_ref() == Some(uid)).count();
            if times != 1 {
                found.push(format!("{uid} was deleted {times} times"));
            }
        }
        let ours = Installation::user("");
        let refused = requests.iter().filter(|it| it.user.username.starts_with(&ours) && it.is_without_right());
        found.extend(refused.map(|it| format!("{} has no right to {} {}", it.user.username, it.verb, it.request_uri)));
        let run = Run { ledger, deletes, user, alive, faults: Faults::default(), timings: Timings::RELEASE };
        found.extend(judge(&run).iter().map(ToString::to_string));
        Ok(found)
    }

    /// What somebody would look at who wants to know why the test failed.
    async fn dump(&self) -> String {
        let everywhere = ["get", "namespaces,pods", "--all-namespaces", "--output=wide"];
        let everywhere = self.home.cluster.kubectl(everywhere).await.unwrap_or_else(|error| format!("{error:#}"));
        let ledger = self.home.ledger().await.unwrap_or_default();
        let own = self.own.borrow().clone();
        let entries = own.iter().flat_map(|uid| &ledger.history(uid).0);
        let line = |entry: &Entry| format!("{} {} {} {} {}\n", entry.at, entry.name, entry.seq, entry.kind, entry.data);
        let histories: String = entries.map(line).collect();
        let release = self.home.dump().await;
        format!(
            "--- kubectl get namespaces,pods\n{everywhere}\n--- histories of the test's namespaces\n{histories}\n{release}"
        )
    }

    fn note_passed(&self, test: &str) -> Result<()> {
        File::create(self.home.directory().join(format!("passed-{test}")))?;
        Ok(())
    }

    /// Whether this test has passed on this installation.
    pub(crate) fn has_passed(&self, test: &str) -> bool {
        fs::exists(self.home.directory().join(format!("passed-{test}"))).unwrap_or_default()
    }
}
