//! What the store knows and a complete list does not name has ended while nobody watched.

use std::collections::BTreeSet;

use common::{controls, history::load_and_mend, store::StoreError};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Uid, record::Phase, time::saturating_add};

use crate::turn::Collector;

/// How many snapshots or entries are read at once.
const PAGE: usize = 500;

/// How far before its predecessor's start a collector looks for what that one left unfinished.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

impl Collector {
    /// The uids in the store that are of this shard, have not ended and are not in `listed`: in all that are there,
    /// whoever's they are.
    pub(crate) async fn missing(&self, listed: &BTreeSet<Uid>) -> Result<Vec<Uid>, StoreError> {
        let store = &*self.context.store;
        let mut missing = Vec::new();
        let mut after: Option<Uid> = None;
        loop {
            let page = store.snapshots(after.as_ref(), PAGE).await?;
            let absent = page.iter().filter(|record| {
                record.phase != Phase::Gone && !listed.contains(&record.uid) && self.shard.held(record)
            });
            missing.extend(absent.map(|record| record.uid.clone()));
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.uid.clone()),
                _ => return Ok(missing),
            }
        }
    }

    /// Writes the snapshots that a process did not get to between an entry and its snapshot, so that lists are whole
    /// again. Looks at what was written since shortly before the former start of the controller, or since `since`, which
    /// is when the predecessor of this collector began.
    pub(crate) async fn settle(&self, since: Option<Timestamp>) -> Result<(), StoreError> {
        let store = &*self.context.store;
        let Some(former) = controls::previous_start(store).await? else {
            return Ok(());
        };
        let from = saturating_add(since.map_or(former, |since| since.max(former)), -OVERLAP);
        let mut done = BTreeSet::new();
        let mut after = None;
        loop {
            let page = store.tail(from, after.as_ref(), PAGE).await?;
            for entry in &page {
                if !done.insert(entry.uid.clone()) {
                    continue;
                }
                load_and_mend(store, &entry.uid).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(common::store::Place::of(last)),
                _ => return Ok(()),
            }
        }
    }
}
