//! How every story ends: before the audit checker.

use anyhow::{Result, ensure};
use kube::ResourceExt;
use kube::api::ListParams;
use testbed::audit_checker::{Run, Timings, Violation, judge};
use testbed::{AuditEvent, accepted_namespace_deletes, eventually};

use super::{SOON, World};

impl World {
    /// Holds everything that happened to the story's namespaces against the rules.
    pub(super) async fn verdict(&self) -> Result<()> {
        // What seems broken may wait for a line of the log. What was kept is not broken by a later line: requests that
        // were answered before this one are in the log by then.
        self.log_is_complete().await?;
        eventually("the audit checker finds nothing", SOON, async || {
            let found = self.judge().await?;
            let list = || found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            ensure!(found.is_empty(), "\n{}", list());
            Ok(())
        })
        .await
    }

    async fn judge(&self) -> Result<Vec<Violation>> {
        let namespaces = self.namespaces().list_metadata(&ListParams::default()).await?;
        let lives = namespaces.iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
        let alive = lives.filter_map(ResourceExt::uid).collect();
        let deletes = accepted_namespace_deletes(&self.requests()?);
        let ledger = self.whole_ledger().await?;
        let told = self.told();
        let (user, faults) = (told.user.to_owned(), told.faults);
        let mut found =
            judge(&Run { ledger: ledger.clone(), deletes, user, alive, faults, timings: Timings::of_tests() });
        for history in ledger.histories.values() {
            if let Some(entry) = history.0.iter().find(|entry| !told.names.contains(&entry.name)) {
                found.push(Violation { rule: "S2", what: format!("`{}` is none of its business", entry.name) });
            }
        }
        Ok(found)
    }

    /// Every request on the story's namespaces so far.
    pub(crate) fn requests(&self) -> Result<Vec<AuditEvent>> {
        let mut told = self.told();
        let told = &mut *told;
        let is_ours = |event: &&AuditEvent| {
            let name = event.object_ref.as_ref().and_then(|object| object.name.as_ref());
            event.is_on_namespaces() && name.is_some_and(|name| told.names.contains(name))
        };
        Ok(told.audit.events()?.iter().filter(is_ours).cloned().collect())
    }

    /// Waits until the log holds a request that is made now.
    pub(crate) async fn log_is_complete(&self) -> Result<()> {
        let marker = format!("marker-{:016x}", rand::random::<u64>());
        let mut log = self.plane.audit_of(&marker)?;
        self.namespaces().get_opt(&marker).await?;
        eventually("the audit log is written", SOON, async || {
            ensure!(!log.events()?.is_empty(), "no marker");
            Ok(())
        })
        .await
    }
}
