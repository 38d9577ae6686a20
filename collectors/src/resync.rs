//! What the store knows and a complete list does not name has ended while nobody watched.

use std::collections::BTreeSet;

use common::{
    controls, heartbeat,
    history::load_and_mend,
    store::{EntryPosition, Heartbeat, Store, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Uid, record::Phase, time::saturating_add};

use crate::collector::Collector;

/// How many snapshots or entries are read at once.
const PAGE: usize = 500;

/// How far before its predecessor's start a collector searches for what that one left unfinished.
const TAIL_OVERLAP: SignedDuration = SignedDuration::from_mins(10);

impl Collector {
    /// The uids in the store that are of this shard, have not ended and are not in `listed`: in all that are there,
    /// no matter whose they are.
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
}

/// Writes the snapshots that a process did not get to between an entry and its snapshot, so that lists are whole again:
/// without its first snapshot nobody would miss a namespace that has gone. Reads what was written since shortly
/// before `since`, which is when the predecessor of a collector began, or before the start of a collector that has not
/// ended as it should, whose heartbeat is there still; without a predecessor since the former start of the controller.
///
/// # Errors
/// When the store is out of reach.
pub(crate) async fn settle(
    store: &dyn Store,
    heartbeats: &[Heartbeat],
    since: Option<Timestamp>,
) -> Result<(), StoreError> {
    let from = match since {
        Some(since) => left_by_collectors(heartbeats).into_iter().chain([since]).min(),
        None => controls::previous_start(store).await?,
    };
    let Some(from) = from.map(|from| saturating_add(from, -TAIL_OVERLAP)) else { return Ok(()) };
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
            Some(last) if page.len() == PAGE => after = Some(EntryPosition::of(last)),
            _ => return Ok(()),
        }
    }
}

/// When the first of those collectors began whose heartbeats are there still.
fn left_by_collectors(heartbeats: &[Heartbeat]) -> Option<Timestamp> {
    heartbeats
        .iter()
        .filter(|heartbeat| heartbeat.role == heartbeat::COLLECTOR)
        .map(|heartbeat| heartbeat.started)
        .min()
}

#[cfg(test)]
mod tests {
    use common::{history::token, store::open};
    use lifecycle::{Actor, Entry, Event, event::Released};

    use super::*;

    const DEATH: i64 = 100_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Whether a collector whose predecessor began at `since` mends what another left that died at [`DEATH`], between an
    /// entry and its snapshot. Controllers began at `controllers`; the heartbeat of the one that died is there if it
    /// began at `died`.
    async fn mends(since: Option<i64>, controllers: &[i64], died: Option<i64>) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let actor = Actor::role(heartbeat::COLLECTOR, "a");
        for start in controllers {
            controls::begin_epoch(&*store, &actor, at(*start)).await.unwrap();
        }
        let uid = Uid::new("u");
        let entry = Entry {
            uid: uid.clone(),
            seq: 1,
            at: at(DEATH),
            actor,
            name: "a".to_owned(),
            token: token(),
            event: Event::Released(Released { why: "for a test".to_owned() }),
        };
        store.append(&entry).await.unwrap();
        let heartbeat = |started| {
            let (id, role, body) = ("a".to_owned(), heartbeat::COLLECTOR.to_owned(), serde_json::Value::Null);
            Heartbeat { id, role, started: at(started), at: at(DEATH), body }
        };
        let heartbeats: Vec<_> = died.into_iter().map(heartbeat).collect();
        assert!(store.snapshot(&uid).await.unwrap().is_none());
        settle(&*store, &heartbeats, since.map(at)).await.unwrap();
        store.snapshot(&uid).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn what_a_collector_left_behind_is_mended() {
        assert!(mends(Some(DEATH - 1), &[0], None).await, "under the first controller there ever was");
        assert!(
            mends(Some(DEATH - 1), &[0, DEATH + 3_600, DEATH + 3_601], None).await,
            "controllers began anew, twice"
        );
        assert!(mends(Some(DEATH + 50_000), &[0], Some(DEATH - 1)).await, "nobody ran for half a day");
        assert!(mends(None, &[DEATH - 1, DEATH + 50_000], None).await, "it stays until asked to end");
        assert!(!mends(Some(DEATH + 50_000), &[0], None).await, "the collector before has mended it");
    }
}
