//! What people, planners and workers do, as far as values can tell: no request is sent, its outcome is a step.

use std::sync::Arc;

use jiff::SignedDuration;
use lifecycle::{
    Action, Event, Mode, Policies, Record, Truth,
    channel::{self, Delivery, Outcome},
    event::{
        ActionDone, ActionFailed, ActionIntended, ActionSkipped, DryRun, FailReason, Gone, NoticeIntended, NoticeSent,
        NoticeSkipped, NoticeState, NoticeUndeliverable, RecordMarkerMismatched, RecordMarkerTrusted, SkipReason,
    },
    guards::deletion,
    plan::{promise, promise_of_try, recently_notified},
    record::{self, Notice},
    time::saturating_add,
};

use super::{Standing, World, change};

/// What somebody other than a collector does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sets or removes an annotation; the key is under our prefix unless it has one.
    Annotate(String, Option<String>),
    Label(String, Option<String>),
    Clock(Truth),
    /// What checks of the health find from now on.
    Health(Option<Truth>),
    /// Whether newer deployments replace it from now on, and whether they may.
    Replaced(Option<(bool, bool)>),
    /// Whether its pipeline was cancelled, as checks find from now on.
    Pipeline(Option<Truth>),
    /// Whether its merge request was merged, likewise.
    Merged(Option<Truth>),
    /// The number of the job that replaces it from now on.
    Successor(u32),
    /// The wall clock moves, and nothing else.
    Jump(SignedDuration),
    /// Somebody else deletes the namespace.
    Terminate,
    /// It is missing from a complete list.
    Vanish,
    Configure(Arc<Policies>),
    /// A worker intends the notice that is offered, or lets one of shortly before stand for it.
    IntendNotice,
    NoticeSent,
    NoticeUndeliverable,
    /// A worker tries the notice that is open, and this comes of it.
    Try(Delivery),
    /// Somebody tries a notice about another namespace on the same channel, each time about one more.
    TryAnother(Delivery),
    /// Somebody tries a notice about another namespace on the same channel, always the same.
    TrySame(Delivery),
    /// A worker writes its intent, after its preflight.
    Intend {
        held_for: SignedDuration,
    },
    Done,
    /// A worker says why it has to wait, before it intends anything, unless that was said.
    Wait {
        why: SkipReason,
    },
    Skip {
        why: SkipReason,
        not_before: Option<SignedDuration>,
    },
    Refused {
        not_before: SignedDuration,
    },
    Fence,
    DryRun,
    /// A later version of the program writes.
    Foreign,
    /// The entry before the last is lost, and the record is loaded again.
    Lose,
    /// The collector finds a record marker of an entry that the history does not have.
    Mismatch,
    /// It is there again: its cluster was restored from a backup.
    Return,
    /// Others refuse what is written on it, or do so no more.
    Refuse(bool),
    /// The collector finds that somebody trusted the store.
    Trust,
}

impl World {
    /// Does what the step says, without a turn; says why where it makes no sense as things are.
    pub(crate) fn apply(&mut self, step: &Step) -> Result<(), &'static str> {
        match step {
            Step::Annotate(key, value) => {
                let key = if key.contains('/') { key.clone() } else { self.policies.keys.ours(key) };
                self.annotate(&key, value.as_deref());
            }
            Step::Label(key, value) => {
                change(&mut self.namespace.labels, key, value.as_deref());
                self.touch();
            }
            Step::Clock(truth) => self.clock = *truth,
            Step::Health(truth) => self.health = *truth,
            Step::Replaced(replaced) => self.replaced = *replaced,
            Step::Pipeline(truth) => self.pipeline = *truth,
            Step::Merged(truth) => self.merged = *truth,
            Step::Successor(job) => self.successor = *job,
            Step::Return => (self.vanished, self.namespace.deleted) = (false, None),
            Step::Refuse(refuses) => self.refuses = *refuses,
            Step::Jump(by) => self.now = saturating_add(self.now, *by),
            Step::Terminate => self.namespace.deleted = Some(self.now),
            Step::Vanish => {
                self.vanished = true;
                self.append("collector", Event::Gone(Gone {}));
            }
            Step::Configure(policies) => self.policies = policies.clone(),
            Step::Foreign => {
                let data = serde_json::json!({ "from": "a later version" });
                self.append("collector", Event::Unrecognised { kind: "Slept".to_owned(), data });
            }
            Step::Lose => {
                let lost = self.history.len().checked_sub(2).ok_or("there is too little to lose")?;
                self.history.remove(lost);
                self.record = Record::of(self.record.uid.clone(), &self.history);
            }
            Step::Mismatch => {
                let head = self.record.head;
                let marker = format!("1.{}.{}", head + 5, self.record.uid);
                let why = format!("it carries the marker of entry {}, but the history ends at {head}", head + 5);
                self.append(
                    "collector",
                    Event::RecordMarkerMismatched(RecordMarkerMismatched { marker, why, epoch: 1 }),
                );
            }
            Step::Trust => {
                let marker = self.record.mismatch.as_ref().ok_or("its marker agrees")?.marker.clone();
                self.append("collector", Event::RecordMarkerTrusted(RecordMarkerTrusted { marker }));
            }
            Step::TryAnother(delivery) => {
                self.others += 1;
                self.learn(&format!("other-{}:3", self.others), delivery);
            }
            Step::TrySame(delivery) => self.learn("same:3", delivery),
            Step::IntendNotice | Step::NoticeSent | Step::NoticeUndeliverable | Step::Try(_) => {
                return self.notify(step);
            }
            Step::Intend { held_for } => return self.intend(*held_for),
            Step::DryRun => {
                self.offers(Action::Delete).ok_or("no deletion is offered")?;
                if self.standing().is_some_and(|policy| policy.mode == Mode::Enforce) {
                    return Err("the mode is not observe");
                }
                let decision = self.record.reason.clone();
                self.append("action", Event::DryRun(DryRun { action: Action::Delete, decision }));
            }
            Step::Wait { why } => {
                self.offers(Action::Delete).ok_or("no deletion is offered")?;
                if !self.record.attempts.is_news(*why, self.now) {
                    let (action, detail) = (Action::Delete, "not this time".to_owned());
                    let skipped = ActionSkipped { of: None, action, why: *why, detail, not_before: None };
                    self.append("action", Event::ActionSkipped(skipped));
                }
            }
            Step::Done | Step::Skip { .. } | Step::Refused { .. } | Step::Fence => {
                return self.close(step);
            }
        }
        Ok(())
    }

    fn notify(&mut self, step: &Step) -> Result<(), &'static str> {
        let policy = self.standing().ok_or("no policy stands")?;
        let deletion = deletion(policy, &self.record).ok_or("no deletion is in sight")?;
        let about = deletion.about;
        if matches!(step, Step::IntendNotice) {
            self.offers(Action::Notify).ok_or("no notice is offered")?;
            let deadline = deletion.at;
            let promise = promise(policy, &deletion, self.now);
            let (channel, why) = ("chat".to_owned(), "its owner was told lately".to_owned());
            let event = match recently_notified(&self.record, about, self.now) {
                Some(_) => Event::NoticeSkipped(NoticeSkipped { of: None, about, deadline, why }),
                None => Event::NoticeIntended(NoticeIntended { about, deadline, promise, channel }),
            };
            self.append("action", event);
            return Ok(());
        }
        let is_open = |it: &&Notice| it.delivery == record::Delivery::Open;
        let notice = self.record.notice(about).filter(is_open).ok_or("no notice is open")?.clone();
        let promise = promise_of_try(policy, &notice, self.now);
        let (of, promise) = (notice.seq, (promise > notice.promise).then_some(promise));
        let outcome = match step {
            Step::NoticeSent => Outcome::Sent,
            Step::Try(delivery) => {
                let terms = policy.warning.ok_or("there is no channel")?.undeliverable;
                self.learn(&notice.id(&self.record.uid), delivery);
                channel::outcome(&terms, &notice, &self.channel, delivery, self.now)
            }
            _ => Outcome::Undeliverable("nobody is known".to_owned()),
        };
        match outcome {
            Outcome::Sent => self.append("action", Event::NoticeSent(NoticeSent { of, promise })),
            Outcome::Undeliverable(why) => {
                self.append("action", Event::NoticeUndeliverable(NoticeUndeliverable { of, promise, why }));
            }
            Outcome::Retry => {}
        }
        Ok(())
    }

    fn learn(&mut self, notice: &str, delivery: &Delivery) {
        self.channel = self.channel.after(notice, delivery, self.now).unwrap_or_else(|| self.channel.clone());
    }

    /// The protocol of a deletion up to its intent: decide again, and every guard clear on the object.
    fn intend(&mut self, held_for: SignedDuration) -> Result<(), &'static str> {
        let task = self.offers(Action::Delete).ok_or("no deletion is offered")?;
        if self.clock != Truth::True || self.decide().entry.is_some() {
            return Err("checked again, it is not what it was");
        }
        if !self.guards().iter().all(Standing::is_clear) {
            return Err("a guard is in the way");
        }
        let mode = self.standing().map_or(Mode::Observe, |policy| policy.mode);
        let told = match self.record.notice(self.record.status) {
            Some(notice) if notice.is_delivered() => NoticeState::Promised(notice.promise),
            Some(notice) => NoticeState::Undelivered(notice.promise),
            None => NoticeState::NoChannel,
        };
        let intended = ActionIntended {
            action: Action::Delete,
            cause_seq: task.cause_seq,
            attempt: self.record.attempts.begun + 1,
            holder: "action/a".to_owned(),
            until: saturating_add(self.now, held_for),
            resource_version: self.namespace.resource_version.clone(),
            cause: self.record.status,
            decision: self.record.reason.clone(),
            evidence: Vec::new(),
            evidence_at: self.now,
            slot: "1/1".to_owned(),
            unannounced: None,
            config: "c".to_owned(),
            mode,
            notice: told,
        };
        self.append("action", Event::ActionIntended(Box::new(intended)));
        Ok(())
    }

    fn close(&mut self, step: &Step) -> Result<(), &'static str> {
        let of = self.record.open.as_ref().ok_or("no intent is open")?.seq;
        let action = Action::Delete;
        let at = |by: SignedDuration| saturating_add(self.now, by);
        let skipped = |why, not_before: Option<SignedDuration>| {
            let detail = "not this time".to_owned();
            Event::ActionSkipped(ActionSkipped { of: Some(of), action, why, detail, not_before: not_before.map(at) })
        };
        let failed = |why, not_before: Option<SignedDuration>| {
            let detail = "not this time".to_owned();
            Event::ActionFailed(ActionFailed { of, action, why, detail, not_before: not_before.map(at) })
        };
        let event = match step {
            Step::Done => Event::ActionDone(ActionDone { of, observed: false }),
            Step::Skip { why, not_before } => skipped(*why, *not_before),
            Step::Refused { not_before } => failed(FailReason::Refused, Some(*not_before)),
            _ => failed(FailReason::Fenced, None),
        };
        self.append("action", event);
        Ok(())
    }
}
