//! The store: an append-only history per namespace, snapshots beside it, and numbered claims.
//!
//! One operation carries all safety: to insert a document under an id nobody used before. It is the same for entries
//! (`<uid>:<number>`) and claims (`<kind>:<group>:<number>`), needs no transaction, and every adapter proves by the
//! contract suite that of any number of writers exactly one gets the id (ARCHITECTURE.md "One namespace, start to
//! finish").

pub mod hold;
mod mongo;
mod sqlite;

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use lifecycle::{Actor, Entry, Record, Uid, health::Streak, time::cut_to_millis};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::{mongo::MongoStore, sqlite::SqliteStore};

/// The outcome of an insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is durable under its id, by this writer: now, or by an earlier try whose reply was lost.
    Written,
    /// Somebody else has the id. Read again, decide again.
    Taken,
}

/// A claim on a number within a group, good for ever: budget slots, and the log of what people and leaders recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub kind: ClaimKind,
    /// What the numbers count within, such as a window.
    pub group: String,
    pub number: u64,
    pub at: Timestamp,
    pub actor: Actor,
    /// Random, chosen by the writer: tells its own write from another's when a reply was lost.
    pub token: String,
    pub body: Value,
}

/// The collections of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// The deletion budget.
    Slots,
    /// Deletions that were not foretold.
    Unannounced,
    /// Stop, approvals, configurations and epochs, each a log.
    Controls,
}

/// What a running part of the program tells of itself, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The instance.
    pub id: String,
    pub role: String,
    pub started: Timestamp,
    /// The last heartbeat.
    pub at: Timestamp,
    pub body: Value,
}

/// What was observed of a namespace over time, so that the next observer goes on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    pub health: Option<Streak>,
    /// When the annotations were last put right without an entry of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<Timestamp>,
    /// What of its owner overrides is malformed, as it was told last, in a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<i64>,
    /// When the pods were last listed that were left in it, where its deletion does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods_listed_at: Option<Timestamp>,
}

/// What a source said last of something that is no namespace, so that others need not ask it for the same. Losing one
/// costs requests and restarts timers, and never ends one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCacheEntry {
    /// What it is about, such as a pipeline: unique.
    pub about: String,
    pub at: Timestamp,
    pub body: Value,
}

/// Why the store could not be used. Nothing may be concluded from it: the write may have happened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Out of reach, too slow, locked or full: worth another try.
    #[error("cannot {doing}: {why}")]
    Unavailable { doing: String, why: String },
    /// What is there is not what this program wrote. A person has to act.
    #[error("cannot {doing}: the store is damaged: {why}")]
    Damaged { doing: String, why: String },
    /// The caller asks for what no store keeps, such as an entry beyond [`lifecycle::event::MAX_ENTRY_BYTES`]. Nothing
    /// was written, and another try ends alike.
    #[error("cannot {doing}: {why}")]
    Refused { doing: String, why: String },
}

impl StoreError {
    /// Whether the same call may go well later, without anybody's help.
    #[must_use]
    pub const fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Damaged { .. } | Self::Refused { .. } => false,
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Only the scheme is told: the rest of a store's URL may hold credentials.
    #[error("no store has the scheme `{scheme}`; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`")]
    Unsupported { scheme: String },
    #[error("the store's url is not one; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`")]
    Malformed,
    /// It holds something, but no store that this version of the program may use.
    #[error("cannot use {place} as a store: {why}")]
    Foreign { place: String, why: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// One place in the history of all namespaces, ordered by `(at, uid, seq)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPosition {
    pub at: Timestamp,
    pub uid: Uid,
    pub seq: u64,
}

impl EntryPosition {
    /// The place of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self { at: entry.at, uid: entry.uid.clone(), seq: entry.seq }
    }
}

/// The port. Every call has a deadline of its own (4 s), after which it is [`StoreError::Unavailable`].
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Inserts an entry under `(uid, seq)`. Durable when it returns [`Inserted::Written`].
    async fn append(&self, entry: &Entry) -> Result<Inserted>;

    /// The entries of one namespace after number `after`, in order, at most `limit`.
    async fn history(&self, uid: &Uid, after: u64, limit: usize) -> Result<Vec<Entry>>;

    /// Entries of all namespaces with `at` in `from..`, strictly after `after` where given, ordered by place.
    async fn tail(&self, from: Timestamp, after: Option<&EntryPosition>, limit: usize) -> Result<Vec<Entry>>;

    /// The uids whose histories bear this name, the one that began last first, at most `limit`.
    async fn uids_named(&self, name: &str, limit: usize) -> Result<Vec<Uid>>;

    /// Stores a record beside its history; only forward: one folded further stays. Best effort.
    async fn put_snapshot(&self, record: &Record) -> Result<()>;

    /// The snapshot of one namespace, unless there is none or another version of the fold made it.
    async fn snapshot(&self, uid: &Uid) -> Result<Option<Record>>;

    /// Snapshots by uid, strictly after `after`, at most `limit`. May lag behind the histories.
    async fn snapshots(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Record>>;

    /// The uids that have a snapshot, whichever version of the fold made it, strictly after `after`, at most `limit`.
    async fn uids(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Uid>>;

    /// Keeps what was observed of a namespace, whatever was there. Losing it restarts timers, and never ends one.
    async fn put_observation(&self, uid: &Uid, observed: &Observed) -> Result<()>;

    /// What was last observed of a namespace, if that can be read.
    async fn observation(&self, uid: &Uid) -> Result<Option<Observed>>;

    /// Keeps a note, whatever was there.
    async fn put_note(&self, note: &SourceCacheEntry) -> Result<()>;

    /// The note about something, if there is one that can be read.
    async fn note(&self, about: &str) -> Result<Option<SourceCacheEntry>>;

    /// Removes notes of before an instant, at most `limit`. Returns how many there were: fewer than `limit` means that none
    /// is left.
    async fn forget_notes(&self, before: Timestamp, limit: usize) -> Result<usize>;

    /// Inserts a claim under `(kind, group, number)`.
    async fn claim(&self, claim: &Claim) -> Result<Inserted>;

    /// The claims of a group by number, from `from`, at most `limit`.
    async fn claims(&self, kind: ClaimKind, group: &str, from: u64, limit: usize) -> Result<Vec<Claim>>;

    /// The claim with the highest number in a group.
    async fn last_claim(&self, kind: ClaimKind, group: &str) -> Result<Option<Claim>>;

    /// Keeps the last heartbeat of an instance, whatever was there.
    async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<()>;

    /// The last heartbeats by id, at most `limit`, of the dead too.
    async fn heartbeats(&self, limit: usize) -> Result<Vec<Heartbeat>>;

    /// Removes the last heartbeat of an instance, if there is one.
    async fn remove_heartbeat(&self, id: &str) -> Result<()>;

    /// Removes everything about a namespace that is gone: its history, what was observed, and then its snapshot. Safe to repeat. Where it
    /// ends half way, the history is shorter, has no gap, and a snapshot that was there still says how it ended.
    async fn forget(&self, uid: &Uid) -> Result<()>;

    /// Removes claims of windows whose group, an instant, lies before `before`, at most `limit`. Returns how many there
    /// were: fewer than `limit` means that none is left. Control records are never forgotten: of [`ClaimKind::Controls`] it is
    /// [`StoreError::Refused`].
    async fn forget_claims(&self, kind: ClaimKind, before: &str, limit: usize) -> Result<usize>;

    /// Whether the store can be read and written now.
    async fn ping(&self) -> Result<()>;
}

/// A store shared by the roles of a process.
pub type SharedStore = Arc<dyn Store>;

/// What opens a store besides its URL: files, which are read again when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub username_file: Option<PathBuf>,
    pub password_file: Option<PathBuf>,
    /// The authorities that may have signed the server's certificate, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Opens the store at a URL that needs nothing else, as [`open_with`].
///
/// # Errors
/// As [`open_with`].
pub async fn open(url: &str) -> std::result::Result<SharedStore, OpenError> {
    open_with(url, &Access::default()).await
}

/// Opens the store at a URL, and makes a new one where there is none.
///
/// # Errors
/// When the URL names no kind of store, or what is there cannot be used.
pub async fn open_with(url: &str, access: &Access) -> std::result::Result<SharedStore, OpenError> {
    match url.split_once(':') {
        Some(("sqlite", path)) => Ok(Arc::new(SqliteStore::open(Path::new(path)).await?)),
        Some(("mongodb" | "mongodb+srv", _)) => Ok(Arc::new(MongoStore::open(url, access).await?)),
        Some((scheme, _)) if is_scheme(scheme) => Err(OpenError::Unsupported { scheme: scheme.to_owned() }),
        _ => Err(OpenError::Malformed),
    }
}

/// The first whole millisecond that is not before an instant.
fn first_millisecond(at: Timestamp) -> i64 {
    let floor = at.as_millisecond();
    if cut_to_millis(at) < at { floor + 1 } else { floor }
}

/// Whether a text is the scheme of a URL (RFC 3986 section 3.1), and so no part of a password.
pub(crate) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

impl ClaimKind {
    /// The name of the kind, as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Unannounced => "unannounced",
            Self::Controls => "controls",
        }
    }
}

/// A store for a test, in a directory that goes with it.
#[cfg(test)]
pub(crate) async fn temporary() -> (tempfile::TempDir, SharedStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
    (directory, store)
}
