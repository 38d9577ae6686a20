//! What a namespace should carry for people and tools to read (docs/design/lifecycle.md section 1). Output only:
//! nothing is decided on it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    Check, Observation, Record, Status, Truth, duration,
    keys::{
        FAILING_RESOURCES, MANAGED, NAMESPACE, NOTIFIED_STATUS, NOTIFIED_TIMESTAMP, STATUS, STATUS_FINALIZE_AT,
        STATUS_TIMEFRAME, STATUS_TIMESTAMP,
    },
    overrides,
    time::{annotation_text, between},
};

/// All there are, but the record marker.
pub const OURS: [&str; 9] = [
    MANAGED,
    NAMESPACE,
    STATUS,
    STATUS_TIMESTAMP,
    STATUS_TIMEFRAME,
    STATUS_FINALIZE_AT,
    FAILING_RESOURCES,
    NOTIFIED_STATUS,
    NOTIFIED_TIMESTAMP,
];

/// The most that `failing_resources` may hold, in bytes (docs/design/lifecycle.md section 1).
const MAX_FAILING_BYTES: usize = 16 * 1024;

/// The annotations a namespace should carry, keys without prefix; `None` is to be absent. What is not named is left
/// alone. Empty where nothing is to be written: it is not ours, is going away, or a request about it is under way.
#[must_use]
pub fn annotations(record: &Record, seen: &Observation) -> BTreeMap<&'static str, Option<String>> {
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
    let deadline = record.deadline.as_ref();
    let (timeframe, finalize_at) = match record.status {
        Status::Ok | Status::Stale => {
            (deadline.map(|end| overrides::lifetime(namespace.created, end)), deadline.map(|end| end.at))
        }
        Status::Unstable | Status::Failing | Status::Superseded => {
            (record.since.zip(record.finalize_at).map(|(since, end)| between(since, end)), record.finalize_at)
        }
        Status::Unknown | Status::Failed | Status::Cancelled => (None, None),
    };
    let mut carried = BTreeMap::from([
        (MANAGED, Some("true".to_owned())),
        (NAMESPACE, Some(namespace.name.clone())),
        (STATUS, Some(record.status.to_string())),
        (STATUS_TIMESTAMP, record.since.map(annotation_text)),
        (STATUS_TIMEFRAME, timeframe.map(duration::text)),
        (STATUS_FINALIZE_AT, finalize_at.map(annotation_text)),
        (NOTIFIED_STATUS, record.notified.map(|notified| notified.about.to_string())),
        (NOTIFIED_TIMESTAMP, record.notified.map(|notified| annotation_text(notified.at))),
    ]);
    match &seen.health {
        Check::Disabled => {
            carried.insert(FAILING_RESOURCES, None);
        }
        Check::Observed(health) if health.look.condition.truth != Truth::Unknown => {
            carried.insert(FAILING_RESOURCES, Some(failing_resources(&health.look.failing)));
        }
        // What was known before is still the last that is known.
        Check::Pending | Check::Observed(_) => {}
    }
    carried
}

/// What fails, as a list in JSON. Where it is too long, a last element says how many were cut.
fn failing_resources(failing: &[Value]) -> String {
    const LAST: usize = 64;
    let mut used = LAST;
    let fits = |item: &&Value| {
        used += item.to_string().len() + 1;
        used <= MAX_FAILING_BYTES
    };
    let mut shown: Vec<_> = failing.iter().take_while(fits).cloned().collect();
    let cut = failing.len() - shown.len();
    if cut > 0 {
        let words = format!("and {cut} more");
        shown.push(if failing.iter().all(Value::is_string) { json!(words) } else { json!({ "cut": words }) });
    }
    Value::Array(shown).to_string()
}
