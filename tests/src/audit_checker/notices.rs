//! What owners were told: each deletion comes after what was promised of it (S9), and no notice is one too many (S12).

use jiff::{SignedDuration, Timestamp};

use super::deletions::intent_of;
use super::{Complain, Entry, History, Run, Violation};
use crate::NamespaceDelete;

/// From one notice about a status to the next.
const FLAPPING: SignedDuration = SignedDuration::from_mins(30);

pub(super) fn judge(run: &Run, found: &mut Vec<Violation>) {
    for delete in run.own() {
        let Some(uid) = &delete.uid else { continue };
        let history = run.ledger.history(uid);
        if let Some(intent) = intent_of(history, delete) {
            promised(delete, history, intent, run.timings.promise_margin, found);
        }
    }
    for history in run.ledger.histories.values() {
        sparing(history, found);
    }
}

/// The notices of a history, as far as it was read.
#[derive(Default)]
struct Told<'a> {
    notices: Vec<Notice<'a>>,
    deadline: Option<Timestamp>,
    mode: Option<&'a str>,
    /// The entry since which the policy says what it says.
    terms: u64,
    /// Rises whenever the deletion that is to be announced becomes another.
    occasion: u64,
}

struct Notice<'a> {
    intended: &'a Entry,
    occasion: u64,
    outcome: Option<&'a str>,
    /// Its owner did not ask for an earlier end since.
    binds: bool,
    /// It was not made while nobody was to be told.
    counts: bool,
    /// The latest time that a try of it promised.
    promise: Option<Timestamp>,
}

impl<'a> Told<'a> {
    fn read(&mut self, entry: &'a Entry) {
        match entry.kind.as_str() {
            "Adopted" => {
                self.deadline = deadline_of(entry);
                (self.mode, self.terms) = (entry.text("mode"), entry.seq);
            }
            "PolicyChanged" => {
                if (self.mode, entry.text("mode")) == (Some("observe"), Some("enforce")) {
                    self.notices.iter_mut().for_each(|notice| notice.counts = false);
                    self.occasion += 1;
                }
                (self.mode, self.terms) = (entry.text("mode"), entry.seq);
            }
            "DeadlineMoved" => {
                let moved = deadline_of(entry);
                let is_earlier = moved.is_some_and(|moved| self.deadline.is_none_or(|stood| moved < stood));
                if is_earlier && entry.text("why") == Some("owner") {
                    for notice in &mut self.notices {
                        notice.binds &= notice.intended.text("about") != Some("stale");
                    }
                }
                self.deadline = moved;
                self.occasion += 1;
            }
            "Kept" => self.occasion += 1,
            "NoticeIntended" => {
                let occasion = self.occasion;
                let promise = entry.instant("promise");
                self.notices.push(Notice {
                    intended: entry,
                    occasion,
                    outcome: None,
                    binds: true,
                    counts: true,
                    promise,
                });
            }
            "NoticeSent" | "NoticeUndeliverable" => {
                if let Some(notice) = self.named_by(entry) {
                    notice.outcome = Some(&entry.kind);
                    // One that left late promises a later time.
                    notice.promise = notice.promise.max(entry.instant("promise"));
                }
            }
            _ => {}
        }
    }

    /// The notice that an entry is about.
    fn named_by(&mut self, entry: &Entry) -> Option<&mut Notice<'a>> {
        let of = entry.data.get("of")?.as_u64()?;
        self.notices.iter_mut().find(|notice| notice.intended.seq == of)
    }
}

fn deadline_of(entry: &Entry) -> Option<Timestamp> {
    entry.data.get("deadline")?.get("at")?.as_str()?.parse().ok()
}

/// What the intent says of its owner is true, and the deletion comes a minute after the latest promise for its cause.
fn promised(
    delete: &NamespaceDelete,
    history: &History,
    intent: &Entry,
    margin: SignedDuration,
    found: &mut Vec<Violation>,
) {
    let what = format!("the deletion of `{}` by entry {}", delete.namespace, intent.seq);
    let mut told = Told::default();
    history.before(intent.seq).for_each(|entry| told.read(entry));
    let bind: Vec<_> =
        told.notices.iter().filter(|it| it.binds && it.intended.text("about") == intent.text("cause")).collect();
    let latest = bind.iter().filter_map(|notice| notice.promise).max();
    let last = bind.iter().rfind(|notice| notice.counts);

    let said = intent.data.get("notice");
    let says = |word: &str| said.and_then(|said| said.get(word)?.as_str()?.parse::<Timestamp>().ok());
    let (promised, undelivered) = (says("promised"), says("undelivered"));
    match (said.and_then(|said| said.as_str()), promised.or(undelivered)) {
        (Some("no_channel"), _) => {
            // Another configuration would have been another policy, and that an entry.
            if let Some(notice) = bind.iter().find(|notice| notice.intended.seq > told.terms) {
                let by = notice.intended.seq;
                found.complain("S9", format!("{what} says that there was no channel, of which entry {by} made use"));
            }
        }
        (_, Some(promised)) => {
            if latest != Some(promised) {
                found.complain("S9", format!("{what} says that {promised} was promised, which was {latest:?}"));
            }
            let outcome = if undelivered.is_some() { "NoticeUndeliverable" } else { "NoticeSent" };
            if last.is_none_or(|notice| notice.outcome.is_none()) {
                found.complain("S9", format!("{what} came before anybody knew whether its owner was told"));
            } else if last.is_none_or(|notice| notice.outcome != Some(outcome)) {
                found.complain("S9", format!("{what} says of its owner {said:?}, which is not so"));
            }
            if undelivered.is_some() && intent.text("unannounced").is_none() {
                found.complain("S7", format!("{what} was announced to nobody, and has no slot of those"));
            }
        }
        (_, None) => found.complain("S9", format!("{what} says of its owner {said:?}")),
    }
    if let Some(latest) = latest.filter(|latest| delete.received_at < *latest + margin) {
        let at = delete.received_at;
        found.complain("S9", format!("{what} came at {at}, less than {margin:#} after {latest}, which was promised"));
    }
}

/// One notice about one thing, and about one status not more often than owners can bear.
fn sparing(history: &History, found: &mut Vec<Violation>) {
    let mut told = Told::default();
    for entry in &history.0 {
        let name = &entry.name;
        match entry.kind.as_str() {
            "NoticeIntended" => {
                let lately = told.notices.iter().find(|notice| {
                    notice.outcome == Some("NoticeSent")
                        && notice.binds
                        && notice.counts
                        && notice.intended.text("about") == entry.text("about")
                        && entry.at.duration_since(notice.intended.at) < FLAPPING
                });
                if let Some(notice) = lately {
                    let (seq, before) = (entry.seq, notice.intended.seq);
                    found.complain("S12", format!("notice {seq} about `{name}` follows too soon on {before}"));
                }
            }
            "NoticeSent" => {
                let notice = told.named_by(entry).map(|notice| (notice.intended, notice.occasion, notice.outcome));
                let Some((intended, occasion, None)) = notice else {
                    found.complain("S12", format!("entry {} of `{name}` sent what was not to be sent", entry.seq));
                    continue;
                };
                let same = |key: &str, other: &Entry| other.data.get(key) == intended.data.get(key);
                let again = told.notices.iter().find(|other| {
                    other.outcome == Some("NoticeSent")
                        && other.occasion == occasion
                        && ["about", "deadline", "channel"].into_iter().all(|key| same(key, other.intended))
                });
                if let Some(again) = again {
                    let (seq, before) = (intended.seq, again.intended.seq);
                    found.complain("S12", format!("notice {seq} about `{name}` says again what {before} said"));
                }
            }
            _ => {}
        }
        told.read(entry);
    }
}
