//! One namespace of a story, by its uid: a later one of its name is another.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::audit_checker::{Entry, History, Ledger};
use testbed::eventually;

use super::world::ledger_in;
use super::{LATER, SOON, World, until};

/// What begins each annotation of ours.
const PREFIX: &str = "manager.cicd.skao.int/";

/// A namespace of a story.
#[derive(Clone, Debug)]
pub(crate) struct Demo {
    pub(crate) name: String,
    pub(crate) uid: String,
    namespaces: Api<Namespace>,
    store: PathBuf,
    database: Option<String>,
}

impl Demo {
    pub(super) async fn create(
        world: &World,
        name: &str,
        labels: &[(&str, &str)],
        overrides: &[(&str, &str)],
    ) -> Result<Self> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels.iter().map(own).collect()),
                annotations: Some(overrides.iter().map(own).map(|(key, value)| (key_of(&key), value)).collect()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespaces = world.namespaces();
        let made = namespaces.create(&PostParams::default(), &namespace).await;
        let made = made.with_context(|| format!("cannot create `{name}`"))?;
        let uid = made.uid().context("a uid")?;
        Ok(Self { name: name.to_owned(), uid, namespaces, store: world.store(), database: world.database() })
    }

    /// The namespace as it is; `None` where its name is free, or another one's.
    pub(crate) async fn now(&self) -> Result<Option<Namespace>> {
        let found = self.namespaces.get_opt(&self.name).await?;
        Ok(found.filter(|namespace| namespace.uid().as_ref() == Some(&self.uid)))
    }

    /// When it was created, in whole seconds.
    pub(crate) async fn created(&self) -> Result<Timestamp> {
        let namespace = self.now().await?.with_context(|| format!("`{}` is gone", self.name))?;
        Ok(namespace.metadata.creation_timestamp.context("an instant of creation")?.0)
    }

    /// Whether a deletion of it was accepted.
    pub(crate) async fn is_deleted_now(&self) -> Result<bool> {
        Ok(self.now().await?.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
    }

    /// Waits until a deletion of it was accepted, and what became of the request is written down: a story that ends
    /// nsm in between leaves an intent without an outcome, which is the next start's to close.
    pub(crate) async fn is_deleted(&self) -> Result<()> {
        eventually(&format!("`{}` is deleted", self.name), LATER, async || {
            ensure!(self.is_deleted_now().await?, "{:?}, {:?}", self.ours().await?, self.kinds());
            let ledger = ledger_in(&self.store, self.database.as_deref()).await?;
            let history = self.history_in(&ledger);
            ensure!(
                !history.has_open_intent(),
                "what became of the request is not written down: {:?}",
                history.0.last()
            );
            Ok(())
        })
        .await
    }

    /// Checks that no deletion of it was accepted so far.
    pub(crate) async fn lives(&self) -> Result<()> {
        ensure!(!self.is_deleted_now().await?, "`{}` is deleted: {:?}", self.name, self.kinds());
        Ok(())
    }

    /// Deletes it as its owner, unless somebody did.
    pub(crate) async fn delete(&self) -> Result<()> {
        let preconditions = Preconditions { uid: Some(self.uid.clone()), resource_version: None };
        let params = DeleteParams::default().preconditions(preconditions);
        match self.namespaces.delete(&self.name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a deletion, as the controller manager would once the namespace is empty.
    pub(crate) async fn finish(&self) -> Result<()> {
        eventually(&format!("`{}` is gone", self.name), SOON, async || {
            let Some(mut namespace) = self.now().await? else { return Ok(()) };
            namespace.spec.get_or_insert_default().finalizers = Some(Vec::new());
            // Refused where somebody changed it meanwhile.
            self.namespaces.replace_subresource("finalize", &self.name, &PostParams::default(), &namespace).await?;
            ensure!(self.now().await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }

    /// Has it expire now, by its owner's word: until then a story may take as long as it likes.
    pub(crate) async fn expire(&self) -> Result<()> {
        self.annotate(&[("ttl", Some("1s"))]).await?;
        until(self.created().await? + SignedDuration::from_secs(1)).await
    }

    /// Our annotations, by key without prefix.
    pub(crate) async fn ours(&self) -> Result<BTreeMap<String, String>> {
        let Some(namespace) = self.now().await? else { return Ok(BTreeMap::new()) };
        let strip = |(key, value): (&String, &String)| Some((key.strip_prefix(PREFIX)?.to_owned(), value.clone()));
        Ok(namespace.annotations().iter().filter_map(strip).collect())
    }

    /// Waits until an annotation of ours has this value, and returns all of them.
    pub(crate) async fn shows(&self, key: &str, value: &str) -> Result<BTreeMap<String, String>> {
        eventually(&format!("`{}` shows {key} {value}", self.name), SOON, async || {
            let ours = self.ours().await?;
            ensure!(ours.get(key).is_some_and(|shown| shown == value), "{ours:?}, {:?}", self.kinds());
            Ok(ours)
        })
        .await
    }

    /// Annotates it as its owner; `None` removes. Returns it as it is then.
    pub(crate) async fn annotate(&self, overrides: &[(&str, Option<&str>)]) -> Result<Namespace> {
        let overrides: BTreeMap<_, _> = overrides.iter().map(|(key, value)| (key_of(key), value)).collect();
        let patch = json!({"metadata": {"uid": self.uid, "annotations": overrides}});
        Ok(self.namespaces.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    /// What the store knows of it.
    pub(crate) fn history(&self) -> Result<History> {
        Ok(self.history_in(&Ledger::read(&self.store)?).clone())
    }

    /// What this ledger knows of it.
    pub(super) fn history_in<'a>(&self, ledger: &'a Ledger) -> &'a History {
        ledger.history(&self.uid)
    }

    /// The statuses it has had, in order.
    pub(crate) fn statuses(&self) -> Result<Vec<String>> {
        let history = self.history()?;
        Ok(history.of_kind("StatusChanged").filter_map(|entry| entry.text("to")).map(str::to_owned).collect())
    }

    /// Waits until its history has an entry like this.
    pub(crate) async fn records(&self, kind: &str, like: impl Fn(&Entry) -> bool) -> Result<Entry> {
        eventually(&format!("`{}` records {kind}", self.name), LATER, async || {
            let history = self.history()?;
            let found = history.of_kind(kind).find(|entry| like(entry)).cloned();
            found.with_context(|| format!("{:#?}", history.0))
        })
        .await
    }

    /// Waits until its history says that it was not deleted, for this reason.
    pub(crate) async fn is_skipped(&self, why: &str) -> Result<Entry> {
        self.records("ActionSkipped", |entry| entry.text("why") == Some(why)).await
    }

    /// The kinds of its entries, for messages.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let history = self.history().unwrap_or_default();
        history.0.into_iter().map(|entry| entry.kind).collect()
    }
}

/// The full key of an annotation of ours.
pub(crate) fn key_of(key: &str) -> String {
    format!("{PREFIX}{key}")
}
