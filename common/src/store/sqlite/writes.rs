//! What is written: rows under ids nobody used before, and snapshots.

use lifecycle::{
    Entry, Record, Uid,
    event::MAX_ENTRY_BYTES,
    record::{FOLD_VERSION, Snapshot},
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::failure::Failure;
use crate::store::{Claim, ClaimKind, Heartbeat, Inserted, Observed, SourceCacheEntry};

/// One write. Several of them share a transaction.
#[derive(Debug)]
pub(super) enum StoreWrite {
    Entry {
        uid: String,
        seq: i64,
        at: i64,
        kind: String,
        actor: String,
        name: String,
        token: String,
        document: String,
    },
    Claim {
        kind: &'static str,
        group: String,
        number: i64,
        token: String,
        document: String,
    },
    Snapshot {
        uid: String,
        head: i64,
        document: String,
    },
    Observation {
        uid: String,
        document: String,
    },
    Note {
        about: String,
        at: i64,
        document: String,
    },
    ForgetNotes {
        about: Vec<String>,
        /// What was noted since stays.
        before: i64,
    },
    Heartbeat {
        id: String,
        document: String,
    },
    ForgetHeartbeat {
        id: String,
    },
    Forget {
        uid: String,
    },
    ForgetClaims {
        kind: &'static str,
        /// Group and number of each.
        ids: Vec<(String, i64)>,
    },
    /// Changes nothing that is read, and shows that it could.
    Ping,
}

impl StoreWrite {
    pub(super) fn entry(entry: &Entry) -> Result<Self, Failure> {
        let document = json(entry)?;
        if document.len() > MAX_ENTRY_BYTES {
            let weight = document.len();
            return Err(Failure::Refused(format!("it weighs {weight} bytes, and the most is {MAX_ENTRY_BYTES}")));
        }
        if entry.seq == 0 {
            return Err(Failure::Refused("entries are numbered from 1".to_owned()));
        }
        Ok(Self::Entry {
            uid: entry.uid.as_str().to_owned(),
            seq: number(entry.seq)?,
            at: entry.at.as_millisecond(),
            kind: entry.event.kind().to_owned(),
            actor: entry.actor.as_str().to_owned(),
            name: entry.name.clone(),
            token: entry.token.clone(),
            document,
        })
    }

    pub(super) fn claim(claim: &Claim) -> Result<Self, Failure> {
        Ok(Self::Claim {
            kind: claim.kind.as_str(),
            group: claim.group.clone(),
            number: number(claim.number)?,
            token: claim.token.clone(),
            document: json(claim)?,
        })
    }

    pub(super) fn snapshot(record: &Record) -> Result<Self, Failure> {
        Ok(Self::Snapshot {
            uid: record.uid.as_str().to_owned(),
            head: number(record.head)?,
            document: json(&Snapshot::of(record.clone()))?,
        })
    }

    pub(super) fn observation(uid: &Uid, observed: &Observed) -> Result<Self, Failure> {
        Ok(Self::Observation { uid: uid.as_str().to_owned(), document: json(observed)? })
    }

    pub(super) fn note(note: &SourceCacheEntry) -> Result<Self, Failure> {
        Ok(Self::Note { about: note.about.clone(), at: note.at.as_millisecond(), document: json(note)? })
    }

    pub(super) fn heartbeat(heartbeat: &Heartbeat) -> Result<Self, Failure> {
        Ok(Self::Heartbeat { id: heartbeat.id.clone(), document: json(heartbeat)? })
    }

    pub(super) fn forget_claims(kind: ClaimKind, ids: Vec<(String, i64)>) -> Self {
        Self::ForgetClaims { kind: kind.as_str(), ids }
    }

    /// Makes the change in the transaction that is open.
    pub(super) fn apply(&self, connection: &Connection) -> rusqlite::Result<Inserted> {
        let inserted = match self {
            Self::Entry { uid, seq, at, kind, actor, name, token, document } => connection
                .prepare_cached(
                    "INSERT INTO entries (uid, seq, at, kind, actor, name, token, document)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (uid, seq) DO NOTHING",
                )?
                .execute(params![uid, seq, at, kind, actor, name, token, document])?,
            Self::Claim { kind, group, number, token, document } => connection
                .prepare_cached(
                    "INSERT INTO claims (kind, bundle, number, token, document)
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (kind, bundle, number) DO NOTHING",
                )?
                .execute(params![kind, group, number, token, document])?,
            Self::Snapshot { uid, head, document } => {
                // What another version folded is of no use to this one, however far it went.
                connection
                    .prepare_cached(
                        "INSERT INTO snapshots (uid, fold, head, document) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (uid) DO UPDATE
                         SET fold = excluded.fold, head = excluded.head, document = excluded.document
                         WHERE excluded.fold <> fold OR excluded.head > head",
                    )?
                    .execute(params![uid, FOLD_VERSION, head, document])?;
                1
            }
            Self::Observation { uid, document } => connection
                .prepare_cached(
                    "INSERT INTO observations (uid, document) VALUES (?1, ?2)
                     ON CONFLICT (uid) DO UPDATE SET document = excluded.document",
                )?
                .execute(params![uid, document])?,
            Self::Note { about, at, document } => connection
                .prepare_cached(
                    "INSERT INTO notes (about, at, document) VALUES (?1, ?2, ?3)
                     ON CONFLICT (about) DO UPDATE SET at = excluded.at, document = excluded.document",
                )?
                .execute(params![about, at, document])?,
            Self::ForgetNotes { about, before } => {
                let mut delete = connection.prepare_cached("DELETE FROM notes WHERE about = ?1 AND at < ?2")?;
                for about in about {
                    delete.execute(params![about, before])?;
                }
                1
            }
            Self::Heartbeat { id, document } => connection
                .prepare_cached(
                    "INSERT INTO heartbeats (id, document) VALUES (?1, ?2)
                     ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                )?
                .execute(params![id, document])?,
            Self::ForgetHeartbeat { id } => {
                connection.prepare_cached("DELETE FROM heartbeats WHERE id = ?1")?.execute([id])?;
                1
            }
            Self::Forget { uid } => {
                connection.prepare_cached("DELETE FROM observations WHERE uid = ?1")?.execute([uid])?;
                connection.prepare_cached("DELETE FROM entries WHERE uid = ?1")?.execute([uid])?;
                connection.prepare_cached("DELETE FROM snapshots WHERE uid = ?1")?.execute([uid])?;
                1
            }
            Self::ForgetClaims { kind, ids } => {
                let mut delete =
                    connection.prepare_cached("DELETE FROM claims WHERE kind = ?1 AND bundle = ?2 AND number = ?3")?;
                for (group, number) in ids {
                    delete.execute(params![kind, group, number])?;
                }
                1
            }
            Self::Ping => connection.prepare_cached("UPDATE pings SET count = count + 1")?.execute([])?,
        };
        if inserted == 1 {
            return Ok(Inserted::Written);
        }
        Ok(self.find(connection)?.unwrap_or(Inserted::Taken))
    }

    /// Whether the id is in use, and by whom. `None`: by nobody, or the change has no id.
    pub(super) fn find(&self, connection: &Connection) -> rusqlite::Result<Option<Inserted>> {
        let (stored, own) = match self {
            Self::Entry { uid, seq, token, .. } => {
                let mut query = connection.prepare_cached("SELECT token FROM entries WHERE uid = ?1 AND seq = ?2")?;
                (query.query_row(params![uid, seq], |row| row.get::<_, String>(0)).optional()?, token)
            }
            Self::Claim { kind, group, number, token, .. } => {
                let mut query = connection
                    .prepare_cached("SELECT token FROM claims WHERE kind = ?1 AND bundle = ?2 AND number = ?3")?;
                (query.query_row(params![kind, group, number], |row| row.get(0)).optional()?, token)
            }
            Self::Snapshot { .. }
            | Self::Observation { .. }
            | Self::Note { .. }
            | Self::ForgetNotes { .. }
            | Self::Heartbeat { .. }
            | Self::ForgetHeartbeat { .. }
            | Self::Forget { .. }
            | Self::ForgetClaims { .. }
            | Self::Ping => return Ok(None),
        };
        Ok(stored.map(|stored| if stored == *own { Inserted::Written } else { Inserted::Taken }))
    }
}

fn json(document: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(document).map_err(|error| Failure::Refused(format!("it cannot be written as JSON: {error}")))
}

fn number(number: u64) -> Result<i64, Failure> {
    i64::try_from(number).map_err(|_| Failure::Refused(format!("{number} is beyond every number a store keeps")))
}
