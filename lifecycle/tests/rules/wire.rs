//! What is stored, and what must be read for ever.
//!
//! `tests/snapshots` shows what is written today: one entry of every kind, and a record. `tests/fixtures/entries/v1`
//! holds what was written once and stands in somebody's store: these files are never changed, only added to.

mod examples;

use std::path::{Path, PathBuf};

use lifecycle::{
    Entry, Event, Record, Uid,
    record::{Damage, FOLD_VERSION, Snapshot},
};
use serde_json::{Value, json};

use examples::examples;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[expect(clippy::disallowed_methods, reason = "fixtures are files")]
fn fixture(path: &str) -> Value {
    let path = fixtures().join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn read(json: &Value) -> Entry {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn write(entry: &Entry) -> Value {
    serde_json::to_value(entry).unwrap()
}

fn with_snapshots(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}

/// A history that leaves a trace in every part of a record.
fn whole_record() -> Record {
    let history: Vec<Entry> = examples().into_iter().map(|(_, entry)| entry).collect();
    Record::of(Uid::new("uid-1"), &history)
}

#[test]
fn there_is_an_example_of_every_kind() {
    let mut kinds: Vec<String> = examples().iter().map(|(_, entry)| entry.event.kind().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(
        kinds.join(" "),
        "ActionDone ActionFailed ActionIntended ActionSkipped Adopted DeadlineMoved DeletionStalled DryRun Gone Kept \
         NoticeIntended NoticeSent NoticeSkipped NoticeUndeliverable PolicyChanged Protected RecordMarkerMismatched \
         RecordMarkerTrusted Released Slept StatusChanged StatusNotShown StatusShown"
    );
}

#[test]
fn every_kind_is_written_as_it_always_was() {
    with_snapshots(|| {
        for (name, entry) in examples() {
            insta::assert_json_snapshot!(name, entry);
        }
    });
}

#[test]
fn every_kind_is_read_for_ever() {
    for (name, entry) in examples() {
        assert_eq!(read(&fixture(&format!("entries/v1/{name}.json"))), entry, "{name}");
    }
    let files = std::fs::read_dir(fixtures().join("entries/v1")).unwrap().count();
    assert_eq!(files, examples().len(), "each file is read");
}

#[test]
fn a_record_is_written_as_it_always_was() {
    with_snapshots(|| insta::assert_json_snapshot!("record", Snapshot::of(whole_record())));
}

#[test]
fn a_record_is_read_for_ever() {
    let stored = |version| serde_json::from_value::<Snapshot>(fixture(&format!("records/{version}.json"))).unwrap();
    assert_eq!(stored("v7").current(), Some(whole_record()));
}

#[test]
fn what_a_late_try_promised_is_read_for_ever() {
    let promise = json!("2026-01-05T01:10:00.125Z");
    for (name, data) in [
        ("notice_sent", json!({ "of": 13, "promise": promise })),
        ("notice_undeliverable", json!({ "of": 10, "promise": promise, "why": "nobody" })),
    ] {
        let mut json = fixture(&format!("entries/v1/{name}.json"));
        json["data"] = data;
        let entry = read(&json);
        assert_eq!(write(&entry), json);
        let read = match entry.event {
            Event::NoticeSent(sent) => sent.promise,
            Event::NoticeUndeliverable(failed) => failed.promise,
            _ => None,
        };
        assert_eq!(json!(read), promise, "{name}");
    }
}

/// What an entry says since it was first written, and says only where it is so.
#[test]
fn what_an_end_and_an_adoption_tell_since_is_read_for_ever() {
    let mut json = fixture("entries/v1/adopted.json");
    json["data"]["deleted_before"] = json!(3);
    let run = json!({ "since": "2026-01-05T01:00:00.125Z", "before": "2026-01-05T09:00:00Z" });
    for run in [run.clone(), json!({ "since": run["since"] })] {
        json["data"]["deadline"]["unreadable"] = run;
        let entry = read(&json);
        assert_eq!(write(&entry), json);
        let record = Record::of(entry.uid.clone(), [&entry]);
        assert_eq!(record.deleted_before, 3);
        assert!(record.deadline.as_ref().is_some_and(|it| it.unreadable.is_some()));
        let snapshot = serde_json::to_value(Snapshot::of(record.clone())).unwrap();
        assert_eq!(serde_json::from_value::<Snapshot>(snapshot).unwrap().current(), Some(record));
    }
}

#[test]
fn the_record_of_another_fold_is_ignored() {
    let other = json!({ "fold": FOLD_VERSION + 1, "record": whole_record() });
    assert_eq!(serde_json::from_value::<Snapshot>(other).unwrap().current(), None);
}

#[test]
fn fields_of_a_later_version_are_tolerated() {
    for (name, entry) in examples() {
        let mut json = write(&entry);
        json["later"] = json!({ "a": [1] });
        if json["data"].is_object() && !matches!(entry.event, Event::Unrecognised { .. }) {
            json["data"]["later"] = json!(true);
        }
        assert_eq!(read(&json), entry, "{name}");
    }
    let mut json = serde_json::to_value(Snapshot::of(whole_record())).unwrap();
    json["record"]["later"] = json!(1);
    assert_eq!(serde_json::from_value::<Snapshot>(json).unwrap().current(), Some(whole_record()));
}

/// An entry that cannot be read keeps what it said, and stops whatever destroys.
#[track_caller]
fn is_kept_unread(kind: &str, data: &Value) {
    let mut json = write(&examples().remove(0).1);
    json["kind"] = json!(kind);
    json["data"] = data.clone();
    let entry = read(&json);
    assert_eq!(entry.event, Event::Unrecognised { kind: kind.to_owned(), data: data.clone() });
    assert_eq!(write(&entry), json, "it is written as it was read");
    let record = Record::of(entry.uid.clone(), [&entry]);
    assert_eq!(record.damage, Some(Damage::Unrecognised { seq: 1, kind: kind.to_owned() }));
}

#[test]
fn an_unknown_kind_is_kept_as_it_is() {
    for data in
        [json!({ "until": "2026-01-05T00:00:00Z", "deep": [{ "a": null }] }), json!({}), json!([1, 2.5]), Value::Null]
    {
        is_kept_unread("Slept", &data);
    }
    is_kept_unread("", &json!({}));
    is_kept_unread("gone", &json!({}));
}

#[test]
fn a_known_kind_that_says_something_else_is_kept_as_it_is() {
    for (name, entry) in examples() {
        if matches!(entry.event, Event::Unrecognised { .. }) {
            continue;
        }
        let kind = entry.event.kind();
        let Value::Object(data) = write(&entry)["data"].take() else { panic!("{name} has no data") };
        is_kept_unread(kind, &json!("a text"));
        is_kept_unread(kind, &Value::Null);
        for key in data.keys() {
            let mut wrong = data.clone();
            wrong[key] = json!({ "of": "another shape" });
            is_kept_unread(kind, &Value::Object(wrong));
        }
    }
    is_kept_unread(
        "ActionSkipped",
        &json!({ "of": 1, "action": "delete", "why": "later", "detail": "", "not_before": null }),
    );
    is_kept_unread(
        "StatusChanged",
        &json!({ "from": "ok", "to": "tired", "reason": "", "evidence": [], "finalize_at": null }),
    );
}

#[test]
fn an_entry_without_data_is_kept_unread() {
    let mut json = write(&examples().remove(0).1);
    json.as_object_mut().unwrap().remove("data");
    json["kind"] = json!("Slept");
    assert_eq!(read(&json).event, Event::Unrecognised { kind: "Slept".to_owned(), data: Value::Null });
}

#[test]
fn what_is_no_entry_at_all_is_an_error() {
    for key in ["uid", "seq", "at", "actor", "name", "token", "kind"] {
        let mut json = write(&examples().remove(0).1);
        json.as_object_mut().unwrap().remove(key);
        assert!(serde_json::from_value::<Entry>(json).is_err(), "{key}");
    }
}
