//! Each history by itself: whole, along the edges of the status machine (S10), each intent with one outcome that
//! agrees with what the apiserver did (S11), and no judgement while a deletion may be under way (S4).

use super::deletions::intent_of;
use super::{Complain, Entry, History, Run, Violation};

/// Which status may follow which.
const EDGES: [(&str, &[&str]); 8] = [
    ("unknown", &["ok", "unstable", "cancelled", "superseded", "stale"]),
    ("ok", &["unstable", "cancelled", "superseded", "stale"]),
    ("unstable", &["ok", "failing", "cancelled", "superseded", "stale"]),
    ("failing", &["ok", "failed", "cancelled", "superseded", "stale"]),
    ("failed", &["ok", "cancelled", "superseded", "stale"]),
    ("stale", &["unknown"]),
    ("cancelled", &["unknown", "stale"]),
    ("superseded", &["unknown", "stale"]),
];

pub(super) fn judge(run: &Run, found: &mut Vec<Violation>) {
    for (uid, history) in &run.ledger.histories {
        let name = history.0.first().map_or(uid, |entry| &entry.name);
        whole(name, history, found);
        edges(name, history, found);
        outcomes(name, history, found);
        for intent in history.0.iter().filter(|entry| entry.is_intent()) {
            agrees(run, name, history, intent, found);
        }
    }
}

fn whole(name: &str, history: &History, found: &mut Vec<Violation>) {
    let numbers: Vec<_> = history.0.iter().map(|entry| entry.seq).collect();
    if !numbers.iter().copied().eq(1..=numbers.len() as u64) {
        found.complain("S10", format!("the entries of `{name}` are numbered {numbers:?}"));
    }
    // That the mark of a namespace tells of lost entries is written before anything else is.
    let mut entries = history.0.iter().skip_while(|entry| entry.kind == "RecordMarkerMismatched");
    if entries.next().is_none_or(|entry| entry.kind != "Adopted") {
        found.complain("S10", format!("the history of `{name}` does not begin with its adoption"));
    }
}

fn edges(name: &str, history: &History, found: &mut Vec<Violation>) {
    let mut status = "unknown";
    let mut open = None;
    for entry in &history.0 {
        match entry.kind.as_str() {
            "Adopted" => status = "unknown",
            "StatusChanged" => {
                let (from, to) = (entry.text("from").unwrap_or_default(), entry.text("to").unwrap_or_default());
                let allowed = EDGES.iter().find(|(edge, _)| *edge == from).is_some_and(|(_, to_)| to_.contains(&to));
                if from != status || !allowed {
                    found.complain("S10", format!("entry {} takes `{name}`, {status}, from {from} to {to}", entry.seq));
                }
                if let Some(open) = open {
                    let what = format!("entry {} of `{name}` makes it {to} while entry {open} is open", entry.seq);
                    found.complain("S4", what);
                }
                status = to;
            }
            _ if entry.is_intent() => open = Some(entry.seq),
            _ if entry.outcome_of().is_some_and(|of| Some(of) == open) => open = None,
            _ => {}
        }
    }
}

/// Intents and outcomes alternate, and each outcome names its intent.
fn outcomes(name: &str, history: &History, found: &mut Vec<Violation>) {
    let mut open: Option<u64> = None;
    for entry in &history.0 {
        if entry.is_intent() {
            if let Some(open) = open.replace(entry.seq) {
                found.complain("S11", format!("entry {} of `{name}` follows on {open}, which is open", entry.seq));
            }
        } else if let Some(of) = entry.outcome_of()
            && open.take_if(|open| *open == of).is_none()
        {
            found.complain("S11", format!("entry {} of `{name}` closes {of}, which is not open", entry.seq));
        }
    }
    if let Some(open) = open {
        found.complain("S11", format!("entry {open} of `{name}` has no outcome"));
    }
}

/// Whether what became of an intent is what the apiserver did.
fn agrees(run: &Run, name: &str, history: &History, intent: &Entry, found: &mut Vec<Violation>) {
    let Some(outcome) = history.outcomes(intent.seq).next() else { return };
    let is_announced = |delete: &&crate::NamespaceDelete| {
        delete.uid.as_ref() == Some(&intent.uid)
            && intent_of(history, delete).is_some_and(|announced| announced.seq == intent.seq)
    };
    let deleted = run.own().find(is_announced);
    // Seen to be gone or terminating, whoever it was that deleted it.
    let is_observed = outcome.data.get("observed").and_then(serde_json::Value::as_bool) == Some(true);
    match (outcome.kind.as_str(), deleted) {
        ("ActionDone", Some(_)) => {}
        ("ActionDone", None) if (is_observed || run.faults.killed) && !run.alive.contains(&intent.uid) => {}
        ("ActionDone", None) => {
            found.complain("S11", format!("entry {} says that `{name}` was deleted, which it was not", outcome.seq));
        }
        (kind, Some(delete)) => {
            let what = format!("entry {} says {kind} of the deletion of `{name}`, which was accepted", outcome.seq);
            found.complain("S11", format!("{what} at {}", delete.answered_at));
        }
        (_, None) => {}
    }
}
