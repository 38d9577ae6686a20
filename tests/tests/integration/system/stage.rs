//! Where the story takes place.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::oracle::{Faults, History, Run, Timings, Violation, judge};
use testbed::{AuditEvent, Installation, accepted_namespace_deletes, eventually};

pub(crate) const HOME: &str = Installation::HOME;
pub(crate) const RELEASE: &str = Installation::RELEASE;

/// For what takes seconds: pods start, watches notice, Jobs end.
pub(crate) const SOON: Duration = Duration::from_secs(120);
/// For what waits for a changed configuration to come into the pods, a minute and more, or for the next full minute.
pub(crate) const LATER: Duration = Duration::from_secs(240);

/// How long the audit log may lag behind the answers.
const LAG: Duration = Duration::from_secs(20);

/// An installation, and who looks at it.
pub(crate) struct Stage {
    pub(crate) home: Installation,
}

impl Stage {
    /// `helm ACTION`, with the values of the story, changed.
    pub(crate) async fn release(&self, action: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
        let story = |values: &mut Value| {
            let config = &mut values["config"];
            config["mode"] = json!("enforce");
            config["leadership"] = json!({"lease": "6s"});
            config["workers"] = json!({"min": 0, "max": 3, "idle_for": "10s"});
            config["budget"] = json!({"at_least": 1000});
            config["waves"] = json!({"at_least": 1000});
            config["health"] = json!({"check_every": "2s"});
            config["policies"] = json!([{
                "name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "20s", "visible_for": "1s",
                "checks": {"settling_period": "1s", "grace_period": "1s"},
            }]);
            change(values);
        };
        self.home.release(action, story).await.map(drop)
    }

    pub(crate) fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.home.client.clone())
    }

    pub(crate) async fn history(&self, uid: &str) -> Result<History> {
        Ok(self.home.ledger().await?.history(uid).clone())
    }

    /// Every request so far. The log is complete when it holds one that is made now.
    pub(crate) async fn requests(&self) -> Result<Vec<AuditEvent>> {
        let marker = format!("marker-{:016x}", rand::random::<u64>());
        self.namespaces().get_opt(&marker).await?;
        eventually("the audit log is written", LAG, async || {
            let events = self.home.cluster.plane().audit()?;
            let is_marker = |event: &AuditEvent| {
                event.object_ref.as_ref().is_some_and(|object| object.name.as_ref() == Some(&marker))
            };
            ensure!(events.iter().any(is_marker), "no marker");
            Ok(events)
        })
        .await
    }

    /// Holds everything that happened against the rules.
    pub(crate) async fn verdict(&self) -> Result<()> {
        eventually("the oracle finds nothing", LAG, async || {
            let found = self.judge().await?;
            let list = || found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            ensure!(found.is_empty(), "\n{}", list());
            Ok(())
        })
        .await
    }

    async fn judge(&self) -> Result<Vec<Violation>> {
        let user = Installation::user("action");
        let namespaces = self.namespaces().list_metadata(&ListParams::default()).await?;
        let lives = namespaces.iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
        let alive: BTreeSet<_> = lives.filter_map(ResourceExt::uid).collect();
        let deletes = accepted_namespace_deletes(&self.requests().await?);
        ensure!(deletes.iter().any(|delete| delete.user == user), "the workers deleted nothing at all");
        let ledger = self.home.ledger().await?;
        Ok(judge(&Run { ledger, deletes, user, alive, faults: Faults::default(), timings: Timings::RELEASE }))
    }
}
