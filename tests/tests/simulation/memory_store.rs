//! A store in memory, for stories: the same answers as the embedded adapter (`agrees.rs` compares them)
//! in the same order on every run, and without a thread.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use common::store::{
    Claim, ClaimKind, EntryPosition, Heartbeat, Inserted, Observed, Result, SourceCacheEntry, Store, StoreError,
};
use jiff::Timestamp;
use lifecycle::{Entry, Record, Uid};

#[derive(Debug, Default)]
pub(crate) struct MemoryStore(Mutex<Documents>);

#[derive(Debug, Default)]
struct Documents {
    entries: BTreeMap<(Uid, u64), Entry>,
    snapshots: BTreeMap<Uid, Record>,
    observations: BTreeMap<Uid, Observed>,
    notes: BTreeMap<String, SourceCacheEntry>,
    claims: BTreeMap<(ClaimKind, String, u64), Claim>,
    heartbeats: BTreeMap<String, Heartbeat>,
}

impl MemoryStore {
    fn read(&self) -> MutexGuard<'_, Documents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, entry: &Entry) -> Result<Inserted> {
        let mut documents = self.read();
        let known = documents.entries.entry((entry.uid.clone(), entry.seq)).or_insert_with(|| entry.clone());
        Ok(inserted(known.token == entry.token))
    }

    async fn history(&self, uid: &Uid, after: u64, limit: usize) -> Result<Vec<Entry>> {
        let documents = self.read();
        let range = (uid.clone(), after.saturating_add(1))..=(uid.clone(), u64::MAX);
        Ok(documents.entries.range(range).take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn tail(&self, from: Timestamp, after: Option<&EntryPosition>, limit: usize) -> Result<Vec<Entry>> {
        let documents = self.read();
        let place = |entry: &Entry| (entry.at, entry.uid.clone(), entry.seq);
        let after = after.map(|place| (place.at, place.uid.clone(), place.seq));
        let is_in = |entry: &&Entry| entry.at >= from && after.as_ref().is_none_or(|after| place(entry) > *after);
        let mut found: Vec<_> = documents.entries.values().filter(is_in).cloned().collect();
        found.sort_by_key(place);
        found.truncate(limit);
        Ok(found)
    }

    async fn uids_named(&self, name: &str, limit: usize) -> Result<Vec<Uid>> {
        let documents = self.read();
        let mut found: Vec<_> =
            documents.entries.values().filter(|entry| entry.seq == 1 && entry.name == name).collect();
        found.sort_by(|a, b| (b.at, &b.uid).cmp(&(a.at, &a.uid)));
        Ok(found.into_iter().take(limit).map(|entry| entry.uid.clone()).collect())
    }

    async fn put_observation(&self, uid: &Uid, observed: &Observed) -> Result<()> {
        self.read().observations.insert(uid.clone(), observed.clone());
        Ok(())
    }

    async fn observation(&self, uid: &Uid) -> Result<Option<Observed>> {
        Ok(self.read().observations.get(uid).cloned())
    }

    async fn put_note(&self, note: &SourceCacheEntry) -> Result<()> {
        self.read().notes.insert(note.about.clone(), note.clone());
        Ok(())
    }

    async fn note(&self, about: &str) -> Result<Option<SourceCacheEntry>> {
        Ok(self.read().notes.get(about).cloned())
    }

    async fn forget_notes(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let mut documents = self.read();
        let old = documents.notes.values().filter(|note| note.at < before).take(limit);
        let about: Vec<_> = old.map(|note| note.about.clone()).collect();
        about.iter().for_each(|about| drop(documents.notes.remove(about)));
        Ok(about.len())
    }

    async fn put_snapshot(&self, record: &Record) -> Result<()> {
        let mut documents = self.read();
        let known = documents.snapshots.entry(record.uid.clone()).or_insert_with(|| record.clone());
        if record.head > known.head {
            *known = record.clone();
        }
        Ok(())
    }

    async fn snapshot(&self, uid: &Uid) -> Result<Option<Record>> {
        Ok(self.read().snapshots.get(uid).cloned())
    }

    async fn snapshots(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Record>> {
        let documents = self.read();
        let records = documents.snapshots.values().filter(|record| after.is_none_or(|after| record.uid > *after));
        Ok(records.take(limit).cloned().collect())
    }

    async fn uids(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Uid>> {
        let documents = self.read();
        let uids = documents.snapshots.keys().filter(|uid| after.is_none_or(|after| *uid > after));
        Ok(uids.take(limit).cloned().collect())
    }

    async fn claim(&self, claim: &Claim) -> Result<Inserted> {
        let mut documents = self.read();
        let id = (claim.kind, claim.group.clone(), claim.number);
        let known = documents.claims.entry(id).or_insert_with(|| claim.clone());
        Ok(inserted(known.token == claim.token))
    }

    async fn claims(&self, kind: ClaimKind, group: &str, from: u64, limit: usize) -> Result<Vec<Claim>> {
        let documents = self.read();
        let range = (kind, group.to_owned(), from)..=(kind, group.to_owned(), u64::MAX);
        Ok(documents.claims.range(range).take(limit).map(|(_, claim)| claim.clone()).collect())
    }

    async fn last_claim(&self, kind: ClaimKind, group: &str) -> Result<Option<Claim>> {
        let documents = self.read();
        let range = (kind, group.to_owned(), 0)..=(kind, group.to_owned(), u64::MAX);
        Ok(documents.claims.range(range).next_back().map(|(_, claim)| claim.clone()))
    }

    async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        self.read().heartbeats.insert(heartbeat.id.clone(), heartbeat.clone());
        Ok(())
    }

    async fn heartbeats(&self, limit: usize) -> Result<Vec<Heartbeat>> {
        Ok(self.read().heartbeats.values().take(limit).cloned().collect())
    }

    async fn remove_heartbeat(&self, id: &str) -> Result<()> {
        self.read().heartbeats.remove(id);
        Ok(())
    }

    async fn forget(&self, uid: &Uid) -> Result<()> {
        let mut documents = self.read();
        documents.entries.retain(|(of, _), _| of != uid);
        documents.snapshots.remove(uid);
        documents.observations.remove(uid);
        Ok(())
    }

    async fn forget_claims(&self, kind: ClaimKind, before: &str, limit: usize) -> Result<usize> {
        if kind == ClaimKind::Controls {
            let doing = format!("forget {} before `{before}`", kind.as_str());
            return Err(StoreError::Refused { doing, why: "control records are kept for ever".to_owned() });
        }
        let mut documents = self.read();
        let range = (kind, String::new(), 0)..(kind, before.to_owned(), 0);
        let found: Vec<_> = documents.claims.range(range).take(limit).map(|(id, _)| id.clone()).collect();
        found.iter().for_each(|id| drop(documents.claims.remove(id)));
        Ok(found.len())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

fn inserted(is_own: bool) -> Inserted {
    if is_own { Inserted::Written } else { Inserted::Taken }
}
