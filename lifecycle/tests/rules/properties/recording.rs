//! What holds of entries and of their fold, whatever they say and in whatever order they come.

use lifecycle::{
    Entry, Event, Record, Uid,
    record::{Damage, Snapshot},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::any::{any_event, any_history, cases, entries, folded, instant, text};

fn history() -> impl Strategy<Value = Vec<Entry>> {
    any_history().prop_map(|(_, history)| history)
}

fn record<'a>(history: impl IntoIterator<Item = &'a Entry>) -> Record {
    Record::of(Uid::new("uid-1"), history)
}

/// Any JSON that could stand where an entry's data stands.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let key = || select(vec!["of", "on", "at", "until", "why", "deadline", "requested", "kind", "data", ""]);
    leaf.prop_recursive(2, 8, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((key(), inner), 0..4).prop_map(|pairs| pairs.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_written_reads_back(event in any_event(), at in instant()) {
        for entry in entries([(at, event)]) {
            let text = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        }
    }

    #[test]
    fn nothing_that_calls_itself_an_entry_is_refused_or_dropped(
        kind in prop_oneof![text(), any_event().prop_map(|event| event.kind().to_owned())], data in json(),
    ) {
        let stored = json!({
            "uid": "uid-1", "seq": 1, "at": "2026-01-05T00:00:00Z", "actor": "a", "name": "n", "token": "t",
            "kind": kind, "data": data,
        });
        let entry: Entry = serde_json::from_value(stored.clone()).unwrap();
        prop_assert_eq!(entry.event.kind(), &kind);
        if matches!(entry.event, Event::Unrecognised { .. }) {
            prop_assert_eq!(serde_json::to_value(&entry).unwrap(), stored);
        }
    }

    #[test]
    fn a_snapshot_and_the_rest_are_the_whole(history in history(), at in 0_usize..8) {
        let (before, after) = history.split_at(at.min(history.len()));
        let stored = serde_json::to_string(&Snapshot::of(record(before))).unwrap();
        let mut folded = serde_json::from_str::<Snapshot>(&stored).unwrap().current().unwrap();
        after.iter().for_each(|entry| folded.fold(entry));
        prop_assert_eq!(folded, record(&history));
    }

    #[test]
    fn an_entry_that_was_folded_changes_nothing(history in history(), again in 0_usize..8) {
        let mut folded = record(&history);
        let whole = folded.clone();
        history.iter().take(again).for_each(|entry| folded.fold(entry));
        prop_assert_eq!(folded, whole);
    }

    #[test]
    fn what_is_missing_or_unreadable_shows_and_stays(history in history()) {
        let known = folded(history.clone());
        let expected = (1_u64..).zip(&known).find_map(|(seq, entry)| match &entry.event {
            _ if entry.seq > seq => Some(Damage::Gap(seq)),
            Event::Unrecognised { kind, .. } => Some(Damage::Unrecognised { seq, kind: kind.clone() }),
            _ => None,
        });
        let found = record(&history);
        prop_assert_eq!(found.damage, expected);
        prop_assert_eq!(found.head, known.last().map_or(0, |entry| entry.seq));
    }
}
