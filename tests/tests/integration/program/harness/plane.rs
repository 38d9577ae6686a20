//! The control planes of stories, and what nsm's users may do there.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use testbed::{ControlPlane, Options, User};
use tokio::sync::OnceCell;

/// May do all that nsm does.
pub(crate) const WORKER: &str = "worker";
/// May do all but delete namespaces.
pub(crate) const NO_DELETE: &str = "no-delete";
/// May do all but annotate namespaces.
pub(crate) const NO_PATCH: &str = "no-patch";

/// May do all but watch namespaces.
pub(crate) const NO_WATCH: &str = "no-watch";

/// May do all but read the workloads in namespaces.
pub(crate) const NO_WORKLOADS: &str = "no-workloads";

const RIGHTS: [(&str, &[&str]); 5] = [
    (WORKER, &["get", "list", "watch", "patch", "delete"]),
    (NO_DELETE, &["get", "list", "watch", "patch"]),
    (NO_PATCH, &["get", "list", "watch", "delete"]),
    (NO_WATCH, &["get", "list", "patch", "delete"]),
    (NO_WORKLOADS, &["get", "list", "watch", "patch", "delete"]),
];

/// A control plane with nsm's users, shared or the story's own.
#[derive(Clone, Debug)]
pub(crate) struct Plane(Arc<ControlPlane>);

impl Plane {
    /// The control plane of all stories that do not break it. It ends with this process.
    pub(crate) async fn shared() -> Result<Self> {
        static SHARED: OnceCell<Result<Plane, String>> = OnceCell::const_new();
        let start = async || Self::own().await.map_err(|error| format!("{error:#}"));
        SHARED.get_or_init(start).await.clone().map_err(|error| anyhow!("{error}"))
    }

    /// A control plane to be broken.
    ///
    /// It has no controller manager: deleted namespaces stay `Terminating` until the story ends them, and forty of them
    /// cost nothing.
    pub(crate) async fn own() -> Result<Self> {
        let users = RIGHTS.map(|(user, _)| User::new(user)).into();
        let plane = ControlPlane::start(Options { users, controller_manager: false }).await?;
        let client = plane.client(User::ADMIN).await?;
        for (user, verbs) in RIGHTS {
            grant(&client, user, verbs, user != NO_WORKLOADS).await?;
        }
        Ok(Self(Arc::new(plane)))
    }

    /// Lets this user do from now on what [`WORKER`] may.
    pub(crate) async fn promote(&self, user: &str) -> Result<()> {
        let (_, verbs) = RIGHTS[0];
        grant(&self.client(User::ADMIN).await?, user, verbs, true).await
    }
}

impl std::ops::Deref for Plane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.0
    }
}

/// Lets a user do this to namespaces, write Events, and perhaps read workloads.
async fn grant(client: &Client, user: &str, verbs: &[&str], reads_workloads: bool) -> Result<()> {
    // `get` is of no use to nsm, and a rule needs a verb.
    let workloads = if reads_workloads { &["list", "watch"][..] } else { &["get"] };
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": verbs},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
            {"apiGroups": ["apps", "batch", "", "storage.k8s.io"], "verbs": workloads, "resources": [
                "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "pods", "persistentvolumeclaims",
                "storageclasses",
            ]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let params = PatchParams::apply("testbed").force();
    Api::<ClusterRole>::all(client.clone()).patch(user, &params, &Patch::Apply(role)).await?;
    Api::<ClusterRoleBinding>::all(client.clone()).patch(user, &params, &Patch::Apply(binding)).await?;
    Ok(())
}
