//! What is read. Every query is a range of one index, so that it costs what it returns, however much is stored.

use lifecycle::{
    Entry, Record, Uid,
    record::{FOLD_VERSION, Snapshot},
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::store::{Claim, ClaimKind, EntryPosition, Heartbeat, Observed, SourceCacheEntry};

const HISTORY: &str = "SELECT uid, seq, document FROM entries WHERE uid = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
const TAIL_FROM: &str = "SELECT uid, seq, document FROM entries WHERE at >= ?1 ORDER BY at, uid, seq LIMIT ?2";
const TAIL_AFTER: &str = "SELECT uid, seq, document FROM entries WHERE (at, uid, seq) > (?1, ?2, ?3)
    ORDER BY at, uid, seq LIMIT ?4";
const UIDS_NAMED: &str = "SELECT uid FROM entries WHERE name = ?1 AND seq = 1 ORDER BY at DESC, uid DESC LIMIT ?2";
const SNAPSHOT: &str = "SELECT document FROM snapshots WHERE uid = ?1 AND fold = ?2";
const SNAPSHOTS: &str = "SELECT document FROM snapshots WHERE uid > ?1 AND fold = ?2 ORDER BY uid";
const UIDS: &str = "SELECT uid FROM snapshots WHERE uid > ?1 ORDER BY uid LIMIT ?2";
const OBSERVATION: &str = "SELECT document FROM observations WHERE uid = ?1";
const NOTE: &str = "SELECT document FROM notes WHERE about = ?1";
const NOTES_BEFORE: &str = "SELECT about FROM notes WHERE at < ?1 LIMIT ?2";
const CLAIMS: &str = "SELECT document FROM claims WHERE kind = ?1 AND bundle = ?2 AND number >= ?3
    ORDER BY number LIMIT ?4";
const LAST_CLAIM: &str = "SELECT document FROM claims WHERE kind = ?1 AND bundle = ?2 ORDER BY number DESC LIMIT 1";
const HEARTBEATS: &str = "SELECT document FROM heartbeats ORDER BY id LIMIT ?1";
const CLAIMS_BEFORE: &str = "SELECT bundle, number FROM claims WHERE kind = ?1 AND bundle < ?2
    ORDER BY bundle, number LIMIT ?3";

pub(super) fn history(connection: &Connection, uid: &Uid, after: u64, limit: usize) -> Result<Vec<Entry>, Failure> {
    entries(connection, HISTORY, params![uid.as_str(), clamp(after), count(limit)])
}

/// `from` is in milliseconds since 1970.
pub(super) fn tail(
    connection: &Connection,
    from: i64,
    after: Option<&EntryPosition>,
    limit: usize,
) -> Result<Vec<Entry>, Failure> {
    // Of the two bounds the later one says it all.
    match after {
        Some(place) if place.at.as_millisecond() >= from => {
            let (at, seq) = (place.at.as_millisecond(), clamp(place.seq));
            entries(connection, TAIL_AFTER, params![at, place.uid.as_str(), seq, count(limit)])
        }
        _ => entries(connection, TAIL_FROM, params![from, count(limit)]),
    }
}

pub(super) fn uids_named(connection: &Connection, name: &str, limit: usize) -> Result<Vec<Uid>, Failure> {
    let uid = |row: &Row<'_>| row.get::<_, String>(0).map(Uid::new);
    let mut query = connection.prepare_cached(UIDS_NAMED)?;
    let found = query.query_map(params![name, count(limit)], uid)?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

pub(super) fn snapshot(connection: &Connection, uid: &Uid) -> Result<Option<Record>, Failure> {
    let mut query = connection.prepare_cached(SNAPSHOT)?;
    let found = query.query_row(params![uid.as_str(), FOLD_VERSION], document).optional()?;
    Ok(found.as_deref().and_then(record))
}

pub(super) fn snapshots(connection: &Connection, after: Option<&Uid>, limit: usize) -> Result<Vec<Record>, Failure> {
    let mut query = connection.prepare_cached(SNAPSHOTS)?;
    let mut rows = query.query(params![after.map_or("", Uid::as_str), FOLD_VERSION])?;
    let mut found = Vec::new();
    // Not limited by SQL: what cannot be read must not make a page short, which means the end to the caller.
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        found.extend(record(&document(row)?));
    }
    Ok(found)
}

pub(super) fn uids(connection: &Connection, after: Option<&Uid>, limit: usize) -> Result<Vec<Uid>, Failure> {
    let uid = |row: &Row<'_>| row.get::<_, String>(0).map(Uid::new);
    let mut query = connection.prepare_cached(UIDS)?;
    let found = query.query_map(params![after.map_or("", Uid::as_str), count(limit)], uid)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// An observation that cannot be read is as good as none: it restarts timers, and ends none.
pub(super) fn observation(connection: &Connection, uid: &Uid) -> Result<Option<Observed>, Failure> {
    let mut query = connection.prepare_cached(OBSERVATION)?;
    let found = query.query_row([uid.as_str()], document).optional()?;
    Ok(found.and_then(|document| serde_json::from_str(&document).ok()))
}

/// A note that cannot be read is as good as none.
pub(super) fn note(connection: &Connection, about: &str) -> Result<Option<SourceCacheEntry>, Failure> {
    let mut query = connection.prepare_cached(NOTE)?;
    let found = query.query_row([about], document).optional()?;
    Ok(found.and_then(|document| serde_json::from_str(&document).ok()))
}

pub(super) fn notes_before(connection: &Connection, before: i64, limit: usize) -> Result<Vec<String>, Failure> {
    let mut query = connection.prepare_cached(NOTES_BEFORE)?;
    let found = query.query_map(params![before, count(limit)], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn claims(
    connection: &Connection,
    kind: ClaimKind,
    group: &str,
    from: u64,
    limit: usize,
) -> Result<Vec<Claim>, Failure> {
    let mut query = connection.prepare_cached(CLAIMS)?;
    let mut rows = query.query(params![kind.as_str(), group, clamp(from), count(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(claim(group, &document(row)?)?);
    }
    Ok(found)
}

pub(super) fn last_claim(connection: &Connection, kind: ClaimKind, group: &str) -> Result<Option<Claim>, Failure> {
    let mut query = connection.prepare_cached(LAST_CLAIM)?;
    let found = query.query_row(params![kind.as_str(), group], document).optional()?;
    found.map(|document| claim(group, &document)).transpose()
}

pub(super) fn heartbeats(connection: &Connection, limit: usize) -> Result<Vec<Heartbeat>, Failure> {
    let mut query = connection.prepare_cached(HEARTBEATS)?;
    let mut rows = query.query([count(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(parse(&document(row)?, || "a heartbeat".to_owned())?);
    }
    Ok(found)
}

/// The groups and numbers of claims in groups before one.
pub(super) fn claims_before(
    connection: &Connection,
    kind: ClaimKind,
    before: &str,
    limit: usize,
) -> Result<Vec<(String, i64)>, Failure> {
    let mut query = connection.prepare_cached(CLAIMS_BEFORE)?;
    let id = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = query.query_map(params![kind.as_str(), before, count(limit)], id)?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

fn entries(connection: &Connection, query: &str, params: &[&dyn ToSql]) -> Result<Vec<Entry>, Failure> {
    let mut query = connection.prepare_cached(query)?;
    let mut rows = query.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (uid, seq, document): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let entry: Entry = parse(&document, || format!("entry {seq} of `{uid}`"))?;
        if entry.uid.as_str() != uid || clamp(entry.seq) != seq {
            return Err(Failure::Damaged(format!(
                "entry {seq} of `{uid}` says it is {} of `{}`",
                entry.seq, entry.uid
            )));
        }
        found.push(entry);
    }
    Ok(found)
}

fn claim(group: &str, document: &str) -> Result<Claim, Failure> {
    parse(document, || format!("a claim of `{group}`"))
}

/// A snapshot that cannot be read is as good as none: it is never believed over the history.
fn record(document: &str) -> Option<Record> {
    serde_json::from_str::<Snapshot>(document).ok()?.current()
}

fn document(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get("document")
}

fn parse<T: DeserializeOwned>(document: &str, what: impl FnOnce() -> String) -> Result<T, Failure> {
    serde_json::from_str(document).map_err(|error| Failure::Damaged(format!("{} cannot be read: {error}", what())))
}

/// No number beyond `i64` is ever stored, so a bound there selects the same.
fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rusqlite::params_from_iter;

    use super::*;
    use crate::store::sqlite::schema::TABLES;

    #[track_caller]
    fn check(query: &str, plan: &str) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let nothing = vec![rusqlite::types::Null; explain.parameter_count()];
        let steps = explain.query_map(params_from_iter(nothing), |row| row.get::<_, String>("detail")).unwrap();
        assert_eq!(steps.collect::<rusqlite::Result<Vec<_>>>().unwrap(), [plan]);
    }

    // Each plan is one search, and none sorts: what is read does not grow with what is stored.

    #[test]
    fn a_history_is_a_range_of_its_index() {
        check(HISTORY, "SEARCH entries USING INDEX sqlite_autoindex_entries_1 (uid=? AND seq>?)");
    }

    #[test]
    fn the_tail_is_a_range_of_its_index() {
        check(TAIL_FROM, "SEARCH entries USING INDEX entries_by_place (at>?)");
        check(TAIL_AFTER, "SEARCH entries USING INDEX entries_by_place ((at,uid,seq)>(?,?,?))");
    }

    #[test]
    fn a_name_is_found_by_its_index() {
        check(UIDS_NAMED, "SEARCH entries USING COVERING INDEX histories_by_name (name=?)");
    }

    #[test]
    fn snapshots_are_ranges_of_their_key() {
        check(SNAPSHOT, "SEARCH snapshots USING PRIMARY KEY (uid=?)");
        check(UIDS, "SEARCH snapshots USING PRIMARY KEY (uid>?)");
        check(SNAPSHOTS, "SEARCH snapshots USING PRIMARY KEY (uid>?)");
    }

    #[test]
    fn claims_are_ranges_of_their_index() {
        check(CLAIMS, "SEARCH claims USING INDEX sqlite_autoindex_claims_1 (kind=? AND bundle=? AND number>?)");
        check(LAST_CLAIM, "SEARCH claims USING INDEX sqlite_autoindex_claims_1 (kind=? AND bundle=?)");
    }

    #[test]
    fn claims_of_earlier_groups_are_a_range_of_their_index() {
        let plan = "SEARCH claims USING COVERING INDEX sqlite_autoindex_claims_1 (kind=? AND bundle<?)";
        check(CLAIMS_BEFORE, plan);
    }

    #[test]
    fn audits_by_kind_and_by_actor_are_ranges_of_their_indexes() {
        let by = |column| format!("SELECT document FROM entries WHERE {column} = ?1 AND at >= ?2 ORDER BY at DESC");
        check(&by("kind"), "SEARCH entries USING INDEX entries_by_kind (kind=? AND at>?)");
        check(&by("actor"), "SEARCH entries USING INDEX entries_by_actor (actor=? AND at>?)");
    }
}
