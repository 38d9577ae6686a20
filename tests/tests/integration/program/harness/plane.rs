//! The control planes of stories, and what nsm's users may do there.

use anyhow::Result;
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
#[derive(Debug)]
pub(crate) enum Plane {
    Shared(&'static ControlPlane),
    Own(Box<ControlPlane>),
}

impl Plane {
    /// The control plane of all stories that do not break it. It has no controller manager: deleted namespaces stay `Terminating` until
    /// the story ends them.
    pub(crate) async fn shared() -> Result<Self> {
        static GRANTED: OnceCell<()> = OnceCell::const_new();
        let plane = ControlPlane::shared_objects().await?;
        GRANTED.get_or_try_init(async || grant_all(plane).await).await?;
        Ok(Self::Shared(plane))
    }

    /// A control plane to be broken, otherwise alike.
    pub(crate) async fn own() -> Result<Self> {
        let users = RIGHTS.map(|(user, _)| User::new(user)).into();
        let plane = ControlPlane::start(Options { users, controller_manager: false }).await?;
        grant_all(&plane).await?;
        Ok(Self::Own(Box::new(plane)))
    }

    /// A control plane with a controller manager, which deletes the content of namespaces and ends them.
    pub(crate) async fn with_controllers() -> Result<Self> {
        let users = RIGHTS.map(|(user, _)| User::new(user)).into();
        let plane = ControlPlane::start(Options { users, controller_manager: true }).await?;
        grant_all(&plane).await?;
        Ok(Self::Own(Box::new(plane)))
    }

    /// Lets this user do from now on what [`WORKER`] may: on a control plane of the story's own, for it holds for everybody.
    pub(crate) async fn promote(&self, user: &str) -> Result<()> {
        let (_, verbs) = RIGHTS[0];
        grant(&self.client(User::ADMIN).await?, user, verbs, true).await
    }
}

impl std::ops::Deref for Plane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        match self {
            Self::Shared(plane) => plane,
            Self::Own(plane) => plane,
        }
    }
}

/// Lets each user do what [`RIGHTS`] says, as it may be already.
async fn grant_all(plane: &ControlPlane) -> Result<()> {
    let client = plane.client(User::ADMIN).await?;
    for (user, verbs) in RIGHTS {
        grant(&client, user, verbs, user != NO_WORKLOADS).await?;
    }
    Ok(())
}

/// Lets a user do this to namespaces, write Events, and perhaps read workloads.
async fn grant(client: &Client, user: &str, verbs: &[&str], reads_workloads: bool) -> Result<()> {
    // `get` is of no use to nsm, and a rule needs a verb.
    let workloads = if reads_workloads { &["list", "watch"][..] } else { &["get"] };
    // Other suites may have users of these names, who may do something else.
    let name = format!("program-{user}");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": verbs},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
            {"apiGroups": ["apps", "batch", "", "storage.k8s.io"], "verbs": workloads, "resources": [
                "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs", "pods", "persistentvolumeclaims",
                "storageclasses",
            ]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let params = PatchParams::apply("testbed").force();
    Api::<ClusterRole>::all(client.clone()).patch(&name, &params, &Patch::Apply(role)).await?;
    Api::<ClusterRoleBinding>::all(client.clone()).patch(&name, &params, &Patch::Apply(binding)).await?;
    Ok(())
}
