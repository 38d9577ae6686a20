//! The annotations on a namespace, as its record says them: what differs, and the one PATCH that mends it.

use std::collections::BTreeMap;

use lifecycle::{
    Namespace, Observation, Record, annotations,
    keys::{RECORD, RecordMarker},
};

use crate::{
    cluster::{ApiError, Cluster, facts_of, patch_annotations},
    config::Settings,
};

/// What the namespace should carry and does not, by full key; `None` is to be removed. Of a marker that is not its own this
/// says that it differs; [`write()`] knows the new one.
#[must_use]
pub fn changes(settings: &Settings, record: &Record, seen: &Observation) -> BTreeMap<String, Option<String>> {
    let keys = &settings.policies.keys;
    let carried = annotations(record, seen);
    // Its own marker in the present form, however old: what somebody took off, or brought along from another, is put right.
    let wants_marker = record.is_managed() && !carried.is_empty() && !RecordMarker::is_on(&seen.namespace, keys);
    let marker = wants_marker.then(|| (keys.ours(RECORD), None));
    carried
        .into_iter()
        .map(|(key, value)| (keys.ours(key), value))
        .filter(|(key, value)| seen.namespace.annotations.get(key) != value.as_ref())
        .chain(marker)
        .collect()
}

/// Writes the difference in one PATCH, with the record marker. Returns the namespace as it is then.
///
/// # Errors
/// When it is not known to be written.
pub async fn write(
    cluster: &Cluster,
    settings: &Settings,
    record: &Record,
    epoch: u64,
    mut difference: BTreeMap<String, Option<String>>,
) -> Result<Option<Namespace>, ApiError> {
    let keys = &settings.policies.keys;
    let marker = record
        .is_managed()
        .then(|| RecordMarker { epoch, seq: record.head, uid: Some(record.uid.clone()) }.to_string());
    difference.insert(keys.ours(RECORD), marker);
    let patched = patch_annotations(cluster, &record.name, &record.uid, &difference).await?;
    Ok(facts_of(patched, &settings.policies))
}
