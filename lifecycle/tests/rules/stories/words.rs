//! What happened, in words: one line per entry, per change of the annotations, per change of what is offered.

use std::fmt::Write as _;

use jiff::Timestamp;
use lifecycle::{
    Entry, Event, Mode, Task,
    event::{MovedBy, PolicyRef},
    overrides::{Deadline, DeadlineBy},
    time::{between, parse},
};

use crate::world::{Logged, dawn};

pub(super) fn tell(log: &[(Timestamp, Logged)]) -> String {
    let mut told = String::new();
    for (at, event) in log {
        let line = match event {
            Logged::Appended(entry) => format!("{}. {}", entry.seq, appended(entry)),
            Logged::Annotated(changes) => {
                let change = |(key, value): (&&str, &Option<String>)| match value {
                    Some(value) => {
                        format!("{key}={}", parse(value).map_or(value.clone(), |at| format!("@{}", when(at))))
                    }
                    None => format!("no {key}"),
                };
                format!("   writes {}", changes.iter().map(change).collect::<Vec<_>>().join(", "))
            }
            Logged::Offered(tasks) if tasks.is_empty() => "   offers nothing".to_owned(),
            Logged::Offered(tasks) => {
                let task = |task: &Task| format!("{} due to {}", task.action, task.cause_seq);
                format!("   offers {}", tasks.iter().map(task).collect::<Vec<_>>().join(", "))
            }
        };
        writeln!(told, "{:>12} {line}", when(*at)).expect("a string takes everything");
    }
    told
}

/// How long after the beginning, `1:00:00`, with milliseconds where there are any.
pub(super) fn when(at: Timestamp) -> String {
    let since = between(dawn(), at);
    let (sign, millis) = (if since.is_negative() { "-" } else { "" }, since.as_millis().unsigned_abs());
    let (seconds, fraction) = (millis / 1000, millis % 1000);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:03}") };
    format!("{sign}{}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What a try that left late promised.
fn promised(promise: Option<Timestamp>) -> String {
    promise.map_or(String::new(), |promise| format!(", promised not before @{}", when(promise)))
}

fn appended(entry: &Entry) -> String {
    match &entry.event {
        Event::Adopted(adopted) if adopted.again => "is there again, and is adopted".to_owned(),
        Event::Adopted(adopted) => {
            let ci = adopted.ci.iter().map(|pair| format!(", {} {}", pair.k, pair.v)).collect::<String>();
            format!("adopted under {}; {}{ci}", terms(&adopted.terms), deadline(adopted.deadline.as_ref()))
        }
        Event::PolicyChanged(changed) => format!("policy is now {}", terms(changed)),
        Event::StatusChanged(change) => {
            let finalize_at = change.finalize_at.map_or(String::new(), |at| format!(" [@{}]", when(at)));
            format!("{} -> {}{finalize_at}: {}", change.from, change.to, change.reason)
        }
        Event::StatusShown(shown) => format!("the status of entry {} is seen", shown.of),
        Event::StatusNotShown(it) => format!("the status of entry {} is not written: {}", it.of, it.why),
        Event::DeadlineMoved(moved) => {
            let by = match moved.why {
                MovedBy::Owner => "its owner",
                MovedBy::Policy => "its policy",
            };
            format!("moved by {by}: {}", deadline(moved.deadline.as_ref()))
        }
        Event::Kept(kept) => match (&kept.requested, kept.until) {
            (None, _) => "is no longer to be kept".to_owned(),
            (Some(text), until) => {
                let note = |word: &str, note: &Option<String>| {
                    note.as_ref().map_or(String::new(), |note| format!(", {word} {note}"))
                };
                let text = parse(text).map_or(text.clone(), |at| format!("@{}", when(at)));
                let until = until.map_or("ever".to_owned(), |at| format!("@{}", when(at)));
                format!("kept until {until} (asked for `{text}`){}{}", note("by", &kept.by), note("for", &kept.reason))
            }
        },
        Event::Protected(protected) if protected.on => "protected".to_owned(),
        Event::Protected(_) => "no longer protected".to_owned(),
        Event::NoticeIntended(intended) => format!(
            "notice about {} on {}: deletion @{}, promised not before @{}",
            intended.about,
            intended.channel,
            when(intended.deadline),
            when(intended.promise)
        ),
        Event::NoticeSent(sent) => format!("notice {} sent{}", sent.of, promised(sent.promise)),
        Event::NoticeUndeliverable(failed) => {
            format!("notice {} undeliverable{}: {}", failed.of, promised(failed.promise), failed.why)
        }
        Event::NoticeSkipped(skipped) => {
            format!("notice about {} skipped, deletion @{}: {}", skipped.about, when(skipped.deadline), skipped.why)
        }
        Event::ActionIntended(intended) => format!(
            "{} intended, attempt {} of {}, until @{}",
            intended.action,
            intended.attempt,
            intended.cause_seq,
            when(intended.until)
        ),
        Event::ActionDone(done) => format!("attempt {} done", done.of),
        Event::ActionSkipped(skipped) => format!(
            "attempt {} skipped, {}{}",
            skipped.of.map_or("none".to_owned(), |of| of.to_string()),
            skipped.why.as_str(),
            again(skipped.not_before)
        ),
        Event::ActionFailed(failed) => {
            format!("attempt {} failed, {:?}{}", failed.of, failed.why, again(failed.not_before))
        }
        Event::DeletionStalled(stalled) => format!("its deletion does not end: {stalled}"),
        Event::DryRun(would) => format!("would {}: {}", would.action, would.decision),
        Event::RecordMarkerMismatched(mismatch) => format!("its marker does not agree: {}", mismatch.why),
        Event::RecordMarkerTrusted(_) => "its marker is trusted".to_owned(),
        Event::Gone(_) => "gone".to_owned(),
        Event::Released(released) => format!("released: {}", released.why),
        Event::Unrecognised { kind, .. } => format!("an entry of the unknown kind {kind}"),
    }
}

fn again(not_before: Option<Timestamp>) -> String {
    not_before.map_or(String::new(), |at| format!(", again @{}", when(at)))
}

fn terms(terms: &PolicyRef) -> String {
    let mode = match terms.mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    };
    format!("{} ({mode})", terms.policy)
}

fn deadline(deadline: Option<&Deadline>) -> String {
    let Some(deadline) = deadline else { return "nothing sets an end".to_owned() };
    let text = |text: &str| parse(text).map_or(text.to_owned(), |at| format!("@{}", when(at)));
    let by = match &deadline.by {
        DeadlineBy::Policy => "its policy".to_owned(),
        DeadlineBy::Ttl(ttl) => format!("ttl `{ttl}`"),
        DeadlineBy::ExpiresAt(at) => format!("expires_at `{}`", text(at)),
    };
    format!("ends @{} by {by}", when(deadline.at))
}
