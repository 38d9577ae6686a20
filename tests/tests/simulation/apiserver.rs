//! Namespaces as an apiserver keeps them: uids, resourceVersions, preconditions, the log that watches read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One namespace.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) created: Timestamp,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What a watch is told.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) kind: &'static str,
    pub(crate) object: Object,
}

/// A definite no.
#[derive(Clone, Debug)]
pub(crate) struct No {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// What it refers to, where it says so.
    pub(crate) field: Option<&'static str>,
}

/// The state of the cluster, and its past since the last compaction.
#[derive(Debug, Default)]
pub(crate) struct Apiserver {
    objects: BTreeMap<String, Object>,
    version: u64,
    born: u64,
    pub(crate) events: Vec<Event>,
    /// Events up to here are forgotten: 410.
    pub(crate) compacted: u64,
    /// Everything that is gone, by uid.
    gone: BTreeSet<String>,
    /// Everything that ever was, by uid.
    lives: BTreeMap<String, Life>,
}

/// What a namespace was from its creation on.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) name: String,
    /// As it says.
    pub(crate) created: Timestamp,
    /// As they are, or were last.
    pub(crate) labels: BTreeMap<String, String>,
    /// When its deletion was accepted.
    pub(crate) ended: Option<Timestamp>,
}

/// On whom this label stands, admission takes our statuses off what is written on it.
pub(crate) const STRIPS: &str = "strips";

pub(crate) type Answer<T> = Result<T, No>;

impl Apiserver {
    pub(crate) fn get(&self, name: &str) -> Answer<&Object> {
        self.objects.get(name).ok_or_else(|| not_found(name))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether this uid is terminating, or was there and is not any more.
    pub(crate) fn is_ending(&self, uid: &str) -> bool {
        let there = self.objects.values().find(|object| object.uid == uid);
        there.map_or_else(|| self.gone.contains(uid), |object| object.deleted.is_some())
    }

    /// Whether this uid was there and is not any more.
    pub(crate) fn is_gone(&self, uid: &str) -> bool {
        self.gone.contains(uid)
    }

    /// Everything that ever was, by uid.
    pub(crate) const fn lives(&self) -> &BTreeMap<String, Life> {
        &self.lives
    }

    pub(crate) fn create(
        &mut self,
        name: &str,
        created: Timestamp,
        labels: BTreeMap<String, String>,
    ) -> Answer<String> {
        if self.objects.contains_key(name) {
            return Err(no(409, "AlreadyExists", format!("namespaces \"{name}\" already exists")));
        }
        self.born += 1;
        // In the form of a UUID: hints about anything else are dropped.
        let uid = format!("00000000-0000-4000-8000-{:012}", self.born);
        let life = Life { name: name.to_owned(), created, labels: labels.clone(), ended: None };
        self.lives.insert(uid.clone(), life);
        let object = Object {
            uid: uid.clone(),
            name: name.to_owned(),
            version: 0,
            created,
            deleted: None,
            labels,
            annotations: BTreeMap::new(),
        };
        self.objects.insert(name.to_owned(), object);
        self.publish(name, "ADDED");
        Ok(uid)
    }

    /// Changes metadata; what changes nothing moves nothing.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut Object)) -> Answer<Object> {
        let object = self.objects.get_mut(name).ok_or_else(|| not_found(name))?;
        let before = (object.labels.clone(), object.annotations.clone());
        change(object);
        if before != (object.labels.clone(), object.annotations.clone()) {
            if let Some(life) = self.lives.get_mut(&object.uid) {
                life.labels.clone_from(&object.labels);
            }
            self.publish(name, "MODIFIED");
        }
        self.get(name).cloned()
    }

    /// A merge patch of the metadata. A uid in it cannot be changed, and so is a precondition.
    pub(crate) fn patch(&mut self, name: &str, patch: &Value) -> Answer<Object> {
        let metadata = &patch["metadata"];
        let object = self.get(name)?;
        if let Some(wanted) = metadata["uid"].as_str().filter(|wanted| **wanted != object.uid) {
            return Err(immutable_uid(name, wanted));
        }
        let annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
        self.change(name, |object| {
            merge(&mut object.annotations, annotations);
            if object.labels.contains_key(STRIPS) {
                object.annotations.remove("manager.cicd.skao.int/status");
            }
        })
    }

    /// Accepts a deletion, or says why not. A namespace that is terminating already stays so.
    pub(crate) fn delete(
        &mut self,
        name: &str,
        uid: Option<&str>,
        version: Option<&str>,
        now: Timestamp,
    ) -> Answer<Object> {
        let object = self.get(name)?;
        check_uid(object, uid)?;
        if let Some(wanted) = version.filter(|wanted| **wanted != object.version.to_string()) {
            let found = object.version;
            let why = format!("ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {found}");
            return Err(conflict(name, &why));
        }
        if object.deleted.is_some() {
            return Err(no(409, "Conflict", "The namespace is being terminated".to_owned()));
        }
        if let Some(object) = self.objects.get_mut(name) {
            object.deleted = Some(now);
            if let Some(life) = self.lives.get_mut(&object.uid) {
                life.ended = Some(now);
            }
        }
        self.publish(name, "MODIFIED");
        self.get(name).cloned()
    }

    /// Its content is gone, and now the namespace is.
    pub(crate) fn finish(&mut self, uid: &str) {
        let Some(name) = self.objects.values().find(|object| object.uid == uid).map(|object| object.name.clone())
        else {
            return;
        };
        self.publish(&name, "DELETED");
        self.objects.remove(&name);
        self.gone.insert(uid.to_owned());
    }

    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
        self.events.clear();
    }

    fn publish(&mut self, name: &str, kind: &'static str) {
        self.version += 1;
        if let Some(object) = self.objects.get_mut(name) {
            object.version = self.version;
            self.events.push(Event { version: self.version, kind, object: object.clone() });
        }
    }
}

impl Object {
    /// As the apiserver writes it, metadata alone.
    pub(crate) fn json(&self) -> Value {
        let mut metadata = json!({
            "name": self.name,
            "uid": self.uid,
            "resourceVersion": self.version.to_string(),
            "creationTimestamp": whole(self.created),
            "labels": self.labels,
            "annotations": self.annotations,
            "managedFields": [{ "manager": "somebody", "operation": "Update" }],
        });
        if let Some(deleted) = self.deleted {
            metadata["deletionTimestamp"] = json!(whole(deleted));
        }
        json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata })
    }
}

/// Instants of an apiserver have whole seconds.
fn whole(at: Timestamp) -> String {
    format!("{at:.0}")
}

fn merge(into: &mut BTreeMap<String, String>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::String(text) => drop(into.insert(key, text)),
            _ => drop(into.remove(&key)),
        }
    }
}

fn check_uid(object: &Object, wanted: Option<&str>) -> Answer<()> {
    match wanted.filter(|wanted| *wanted != object.uid) {
        None => Ok(()),
        Some(wanted) => {
            Err(conflict(&object.name, &format!("UID in precondition: {wanted}, UID in object meta: {}", object.uid)))
        }
    }
}

fn conflict(name: &str, why: &str) -> No {
    let message = format!("Operation cannot be fulfilled on namespaces \"{name}\": Precondition failed: {why}");
    no(409, "Conflict", message)
}

/// As a real apiserver answers: to a PATCH the uid is a field like others, not a precondition as to a DELETE.
fn immutable_uid(name: &str, wanted: &str) -> No {
    let field = "metadata.uid";
    let message = format!("Namespace \"{name}\" is invalid: {field}: Invalid value: \"{wanted}\": field is immutable");
    No { field: Some(field), ..no(422, "Invalid", message) }
}

fn not_found(name: &str) -> No {
    no(404, "NotFound", format!("namespaces \"{name}\" not found"))
}

pub(crate) const fn no(code: u16, reason: &'static str, message: String) -> No {
    No { code, reason, message, field: None }
}
