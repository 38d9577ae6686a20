//! Where the demo takes place: a control plane, the rights of those who act on it, and a running nsm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::PostParams;
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testbed::ci::CiServer;
use testbed::receiver::{Answer, Receiver};
use testbed::{ControlPlane, Options, Process, User, binary, eventually};

use crate::actors::{BRANCH, CAST, PROJECT};
use crate::nsm::Nsm;
use crate::play::Company;

/// Whose deletions the audit log is searched for.
pub(crate) const MANAGER: &str = "nsm";
/// Creates namespaces, and deletes its own when it is done.
pub(crate) const PIPELINE: &str = "pipeline";
/// The person who owns them.
pub(crate) const OWNER: &str = "owner";

/// The label that pipelines put on their namespaces, which the policy looks for.
pub(crate) const LABEL: (&str, &str) = ("created-by", "pipeline");
/// The label of those that are judged by more than their time, which the second policy looks for.
pub(crate) const JUDGED: (&str, &str) = ("judged-by", "its-workloads");
/// The label of those whose owners have little time to mend them, which the third policy looks for.
pub(crate) const STRICT: (&str, &str) = ("judged-by", "its-workloads-strictly");
/// What begins the labels that CI systems write.
pub(crate) const CI_PREFIX: &str = "cicd.skao.int/";
/// What begins the annotations of nsm and those it reads.
pub(crate) const PREFIX: &str = "manager.cicd.skao.int/";

/// What nsm is told to do. `{store}` is the path of its database, `{webhook}` where owners are told, `{gitlab}` where
/// pipelines run, and `{token}` the file with the token for it.
///
/// Everything but the ttl is as short as can be: what is deleted waits for a minute anyway. What is mended has a minute for that, so that
/// a busy machine does not take it away.
const CONFIG: &str = r#"mode: enforce
store: { url: "sqlite:{store}" }
telemetry: { format: compact }
notices: { webhook: { url: "{webhook}" } }
health: { check_every: 1s }
gitlab: { url: "{gitlab}", token_file: "{token}", check_every: 1s }
policies:
  - name: ci
    match: { all: [ { labels: { created-by: pipeline } } ] }
    ttl: 10s
    max_keep: 1d
    visible_for: 1s
    checks: { health: off }
  - name: judged
    match: { all: [ { labels: { judged-by: its-workloads } } ] }
    visible_for: 1s
    checks: { settling_period: 1s, grace_period: 1m, superseded: {} }
    on: { cancelled: { grace: 0 } }
  - name: strict
    match: { all: [ { labels: { judged-by: its-workloads-strictly } } ] }
    visible_for: 1s
    checks: { settling_period: 1s, grace_period: 1s }
    on: { failed: { grace: 1s } }
"#;

/// What GitLab takes for a token.
const TOKEN: &str = "glpat-demo";

/// Many times what it takes, as all that bounds a wait here: only what hangs comes to that.
const START: Duration = Duration::from_secs(60);
/// nsm gives itself less.
const END: Duration = Duration::from_secs(10);

/// nsm, and what it talks to besides the control plane. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    manager: Process,
    /// Where owners are told.
    pub(crate) webhook: Receiver,
    /// Where the pipelines run: a stub that answers as GitLab does.
    pub(crate) gitlab: CiServer,
    pub(crate) nsm: Nsm,
}

/// What leads to a control plane, while its controllers are still to start.
#[derive(Debug)]
pub(crate) struct Access {
    /// The control plane's own directory, which it removes at its end, and the testbed's reaper if we are killed.
    directory: PathBuf,
    manager: PathBuf,
    owner: PathBuf,
}

impl Access {
    pub(crate) fn to(plane: &ControlPlane) -> Result<Self> {
        let directory = plane.kubeconfig(User::ADMIN)?.parent().context("a kubeconfig is in a directory")?;
        let [manager, owner] = [MANAGER, OWNER].map(|user| plane.kubeconfig(user).map(Path::to_owned));
        Ok(Self { directory: directory.to_owned(), manager: manager?, owner: owner? })
    }
}

impl Stage {
    /// Starts a control plane, still without its controllers, and gives each user the rights it needs, and no other.
    pub(crate) async fn control_plane() -> Result<ControlPlane> {
        let users = [MANAGER, PIPELINE, OWNER].map(User::new).into();
        let plane = ControlPlane::start(Options { users, controller_manager: false }).await?;
        let admin = plane.client(User::ADMIN).await?;
        let namespaces = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": verbs});
        let events = json!({"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]});
        let workloads = json!({
            "apiGroups": ["apps", "batch", "", "storage.k8s.io"],
            "resources": ["deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs", "pods", "persistentvolumeclaims", "storageclasses"],
            "verbs": ["list", "watch"],
        });
        let managers = [namespaces(&["get", "list", "watch", "patch", "delete"]), events, workloads];
        let deployments = |verbs: &[&str]| json!({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": verbs});
        let pipelines = [namespaces(&["create", "delete"]), deployments(&["create"])];
        let owners = [namespaces(&["get", "patch"]), deployments(&["patch"])];
        tokio::try_join!(
            grant(&admin, MANAGER, &managers),
            grant(&admin, PIPELINE, &pipelines),
            grant(&admin, OWNER, &owners)
        )?;
        Ok(plane)
    }

    /// Starts a webhook and nsm, lets `company` enter meanwhile, and waits until nsm works. What nsm writes lies beside the control plane's
    /// files and goes with them.
    pub(crate) async fn start(access: Access, company: &mut Company) -> Result<Self> {
        let Access { directory, manager, owner } = access;
        let config = directory.join("nsm.yaml");
        let store = directory.join("nsm.db");
        let webhook = Receiver::start(|_, _| Answer::Status(204)).await?;
        let gitlab = CiServer::gitlab(TOKEN).await?;
        for pipeline in CAST.iter().filter_map(|member| member.pipeline) {
            gitlab.set(PROJECT, pipeline, "running");
        }
        for job in CAST.iter().filter_map(|member| member.job) {
            gitlab.set_job(PROJECT, job, BRANCH);
        }
        let token = directory.join("gitlab.token");
        std::fs::write(&token, TOKEN).context("cannot write the token")?;
        let text = CONFIG.replace("{store}", path(&store)?).replace("{webhook}", &webhook.url());
        let text = text.replace("{gitlab}", &gitlab.url()).replace("{token}", path(&token)?);
        std::fs::write(&config, text).context("cannot write the configuration")?;
        let binary = binary("nsm")?.get_program().into();
        let nsm = Nsm { binary, config, kubeconfig: owner };

        let mut command = nsm.command(&["standalone", "--mode", "enforce"], &manager);
        let manager = Process::spawn("nsm", &mut command)?;
        company.enter().await?;
        let mut stage = Self { manager, webhook, gitlab, nsm };
        let works = eventually("nsm answers", START, async || {
            if let Some(status) = stage.manager.exited()? {
                return Ok(Some(status));
            }
            ensure!(store.exists(), "it has no store yet");
            stage.nsm.list().await.map(|_| None)
        });
        match works.await {
            Ok(None) => Ok(stage),
            Ok(Some(status)) => bail!("nsm ended ({status})\n{}", stage.manager.log_tail()),
            Err(error) => bail!("nsm did not start: {error:#}\n{}", stage.manager.log_tail()),
        }
    }

    /// Fails if nsm has ended.
    pub(crate) fn ensure_running(&mut self) -> Result<()> {
        match self.manager.exited()? {
            None => Ok(()),
            Some(status) => bail!("nsm ended ({status})\n{}", self.manager.log_tail()),
        }
    }

    /// Asks nsm to end.
    pub(crate) async fn end(mut self) -> Result<()> {
        let status = self.manager.terminate(END).await?;
        ensure!(status.success(), "nsm was asked to end and did with {status}\n{}", self.manager.log_tail());
        Ok(())
    }

    /// What nsm is told to do, as written.
    pub(crate) fn policies() -> &'static str {
        CONFIG.split_once("policies:\n").expect("the configuration has policies").1
    }

    /// The end of what nsm said.
    pub(crate) fn log_tail(&self) -> String {
        self.manager.log_tail()
    }

    /// What nsm says while it works.
    pub(crate) fn log(&self) -> &Path {
        self.manager.log_path()
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))
}

/// Lets `user` do in all namespaces what `rules` say.
async fn grant(admin: &Client, user: &str, rules: &[Value]) -> Result<()> {
    let role = json!({"metadata": {"name": user}, "rules": rules});
    let binding = json!({
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    create(Api::<ClusterRole>::all(admin.clone()), role).await?;
    create(Api::<ClusterRoleBinding>::all(admin.clone()), binding).await
}

async fn create<K>(api: Api<K>, object: Value) -> Result<()>
where
    K: Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    let object = serde_json::from_value(object).expect("the object was written by hand");
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}
