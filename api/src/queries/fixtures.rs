//! Histories and policies for the tests of what people see.

use jiff::Timestamp;
use lifecycle::{
    Entry, Keys, Mode, Namespace, Policies, Record, Uid,
    guards::PROMISE_MARGIN,
    policy::{Common, HealthSources, RawPolicy},
};
use serde_json::{Value, json};

pub(crate) fn at(text: &str) -> Timestamp {
    format!("2026-08-17T{text}Z").parse().unwrap()
}

/// An entry of `ci-42` in its stored form: number, time of the day, kind and data.
pub(crate) fn entry(seq: u64, time: &str, kind: &str, data: Value) -> Entry {
    serde_json::from_value(json!({
        "uid": "u1", "seq": seq, "at": at(time), "actor": "collector/a", "name": "ci-42", "token": "t",
        "kind": kind, "data": data,
    }))
    .unwrap()
}

/// The record after these entries, numbered from 1.
pub(crate) fn record(entries: &[(&str, &str, Value)]) -> Record {
    let history: Vec<_> =
        entries.iter().zip(1..).map(|((time, kind, data), seq)| entry(seq, time, kind, data.clone())).collect();
    Record::of(Uid::new("u1"), &history)
}

/// Adopted at 08:00 under `ci` with its hash, its time over at 12:00.
pub(crate) fn adopted(policies: &Policies) -> (&'static str, &'static str, Value) {
    let policy = policies.iter().next().unwrap();
    let data = json!({
        "policy": policy.name, "policy_hash": policy.hash, "mode": policy.mode, "created": at("08:00:00"),
        "ci": [{"k": "author", "v": "alice"}], "deadline": {"at": at("12:00:00"), "by": {"source": "policy"}},
    });
    ("08:00:01", "Adopted", data)
}

pub(crate) fn changed(time: &'static str, from: &str, to: &str, reason: &str) -> (&'static str, &'static str, Value) {
    let evidence = json!([{"truth": "true", "reason": reason, "observed_at": at(time)}]);
    let data = json!({"from": from, "to": to, "reason": reason, "evidence": evidence, "finalize_at": null});
    (time, "StatusChanged", data)
}

/// One policy `ci` with a ttl of 4 h, and what more is said of it.
pub(crate) fn policies(mode: Mode, more: &Value) -> Policies {
    let mut raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "4h", "visible_for": "0"});
    raw.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let raw: RawPolicy = serde_json::from_value(raw).unwrap();
    let common = Common {
        mode,
        keys: Keys::default(),
        exclude: &[],
        has_channel: false,
        sources: HealthSources::NONE,
        ci: &[],
        promise_margin: PROMISE_MARGIN,
    };
    Policies::new(&[raw], &common).unwrap()
}

/// A namespace `ci-42` of 8 o'clock with these annotations under our prefix.
pub(crate) fn namespace(keys: &Keys, written: &[(&str, &str)]) -> Namespace {
    Namespace {
        uid: Uid::new("u1"),
        name: "ci-42".to_owned(),
        resource_version: "1".to_owned(),
        created: at("08:00:00"),
        deleted: None,
        ending: None,
        labels: Default::default(),
        annotations: written.iter().map(|(key, value)| (keys.ours(key), (*value).to_owned())).collect(),
    }
}
