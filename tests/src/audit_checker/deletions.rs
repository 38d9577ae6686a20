//! Each deletion by itself: what it carried (S1), how often (S2), what allowed it (S3, S5), and in time (S4).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Complain, Entry, History, Run, Violation};
use crate::NamespaceDelete;

/// From the intent to the handing over of its request.
const HAND_OVER: SignedDuration = SignedDuration::from_secs(20);
/// The oldest that evidence may be when the intent is written.
const EVIDENCE: SignedDuration = SignedDuration::from_secs(60);
/// The statuses that may lead to a deletion.
const DELETABLE: [&str; 4] = ["stale", "failed", "cancelled", "superseded"];
/// What owners write is under this prefix.
const PREFIX: &str = "manager.cicd.skao.int/";
/// Instants in the history are cut to milliseconds.
const CUT: SignedDuration = SignedDuration::from_millis(1);

pub(super) fn judge(run: &Run, found: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for delete in run.own() {
        let name = &delete.namespace;
        let (Some(uid), Some(_)) = (&delete.uid, &delete.resource_version) else {
            found.complain("S1", format!("the deletion of `{name}` carried no uid or no resourceVersion"));
            continue;
        };
        if !seen.insert(uid) {
            found.complain("S2", format!("`{name}` ({uid}) was deleted twice"));
        }
        if is_system(name) {
            found.complain("S2", format!("`{name}` is a system namespace"));
        }
        let history = run.ledger.history(uid);
        match intent_of(history, delete) {
            Some(intent) => judge_one(run, delete, history, intent, found),
            None => found.complain("S3", format!("no intent announced the deletion of `{name}` ({delete:?})")),
        }
    }
}

/// The intent that announced a deletion: the last one before it with its resourceVersion.
pub(super) fn intent_of<'a>(history: &'a History, delete: &NamespaceDelete) -> Option<&'a Entry> {
    history.0.iter().rev().find(|entry| {
        entry.is_intent()
            && entry.at <= delete.received_at
            && entry.name == delete.namespace
            && entry.text("resource_version") == delete.resource_version.as_deref()
    })
}

fn judge_one(run: &Run, delete: &NamespaceDelete, history: &History, intent: &Entry, found: &mut Vec<Violation>) {
    let what = format!("the deletion of `{}` by entry {}", delete.namespace, intent.seq);
    allowed(delete, history, intent, &what, found);
    requested(delete, history, intent, &what, found);

    let waited = delete.received_at.duration_since(intent.at);
    if waited > HAND_OVER + run.faults.frozen {
        found.complain("S4", format!("{what} came {waited:#} after its intent"));
    }
    match intent.instant("evidence_at") {
        Some(at) if at <= intent.at && intent.at.duration_since(at) <= EVIDENCE => {}
        at => found.complain("S4", format!("{what} was decided at {} on evidence of {at:?}", intent.at)),
    }
    for closed in history.outcomes(intent.seq).filter(|closed| closed.at + CUT < delete.received_at) {
        found.complain("S4", format!("{what} came after entry {} had closed it ({})", closed.seq, closed.kind));
    }
}

/// Whether the history before the intent let anybody delete.
fn allowed(delete: &NamespaceDelete, history: &History, intent: &Entry, what: &str, found: &mut Vec<Violation>) {
    let (mut managed, mut protected, mut kept, mut done, mut mode) = (false, false, None, false, None);
    let mut status = None;
    for entry in history.before(intent.seq) {
        match entry.kind.as_str() {
            "Adopted" => (managed, mode, status) = (true, entry.text("mode"), Some("unknown")),
            "StatusChanged" => status = entry.text("to"),
            "PolicyChanged" => mode = entry.text("mode"),
            "Released" | "Gone" => managed = false,
            "Protected" => protected = entry.data.get("on").and_then(serde_json::Value::as_bool) != Some(false),
            "Kept" => kept = entry.instant("until"),
            "ActionDone" => done = true,
            _ => {}
        }
    }
    if status != intent.text("cause") || !status.is_some_and(|status| DELETABLE.contains(&status)) {
        found.complain("S1", format!("{what} is for {:?}, of a namespace that is {status:?}", intent.text("cause")));
    }
    if !managed {
        found.complain("S2", format!("{what} is of a namespace that is not managed"));
    }
    if protected {
        found.complain("S2", format!("{what} is of a namespace that is protected"));
    }
    if done {
        found.complain("S2", format!("{what} follows on one that was done"));
    }
    if mode != Some("enforce") || intent.text("mode") != Some("enforce") {
        found.complain("S2", format!("{what} was decided in mode {mode:?}, sent in {:?}", intent.text("mode")));
    }
    if kept.is_some_and(|until| delete.received_at < until) {
        found.complain("S5", format!("{what} is of a namespace that is kept until {kept:?}"));
    }
}

/// Whether the owner wrote on the namespace that it is to stay, whatever the history knows of that.
fn requested(delete: &NamespaceDelete, history: &History, intent: &Entry, what: &str, found: &mut Vec<Violation>) {
    let written = |key: &str| delete.annotations.get(&format!("{PREFIX}{key}")).map(String::as_str);
    for (key, text) in &delete.annotations {
        match key.strip_prefix(PREFIX).map(letters).as_deref() {
            Some("protect" | "protected" | "protection") => {
                found.complain("S5", format!("{what} is of a namespace that carries `{key}`"));
            }
            Some("keepuntil") if instant(text).is_some_and(|until| delete.received_at < until) => {
                found.complain("S5", format!("{what} is of a namespace that carries `{key}: {text}`"));
            }
            _ => {}
        }
    }
    if intent.text("cause") != Some("stale") {
        return;
    }
    let created = history.of_kind("Adopted").filter(|entry| entry.seq < intent.seq).last();
    let created = created.and_then(|entry| entry.instant("created"));
    let by_ttl = || Some(created? + duration(written("ttl")?)?);
    let end = written("expires_at").and_then(instant).or_else(by_ttl);
    if let Some(end) = end.filter(|end| delete.received_at < *end) {
        found.complain("S5", format!("{what} is of a namespace whose owner lets it live until {end}"));
    }
}

/// A key as it is told from others where its owner misses the right one by little.
fn letters(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// An instant, or the end of a day.
fn instant(text: &str) -> Option<Timestamp> {
    let day = || Some(format!("{}T00:00:00Z", text.parse::<Date>().ok()?.tomorrow().ok()?));
    text.parse().ok().or_else(|| day()?.parse().ok())
}

/// A length of time as the stories write it: whole numbers, each with one of the units.
fn duration(text: &str) -> Option<SignedDuration> {
    let mut total = SignedDuration::ZERO;
    let mut number = String::new();
    for letter in text.chars() {
        let seconds = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let count: i64 = std::mem::take(&mut number).parse().ok()?;
        total = total.checked_add(SignedDuration::from_secs(count.checked_mul(seconds)?))?;
    }
    number.is_empty().then_some(total)
}

/// The namespaces nobody may touch, whatever is configured.
fn is_system(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "default",
        "coredns",
        "calico-system",
        "tigera-operator",
        "cert-manager",
        "ingress-nginx",
        "monitoring",
        "logging",
        "argocd",
        "kyverno",
        "flux-system",
        "istio-system",
        "namespace-manager",
    ];
    NAMES.contains(&name) || ["kube-", "openshift", "linkerd"].iter().any(|prefix| name.starts_with(prefix))
}
