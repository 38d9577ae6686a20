//! What another configuration would change: settings, and which namespaces fall under what.

use std::{collections::BTreeMap, fmt::Write as _};

use common::config::Settings;
use jiff::Timestamp;
use lifecycle::{Mode, Namespace, Policies, Status, overrides, time::human_text};
use serde::Serialize;
use serde_json::Value;

use super::{
    describe,
    effective::public,
    table::{CARE, STRONG, Table},
    time_format::relative,
};

/// What changes from one configuration to another.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) settings: Vec<Changed>,
    /// `null` where the namespaces could not be read.
    pub(crate) namespaces: Option<Vec<Moved>>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Changed {
    pub(crate) key: String,
    /// `null` where it is not set.
    pub(crate) old: Value,
    pub(crate) new: Value,
}

/// One namespace for which something else holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Moved {
    pub(crate) name: String,
    /// `null` where no policy applies.
    pub(crate) old: Option<Under>,
    pub(crate) new: Option<Under>,
    /// Its time would be over at once, and it would be deleted.
    pub(crate) due_at_once: bool,
}

/// How a namespace is treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Under {
    pub(crate) policy: String,
    pub(crate) mode: Mode,
    /// Whether it is deleted when its time is over.
    pub(crate) deletes: bool,
    /// When its time is over.
    pub(crate) end: Option<Timestamp>,
}

/// The settings that differ, each key once. Policies are told apart by their names.
pub(crate) fn settings(old: &Settings, new: &Settings) -> Vec<Changed> {
    let (old, new) = (flat(&old.raw), flat(&new.raw));
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| {
            let of = |side: &BTreeMap<String, Value>| side.get(key).map(|value| public(key, value)).unwrap_or_default();
            Changed { key: key.clone(), old: of(&old), new: of(&new) }
        })
        .collect()
}

/// The namespaces for which something else holds, each as the old and the new policies see it.
pub(crate) fn namespaces(
    seen: impl IntoIterator<Item = (Namespace, Namespace)>,
    old: &Policies,
    new: &Policies,
    now: Timestamp,
) -> Vec<Moved> {
    let mut moved: Vec<_> = seen
        .into_iter()
        .map(|(by_old, by_new)| {
            let (old, new) = (under(&by_old, old, now), under(&by_new, new, now));
            let due = |side: &Option<Under>| {
                side.as_ref().is_some_and(|side| {
                    side.deletes && side.mode == Mode::Enforce && side.end.is_some_and(|end| end <= now)
                })
            };
            let due_at_once = due(&new) && !due(&old);
            Moved { name: by_new.name, old, new, due_at_once }
        })
        .filter(|moved| moved.old != moved.new)
        .collect();
    moved.sort_by(|a, b| (!a.due_at_once, &a.name).cmp(&(!b.due_at_once, &b.name)));
    moved
}

/// The difference for a terminal.
pub(crate) fn text(difference: &Difference, now: Timestamp, width: Option<u16>) -> String {
    let mut out = String::new();
    if difference.settings.is_empty() {
        out.push_str("no setting differs\n");
    } else {
        let mut table = Table::new(["SETTING", "OLD", "NEW"]);
        for changed in &difference.settings {
            table.row([changed.key.as_str().into(), value(&changed.old).into(), value(&changed.new).into()]);
        }
        out.push_str(&table.text(width));
    }
    let Some(moved) = &difference.namespaces else { return out };
    if moved.is_empty() {
        out.push_str("\nnothing changes for any namespace\n");
        return out;
    }
    let mut table = Table::new(["NAMESPACE", "OLD", "NEW"]);
    for moved in moved {
        let side =
            |side: &Option<Under>| side.as_ref().map_or_else(|| "not managed".to_owned(), |side| told(side, now));
        table.row([moved.name.as_str().into(), side(&moved.old).into(), side(&moved.new).into()]);
    }
    let due = moved.iter().filter(|moved| moved.due_at_once).count();
    let plural = if moved.len() == 1 { "" } else { "s" };
    let _ = write!(
        out,
        "\n{}\n{STRONG}it changes what holds for {} namespace{plural}{STRONG:#}",
        table.text(width),
        moved.len()
    );
    match due {
        0 => out.push('\n'),
        due => {
            let _ = writeln!(out, "; {CARE}{due} would be due for deletion at once{CARE:#}");
        }
    }
    out
}

fn under(namespace: &Namespace, policies: &Policies, now: Timestamp) -> Option<Under> {
    let policy = policies.for_namespace(namespace)?;
    let end = overrides::deadline(namespace, policy, &policies.keys, None, now).map(|deadline| deadline.at);
    Some(Under { policy: policy.name.clone(), mode: policy.mode, deletes: policy.deletes(Status::Stale), end })
}

fn told(under: &Under, now: Timestamp) -> String {
    let end = match under.end {
        Some(end) => format!("ends {} ({})", human_text(end), relative(end, now)),
        None => "no end".to_owned(),
    };
    let stays = if under.deletes { "" } else { ", stays" };
    format!("`{}`, {}, {end}{stays}", under.policy, describe::mode(under.mode))
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Every value under its full key; a list is one value, unless its elements have names.
fn flat(raw: &impl Serialize) -> BTreeMap<String, Value> {
    fn walk(key: &str, value: Value, out: &mut BTreeMap<String, Value>) {
        let dot = if key.is_empty() { "" } else { "." };
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    walk(&format!("{key}{dot}{name}"), value, out);
                }
            }
            Value::Array(items) if !items.is_empty() && items.iter().all(|item| item.get("name").is_some()) => {
                for item in items {
                    let name = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                    walk(&format!("{key}[{name}]"), item, out);
                }
            }
            // Nothing is what an absent list says too.
            Value::Array(items) if items.is_empty() => {}
            other => {
                out.insert(key.to_owned(), other);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk("", serde_json::to_value(raw).unwrap_or_default(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use common::config::Source;
    use lifecycle::Uid;

    use super::{super::fixtures::at, *};

    fn load(yaml: &str) -> Settings {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, yaml).unwrap();
        Source::new(Some(path), [("HOME".to_owned(), "/home/someone".to_owned())]).load().unwrap()
    }

    fn namespace(name: &str) -> (Namespace, Namespace) {
        let namespace = Namespace {
            uid: Uid::new(name),
            name: name.to_owned(),
            resource_version: "1".to_owned(),
            created: at("08:00:00"),
            deleted: None,
            ending: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        };
        (namespace.clone(), namespace)
    }

    const OLD: &str = "mode: enforce\npolicies:\n  - {name: ci, match: {names: [\"ci-.*\"]}, ttl: 4h}\n";
    const NEW: &str =
        "mode: enforce\nexclude: [ci-keep]\npolicies:\n  - {name: ci, match: {names: [\"(ci|dev)-.*\"]}, ttl: 1h}\n";

    #[test]
    fn what_would_be_due_at_once_comes_first() {
        let (old, new) = (load(OLD), load(NEW));
        let seen = ["ci-1", "ci-keep", "dev-1", "other"].map(namespace);
        let now = at("10:00:00");
        let difference = Difference {
            settings: settings(&old, &new),
            namespaces: Some(namespaces(seen, &old.policies, &new.policies, now)),
        };
        let text = text(&difference, now, None);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn the_same_configuration_changes_nothing() {
        let old = load(OLD);
        assert_eq!(settings(&old, &old), []);
        assert_eq!(namespaces([namespace("ci-1")], &old.policies, &old.policies, at("10:00:00")), []);
    }
}
