//! Namespaces with real pods in them.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::eventually;

use crate::system::stage::{LABEL, LATER, SOON, Stage};

/// What begins each annotation of ours.
const PREFIX: &str = "manager.cicd.skao.int/";

/// A namespace, by its uid: a later one of its name is another.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) uid: String,
}

fn deployments(stage: &Stage, namespace: &str) -> Api<Deployment> {
    Api::namespaced(stage.client.clone(), namespace)
}

impl Actor {
    /// Creates a namespace with these annotations of its owner.
    pub(crate) async fn enter(stage: &Stage, name: &str, overrides: &[(&str, &str)]) -> Result<Self> {
        let annotations =
            overrides.iter().map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned())).collect();
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                annotations: Some(annotations),
                labels: Some([(LABEL.0.to_owned(), LABEL.1.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        // An earlier one of its name may be on its way.
        let made = eventually(&format!("`{name}` is created"), SOON, async || {
            Ok(stage.namespaces().create(&PostParams::default(), &namespace).await?)
        })
        .await?;
        let uid = made.uid().context("a uid")?;
        stage.owns(&uid);
        Ok(Self { name: name.to_owned(), uid })
    }

    /// Creates a namespace in which a Deployment runs a pod, and waits for the pod.
    pub(crate) async fn enter_working(stage: &Stage, name: &str, overrides: &[(&str, &str)]) -> Result<Self> {
        let actor = Self::enter(stage, name, overrides).await?;
        actor.deploy(stage, stage.home.cluster.busybox()).await?;
        eventually(&format!("the pod of `{name}` runs"), SOON, async || {
            let status = deployments(stage, name).get("work").await?.status.context("no status")?;
            ensure!(status.available_replicas == Some(1), "{status:?}");
            Ok(())
        })
        .await?;
        Ok(actor)
    }

    /// Makes a Deployment in it that runs a pod of this image, which has to be on the node already.
    pub(crate) async fn deploy(&self, stage: &Stage, image: &str) -> Result<()> {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "work"},
            "spec": {
                "selector": {"matchLabels": {"app": "work"}},
                "template": {
                    "metadata": {"labels": {"app": "work"}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "work",
                            "image": image,
                            "imagePullPolicy": "Never",
                            "command": ["/bin/sleep", "3600"],
                        }],
                    },
                },
            },
        }))?;
        deployments(stage, &self.name).create(&PostParams::default(), &deployment).await?;
        Ok(())
    }

    /// Writes an annotation of its owner, or takes it away.
    pub(crate) async fn asks(&self, stage: &Stage, key: &str, value: Option<&str>) -> Result<()> {
        let change = json!({"metadata": {"annotations": {format!("{PREFIX}{key}"): value}}});
        stage.namespaces().patch(&self.name, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// The namespace as it is; `None` where its name is free, or another one's.
    pub(crate) async fn now(&self, stage: &Stage) -> Result<Option<Namespace>> {
        let found = stage.namespaces().get_opt(&self.name).await?;
        Ok(found.filter(|namespace| namespace.uid().as_ref() == Some(&self.uid)))
    }

    /// Whether it lives: it is there, and no deletion of it was accepted.
    pub(crate) async fn lives(&self, stage: &Stage) -> Result<()> {
        let now = self.now(stage).await?.with_context(|| format!("`{}` is gone", self.name))?;
        ensure!(now.metadata.deletion_timestamp.is_none(), "`{}` is being deleted", self.name);
        Ok(())
    }

    /// Waits until it is gone, pods and all, and its history says so.
    pub(crate) async fn dies(&self, stage: &Stage) -> Result<()> {
        eventually(&format!("`{}` is gone, and recorded so", self.name), LATER, async || {
            let now = self.now(stage).await?;
            let kinds: Vec<_> = stage.history(&self.uid).await?.0.into_iter().map(|entry| entry.kind).collect();
            ensure!(now.is_none() && kinds.iter().any(|kind| kind == "Gone"), "{kinds:?}");
            ensure!(kinds.iter().any(|kind| kind == "ActionDone"), "{kinds:?}");
            Ok(())
        })
        .await?;
        stage.lost(&self.uid);
        Ok(())
    }

    /// Waits until an annotation of ours has this value.
    pub(crate) async fn shows(&self, stage: &Stage, key: &str, value: &str) -> Result<()> {
        eventually(&format!("`{}` shows {key} {value}", self.name), SOON, async || {
            let now = self.now(stage).await?.context("it is gone")?;
            let shown = now.annotations().get(&format!("{PREFIX}{key}"));
            ensure!(shown.is_some_and(|shown| shown == value), "{:?}", now.annotations());
            Ok(())
        })
        .await
    }

    /// Whether it has had this status, by its history.
    pub(crate) async fn was(&self, stage: &Stage, status: &str) -> Result<bool> {
        let history = stage.history(&self.uid).await?;
        Ok(history.of_kind("StatusChanged").any(|entry| entry.text("to") == Some(status)))
    }

    /// Waits until its history has an entry of this kind.
    pub(crate) async fn records(&self, stage: &Stage, kind: &str) -> Result<()> {
        eventually(&format!("`{}` records {kind}", self.name), SOON, async || {
            let history = stage.history(&self.uid).await?;
            ensure!(history.of_kind(kind).next().is_some(), "{:?}", history.0);
            Ok(())
        })
        .await
    }

    /// Deletes it as its owner, which takes some seconds.
    pub(crate) async fn leaves(&self, stage: &Stage) -> Result<()> {
        stage.namespaces().delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until it is gone, whatever is recorded of it.
    pub(crate) async fn is_gone(&self, stage: &Stage) -> Result<()> {
        eventually(&format!("`{}` is gone", self.name), SOON, async || {
            ensure!(self.now(stage).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }
}
