//! A release on a control plane of its own.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, User, eventually};

use super::{Answered, Caller, FULL, HOME, Helm, SOON};

/// A control plane, and helm to install on it.
pub(crate) struct Release {
    pub(crate) plane: ControlPlane,
    pub(crate) admin: Caller,
    pub(crate) helm: Helm,
}

impl Release {
    /// An empty cluster, where the release's namespace lets in what restricted pod security lets in.
    pub(crate) async fn none() -> Result<Self> {
        let plane = ControlPlane::start(Options::default()).await?;
        let admin = Caller::admin(&plane).await?;
        let this = Self { plane, admin, helm: Helm::new()? };
        let enforce = json!({"labels": {"pod-security.kubernetes.io/enforce": "restricted"}});
        this.namespace(HOME, &enforce).await?;
        Ok(this)
    }

    /// The same with release `nsm` installed, and its policies in force.
    pub(crate) async fn installed(values: &Value) -> Result<Self> {
        let this = Self::none().await?;
        this.install("nsm", values)?;
        this.guarded().await?;
        Ok(this)
    }

    /// Runs helm on this cluster.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.helm.on(self.plane.kubeconfig(User::ADMIN)?, arguments)
    }

    pub(crate) fn install(&self, name: &str, values: &Value) -> Result<String> {
        self.helm(&["install", name, &Helm::chart(), "--values", &self.helm.values(values)?])
    }

    pub(crate) fn upgrade(&self, values: &Value) -> Result<String> {
        self.helm(&["upgrade", "nsm", &Helm::chart(), "--values", &self.helm.values(values)?])
    }

    /// Creates a namespace with this metadata beside its name.
    pub(crate) async fn namespace(&self, name: &str, metadata: &Value) -> Result<()> {
        let mut metadata = metadata.clone();
        metadata["name"] = json!(name);
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.admin.post("/api/v1/namespaces", &body).await?.accepted();
        Ok(())
    }

    /// Somebody of the release: `action`, `api`, …
    pub(crate) async fn role(&self, component: &str) -> Result<Caller> {
        Caller::account(&self.plane, &format!("{FULL}-{component}")).await
    }

    /// Waits for what workers wait for before they enforce: a deletion of the manager's own namespace, dry, is refused by the
    /// policy. Installed, a policy takes hold a moment later. Returns the worker.
    pub(crate) async fn guarded(&self) -> Result<Caller> {
        let worker = self.role("action").await?;
        eventually("the probe is refused by the policy", SOON, async || {
            let answer = worker.delete(&path(HOME), &dry()).await?;
            ensure!(
                answer.is_refused_by(&format!("{FULL}-mark"), "is the manager's own") || !can_delete(&answer),
                "{} {}",
                answer.code,
                answer.body
            );
            Ok(())
        })
        .await?;
        Ok(worker)
    }
}

/// Whether RBAC let it through.
fn can_delete(answer: &Answered) -> bool {
    !answer.message().contains(" cannot delete resource ")
}

/// A namespace's path.
pub(crate) fn path(name: &str) -> String {
    format!("/api/v1/namespaces/{name}")
}

/// The body of a deletion that is not carried out. In the body, for with a body the parameter is ignored.
pub(crate) fn dry() -> Value {
    json!({"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]})
}
