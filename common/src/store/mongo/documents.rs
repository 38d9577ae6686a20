//! What is stored, as BSON: the same fields as the JSON of our documents, with dates where one searches by time.
//!
//! A key that a server might take for more than a name (with a dot, with a dollar, empty) is escaped as in a URL, so
//! that whatever a later version writes is kept to the byte.

use jiff::Timestamp;
use lifecycle::{Entry, Record, Uid, event::MAX_ENTRY_BYTES, record::Snapshot};
use mongodb::bson::{Bson, DateTime, Document};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

use super::failure::Failure;
use crate::store::{Claim, ClaimKind, Heartbeat, Observed, SourceCacheEntry};

/// An entry's document, of a weight that a store takes.
pub(super) fn of_entry(entry: &Entry) -> Result<Document, Failure> {
    if entry.seq == 0 {
        return Err(Failure::Refused("entries are numbered from 1".to_owned()));
    }
    let value = json(entry)?;
    let weight = value.to_string().len();
    if weight > MAX_ENTRY_BYTES {
        return Err(Failure::Refused(format!("it weighs {weight} bytes, and the most is {MAX_ENTRY_BYTES}")));
    }
    of(&entry_id(entry.uid.as_str(), entry.seq), value, &[("at", entry.at)])
}

pub(super) fn of_claim(claim: &Claim) -> Result<Document, Failure> {
    of(&claim_id(claim.kind, &claim.group, claim.number), json(claim)?, &[("at", claim.at)])
}

pub(super) fn of_heartbeat(heartbeat: &Heartbeat) -> Result<Document, Failure> {
    let mut document = of(&heartbeat.id, json(heartbeat)?, &[("at", heartbeat.at), ("started", heartbeat.started)])?;
    document.remove("id");
    Ok(document)
}

pub(super) fn of_observation(uid: &Uid, observed: &Observed) -> Result<Document, Failure> {
    of(uid.as_str(), json(observed)?, &[])
}

pub(super) fn of_note(note: &SourceCacheEntry) -> Result<Document, Failure> {
    of(&note.about, json(note)?, &[("at", note.at)])
}

/// `seq` is the number it was folded at.
pub(super) fn of_snapshot(record: &Record) -> Result<Document, Failure> {
    let mut document = of(record.uid.as_str(), json(&Snapshot::of(record.clone()))?, &[])?;
    document.insert("seq", number(record.head)?);
    Ok(document)
}

pub(super) fn to_entry(document: Document) -> Result<Entry, Failure> {
    let (id, entry) = to::<Entry>(document, "an entry")?;
    if id != entry_id(entry.uid.as_str(), entry.seq) {
        return Err(Failure::Damaged(format!("entry `{id}` says it is {} of `{}`", entry.seq, entry.uid)));
    }
    Ok(entry)
}

pub(super) fn to_claim(kind: ClaimKind) -> impl Fn(Document) -> Result<Claim, Failure> {
    move |document| {
        let (id, claim) = to::<Claim>(document, "a claim")?;
        if id != claim_id(kind, &claim.group, claim.number) {
            return Err(Failure::Damaged(format!("claim `{id}` says it is {} of `{}`", claim.number, claim.group)));
        }
        Ok(claim)
    }
}

pub(super) fn to_heartbeat(mut document: Document) -> Result<Heartbeat, Failure> {
    let id = document.get("_id").cloned().unwrap_or(Bson::Null);
    document.insert("id", id);
    to(document, "a heartbeat").map(|(_, heartbeat)| heartbeat)
}

pub(super) fn to_observation(document: Document) -> Result<Observed, Failure> {
    to(document, "an observation").map(|(_, observed)| observed)
}

pub(super) fn to_note(document: Document) -> Result<SourceCacheEntry, Failure> {
    to(document, "a note").map(|(_, note)| note)
}

pub(super) fn to_snapshot(document: Document) -> Result<Snapshot, Failure> {
    to(document, "a snapshot").map(|(_, snapshot)| snapshot)
}

/// An instant as it is searched: cut to milliseconds.
pub(super) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}

/// Ten digits, so that ids order as numbers do for as long as anybody reads them.
fn entry_id(uid: &str, seq: u64) -> String {
    format!("{uid}:{seq:010}")
}

fn claim_id(kind: ClaimKind, group: &str, number: u64) -> String {
    format!("{}:{group}:{number:010}", kind.as_str())
}

fn json(document: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(document).map_err(|error| Failure::Refused(format!("it cannot be written as JSON: {error}")))
}

fn of(id: &str, value: Value, dates: &[(&str, Timestamp)]) -> Result<Document, Failure> {
    let mut document = Document::new();
    document.insert("_id", id);
    if let Value::Object(fields) = value {
        document.extend(map_to_bson(fields)?);
    }
    for (key, at) in dates {
        document.insert(*key, date(*at));
    }
    Ok(document)
}

/// The id of a document, and what it says.
fn to<T: DeserializeOwned>(mut document: Document, what: &str) -> Result<(String, T), Failure> {
    let id = match document.remove("_id") {
        Some(Bson::String(id)) => id,
        other => return Err(Failure::Damaged(format!("{what} has the id {other:?}"))),
    };
    let damaged = |why: String| Failure::Damaged(format!("{what}, `{id}`, cannot be read: {why}"));
    let value = map_to_json(document).map_err(damaged)?;
    let read = serde_json::from_value(Value::Object(value)).map_err(|error| damaged(error.to_string()))?;
    Ok((id, read))
}

fn map_to_bson(map: Map<String, Value>) -> Result<Document, Failure> {
    map.into_iter().map(|(key, value)| Ok((escape(&key), to_bson(value)?))).collect()
}

fn to_bson(value: Value) -> Result<Bson, Failure> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(yes) => yes.into(),
        Value::Number(value) => match (value.as_i64(), value.as_u64(), value.as_f64()) {
            (Some(integer), ..) => integer.into(),
            (None, Some(integer), _) => number(integer)?.into(),
            (None, None, Some(float)) => float.into(),
            (None, None, None) => return Err(Failure::Refused(format!("{value} is no number a store keeps"))),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => Bson::Array(items.into_iter().map(to_bson).collect::<Result<_, _>>()?),
        Value::Object(map) => Bson::Document(map_to_bson(map)?),
    })
}

fn map_to_json(document: Document) -> Result<Map<String, Value>, String> {
    document.into_iter().map(|(key, value)| Ok((unescape(&key), to_json(value)?))).collect()
}

fn to_json(value: Bson) -> Result<Value, String> {
    Ok(match value {
        Bson::Null => Value::Null,
        Bson::Boolean(yes) => yes.into(),
        Bson::Int32(integer) => integer.into(),
        Bson::Int64(integer) => integer.into(),
        Bson::Double(float) => Number::from_f64(float).map(Value::Number).ok_or_else(|| format!("{float} in it"))?,
        Bson::String(text) => text.into(),
        Bson::DateTime(at) => Timestamp::from_millisecond(at.timestamp_millis())
            .map_err(|error| format!("the date {at} in it: {error}"))?
            .to_string()
            .into(),
        Bson::Array(items) => Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Bson::Document(document) => Value::Object(map_to_json(document)?),
        other => return Err(format!("nobody of us writes {other:?}")),
    })
}

fn number(number: u64) -> Result<i64, Failure> {
    i64::try_from(number).map_err(|_| Failure::Refused(format!("{number} is beyond every number a store keeps")))
}

/// What stands for the empty key, which no other key becomes.
const EMPTY: &str = "%";

fn escape(key: &str) -> String {
    if key.is_empty() {
        return EMPTY.to_owned();
    }
    key.replace('%', "%25").replace('.', "%2E").replace('$', "%24").replace('\0', "%00")
}

fn unescape(key: &str) -> String {
    if key == EMPTY {
        return String::new();
    }
    key.replace("%00", "\0").replace("%24", "$").replace("%2E", ".").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, stored: &Bson) {
        assert_eq!(to_bson(value.clone()).as_ref(), Ok(stored));
        assert_eq!(to_json(stored.clone()), Ok(value));
    }

    #[test]
    fn integers_are_of_64_bits_and_floats_stay_floats() {
        check(json!(1), &Bson::Int64(1));
        check(json!(1.0), &Bson::Double(1.0));
        check(json!(i64::MIN), &Bson::Int64(i64::MIN));
        assert!(matches!(to_bson(json!(u64::MAX)), Err(Failure::Refused(_))));
    }

    #[test]
    fn no_key_is_stored_that_a_server_takes_for_more_than_a_name() {
        for (key, stored) in [
            ("a", "a"),
            ("a.b/$c", "a%2Eb/%24c"),
            ("$set", "%24set"),
            ("", "%"),
            ("%", "%25"),
            ("%2E", "%252E"),
            ("100%25.", "100%2525%2E"),
            ("a\0b", "a%00b"),
        ] {
            check(json!({ key: [{ key: null }] }), &Bson::Document(doc! { stored: [{ stored: null }] }));
        }
    }

    #[test]
    fn dates_are_read_as_instants() {
        let at = DateTime::from_millis(1_767_571_200_915);
        assert_eq!(to_json(Bson::DateTime(at)), Ok(json!("2026-01-05T00:00:00.915Z")));
    }

    #[test]
    fn what_nobody_of_us_writes_is_damage() {
        assert!(to_json(Bson::Double(f64::NAN)).is_err());
        assert!(to_json(Bson::ObjectId(mongodb::bson::oid::ObjectId::new())).is_err());
    }
}
