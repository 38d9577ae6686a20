//! A store in one file, for a single machine: SQLite with a write-ahead log.
//!
//! Several processes may use one file at the same time; it has to be on a local disk.

mod failure;
mod file;
mod queries;
mod readers;
mod schema;
mod writer;
mod writes;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use lifecycle::{Entry, Record, Uid};
use tokio::{task::spawn_blocking, time::timeout};

use self::{failure::Failure, file::StoreFile, readers::Readers, writer::Writer, writes::StoreWrite};
use super::{
    Claim, ClaimKind, EntryPosition, Heartbeat, Inserted, Observed, OpenError, Result, SourceCacheEntry, Store,
    StoreError, first_millisecond,
};

/// The port's: every call ends within it.
const DEADLINE: Duration = Duration::from_secs(4);

/// A store in a file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    file: Arc<StoreFile>,
    // Before the writer, which by closing last leaves one file and no log behind.
    readers: Arc<Readers>,
    writer: Arc<Writer>,
}

impl SqliteStore {
    /// Opens a file, or makes it and the directories above it.
    pub(super) async fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        // An absolute path, so that it stays the same file wherever the process goes, and no name is special.
        let path = std::path::absolute(path).map_err(|_| OpenError::Malformed)?;
        let place = file::place(&path);
        let opening = spawn_blocking(move || StoreFile::open(&path));
        let opened = within_deadline(async {
            opening.await.unwrap_or_else(|error| Err(Failure::Unavailable(error.to_string())))
        });
        let (file, connection) = opened.await.map_err(|failure| failure.while_opening(place))?;
        let file = Arc::new(file);
        Ok(Self {
            readers: Arc::new(Readers::new(Arc::clone(&file))),
            writer: Arc::new(Writer::new(Arc::clone(&file), connection)),
            file,
        })
    }

    async fn read<T, Q>(&self, doing: impl FnOnce() -> String, query: Q) -> Result<T>
    where
        T: Send + 'static,
        Q: FnOnce(&rusqlite::Connection) -> std::result::Result<T, Failure> + Send + 'static,
    {
        let found = within_deadline(self.readers.read(query)).await;
        found.map_err(|failure| self.error(failure, doing))
    }

    async fn write(
        &self,
        doing: impl FnOnce() -> String,
        change: std::result::Result<StoreWrite, Failure>,
    ) -> Result<Inserted> {
        let written = match change {
            Ok(change) => within_deadline(self.writer.write(change)).await,
            Err(refused) => Err(refused),
        };
        written.map_err(|failure| self.error(failure, doing))
    }

    fn error(&self, failure: Failure, doing: impl FnOnce() -> String) -> StoreError {
        failure.while_doing(format!("{} in {}", doing(), self.file.place()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, entry: &Entry) -> Result<Inserted> {
        self.write(|| format!("append entry {} of `{}`", entry.seq, entry.uid), StoreWrite::entry(entry)).await
    }

    async fn history(&self, uid: &Uid, after: u64, limit: usize) -> Result<Vec<Entry>> {
        let doing = || format!("read the history of `{uid}`");
        let uid = uid.clone();
        self.read(doing, move |connection| queries::history(connection, &uid, after, limit)).await
    }

    async fn tail(&self, from: Timestamp, after: Option<&EntryPosition>, limit: usize) -> Result<Vec<Entry>> {
        let doing = || format!("read what was appended since {from}");
        let after = after.cloned();
        let from = first_millisecond(from);
        self.read(doing, move |connection| queries::tail(connection, from, after.as_ref(), limit)).await
    }

    async fn uids_named(&self, name: &str, limit: usize) -> Result<Vec<Uid>> {
        let doing = || format!("look up `{name}`");
        let name = name.to_owned();
        self.read(doing, move |connection| queries::uids_named(connection, &name, limit)).await
    }

    async fn put_snapshot(&self, record: &Record) -> Result<()> {
        self.write(|| format!("put the snapshot of `{}`", record.uid), StoreWrite::snapshot(record)).await.map(drop)
    }

    async fn snapshot(&self, uid: &Uid) -> Result<Option<Record>> {
        let doing = || format!("read the snapshot of `{uid}`");
        let uid = uid.clone();
        self.read(doing, move |connection| queries::snapshot(connection, &uid)).await
    }

    async fn snapshots(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Record>> {
        let after = after.cloned();
        self.read(
            || "list snapshots".to_owned(),
            move |connection| queries::snapshots(connection, after.as_ref(), limit),
        )
        .await
    }

    async fn uids(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Uid>> {
        let after = after.cloned();
        let query = move |connection: &rusqlite::Connection| queries::uids(connection, after.as_ref(), limit);
        self.read(|| "list uids".to_owned(), query).await
    }

    async fn put_observation(&self, uid: &Uid, observed: &Observed) -> Result<()> {
        let change = StoreWrite::observation(uid, observed);
        self.write(|| format!("keep what was observed of `{uid}`"), change).await.map(drop)
    }

    async fn observation(&self, uid: &Uid) -> Result<Option<Observed>> {
        let doing = || format!("read what was observed of `{uid}`");
        let uid = uid.clone();
        self.read(doing, move |connection| queries::observation(connection, &uid)).await
    }

    async fn put_note(&self, note: &SourceCacheEntry) -> Result<()> {
        self.write(|| format!("keep the note about `{}`", note.about), StoreWrite::note(note)).await.map(drop)
    }

    async fn note(&self, about: &str) -> Result<Option<SourceCacheEntry>> {
        let doing = || format!("read the note about `{about}`");
        let about = about.to_owned();
        self.read(doing, move |connection| queries::note(connection, &about)).await
    }

    async fn forget_notes(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let doing = || format!("forget notes of before {before}");
        let before = first_millisecond(before);
        let about = self.read(doing, move |connection| queries::notes_before(connection, before, limit)).await?;
        let found = about.len();
        self.write(doing, Ok(StoreWrite::ForgetNotes { about, before })).await.map(|_| found)
    }

    async fn claim(&self, claim: &Claim) -> Result<Inserted> {
        let doing = || format!("claim {} `{}` number {}", claim.kind.as_str(), claim.group, claim.number);
        self.write(doing, StoreWrite::claim(claim)).await
    }

    async fn claims(&self, kind: ClaimKind, group: &str, from: u64, limit: usize) -> Result<Vec<Claim>> {
        let doing = || format!("read the claims of {} `{group}`", kind.as_str());
        let group = group.to_owned();
        self.read(doing, move |connection| queries::claims(connection, kind, &group, from, limit)).await
    }

    async fn last_claim(&self, kind: ClaimKind, group: &str) -> Result<Option<Claim>> {
        let doing = || format!("read the last claim of {} `{group}`", kind.as_str());
        let group = group.to_owned();
        self.read(doing, move |connection| queries::last_claim(connection, kind, &group)).await
    }

    async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        self.write(|| format!("keep the heartbeat of `{}`", heartbeat.id), StoreWrite::heartbeat(heartbeat))
            .await
            .map(drop)
    }

    async fn heartbeats(&self, limit: usize) -> Result<Vec<Heartbeat>> {
        self.read(|| "read heartbeats".to_owned(), move |connection| queries::heartbeats(connection, limit)).await
    }

    async fn remove_heartbeat(&self, id: &str) -> Result<()> {
        let change = StoreWrite::ForgetHeartbeat { id: id.to_owned() };
        self.write(|| format!("forget the heartbeat of `{id}`"), Ok(change)).await.map(drop)
    }

    async fn forget(&self, uid: &Uid) -> Result<()> {
        let change = StoreWrite::Forget { uid: uid.as_str().to_owned() };
        self.write(|| format!("forget `{uid}`"), Ok(change)).await.map(drop)
    }

    async fn forget_claims(&self, kind: ClaimKind, before: &str, limit: usize) -> Result<usize> {
        let doing = || format!("forget {} before `{before}`", kind.as_str());
        if kind == ClaimKind::Controls {
            let refused = Failure::Refused("control records are kept for ever".to_owned());
            return Err(self.error(refused, doing));
        }
        let group = before.to_owned();
        let ids = self.read(doing, move |connection| queries::claims_before(connection, kind, &group, limit)).await?;
        let found = ids.len();
        self.write(doing, Ok(StoreWrite::forget_claims(kind, ids))).await.map(|_| found)
    }

    async fn ping(&self) -> Result<()> {
        self.write(|| "write".to_owned(), Ok(StoreWrite::Ping)).await.map(drop)
    }
}

async fn within_deadline<T>(
    call: impl Future<Output = std::result::Result<T, Failure>>,
) -> std::result::Result<T, Failure> {
    timeout(DEADLINE, call)
        .await
        .unwrap_or_else(|_| Err(Failure::Unavailable(format!("no answer came within {} s", DEADLINE.as_secs()))))
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::mpsc};

    use tokio::time::Instant;

    use super::*;

    /// The port promises 5 s.
    #[tokio::test(start_paused = true)]
    async fn a_call_that_nobody_answers_ends_at_the_deadline() {
        let start = Instant::now();
        assert!(within_deadline(pending::<std::result::Result<(), Failure>>()).await.is_err());
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_told_at_the_deadline_and_got_over() {
        let directory = tempfile::TempDir::new().unwrap();
        let store = SqliteStore::open(&directory.path().join("store.db")).await.unwrap();
        let (hold, held) = (mpsc::channel(), mpsc::channel());
        let writer = Arc::clone(&store.writer);
        let disk = std::thread::spawn(move || {
            writer.hang(|| {
                held.0.send(()).unwrap();
                hold.1.recv().unwrap();
            });
        });
        held.1.recv().unwrap();
        let error = store.ping().await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable { why, .. } if why == "no answer came within 4 s"), "{error}");
        hold.0.send(()).unwrap();
        disk.join().unwrap();
        store.ping().await.unwrap();
    }
}
