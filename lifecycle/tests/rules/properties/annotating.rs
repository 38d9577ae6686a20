//! What holds of `annotations`: output, and nothing but output.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use lifecycle::{
    Keys, Record, Status, Uid, annotations, duration, record::Phase, time::annotation_text, time::between,
};
use proptest::prelude::*;

use crate::any::{any_annotations, any_history, cases, observation};

fn record() -> impl Strategy<Value = Record> {
    any_history().prop_map(|(_, history)| Record::of(Uid::new("uid-1"), &history))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_a_namespace_carries_decides_nothing_of_what_it_should(
        record in record(), mut seen in observation(), other in any_annotations(),
    ) {
        let wanted = annotations(&record, &seen);
        seen.namespace.annotations = other;
        seen.namespace.labels = BTreeMap::new();
        prop_assert_eq!(&annotations(&record, &seen), &wanted);
        // And once it is written, nothing differs.
        let keys = Keys::default();
        for (key, value) in &wanted {
            match value {
                Some(value) => seen.namespace.annotations.insert(keys.ours(key), value.clone()),
                None => seen.namespace.annotations.remove(&keys.ours(key)),
            };
        }
        for (key, value) in annotations(&record, &seen) {
            prop_assert_eq!(keys.read(&seen.namespace, key), value.as_deref());
        }
    }

    #[test]
    fn nothing_is_written_on_what_is_not_ours_to_write(record in record(), seen in observation()) {
        let is_left_alone = record.open.is_some()
            || record.done.is_some()
            || record.damage.is_some()
            || seen.namespace.deleted.is_some()
            || seen.namespace.uid != record.uid
            || matches!(record.phase, Phase::New | Phase::Gone);
        let wanted = annotations(&record, &seen);
        prop_assert_eq!(wanted.is_empty(), is_left_alone);
        if record.phase == Phase::Released {
            prop_assert!(wanted.values().all(Option::is_none));
        }
    }

    #[test]
    fn the_values_are_those_of_the_page(record in record(), mut seen in observation()) {
        seen.namespace.uid = record.uid.clone();
        let wanted = annotations(&record, &seen);
        if record.phase != Phase::Managed || wanted.is_empty() {
            return Ok(());
        }
        let value = |key: &str| wanted[key].as_deref();
        prop_assert_eq!(value("managed"), Some("true"));
        prop_assert_eq!(value("namespace"), Some(seen.namespace.name.as_str()));
        prop_assert_eq!(value("status"), Some(record.status.as_str()));
        let (from, end) = match record.status {
            Status::Ok | Status::Stale => {
                (Some(seen.namespace.created), record.deadline.as_ref().map(|deadline| deadline.at))
            }
            Status::Unstable | Status::Failing | Status::Superseded => (record.since, record.finalize_at),
            Status::Unknown | Status::Failed | Status::Cancelled => (None, None),
        };
        let length = |(from, end)| duration::text(between(from, end).max(SignedDuration::ZERO));
        let lifetime = from.zip(end).map(length);
        prop_assert_eq!(value("status_timeframe"), lifetime.as_deref());
        prop_assert_eq!(&wanted["status_finalize_at"], &end.map(annotation_text));
        prop_assert_eq!(&wanted["status_timestamp"], &record.since.map(annotation_text));
        let told = record.notified.map(|notified| (notified.about.as_str(), annotation_text(notified.at)));
        prop_assert_eq!(value("notified_status").zip(wanted["notified_timestamp"].clone()), told);
    }
}
