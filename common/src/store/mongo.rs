//! A store that many processes share: a database of a server that speaks the protocol of MongoDB.
//!
//! Collections: `entries` (the histories), `namespaces` (snapshots), `observations`, `notes`, `slots`, `budget.unannounced` and `controls`
//! (claims), `workers` (heartbeats), `meta` (the layout). Everything rests on one thing alone, the insert under an id of the writer's
//! choice: no transaction, no update that decides, no index that is unique besides the one on `_id`.

mod connection;
mod documents;
mod failure;
mod schema;

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use lifecycle::{
    Entry, Record, Uid,
    record::{FOLD_VERSION, Snapshot},
};
use mongodb::{
    Collection, Database,
    action::Find,
    bson::{Bson, Document, doc},
    options::{CollectionOptions, ReadConcern},
};
use tokio::time::timeout;

use self::{connection::MongoConnection, failure::Failure};
use super::{
    Access, Claim, ClaimKind, EntryPosition, Heartbeat, Inserted, Observed, OpenError, Result, SourceCacheEntry, Store,
    StoreError, first_millisecond,
};

/// The port's: every call ends within it.
const DEADLINE: Duration = Duration::from_secs(4);

/// How long one insert is waited for. What is left of the deadline is for reading back its outcome.
const ATTEMPT: Duration = Duration::from_millis(2_500);

/// How many documents come in one answer.
const BATCH: u32 = 500;

/// How many entries are removed by one command.
const REMOVAL_BATCH: i64 = 200;

const ENTRIES: &str = "entries";
const SNAPSHOTS: &str = "namespaces";
const OBSERVATIONS: &str = "observations";
const NOTES: &str = "notes";
const HEARTBEATS: &str = "workers";
const META: &str = "meta";

/// A store in a database of a server.
#[derive(Debug)]
pub(super) struct MongoStore {
    link: MongoConnection,
}

impl MongoStore {
    /// Connects, and lays out the database where nothing is in it.
    pub(super) async fn open(url: &str, access: &Access) -> std::result::Result<Self, OpenError> {
        let link = MongoConnection::connect(url, access).await?;
        let place = link.place().to_owned();
        schema::prepare(&link.database().await).await.map_err(|failure| failure.while_opening(place))?;
        Ok(Self { link })
    }

    /// Makes a call within the deadline. What is not let in never was carried out, so it is tried again where the
    /// credentials have changed meanwhile.
    async fn call<T, F>(&self, doing: impl FnOnce() -> String, call: impl Fn(Database) -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Failure>>,
    {
        let made = async {
            match call(self.link.database().await).await {
                Err(Failure::Denied(why)) => match self.link.renewed().await {
                    Some(database) => call(database).await,
                    None => Err(Failure::Denied(why)),
                },
                other => other,
            }
        };
        let made = timeout(DEADLINE, made).await.unwrap_or_else(|_| Err(Failure::late(DEADLINE)));
        made.map_err(|failure| failure.while_doing(format!("{} in {}", doing(), self.link.place())))
    }

    async fn insert(
        &self,
        doing: impl FnOnce() -> String,
        collection: &str,
        token: &str,
        document: std::result::Result<Document, Failure>,
    ) -> Result<Inserted> {
        let document = match document {
            Ok(document) => document,
            Err(failure) => return Err(failure.while_doing(format!("{} in {}", doing(), self.link.place()))),
        };
        self.call(doing, |database| insert(database.collection(collection), token, document.clone())).await
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn append(&self, entry: &Entry) -> Result<Inserted> {
        let doing = || format!("append entry {} of `{}`", entry.seq, entry.uid);
        self.insert(doing, ENTRIES, &entry.token, documents::of_entry(entry)).await
    }

    async fn history(&self, uid: &Uid, after: u64, limit: usize) -> Result<Vec<Entry>> {
        let doing = || format!("read the history of `{uid}`");
        self.call(doing, |database| async move {
            let filter = doc! { "uid": uid.as_str(), "seq": { "$gt": clamp(after) } };
            let entries = database.collection::<Document>(ENTRIES);
            read(entries.find(filter).sort(doc! { "seq": 1 }), limit, documents::to_entry).await
        })
        .await
    }

    async fn tail(&self, from: Timestamp, after: Option<&EntryPosition>, limit: usize) -> Result<Vec<Entry>> {
        let doing = || format!("read what was appended since {from}");
        let filter = tail_filter(from, after);
        self.call(doing, |database| {
            let filter = filter.clone();
            async move {
                let entries = database.collection::<Document>(ENTRIES);
                let find = entries.find(filter).sort(doc! { "at": 1, "uid": 1, "seq": 1 });
                read(find, limit, documents::to_entry).await
            }
        })
        .await
    }

    async fn uids_named(&self, name: &str, limit: usize) -> Result<Vec<Uid>> {
        let doing = || format!("look up `{name}`");
        self.call(doing, |database| async move {
            let entries = database.collection::<Document>(ENTRIES);
            let find = entries.find(doc! { "name": name, "seq": 1_i64 }).projection(doc! { "uid": 1 });
            read(find.sort(doc! { "at": -1, "uid": -1 }), limit, |document| text(&document, "uid").map(Uid::new)).await
        })
        .await
    }

    async fn put_snapshot(&self, record: &Record) -> Result<()> {
        let doing = || format!("put the snapshot of `{}`", record.uid);
        let place = self.link.place();
        let document =
            documents::of_snapshot(record).map_err(|failure| failure.while_doing(format!("{} in {place}", doing())))?;
        self.call(doing, |database| put_snapshot(database.collection(SNAPSHOTS), record, document.clone())).await
    }

    async fn snapshot(&self, uid: &Uid) -> Result<Option<Record>> {
        let doing = || format!("read the snapshot of `{uid}`");
        self.call(doing, |database| async move {
            let snapshots = database.collection::<Document>(SNAPSHOTS);
            let found = snapshots.find_one(doc! { "_id": uid.as_str() }).await?;
            Ok(found.and_then(record))
        })
        .await
    }

    async fn snapshots(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Record>> {
        self.call(
            || "list snapshots".to_owned(),
            |database| async move {
                let snapshots = database.collection::<Document>(SNAPSHOTS);
                let filter = doc! { "_id": { "$gt": after.map_or("", Uid::as_str) }, "fold": i64::from(FOLD_VERSION) };
                let find = snapshots.find(filter).sort(doc! { "_id": 1 });
                let mut found = Vec::new();
                if limit == 0 {
                    return Ok(found);
                }
                let mut cursor = find.batch_size(batch(limit)).await?;
                // Not limited by the server: what cannot be read must not make a page short, which means the end.
                while found.len() < limit
                    && let Some(document) = cursor.try_next().await?
                {
                    found.extend(record(document));
                }
                Ok(found)
            },
        )
        .await
    }

    async fn uids(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Uid>> {
        self.call(
            || "list uids".to_owned(),
            |database| async move {
                let snapshots = database.collection::<Document>(SNAPSHOTS);
                let filter = doc! { "_id": { "$gt": after.map_or("", Uid::as_str) } };
                let find = snapshots.find(filter).projection(doc! { "_id": 1 }).sort(doc! { "_id": 1 });
                read(find, limit, |document| text(&document, "_id").map(Uid::new)).await
            },
        )
        .await
    }

    async fn put_observation(&self, uid: &Uid, observed: &Observed) -> Result<()> {
        let doing = || format!("keep what was observed of `{uid}`");
        let place = self.link.place();
        let document = documents::of_observation(uid, observed)
            .map_err(|failure| failure.while_doing(format!("{} in {place}", doing())))?;
        let filter = doc! { "_id": uid.as_str() };
        self.call(doing, |database| put(database.collection(OBSERVATIONS), filter.clone(), document.clone())).await
    }

    async fn observation(&self, uid: &Uid) -> Result<Option<Observed>> {
        let doing = || format!("read what was observed of `{uid}`");
        self.call(doing, |database| async move {
            let observations = database.collection::<Document>(OBSERVATIONS);
            let found = observations.find_one(doc! { "_id": uid.as_str() }).await?;
            // One that cannot be read is as good as none: it restarts timers, and ends none.
            Ok(found.and_then(|document| documents::to_observation(document).ok()))
        })
        .await
    }

    async fn put_note(&self, note: &SourceCacheEntry) -> Result<()> {
        let doing = || format!("keep the note about `{}`", note.about);
        let place = self.link.place();
        let document =
            documents::of_note(note).map_err(|failure| failure.while_doing(format!("{} in {place}", doing())))?;
        let filter = doc! { "_id": note.about.as_str() };
        self.call(doing, |database| put(database.collection(NOTES), filter.clone(), document.clone())).await
    }

    async fn note(&self, about: &str) -> Result<Option<SourceCacheEntry>> {
        let doing = || format!("read the note about `{about}`");
        self.call(doing, |database| async move {
            let found = database.collection::<Document>(NOTES).find_one(doc! { "_id": about }).await?;
            // One that cannot be read is as good as none.
            Ok(found.and_then(|document| documents::to_note(document).ok()))
        })
        .await
    }

    async fn forget_notes(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let doing = || format!("forget notes of before {before}");
        let old = doc! { "at": { "$lt": mongodb::bson::DateTime::from_millis(first_millisecond(before)) } };
        self.call(doing, |database| {
            let old = old.clone();
            async move {
                let notes = database.collection::<Document>(NOTES);
                let ids = |found: Document| text(&found, "_id").map(str::to_owned);
                let about = read(notes.find(old.clone()).projection(doc! { "_id": 1 }), limit, ids).await?;
                for about in &about {
                    let mut filter = old.clone();
                    filter.insert("_id", about);
                    notes.delete_one(filter).await?;
                }
                Ok(about.len())
            }
        })
        .await
    }

    async fn claim(&self, claim: &Claim) -> Result<Inserted> {
        let doing = || format!("claim {} `{}` number {}", claim.kind.as_str(), claim.group, claim.number);
        self.insert(doing, claim.kind.as_str(), &claim.token, documents::of_claim(claim)).await
    }

    async fn claims(&self, kind: ClaimKind, group: &str, from: u64, limit: usize) -> Result<Vec<Claim>> {
        let doing = || format!("read the claims of {} `{group}`", kind.as_str());
        self.call(doing, |database| async move {
            let filter = doc! { "group": group, "number": { "$gte": clamp(from) } };
            let find = claims_of(&database, kind);
            read(find.find(filter).sort(doc! { "number": 1 }), limit, documents::to_claim(kind)).await
        })
        .await
    }

    async fn last_claim(&self, kind: ClaimKind, group: &str) -> Result<Option<Claim>> {
        let doing = || format!("read the last claim of {} `{group}`", kind.as_str());
        self.call(doing, |database| async move {
            let claims = claims_of(&database, kind);
            let last = claims.find(doc! { "group": group }).sort(doc! { "number": -1 });
            Ok(read(last, 1, documents::to_claim(kind)).await?.pop())
        })
        .await
    }

    async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let doing = || format!("keep the heartbeat of `{}`", heartbeat.id);
        let place = self.link.place();
        let document = documents::of_heartbeat(heartbeat)
            .map_err(|failure| failure.while_doing(format!("{} in {place}", doing())))?;
        self.call(doing, |database| {
            put(database.collection(HEARTBEATS), doc! { "_id": &heartbeat.id }, document.clone())
        })
        .await
    }

    async fn heartbeats(&self, limit: usize) -> Result<Vec<Heartbeat>> {
        self.call(
            || "read heartbeats".to_owned(),
            |database| async move {
                let heartbeats = database.collection::<Document>(HEARTBEATS);
                read(heartbeats.find(doc! {}).sort(doc! { "_id": 1 }), limit, documents::to_heartbeat).await
            },
        )
        .await
    }

    async fn remove_heartbeat(&self, id: &str) -> Result<()> {
        let doing = || format!("forget the heartbeat of `{id}`");
        self.call(doing, |database| async move {
            database.collection::<Document>(HEARTBEATS).delete_one(doc! { "_id": id }).await?;
            Ok(())
        })
        .await
    }

    async fn forget(&self, uid: &Uid) -> Result<()> {
        let doing = || format!("forget `{uid}`");
        // Each step has the deadline to itself: a history may be of any length.
        while self.call(doing, |database| forget_last(database, uid)).await? {}
        self.call(doing, |database| forget_traces(database, uid)).await
    }

    async fn forget_claims(&self, kind: ClaimKind, before: &str, limit: usize) -> Result<usize> {
        let doing = || format!("forget {} before `{before}`", kind.as_str());
        if kind == ClaimKind::Controls {
            return Err(StoreError::Refused { doing: doing(), why: "control records are kept for ever".to_owned() });
        }
        self.call(doing, |database| async move {
            let claims = database.collection::<Document>(kind.as_str());
            let find = claims.find(doc! { "group": { "$lt": before } }).projection(doc! { "_id": 1 });
            let id = |document| text(&document, "_id").map(str::to_owned);
            let ids = read(find.sort(doc! { "group": 1, "number": 1 }), limit, id).await?;
            if !ids.is_empty() {
                claims.delete_many(doc! { "_id": { "$in": &ids } }).await?;
            }
            Ok(ids.len())
        })
        .await
    }

    async fn ping(&self) -> Result<()> {
        self.call(
            || "write".to_owned(),
            |database| {
                put(
                    database.collection(META),
                    doc! { "_id": "ping" },
                    doc! { "_id": "ping", "at": Bson::DateTime(mongodb::bson::DateTime::now()) },
                )
            },
        )
        .await
    }
}

/// Claims as they are read: a control record is confirmed by a majority at the moment of the answer.
fn claims_of(database: &Database, kind: ClaimKind) -> Collection<Document> {
    match kind {
        ClaimKind::Controls => {
            let options = CollectionOptions::builder().read_concern(ReadConcern::linearizable()).build();
            database.collection_with_options(kind.as_str(), options)
        }
        ClaimKind::Slots | ClaimKind::Unannounced => database.collection(kind.as_str()),
    }
}

/// Inserts a document under its id. After anything but a success the id is read back: the document there may be one's
/// own, written by this try or an earlier one whose reply was lost.
async fn insert(
    collection: Collection<Document>,
    token: &str,
    document: Document,
) -> std::result::Result<Inserted, Failure> {
    let id = document.get("_id").cloned();
    let failure = match timeout(ATTEMPT, collection.insert_one(document)).await {
        Ok(Ok(_)) => return Ok(Inserted::Written),
        Ok(Err(error)) => Failure::from(error),
        Err(_) => Failure::late(ATTEMPT),
    };
    // Who is not let in wrote nothing, and cannot read either.
    if let Failure::Denied(_) = failure {
        return Err(failure);
    }
    let found = collection.find_one(doc! { "_id": id }).projection(doc! { "token": 1 }).await;
    match found {
        Ok(Some(found)) if found.get_str("token").is_ok_and(|found| found == token) => Ok(Inserted::Written),
        Ok(Some(_)) => Ok(Inserted::Taken),
        // It may still come: nothing is known, and the caller asks again.
        Ok(None) | Err(_) => Err(failure),
    }
}

/// Puts a document where the filter allows it, or where there is none. Of two who do so at once one is told that the
/// id is taken: once more, and either it may replace what is there or the filter does not want it.
async fn put(
    collection: Collection<Document>,
    filter: Document,
    document: Document,
) -> std::result::Result<(), Failure> {
    for _ in 0..2 {
        match collection.replace_one(filter.clone(), &document).upsert(true).await.map_err(Failure::from) {
            Err(Failure::Duplicate) => {}
            other => return other.map(drop),
        }
    }
    Ok(())
}

async fn put_snapshot(
    collection: Collection<Document>,
    record: &Record,
    document: Document,
) -> std::result::Result<(), Failure> {
    // What another version folded is of no use to this one, however far it went.
    let of_another_fold = doc! { "fold": { "$ne": i64::from(FOLD_VERSION) } };
    let behind = doc! { "seq": { "$lt": clamp(record.head) } };
    let filter = doc! { "_id": record.uid.as_str(), "$or": [of_another_fold, behind] };
    put(collection, filter, document).await
}

/// Removes the last entries of a history, so that what is left when this ends half way has no gap. Returns whether there
/// were any.
async fn forget_last(database: Database, uid: &Uid) -> std::result::Result<bool, Failure> {
    let entries = database.collection::<Document>(ENTRIES);
    let find = entries.find(doc! { "uid": uid.as_str() }).projection(doc! { "_id": 1 }).sort(doc! { "seq": -1 });
    let mut cursor = find.limit(REMOVAL_BATCH).await?;
    let mut deletes = Vec::new();
    while let Some(found) = cursor.try_next().await? {
        deletes.push(doc! { "q": { "_id": text(&found, "_id")? }, "limit": 1 });
    }
    if deletes.is_empty() {
        return Ok(false);
    }
    // One after the other in this order, which no filter on many of them promises.
    let concern = doc! { "w": "majority", "j": true };
    let command = doc! { "delete": ENTRIES, "deletes": deletes, "ordered": true, "writeConcern": concern };
    let answer = database.run_command(command).await?;
    match answer.get("writeErrors").or_else(|| answer.get("writeConcernError")) {
        Some(error) => Err(Failure::Unavailable(format!("the server answered {error}"))),
        None => Ok(true),
    }
}

/// Removes what was observed of a namespace without entries, and its snapshot, which until then says how it ended.
async fn forget_traces(database: Database, uid: &Uid) -> std::result::Result<(), Failure> {
    database.collection::<Document>(OBSERVATIONS).delete_one(doc! { "_id": uid.as_str() }).await?;
    database.collection::<Document>(SNAPSHOTS).delete_one(doc! { "_id": uid.as_str() }).await?;
    Ok(())
}

/// Entries from an instant on, and after a place; of the two bounds the later one says it all.
fn tail_filter(from: Timestamp, after: Option<&EntryPosition>) -> Document {
    let from = first_millisecond(from);
    match after {
        Some(place) if place.at.as_millisecond() >= from => {
            let at = documents::date(place.at);
            let later = doc! { "at": { "$gt": at } };
            let other = doc! { "at": at, "uid": { "$gt": place.uid.as_str() } };
            let next = doc! { "at": at, "uid": place.uid.as_str(), "seq": { "$gt": clamp(place.seq) } };
            // Bounded from below by the instant alone, too: a server that sees no bound in the choice would scan.
            doc! { "at": { "$gte": at }, "$or": [later, other, next] }
        }
        _ => doc! { "at": { "$gte": mongodb::bson::DateTime::from_millis(from) } },
    }
}

/// Everything that is found, at most `limit`.
async fn read<T>(
    find: Find<'_, Document>,
    limit: usize,
    convert: impl Fn(Document) -> std::result::Result<T, Failure>,
) -> std::result::Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    // To the server 0 means no limit.
    if limit == 0 {
        return Ok(found);
    }
    let find = match i32::try_from(limit) {
        Ok(limit) => find.limit(i64::from(limit)),
        Err(_) => find,
    };
    let mut cursor = find.batch_size(batch(limit)).await?;
    while let Some(document) = cursor.try_next().await? {
        found.push(convert(document)?);
    }
    Ok(found)
}

/// A snapshot that cannot be read is as good as none: it is never believed over the history.
fn record(document: Document) -> Option<Record> {
    documents::to_snapshot(document).ok().and_then(Snapshot::current)
}

fn text<'a>(document: &'a Document, field: &str) -> std::result::Result<&'a str, Failure> {
    document.get_str(field).map_err(|error| Failure::Damaged(format!("a document has no text `{field}`: {error}")))
}

/// No number beyond `i64` is ever stored, so a bound there selects the same.
fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn batch(limit: usize) -> u32 {
    u32::try_from(limit).map_or(BATCH, |limit| limit.min(BATCH))
}
