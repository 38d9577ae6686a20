//! What a namespace should carry for people and tools to read (lifecycle.md section 1). Output only: nothing is
//! decided on it.

use std::collections::BTreeMap;

use crate::{
    Observation, Record, Status, duration,
    keys::{
        MANAGED, NAMESPACE, NOTIFIED_STATUS, NOTIFIED_TIMESTAMP, STATUS, STATUS_FINALIZE_AT, STATUS_TIMEFRAME,
        STATUS_TIMESTAMP,
    },
    time::annotation_text,
    wishes,
};

/// All there are, but the mark of whose record they show.
const OURS: [&str; 8] = [
    MANAGED,
    NAMESPACE,
    STATUS,
    STATUS_TIMESTAMP,
    STATUS_TIMEFRAME,
    STATUS_FINALIZE_AT,
    NOTIFIED_STATUS,
    NOTIFIED_TIMESTAMP,
];

/// The annotations a namespace should carry, keys without prefix; `None` is to be absent. What is not named is left
/// alone. Empty where nothing is to be written: it is not ours, is going away, or a request about it is under way.
#[must_use]
pub fn mirror(record: &Record, seen: &Observation) -> BTreeMap<&'static str, Option<String>> {
    let namespace = &seen.namespace;
    let is_left_alone = record.open.is_some()
        || record.done.is_some()
        || record.damage.is_some()
        || record.uid != namespace.uid
        || namespace.deleted.is_some();
    if is_left_alone {
        return BTreeMap::new();
    }
    if !record.is_managed() {
        let release = record.phase == crate::record::Phase::Released;
        return OURS.into_iter().filter(|_| release).map(|key| (key, None)).collect();
    }
    let deadline = match record.status {
        Status::Ok | Status::Stale => record.deadline.as_ref(),
        Status::Unknown
        | Status::Unstable
        | Status::Failing
        | Status::Failed
        | Status::Cancelled
        | Status::Superseded => None,
    };
    BTreeMap::from([
        (MANAGED, Some("true".to_owned())),
        (NAMESPACE, Some(namespace.name.clone())),
        (STATUS, Some(record.status.to_string())),
        (STATUS_TIMESTAMP, record.since.map(annotation_text)),
        (STATUS_TIMEFRAME, deadline.map(|end| duration::text(wishes::lifetime(namespace.created, end)))),
        (STATUS_FINALIZE_AT, deadline.map(|end| annotation_text(end.at))),
        (NOTIFIED_STATUS, record.notified.map(|notified| notified.about.to_string())),
        (NOTIFIED_TIMESTAMP, record.notified.map(|notified| annotation_text(notified.at))),
    ])
}
