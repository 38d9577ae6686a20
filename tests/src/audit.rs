//! What was really asked of an apiserver, as its own audit log tells it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Every request on namespaces with its body, all others without. Requests are logged once, when they are answered.
pub(crate) const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted"],
  "omitManagedFields": true,
  "rules": [
    {"level": "Request", "resources": [{"group": "", "resources": ["namespaces", "namespaces/*"]}]},
    {"level": "Metadata"}
  ]
}"#;

/// One answered request (`audit.k8s.io/v1 Event`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// `ResponseComplete`, or `Panic`.
    pub stage: String,
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// Of Kubernetes: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; of HTTP where there is no resource.
    pub verb: String,
    pub user: AuditUser,
    pub user_agent: Option<String>,
    pub object_ref: Option<ObjectRef>,
    /// Missing after a panic.
    pub response_status: Option<ResponseStatus>,
    /// The decoded body: of requests on namespaces only, and only if they had one.
    pub request_object: Option<Value>,
    #[serde(rename = "requestReceivedTimestamp")]
    pub received_at: Timestamp,
    /// When the answer was complete.
    #[serde(rename = "stageTimestamp")]
    pub answered_at: Timestamp,
    /// What the apiserver's parts remark, such as who decided about a right.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditUser {
    pub username: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// In plural: `namespaces`.
    pub resource: Option<String>,
    pub subresource: Option<String>,
    #[serde(rename = "apiGroup")]
    pub group: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

/// How it was answered.
#[derive(Clone, Debug, Deserialize)]
pub struct ResponseStatus {
    /// Of HTTP.
    pub code: Option<u16>,
    pub reason: Option<String>,
}

/// A deletion of a namespace that really happened, by the words of the request (D in docs/design/protocol.md section
/// 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceDelete {
    pub audit_id: String,
    pub user: String,
    pub namespace: String,
    /// The preconditions it carried.
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub received_at: Timestamp,
    pub answered_at: Timestamp,
    /// What stood on it when the request was received, as far as the requests before it tell.
    pub annotations: BTreeMap<String, String>,
}

impl AuditEvent {
    /// Whether the request was on resource `namespaces` itself, not on something in a namespace.
    #[must_use]
    pub fn is_on_namespaces(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|object| {
            object.resource.as_deref() == Some("namespaces") && object.group.is_none() && object.subresource.is_none()
        })
    }

    /// HTTP status of the answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.response_status.as_ref()?.code
    }

    /// Whether it was refused for want of a right: quotas and admission policies may answer with the same status.
    #[must_use]
    pub fn is_without_right(&self) -> bool {
        self.annotations.get("authorization.k8s.io/decision").is_some_and(|decision| decision == "forbid")
    }

    /// Whether nothing was to be changed. The apiserver reads the options of a DELETE from its body, and from the query only if there is no body.
    fn is_dry_run(&self) -> bool {
        match &self.request_object {
            Some(body) => body.get("dryRun").and_then(Value::as_array).is_some_and(|stages| !stages.is_empty()),
            None => self.request_uri.split_once('?').is_some_and(|(_, query)| query.contains("dryRun=")),
        }
    }

    fn is_accepted(&self) -> bool {
        self.code().is_some_and(|code| (200..300).contains(&code))
    }

    /// Changes what stands on the namespace that it is about, as it did there.
    fn annotate(&self, annotations: &mut BTreeMap<String, String>) {
        let is_whole = match self.verb.as_str() {
            "create" | "update" => true,
            "patch" => false,
            _ => return,
        };
        // That of a change that is to have no effect says so in the query, for it has the object as its body.
        if !self.is_accepted() || self.request_uri.contains("dryRun=") {
            return;
        }
        if is_whole {
            annotations.clear();
        }
        let written = self.request_object.as_ref().and_then(|body| body.pointer("/metadata/annotations"));
        for (key, value) in written.and_then(Value::as_object).into_iter().flatten() {
            match value.as_str() {
                Some(text) => drop(annotations.insert(key.clone(), text.to_owned())),
                None => drop(annotations.remove(key)),
            }
        }
    }

    fn as_accepted_namespace_delete(&self) -> Option<NamespaceDelete> {
        if self.verb != "delete" || !self.is_on_namespaces() || !self.is_accepted() || self.is_dry_run() {
            return None;
        }
        let precondition = |name: &str| {
            let value = self.request_object.as_ref()?.get("preconditions")?.get(name)?;
            Some(value.as_str()?.to_owned())
        };
        Some(NamespaceDelete {
            audit_id: self.audit_id.clone(),
            user: self.user.username.clone(),
            namespace: self.object_ref.as_ref()?.name.clone()?,
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            received_at: self.received_at,
            answered_at: self.answered_at,
            annotations: BTreeMap::new(),
        })
    }
}

/// The deletions of namespaces among `events` that were accepted and no dry run, whoever asked, in the order of `events`.
#[must_use]
pub fn accepted_namespace_deletes(events: &[AuditEvent]) -> Vec<NamespaceDelete> {
    let mut deletes: Vec<_> = events.iter().filter_map(AuditEvent::as_accepted_namespace_delete).collect();
    for delete in &mut deletes {
        let name = |event: &AuditEvent| event.object_ref.as_ref().and_then(|object| object.name.clone());
        // What was answered before this request came is surely older than it; of what overlaps nobody knows.
        let before = events.iter().filter(|event| event.answered_at <= delete.received_at && event.is_on_namespaces());
        let of_it = before.filter(|event| name(event).as_ref() == Some(&delete.namespace));
        of_it.for_each(|event| event.annotate(&mut delete.annotations));
    }
    deletes
}

/// Reads a log of events, one per line. A last line that is still being written is left out.
pub(crate) fn read(path: &Path) -> Result<Vec<AuditEvent>> {
    let log =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the audit log `{}`", path.display()))?;
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    complete
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not an audit event: {line}")))
        .collect()
}

/// The events of an audit log that name something, from some moment on. Each reading goes on where the last one ended, and only lines that
/// hold the name are parsed: in a log that many tests fill, the whole of it is read once.
#[derive(Debug)]
pub struct AuditTail {
    log: PathBuf,
    /// Every line that holds it counts.
    needle: String,
    /// Up to here the log was read.
    position: u64,
    events: Vec<AuditEvent>,
}

impl AuditTail {
    /// What is logged from now on and names this.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) fn from_now(log: PathBuf, needle: &str) -> Result<Self> {
        // There is none before the first request.
        let position = if log.exists() { log.metadata()?.len() } else { 0 };
        Ok(Self { log, needle: needle.to_owned(), position, events: Vec::new() })
    }

    /// Every such event so far, in the order of the answers.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn events(&mut self) -> Result<&[AuditEvent]> {
        let failed = || format!("cannot read the audit log `{}`", self.log.display());
        let mut log = BufReader::new(File::open(&self.log).with_context(failed)?);
        log.seek(SeekFrom::Start(self.position)).with_context(failed)?;
        let mut line = String::new();
        // A last line that is still being written is left to the next reading.
        while log.read_line(&mut line).with_context(failed)? > 0 && line.ends_with('\n') {
            if line.contains(&self.needle) {
                self.events.push(serde_json::from_str(&line).with_context(|| format!("not an audit event: {line}"))?);
            }
            self.position += line.len() as u64;
            line.clear();
        }
        Ok(&self.events)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    /// An event about this namespace, as it is logged.
    fn line(namespace: &str) -> String {
        let event = json!({
            "auditID": "1", "stage": "ResponseComplete", "requestURI": "/", "verb": "get",
            "user": {"username": "worker"}, "objectRef": {"resource": "namespaces", "name": namespace},
            "requestReceivedTimestamp": "2026-01-01T00:00:00Z", "stageTimestamp": "2026-01-01T00:00:00Z",
        });
        format!("{event}\n")
    }

    #[test]
    fn a_tail_holds_what_names_it_and_came_since_and_no_half_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        std::fs::write(&path, line("story-1")).unwrap();
        let mut tail = AuditTail::from_now(path.clone(), "story").unwrap();
        let mut log = File::options().append(true).open(path).unwrap();
        let mut seen = |text: &str| {
            log.write_all(text.as_bytes()).unwrap();
            let events = tail.events().unwrap().iter();
            events.map(|event| event.object_ref.clone().unwrap().name.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(seen(""), [""; 0]);
        assert_eq!(seen(&(line("other") + &line("story-2"))), ["story-2"]);
        let third = line("story-3");
        assert_eq!(seen(&third[..20]), ["story-2"]);
        assert_eq!(seen(&third[20..]), ["story-2", "story-3"]);
    }

    /// A request on the namespace `demo` at this second, accepted.
    fn request(second: u32, verb: &str, query: &str, body: Value) -> AuditEvent {
        let at = format!("2026-01-01T00:00:{second:02}Z");
        serde_json::from_value(json!({
            "auditID": "1", "stage": "ResponseComplete", "requestURI": format!("/api/v1/namespaces/demo{query}"),
            "verb": verb, "user": {"username": "owner"}, "objectRef": {"resource": "namespaces", "name": "demo"},
            "responseStatus": {"code": 200}, "requestObject": body,
            "requestReceivedTimestamp": at, "stageTimestamp": at,
        }))
        .unwrap()
    }

    #[test]
    fn a_deletion_tells_what_stood_on_the_namespace() {
        let annotate = |annotations: Value| json!({"metadata": {"name": "demo", "annotations": annotations}});
        let events = [
            request(0, "patch", "", annotate(json!({"of": "an earlier one"}))),
            request(1, "create", "", annotate(json!({"ttl": "1h", "note": "a"}))),
            request(2, "patch", "?fieldManager=x", annotate(json!({"note": null, "protect": ""}))),
            request(3, "patch", "?dryRun=All", annotate(json!({"dry": "run"}))),
            request(4, "get", "", Value::Null),
            request(5, "delete", "", json!({"kind": "DeleteOptions"})),
            request(6, "patch", "", annotate(json!({"later": "on"}))),
        ];
        let deletes = accepted_namespace_deletes(&events);
        let standing = [("protect", ""), ("ttl", "1h")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(deletes[0].annotations, standing.into());
    }

    /// Checks that a DELETE of a namespace with this query and body, answered with `code`, counts as accepted or not.
    #[track_caller]
    fn check(query: &str, body: Value, code: u16, accepted: bool) {
        let event = json!({
            "auditID": "1",
            "stage": "ResponseComplete",
            "requestURI": format!("/api/v1/namespaces/demo{query}"),
            "verb": "delete",
            "user": {"username": "worker"},
            "objectRef": {"resource": "namespaces", "namespace": "demo", "name": "demo", "apiVersion": "v1"},
            "responseStatus": {"code": code},
            "requestObject": body,
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
            "stageTimestamp": "2026-01-01T00:00:00.000000Z",
        });
        let event: AuditEvent = serde_json::from_value(event).unwrap();
        assert_eq!(accepted_namespace_deletes(&[event]).len(), usize::from(accepted));
    }

    #[test]
    fn a_deletion_needs_no_body() {
        check("", Value::Null, 200, true);
    }

    #[test]
    fn a_refusal_is_no_deletion() {
        check("", Value::Null, 409, false);
    }

    #[test]
    fn a_dry_run_in_the_body_is_no_deletion() {
        check("", json!({"kind": "DeleteOptions", "dryRun": ["All"]}), 200, false);
    }

    #[test]
    fn a_dry_run_in_the_query_is_no_deletion() {
        check("?dryRun=All", Value::Null, 200, false);
    }

    #[test]
    fn a_dry_run_in_the_query_is_ignored_when_there_is_a_body() {
        check("?dryRun=All", json!({"kind": "DeleteOptions"}), 200, true);
    }
}
