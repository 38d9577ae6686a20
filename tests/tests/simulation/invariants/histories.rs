//! Each entry, in the moment it becomes durable.

use std::time::Duration;

use lifecycle::{Entry, Event, Status, event::FailReason};

use super::{Judge, Written, closes};
use crate::world::{Who, World};

/// How long a machine may take from judging to writing: the store's deadline, and a latency before and after.
const JUDGED_WITHIN: Duration = Duration::from_secs(15);

/// A store may write this late what it could not acknowledge; then nobody's clock is judged by it.
const SAME_INSTANT_LIMIT: Duration = Duration::from_secs(9);

impl Judge {
    pub(crate) fn entry(&mut self, world: &World, who: Who, entry: &Entry) {
        self.now = world.elapsed();
        let uid = entry.uid.as_str();
        let what = format!("entry {} ({}) of `{}`", entry.seq, entry.event.kind(), entry.name);
        let expected = self.history(uid).len() as u64 + 1;
        if entry.seq != expected {
            self.complain("S10", format!("{what} comes where {expected} should"));
        }
        let ended = self.history(uid).iter().any(|written| matches!(written.entry.event, Event::Gone(_)));
        if ended && closes(&entry.event).is_none() && !closes_notice(&entry.event) {
            self.complain("S10", format!("{what} follows on the end"));
        }
        if let Event::Gone(_) = entry.event
            && !world.cluster().is_gone(uid)
        {
            self.complain("S8", format!("{what} is of a namespace that is there"));
        }
        if matches!(entry.event, Event::RecordMarkerMismatched(_)) && !self.forged.contains(uid) {
            self.complain("S10", format!("{what} is of a namespace whose mark nobody forged"));
        }
        self.status(world, who, entry, &what);
        self.while_open(entry, &what);
        self.outcome(world, entry, &what);
        self.notice(world, entry, &what);
        self.given_up(world, entry, &what);
        let written = Written { entry: entry.clone(), at: self.now };
        self.histories.entry(uid.to_owned()).or_default().push(written);
    }

    /// The edges of docs/design/lifecycle.md section 4, and S8: no status changes by a clock that is wrong, or without
    /// evidence.
    fn status(&mut self, world: &World, who: Who, entry: &Entry, what: &str) {
        let Event::StatusChanged(change) = &entry.event else { return };
        let known = self.history(entry.uid.as_str()).iter().rev().find_map(|written| match &written.entry.event {
            Event::StatusChanged(change) => Some(change.to),
            Event::Adopted(_) => Some(Status::Unknown),
            _ => None,
        });
        if known != Some(change.from) || !is_edge(change.from, change.to) {
            self.complain("S10", format!("{what} goes from {} to {}, from {known:?}", change.from, change.to));
        }
        world.count(&format!("status: {}", change.to));
        self.by_health(world, who, entry, change, what);
        if change.to == Status::Superseded {
            self.was_replaced(world, entry, what);
        }
        if change.to == Status::Cancelled {
            self.was_abandoned(world, entry, what);
        }
        let Who::Machine(machine) = who else { return };
        let clock = world.clock(machine);
        let was_late = clock.duration_since(entry.at).abs()
            > jiff::SignedDuration::try_from(SAME_INSTANT_LIMIT).unwrap_or_default();
        if world.least_skew(machine, JUDGED_WITHIN) > 31 && !was_late {
            self.complain("S8", format!("{what} was judged by a clock that is wrong"));
        }
    }

    /// S4: while an intent is open, no recovery is recorded and nothing else is begun.
    fn while_open(&mut self, entry: &Entry, what: &str) {
        let Some(open) = self.open(entry.uid.as_str()).map(|open| open.entry.seq) else { return };
        let allowed = match &entry.event {
            Event::Kept(_) | Event::Protected(_) | Event::Gone(_) => true,
            fact if closes_notice(fact) => true,
            fact => closes(fact) == Some(open),
        };
        if !allowed {
            self.complain("S4", format!("{what} comes while entry {open} is open"));
        }
    }

    /// S11: an outcome names its intent, and is true.
    fn outcome(&mut self, world: &World, entry: &Entry, what: &str) {
        let Some(of) = closes(&entry.event) else { return };
        let uid = entry.uid.as_str();
        let history = self.history(uid);
        let is_intent =
            history.iter().any(|it| it.entry.seq == of && matches!(it.entry.event, Event::ActionIntended(_)));
        let is_closed = history.iter().any(|it| closes(&it.entry.event) == Some(of));
        if !is_intent || is_closed {
            self.complain("S11", format!("{what} closes entry {of}: an intent: {is_intent}, closed: {is_closed}"));
        }
        let accepted = self.deletions.iter().any(|it| it.uid == uid && it.intent == of);
        let truth = match &entry.event {
            Event::ActionDone(done) if done.observed => world.cluster().is_ending(uid),
            Event::ActionDone(_) => accepted,
            Event::ActionFailed(failed) if failed.why == FailReason::Gone => world.cluster().is_gone(uid) && !accepted,
            _ => !accepted,
        };
        if !truth {
            self.complain("S11", format!("{what} is not so, accepted: {accepted}"));
        }
    }
}

/// Whether the machine has such an edge.
const fn is_edge(from: Status, to: Status) -> bool {
    use Status::{Cancelled, Failed, Failing, Ok, Stale, Superseded, Unknown, Unstable};
    match from {
        Unknown => matches!(to, Ok | Unstable | Stale | Superseded | Cancelled),
        Ok => matches!(to, Unstable | Stale | Superseded | Cancelled),
        Unstable => matches!(to, Ok | Failing | Stale | Superseded | Cancelled),
        Failing => matches!(to, Ok | Failed | Stale | Superseded | Cancelled),
        Failed => matches!(to, Ok | Stale | Superseded | Cancelled),
        Stale => matches!(to, Unknown),
        Superseded | Cancelled => matches!(to, Unknown | Stale),
    }
}

/// Whether it says what became of something under way: a notice.
const fn closes_notice(fact: &Event) -> bool {
    matches!(fact, Event::NoticeSent(_) | Event::NoticeUndeliverable(_) | Event::NoticeSkipped(_))
}
