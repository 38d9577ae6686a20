//! What a store says, read as the JSON that is in its file, or from its database.

mod database;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// As long as the program itself waits for somebody's lock.
const READ_TIMEOUT: Duration = Duration::from_secs(4);

/// Every history and every claim of a store.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// By uid.
    pub histories: BTreeMap<String, History>,
    pub claims: Vec<Claim>,
}

/// The entries of one uid, by number.
#[derive(Clone, Debug, Default)]
pub struct History(pub Vec<Entry>);

/// One entry. What its kind says is in `data`.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub uid: String,
    pub seq: u64,
    pub at: Timestamp,
    pub actor: String,
    pub name: String,
    pub kind: String,
    #[serde(default)]
    pub data: Value,
}

/// A number somebody has in a group: a slot, or a control record.
#[derive(Clone, Debug, Deserialize)]
pub struct Claim {
    pub kind: String,
    pub group: String,
    pub number: u64,
    pub at: Timestamp,
    pub actor: String,
    pub body: Value,
}

impl Ledger {
    /// Reads a store file, also beside a program that writes it.
    ///
    /// # Errors
    /// It is no store, or holds what is no entry.
    pub fn read(path: &Path) -> Result<Self> {
        // A reader that may not write leaves the write-ahead log as it is.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = || format!("cannot read the store `{}`", path.display());
        let connection = Connection::open_with_flags(path, flags).with_context(file)?;
        connection.busy_timeout(READ_TIMEOUT)?;
        let entries = documents(&connection, "SELECT document FROM entries ORDER BY uid, seq").with_context(file)?;
        let claims = documents(&connection, "SELECT document FROM claims ORDER BY kind, bundle, number");
        Ok(Self::of(entries, claims.with_context(file)?))
    }

    /// Reads the database at a `mongodb://` URL, also beside a program that writes it.
    ///
    /// # Errors
    /// It cannot be reached, or holds what is no entry.
    pub async fn read_database(url: &str) -> Result<Self> {
        let (entries, claims) = database::read(url).await?;
        Ok(Self::of(entries, claims))
    }

    /// Reads a database that somebody opened, with whatever password it takes.
    ///
    /// # Errors
    /// It cannot be reached, or holds what is no entry.
    pub async fn read_in(database: &mongodb::Database) -> Result<Self> {
        let (entries, claims) = database::read_in(database).await?;
        Ok(Self::of(entries, claims))
    }

    /// The ledger of these entries and claims.
    #[must_use]
    pub fn of(entries: Vec<Entry>, claims: Vec<Claim>) -> Self {
        let mut histories = BTreeMap::<_, History>::new();
        for entry in entries {
            histories.entry(entry.uid.clone()).or_default().0.push(entry);
        }
        Self { histories, claims }
    }

    /// The history of a uid; empty where there is none.
    #[must_use]
    pub fn history(&self, uid: &str) -> &History {
        static NONE: History = History(Vec::new());
        self.histories.get(uid).unwrap_or(&NONE)
    }

    /// The claims on numbers of a group.
    pub(super) fn claims<'a>(&'a self, kind: &'a str, group: &'a str) -> impl Iterator<Item = &'a Claim> {
        self.claims.iter().filter(move |claim| claim.kind == kind && claim.group == group)
    }
}

impl History {
    /// The entries of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.kind == kind)
    }

    /// The entries before a number.
    pub(super) fn before(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        self.0.iter().take_while(move |entry| entry.seq < seq)
    }

    /// What became of an intent, as often as it was told.
    pub(super) fn outcomes(&self, intent: u64) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.outcome_of() == Some(intent))
    }

    /// Whether a deletion is announced of which nobody wrote down yet what became of it.
    #[must_use]
    pub fn has_open_intent(&self) -> bool {
        let last = self.0.iter().rev().find(|entry| entry.is_intent());
        last.is_some_and(|intent| self.outcomes(intent.seq).next().is_none())
    }
}

impl Entry {
    /// A text in its data.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key)?.as_str()
    }

    /// An instant in its data.
    #[must_use]
    pub fn instant(&self, key: &str) -> Option<Timestamp> {
        self.text(key)?.parse().ok()
    }

    /// The number of the intent that this entry closes.
    #[must_use]
    pub fn outcome_of(&self) -> Option<u64> {
        let closes = matches!(self.kind.as_str(), "ActionDone" | "ActionSkipped" | "ActionFailed");
        self.data.get("of").filter(|_| closes)?.as_u64()
    }

    /// Whether it announces a deletion.
    #[must_use]
    pub fn is_intent(&self) -> bool {
        self.kind == "ActionIntended" && self.text("action") == Some("delete")
    }
}

fn documents<T: DeserializeOwned>(connection: &Connection, query: &str) -> Result<Vec<T>> {
    let mut statement = connection.prepare(query)?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?;
    texts
        .map(|text| {
            let text = text?;
            serde_json::from_str(&text).with_context(|| format!("not a document of ours: {text}"))
        })
        .collect()
}
