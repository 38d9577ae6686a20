//! The switches: whether anything destructive may be done at all, now and by us.

use common::{config::Settings, controls, holds};
use lifecycle::{Condition, event::SkipReason};

use crate::{permit::Refusal, worker::Worker};

/// Asks every switch (docs/design/protocol.md section 2, step 2). Asked before the intent, and once more after it: a
/// stop that was activated in between has not seen the intent, but the intent's writer sees the stop.
///
/// # Errors
/// When the store is out of reach, which is a no.
pub(crate) async fn refusal(worker: &Worker, settings: &Settings) -> anyhow::Result<Option<Refusal>> {
    let store = &*worker.context.store;
    if let Some(stop) = controls::stopped(store).await? {
        let reason = stop.body.reason.map_or(String::new(), |reason| format!(": {reason}"));
        let detail = format!("`{}` stopped all deletions{reason}; `nsm resume` lets them go on", stop.actor);
        return Ok(Some(refuse(SkipReason::Stopped, detail)));
    }
    let in_force = controls::config(store).await?.map(|control| control.body.hash);
    if in_force.as_ref() != Some(&settings.hash) {
        let detail = "this worker has another configuration than the one in force".to_owned();
        return Ok(Some(refuse(SkipReason::Unverified, detail)));
    }
    if let Some(mismatch) = controls::store_mismatch(store).await? {
        let detail = format!(
            "this store may not be the right one (namespace `{}`: {}); once you know that it is, run `nsm approve --store`",
            mismatch.body.namespace, mismatch.body.why
        );
        return Ok(Some(refuse(SkipReason::Unverified, detail)));
    }
    if let Some(hold) = holds::in_force(store).await? {
        return Ok(Some(refuse(SkipReason::Held, hold.body.to_string())));
    }
    if let Some(missing) = worker.admission_probe.missing(&worker.context).await {
        return Ok(Some(refuse(SkipReason::Unverified, missing)));
    }
    let clock = clock(worker).await?;
    Ok((!clock.is_true()).then(|| refuse(SkipReason::Unverified, clock.reason)))
}

/// Whether our clock agrees with the apiserver's, which is queried where it is not known to.
///
/// # Errors
/// When the apiserver is out of reach.
pub(crate) async fn clock(worker: &Worker) -> anyhow::Result<Condition> {
    let (cluster, clock) = (&worker.context.cluster, &worker.context.clock);
    if !cluster.clock.compare(clock.now()).is_true() {
        cluster.ask_time().await?;
    }
    Ok(cluster.clock.compare(clock.now()))
}

const fn refuse(why: SkipReason, detail: String) -> Refusal {
    Refusal { why, detail, not_before: None }
}

#[cfg(test)]
mod tests;
