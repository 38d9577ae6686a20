//! Why a deletion does not end: checked once it should have ended, and whenever something else holds it.
//!
//! What a namespace says of that comes with the watch. Its pods are listed, and only then: while one is left the namespace
//! says that nothing is. Nothing announces that the last one went, so while some were left they are listed again.

use common::{
    cluster::{ApiError, ApiOutcome, within},
    config::Settings,
    history::{Appended, append_named, load},
    store::StoreError,
    timings::signed,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::ListParams, core::PartialObjectMeta};
use lifecycle::{
    Event, Observation, Record,
    termination::{MAX_PODS_NAMED, RemainingPods, look_due},
    time::saturating_add,
};
use tracing::{debug, warn};

use crate::{cache::Left, collector::Collector};

/// How soon pods are listed again that could not be, at the latest.
const RETRY_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

impl Collector {
    /// Records why the deletion of a namespace does not end, where it should have and that is not on record. Returns when
    /// to ask again.
    pub(crate) async fn record_stalled(
        &self,
        settings: &Settings,
        record: &mut Record,
        seen: &Observation,
        left: &mut Left,
    ) -> Result<(Option<Event>, Option<Timestamp>), StoreError> {
        let (store, now) = (&*self.context.store, self.context.clock.now());
        let stalled_after = signed(settings.timings.stalled_after);
        let due = |record: &Record, left: &Left| {
            let listed = left.kept.as_ref().and_then(|kept| kept.pods_listed_at);
            look_due(record, &seen.namespace, listed, stalled_after).filter(|_| seen.clock.is_true())
        };
        if due(record, left).is_none_or(|at| at > now) {
            return Ok((None, due(record, left)));
        }
        // The worker that deleted it told the history alone.
        *record = load(store, &record.uid).await?;
        if record.open.is_some() {
            return Ok((None, Some(self.recheck_at(now))));
        }
        let were_left = record.stalled.as_ref().is_some_and(|known| known.what.pods.are_left());
        if were_left {
            self.kept(&record.uid, &mut left.kept).await?;
        }
        if due(record, left).is_none_or(|at| at > now) {
            return Ok((None, due(record, left)));
        }
        if were_left {
            // Before they are listed, for the next collector: were it not kept, each would list them.
            self.change_kept(&record.uid, &mut left.kept, |observed| observed.pods_listed_at = Some(now)).await?;
        }
        let pods = match self.pods_left(&record.name).await {
            Ok(pods) => pods,
            Err(ApiError { answer: ApiOutcome::Refused, why, .. }) => RemainingPods::Unknown(why),
            Err(error) => {
                debug!("what holds namespace `{}` is checked again: {error}", record.name);
                let again = saturating_add(now, stalled_after.min(RETRY_INTERVAL));
                return Ok((None, Some(due(record, left).map_or(again, |due| due.max(again)))));
            }
        };
        let stalled = seen.namespace.ending.as_deref().cloned().unwrap_or_default().with(pods);
        if !stalled.is_news_after(record.stalled.as_ref().map(|known| &known.what)) {
            return Ok((None, due(record, left)));
        }
        let (name, event) = (record.name.clone(), Event::DeletionStalled(stalled.clone()));
        match append_named(store, record, &name, &self.actor, event.clone(), now).await? {
            Appended::Written => {
                warn!(namespace.name = %name, "the deletion of namespace `{name}` does not end: {stalled}");
                self.remember(record).await;
                Ok((Some(event), due(record, left)))
            }
            Appended::Conflict => {
                *record = load(store, &record.uid).await?;
                Ok((None, Some(self.recheck_at(now))))
            }
        }
    }

    /// The pods that are left in a namespace: one request.
    async fn pods_left(&self, namespace: &str) -> Result<RemainingPods, ApiError> {
        let api: Api<PartialObjectMeta<Pod>> = Api::namespaced(self.context.cluster.client.clone(), namespace);
        let params = ListParams::default().limit(u32::try_from(MAX_PODS_NAMED).unwrap_or(u32::MAX));
        let page = within(&format!("list the pods of namespace `{namespace}`"), api.list(&params)).await?;
        let first: Vec<_> = page.items.iter().map(|pod| pod.name_any()).collect();
        let more = page.metadata.remaining_item_count.and_then(|more| u64::try_from(more).ok()).unwrap_or(0);
        Ok(RemainingPods::Counted { in_all: more + first.len() as u64, first })
    }
}

#[cfg(test)]
mod tests;
