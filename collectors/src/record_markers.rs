//! Whether the record marker on a namespace agrees with its history, and what follows where it does not (docs/design/protocol.md
//! section 2, step 1).
//!
//! A marker tells of entries that were written. Where the store does not have them, they were lost, or the store is another
//! one. But anybody who may annotate a namespace may write a marker, and one comes along with a copy or from a backup: one
//! of another namespace proves nothing, and one alone holds back its own namespace and no other. One that cannot be read
//! names no entry: it holds back its own namespace, however many there are, and says nothing about the store.

use common::{
    budget,
    controls::{self, MarkerReport, StoreMismatch},
    history::{Appended, append_named, load},
    store::StoreError,
    timings::signed,
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Event, Keys, Namespace, Observation, Record,
    event::{RecordMarkerMismatched, RecordMarkerTrusted},
    keys::{Mismatch, RECORD, RecordMarker},
    record::Phase,
    time::{between, saturating_add},
};
use tracing::{error, warn};

use crate::collector::Collector;

/// How long the number of managed namespaces is good for the share of them that makes a store mismatch.
const COUNTED_FOR: SignedDuration = SignedDuration::from_mins(1);

/// What the comparison of a marker led to.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Annotations may be written. A marker that contradicts this store is left as it is: it is the only trace that
    /// entries were lost.
    pub(crate) belongs: bool,
    pub(crate) written: Vec<Event>,
    /// When to compare again: nothing announces that somebody trusted the store.
    pub(crate) again: Option<Timestamp>,
}

impl Collector {
    /// Compares the marker on a namespace with its history. What does not agree is recorded before anything else is: with
    /// the next entries the history would catch up with the marker.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub(crate) async fn compare_marker(
        &self,
        keys: &Keys,
        is_matched: bool,
        record: &mut Record,
        seen: &Observation,
    ) -> Result<Compared, StoreError> {
        let namespace = &seen.namespace;
        if record.head == 0 && !is_matched {
            // Another installation's, for all we know: on one cluster each may manage namespaces of its own.
            return Ok(Compared::default());
        }
        let mut compared = Compared { belongs: true, ..Compared::default() };
        if record.mismatch.is_none() {
            match self.check_marker(namespace, keys, record).await {
                Ok(()) => return Ok(compared),
                // Nothing that could be read again makes sense of it, and nothing is written now.
                Err(Mismatch::Unreadable) if is_silent(namespace, record) => return Ok(Compared::default()),
                Err(_) => {}
            }
        }
        // Another collector on the same store may have begun an epoch or appended since.
        self.read_markers(record.mismatch.is_some()).await?;
        if let Some(mismatch) = record.mismatch.clone() {
            let trusted_before = self.markers.lock().await.store_identity.trusted_before_epoch;
            let trusted = Event::RecordMarkerTrusted(RecordMarkerTrusted { marker: mismatch.marker });
            if trusted_before <= mismatch.epoch || !self.note(namespace, record, trusted, &mut compared).await? {
                compared.again = Some(self.recheck_at(self.context.clock.now()));
                compared.belongs = false;
                return Ok(compared);
            }
        } else {
            *record = load(&*self.context.store, &record.uid).await?;
        }
        let mismatch = match self.check_marker(namespace, keys, record).await {
            Ok(()) => return Ok(compared),
            Err(mismatch) => mismatch,
        };
        compared.belongs = false;
        match mismatch {
            // It names no entry, so it tells of none that was lost: it holds back its own namespace, however many there are.
            Mismatch::Unreadable => {}
            Mismatch::OtherStore(_) | Mismatch::Behind { .. } => self.report(namespace, &mismatch).await?,
        }
        let marker = RecordMarker::on_record(keys.read(namespace, RECORD).unwrap_or_default()).to_owned();
        let epoch = self.markers.lock().await.store_identity.epoch();
        let event = Event::RecordMarkerMismatched(RecordMarkerMismatched { marker, why: mismatch.to_string(), epoch });
        self.note(namespace, record, event, &mut compared).await?;
        compared.again = Some(self.recheck_at(self.context.clock.now()));
        Ok(compared)
    }

    async fn check_marker(&self, namespace: &Namespace, keys: &Keys, record: &Record) -> Result<(), Mismatch> {
        self.markers.lock().await.store_identity.check(namespace, keys, record)
    }

    /// Reads again which markers this store may have left. Where only somebody's trust in the store is awaited, it reads no
    /// more often than `recheck_interval`.
    async fn read_markers(&self, only_waits: bool) -> Result<(), StoreError> {
        let mut markers = self.markers.lock().await;
        let now = self.context.clock.now();
        let every = signed(self.context.timings().recheck_interval);
        let is_fresh = markers.read_at.is_some_and(|at| between(at, now) < every && at <= now);
        if !(only_waits && is_fresh) {
            markers.store_identity = controls::store_identity(&*self.context.store).await?;
            markers.read_at = Some(now);
        }
        Ok(())
    }

    /// Appends what became of the comparison. `false`: not now, something else is under way or was written meanwhile.
    async fn note(
        &self,
        namespace: &Namespace,
        record: &mut Record,
        event: Event,
        compared: &mut Compared,
    ) -> Result<bool, StoreError> {
        if is_silent(namespace, record) {
            return Ok(false);
        }
        let (store, now) = (&*self.context.store, self.context.clock.now());
        match append_named(store, record, &namespace.name, &self.actor, event.clone(), now).await? {
            Appended::Written => {
                if let Event::RecordMarkerMismatched(mismatch) = &event {
                    let name = &namespace.name;
                    warn!(namespace.name = %name, "namespace `{name}` is not deleted: {}", mismatch.why);
                }
                compared.written.push(event);
                Ok(true)
            }
            Appended::Conflict => {
                *record = load(store, &record.uid).await?;
                Ok(false)
            }
        }
    }

    /// Reports a marker that contradicts this store. Where more tell the same than a mishap brings about, it reports a
    /// mismatch of the whole store. What was created since the present epoch began tells nothing of what was lost before.
    async fn report(&self, namespace: &Namespace, mismatch: &Mismatch) -> Result<(), StoreError> {
        let (store, now) = (&*self.context.store, self.context.clock.now());
        // One at a time, so that the same is not counted by each.
        let mut markers = self.markers.lock().await;
        let is_older = markers.store_identity.began.is_some_and(|began| namespace.created < began);
        if !is_older || controls::store_mismatch(store).await?.is_some() {
            return Ok(());
        }
        let report = MarkerReport { uid: namespace.uid.clone(), namespace: namespace.name.clone() };
        let reported = controls::report_marker(store, &self.actor, &report, now).await?;
        let count = reported.len() as u64;
        if count < controls::mismatch_limit(0) {
            return Ok(());
        }
        let known = markers.managed.filter(|(at, _)| *at <= now && now < saturating_add(*at, COUNTED_FOR));
        let (at, managed) = match known {
            Some(known) => known,
            None => (now, budget::managed(store).await?),
        };
        markers.managed = Some((at, managed));
        if count < controls::mismatch_limit(managed) {
            return Ok(());
        }
        let why = format!("{mismatch}; {count} namespaces tell the same");
        error!(
            namespace.name = %namespace.name,
            "nothing is deleted, for this store may not be the right one: namespace `{}`: {why}; once you know that it is, \
             run `nsm approve --store`",
            namespace.name
        );
        let mismatch = StoreMismatch { namespace: namespace.name.clone(), why };
        controls::report_mismatch(store, &self.actor, &mismatch, now).await
    }
}

/// Whether nothing about its marker is written now: something else is under way, or nothing will be done to it any more.
const fn is_silent(namespace: &Namespace, record: &Record) -> bool {
    record.open.is_some()
        || record.done.is_some()
        || record.damage.is_some()
        || matches!(record.phase, Phase::Gone)
        || namespace.deleted.is_some()
}

#[cfg(test)]
mod tests;
