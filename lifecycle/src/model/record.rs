//! What is known about one namespace: the fold of its history.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    deadline::{Deadline, OnRecord, is_earlier},
    event::{
        Action, ActionIntended, Entry, Event, FailReason, Kept, MovedBy, NoticeIntended, NoticeSkipped, Pair,
        PolicyRef, RecordMarkerMismatched, SkipReason, Successor, is_none,
    },
    mode::Mode,
    namespace::Uid,
    status::Status,
    termination::DeletionStalled,
};
use crate::time::{between, saturating_add};

/// Rises whenever the fold reads a history differently; snapshots of another version are ignored.
pub const FOLD_VERSION: u32 = 7;

/// How long a reason to wait counts after it was written: as long as it holds, it is written again by then. Anyone who
/// waits for it needs to see that checks go on; and a wait of days must not fill a history.
pub const REASON_COUNTS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A name of which so many namespaces were deleted within [`RECREATED_WITHIN`] is made anew by something that wants it to be
/// there: deleting it again and again helps nobody (docs/design/protocol.md section 2).
pub const RECREATED: u32 = 3;

/// See [`RECREATED`].
pub const RECREATED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// Everything that follows from the first `head` entries of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub uid: Uid,
    pub name: String,
    /// The number of the last entry folded; 0 before the first.
    pub head: u64,
    pub phase: Phase,
    pub terms: Option<PolicyRef>,
    pub created: Option<Timestamp>,
    /// How many namespaces of its name were deleted within [`RECREATED_WITHIN`] before it was adopted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub deleted_before: u32,
    pub ci: Vec<Pair>,
    pub status: Status,
    /// When the status was entered.
    pub since: Option<Timestamp>,
    /// The number of the entry that brought the status: it names the status generation.
    pub status_generation: u64,
    pub reason: String,
    /// When the next step of the status falls due, as it was seen when the status was entered.
    pub finalize_at: Option<Timestamp>,
    /// What replaces it, where it is superseded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<Successor>,
    /// When the status was first seen on the namespace, where a deletion waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<Timestamp>,
    /// Why the status could not be written on the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_shown: Option<String>,
    pub deadline: Option<Deadline>,
    /// The number of the entry since which the owner is to be told of the deletion as it stands: the deadline was set,
    /// a keep moved the deletion, or what was told before came to count for nothing. It names the task of the notice.
    pub deadline_set_by: u64,
    /// Since when this deadline or an earlier one has stood, under the mode and the management of now.
    pub foretold_since: Option<Timestamp>,
    pub kept: Option<Kept>,
    pub protected: bool,
    /// The last notice given about each status.
    pub notices: Vec<Notice>,
    /// The last notice that was sent in this status generation.
    pub notified: Option<Notified>,
    pub open: Option<Intent>,
    /// What ended attempts in this status generation.
    pub attempts: Attempts,
    /// The action that was carried out, which ends its task.
    pub done: Option<Done>,
    /// Why its deletion does not end, as it was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<Box<Stalled>>,
    /// The last status generation of which a dry run was recorded.
    pub dry_run: Option<u64>,
    /// The record marker on the namespace told of entries that this history does not have, and nobody trusted the store since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<RecordMarkerMismatched>,
    /// The record marker that somebody trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_marker: Option<String>,
    /// Why this record must not be acted on: it has a gap or holds what this version cannot read.
    pub damage: Option<Damage>,
    /// When the entry was written that showed it.
    #[serde(default)]
    pub damaged_at: Option<Timestamp>,
}

/// Where a namespace stands in its management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is recorded.
    New,
    Managed,
    /// No policy applies any more.
    Released,
    Gone,
}

/// A notice about a deletion, from its intent on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub intended: NoticeIntended,
    /// The number of the `NoticeIntended`.
    pub seq: u64,
    pub at: Timestamp,
    pub delivery: Delivery,
    /// The latest promise ever given for this cause that its owner did not take back.
    pub promise: Timestamp,
    /// A switch from observe to enforce makes what was told before count for nothing.
    pub counts: bool,
    /// When it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
}

/// Of what the owner was told last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    pub about: Status,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Sent or not: nobody knows yet.
    Open,
    Sent,
    Undeliverable,
    Skipped,
}

/// A destructive request that may be under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The number of the `ActionIntended`.
    pub seq: u64,
    pub at: Timestamp,
    pub intended: ActionIntended,
}

/// How attempts ended in the present status generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Attempts begun.
    pub begun: u32,
    /// Refusals by a live apiserver.
    pub refused: u32,
    /// What the apiserver said at the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Conflicts on the resourceVersion in a row.
    pub busy: u32,
    /// When the row of conflicts began.
    pub busy_since: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    /// The reasons given for skipping, each with when it was given last. Those that name what is waited for are
    /// forgotten when an attempt ends otherwise.
    pub skipped: Vec<Skipped>,
    pub last: Option<AttemptEnd>,
}

/// A reason given for skipping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub why: SkipReason,
    pub at: Timestamp,
}

/// How an attempt ended, or why none was made. Its [`fmt::Display`] is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnd {
    pub outcome: AttemptOutcome,
    pub detail: String,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Skipped(SkipReason),
    Failed(FailReason),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub action: Action,
    pub at: Timestamp,
    /// The status that led to it.
    pub cause: Status,
    pub observed: bool,
}

/// Why a deletion does not end, and when that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalled {
    pub at: Timestamp,
    pub what: DeletionStalled,
}

/// What is wrong with a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// This number is missing.
    Gap(u64),
    /// This entry is of a kind this version does not know.
    Unrecognised { seq: u64, kind: String },
}

/// A record as stored beside the history, to save reading it from the start. Never believed over the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub fold: u32,
    pub record: Record,
}

/// That a name is made anew again and again, of which so many namespaces were deleted within [`RECREATED_WITHIN`]: a sentence
/// without full stop, where it is so.
#[must_use]
pub fn comes_back(deleted: u32) -> Option<String> {
    let told = || format!("it was deleted {deleted} times under this name within an hour, and comes back");
    (deleted >= RECREATED).then(told)
}

/// The same of a namespace that was created then, as of `now`: one that has stayed for [`RECREATED_WITHIN`] comes back no more.
#[must_use]
pub fn comes_back_lately(deleted: u32, created: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let is_young = created.is_none_or(|created| now < saturating_add(created, RECREATED_WITHIN));
    comes_back(deleted).filter(|_| is_young)
}

impl Record {
    /// The record of a namespace nothing is known about.
    #[must_use]
    pub fn new(uid: Uid) -> Self {
        Self {
            uid,
            name: String::new(),
            head: 0,
            phase: Phase::New,
            terms: None,
            created: None,
            deleted_before: 0,
            ci: Vec::new(),
            status: Status::Unknown,
            since: None,
            status_generation: 0,
            reason: String::new(),
            finalize_at: None,
            successors: Vec::new(),
            shown_at: None,
            not_shown: None,
            deadline: None,
            deadline_set_by: 0,
            foretold_since: None,
            kept: None,
            protected: false,
            notices: Vec::new(),
            notified: None,
            open: None,
            attempts: Attempts::default(),
            done: None,
            stalled: None,
            dry_run: None,
            mismatch: None,
            trusted_marker: None,
            damage: None,
            damaged_at: None,
        }
    }

    /// The record of a whole history.
    #[must_use]
    pub fn of<'a>(uid: Uid, history: impl IntoIterator<Item = &'a Entry>) -> Self {
        history.into_iter().fold(Self::new(uid), |mut record, entry| {
            record.fold(entry);
            record
        })
    }

    /// When a deletion would fall due by the time to live, and by the status, each not before a keep request is over.
    pub(crate) fn expected_ends(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let kept = self.kept.as_ref().and_then(|kept| kept.until);
        let held = |end: Timestamp| kept.map_or(end, |kept| end.max(kept));
        let of_status = self.status.has_end_of_its_own().then(|| self.finalize_at.or(self.since)).flatten();
        (self.deadline.as_ref().map(|deadline| held(deadline.at)), of_status.map(held))
    }

    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.phase == Phase::Managed
    }

    /// The last notice about a status.
    #[must_use]
    pub fn notice(&self, about: Status) -> Option<&Notice> {
        self.notices.iter().find(|notice| notice.intended.about == about)
    }

    /// That its name is made anew again and again, where that is so by now.
    #[must_use]
    pub fn comes_back(&self, now: Timestamp) -> Option<String> {
        comes_back_lately(self.deleted_before, self.created, now)
    }

    /// What is on record of the owner overrides.
    #[must_use]
    pub fn overrides(&self) -> OnRecord<'_> {
        let kept_since = self.kept.as_ref().and_then(|kept| kept.first_seen);
        OnRecord { deadline: self.deadline.as_ref(), kept_since }
    }

    /// A CI label as it was at adoption.
    #[must_use]
    pub fn ci(&self, key: &str) -> Option<&str> {
        self.ci.iter().find(|pair| pair.k == key).map(|pair| pair.v.as_str())
    }

    /// Takes in the next entry. One that was folded already changes nothing; one that is out of turn shows a gap.
    pub fn fold(&mut self, entry: &Entry) {
        if entry.seq <= self.head {
            return;
        }
        if entry.seq != self.head + 1 {
            self.damage.get_or_insert(Damage::Gap(self.head + 1));
            self.damaged_at.get_or_insert(entry.at);
        }
        self.head = entry.seq;
        self.name.clone_from(&entry.name);
        match &entry.event {
            Event::Adopted(adopted) => {
                if self.phase == Phase::Gone {
                    // Nothing told or promised before counts: what was restored from a backup is not what was told of.
                    self.notices.clear();
                    (self.done, self.stalled) = (None, None);
                }
                self.phase = Phase::Managed;
                self.created = Some(adopted.created);
                self.deleted_before = adopted.deleted_before;
                self.ci.clone_from(&adopted.ci);
                self.terms = Some(adopted.terms.clone());
                self.set_deadline(adopted.deadline.clone(), entry);
                self.foretold_since = Some(entry.at);
                self.enter(Status::Unknown, entry, "adopted", None);
                self.successors.clear();
            }
            Event::PolicyChanged(terms) => self.change_terms(terms, entry),
            Event::StatusChanged(change) => {
                self.enter(change.to, entry, &change.reason, change.finalize_at);
                self.successors.clone_from(&change.successors);
            }
            Event::StatusShown(shown) => {
                if shown.of == self.status_generation {
                    self.shown_at.get_or_insert(entry.at);
                }
            }
            Event::StatusNotShown(not_shown) => {
                if not_shown.of == self.status_generation {
                    self.not_shown = Some(not_shown.why.clone());
                }
            }
            Event::DeadlineMoved(moved) => {
                let is_earlier = is_earlier(moved.deadline.as_ref(), self.deadline.as_ref());
                if is_earlier {
                    self.foretold_since = Some(entry.at);
                }
                if moved.why == MovedBy::Owner && is_earlier {
                    // The owner alone can take a promise back (docs/design/lifecycle.md section 5).
                    self.notices.retain(|notice| notice.intended.about != Status::Stale);
                }
                self.set_deadline(moved.deadline.clone(), entry);
            }
            Event::Kept(kept) => {
                let before = self.expected_ends();
                self.kept = kept.requested.is_some().then(|| kept.clone());
                if self.expected_ends() != before {
                    self.deadline_set_by = entry.seq;
                }
            }
            Event::Protected(protected) => self.protected = protected.on,
            Event::NoticeIntended(intended) => self.intend_notice(intended, entry),
            Event::NoticeSent(sent) => {
                if let Some(about) = self.deliver(sent.of, Delivery::Sent, sent.promise, entry) {
                    self.notified = Some(Notified { about, at: entry.at });
                }
            }
            Event::NoticeUndeliverable(failed) => {
                self.deliver(failed.of, Delivery::Undeliverable, failed.promise, entry);
            }
            Event::NoticeSkipped(skipped) => match skipped.of {
                Some(of) => {
                    self.deliver(of, Delivery::Skipped, None, entry);
                }
                None => self.count_as_told(skipped),
            },
            Event::ActionIntended(intended) => {
                self.attempts.begun += 1;
                self.open = Some(Intent { seq: entry.seq, at: entry.at, intended: (**intended).clone() });
            }
            Event::ActionDone(done) => {
                if let Some(intent) = self.close(done.of) {
                    let (action, cause) = (intent.intended.action, intent.intended.cause);
                    self.done = Some(Done { action, at: entry.at, cause, observed: done.observed });
                }
            }
            Event::ActionSkipped(skipped) => {
                if let Some(of) = skipped.of {
                    self.close(of);
                }
                self.attempts.skip(skipped.why, entry.at);
                if skipped.why == SkipReason::Busy {
                    self.attempts.busy += 1;
                    self.attempts.busy_since.get_or_insert(entry.at);
                } else if skipped.of.is_some() {
                    (self.attempts.busy, self.attempts.busy_since) = (0, None);
                }
                self.attempts.not_before = skipped.not_before;
                self.attempts.end(AttemptOutcome::Skipped(skipped.why), &skipped.detail, entry.at);
            }
            Event::ActionFailed(failed) => {
                self.close(failed.of);
                if failed.why == FailReason::Refused {
                    self.attempts.refused += 1;
                    self.attempts.refusal = Some(failed.detail.clone());
                }
                (self.attempts.busy, self.attempts.busy_since) = (0, None);
                self.attempts.not_before = failed.not_before;
                self.attempts.waits_no_more();
                self.attempts.end(AttemptOutcome::Failed(failed.why), &failed.detail, entry.at);
            }
            Event::DeletionStalled(what) => self.stalled = Some(Box::new(Stalled { at: entry.at, what: what.clone() })),
            Event::DryRun(_) => self.dry_run = Some(self.status_generation),
            Event::RecordMarkerMismatched(mismatch) => self.mismatch = Some(mismatch.clone()),
            Event::RecordMarkerTrusted(trusted) => {
                self.mismatch = None;
                self.trusted_marker = Some(trusted.marker.clone());
            }
            Event::Gone(_) => self.phase = Phase::Gone,
            Event::Released(_) => self.phase = Phase::Released,
            Event::Unrecognised { kind, .. } => {
                self.damage.get_or_insert(Damage::Unrecognised { seq: entry.seq, kind: kind.clone() });
                self.damaged_at.get_or_insert(entry.at);
            }
        }
    }

    fn enter(&mut self, status: Status, entry: &Entry, reason: &str, finalize_at: Option<Timestamp>) {
        self.status = status;
        self.finalize_at = finalize_at;
        self.since = Some(entry.at);
        self.status_generation = entry.seq;
        reason.clone_into(&mut self.reason);
        (self.shown_at, self.not_shown) = (None, None);
        self.notified = None;
        self.attempts = Attempts::default();
    }

    fn change_terms(&mut self, terms: &PolicyRef, entry: &Entry) {
        let began_to_enforce =
            terms.mode == Mode::Enforce && self.terms.as_ref().is_some_and(|old| old.mode == Mode::Observe);
        if began_to_enforce {
            // Nothing that was recorded while observing counts as foretold or told (docs/design/lifecycle.md section
            // 5).
            self.foretold_since = Some(entry.at);
            self.deadline_set_by = entry.seq;
            self.notices.iter_mut().for_each(|notice| notice.counts = false);
        }
        self.terms = Some(terms.clone());
    }

    fn set_deadline(&mut self, deadline: Option<Deadline>, entry: &Entry) {
        self.deadline = deadline;
        self.deadline_set_by = entry.seq;
    }

    fn intend_notice(&mut self, intended: &NoticeIntended, entry: &Entry) {
        let promised = self.notice(intended.about).map(|notice| notice.promise);
        self.notices.retain(|notice| notice.intended.about != intended.about);
        self.notices.push(Notice {
            intended: intended.clone(),
            seq: entry.seq,
            at: entry.at,
            delivery: Delivery::Open,
            promise: promised.map_or(intended.promise, |promised| promised.max(intended.promise)),
            counts: true,
            sent_at: None,
        });
    }

    /// Its last try ended so, and promised that. Returns what the notice is about, where there is one of this number.
    fn deliver(&mut self, of: u64, delivery: Delivery, promise: Option<Timestamp>, entry: &Entry) -> Option<Status> {
        let notice = self.notices.iter_mut().find(|notice| notice.seq == of)?;
        notice.delivery = delivery;
        notice.sent_at = (delivery == Delivery::Sent).then_some(entry.at);
        notice.promise = promise.map_or(notice.promise, |promise| promise.max(notice.promise));
        Some(notice.intended.about)
    }

    /// The owner was told shortly before, so that notice stands for this deadline too; its promise stays.
    fn count_as_told(&mut self, skipped: &NoticeSkipped) {
        if let Some(notice) = self.notices.iter_mut().find(|notice| notice.intended.about == skipped.about) {
            notice.intended.deadline = skipped.deadline;
            notice.delivery = Delivery::Skipped;
        }
    }

    /// Closes the open intent if it is this one. An outcome names its intent; a stranger's closes nothing.
    fn close(&mut self, of: u64) -> Option<Intent> {
        self.open.take_if(|intent| intent.seq == of)
    }
}

impl Notice {
    /// Its id, by which its receiver knows it: the same for every try. `uid` is of its namespace.
    #[must_use]
    pub fn id(&self, uid: &Uid) -> String {
        format!("{uid}:{}", self.seq)
    }

    /// Whether it was delivered, or stands for a deadline that moved soon after it was.
    #[must_use]
    pub const fn is_delivered(&self) -> bool {
        match self.delivery {
            Delivery::Sent | Delivery::Skipped => self.sent_at.is_some(),
            Delivery::Open | Delivery::Undeliverable => false,
        }
    }
}

impl Attempts {
    /// Whether a reason to wait is on record, so that it need not be written again now.
    ///
    /// Each is written once, and again after [`REASON_COUNTS_FOR`], or once an attempt ended otherwise. That evidence is
    /// missing is written again after anything else that was: what was written last is what people are shown, and a
    /// source may go away more than once. That is no flood, for the others come seldom.
    #[must_use]
    pub fn is_news(&self, why: SkipReason, now: Timestamp) -> bool {
        let is_known = self.skipped.iter().any(|it| it.why == why && between(it.at, now) < REASON_COUNTS_FOR);
        let is_shown = match why {
            SkipReason::Evidence => self.missing_evidence().is_some(),
            SkipReason::Stopped
            | SkipReason::Budget
            | SkipReason::Unannounced
            | SkipReason::Busy
            | SkipReason::Changed
            | SkipReason::Unverified
            | SkipReason::Abandoned
            | SkipReason::Held => true,
        };
        is_known && is_shown
    }

    /// Until when it counts as waiting for something that it names; `None`: for nothing.
    #[must_use]
    pub fn waits_until(&self) -> Option<Timestamp> {
        let named = self.skipped.iter().filter(|it| it.why.is_waited_for());
        named.map(|it| saturating_add(it.at, REASON_COUNTS_FOR)).max()
    }

    /// Why it could not be checked whether what led to the deletion still is so, where the last attempt ended for that.
    #[must_use]
    pub fn missing_evidence(&self) -> Option<&str> {
        let last = self.last.as_ref()?;
        (last.outcome == AttemptOutcome::Skipped(SkipReason::Evidence)).then_some(last.detail.as_str())
    }

    /// Why the last attempt was not made where others, which do not end, hold it.
    #[must_use]
    pub fn held_by_others(&self) -> Option<&str> {
        let last = self.last.as_ref()?;
        (last.outcome == AttemptOutcome::Skipped(SkipReason::Held)).then_some(last.detail.as_str())
    }

    /// The last outcome in words.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.last.as_ref().map_or_else(|| "nothing was tried yet".to_owned(), ToString::to_string)
    }

    fn skip(&mut self, why: SkipReason, at: Timestamp) {
        if !why.is_waited_for() {
            self.waits_no_more();
        }
        match self.skipped.iter_mut().find(|it| it.why == why) {
            Some(known) => known.at = at,
            None => self.skipped.push(Skipped { why, at }),
        }
    }

    fn waits_no_more(&mut self) {
        self.skipped.retain(|it| !it.why.is_waited_for());
    }

    fn end(&mut self, outcome: AttemptOutcome, detail: &str, at: Timestamp) {
        self.last = Some(AttemptEnd { outcome, detail: detail.to_owned(), at });
    }
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            AttemptOutcome::Skipped(why) => {
                write!(f, "the last attempt did not delete it, because {}: {}", why.words(), self.detail)
            }
            AttemptOutcome::Failed(why) => {
                write!(f, "the last attempt failed, because {}: {}", why.words(), self.detail)
            }
        }
    }
}

impl Snapshot {
    #[must_use]
    pub const fn of(record: Record) -> Self {
        Self { fold: FOLD_VERSION, record }
    }

    /// The record, unless another version folded it.
    #[must_use]
    pub fn current(self) -> Option<Record> {
        (self.fold == FOLD_VERSION).then_some(self.record)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn a_reason_to_wait_is_told_again_after_an_hour() {
        let mut attempts = Attempts::default();
        assert!(!attempts.is_news(SkipReason::Budget, at(0)));
        attempts.skip(SkipReason::Budget, at(0));
        assert!(attempts.is_news(SkipReason::Budget, at(59)));
        assert!(!attempts.is_news(SkipReason::Budget, at(60)));
        attempts.skip(SkipReason::Budget, at(60));
        assert!(attempts.is_news(SkipReason::Budget, at(119)));
        assert_eq!(attempts.waits_until(), Some(at(120)));
        assert_eq!(attempts.skipped.len(), 1, "it does not grow");
    }

    #[test]
    fn what_was_waited_for_is_forgotten_when_it_is_tried() {
        let mut attempts = Attempts::default();
        attempts.skip(SkipReason::Budget, at(0));
        attempts.skip(SkipReason::Busy, at(1));
        assert_eq!((attempts.waits_until(), attempts.is_news(SkipReason::Budget, at(2))), (None, false));
        assert!(attempts.is_news(SkipReason::Busy, at(2)));
    }

    /// The record after one deletion was allowed by entry 1, and this outcome was written.
    fn after(kind: &str, mut outcome: Value) -> Record {
        let intended = json!({"action": "delete", "cause_seq": 1, "attempt": 1, "holder": "action/a", "until": at(9),
            "resource_version": "7", "cause": "stale", "decision": "it is old", "evidence": [], "evidence_at": at(1),
            "slot": "s/1", "config": "c", "mode": "enforce", "notice": "no_channel"});
        outcome["action"] = json!("delete");
        let entries = [("ActionIntended", intended), (kind, outcome)];
        let entry = |(number, (kind, data)): (u64, (&str, Value))| -> Entry {
            serde_json::from_value(json!({"uid": "u", "seq": number, "at": at(1), "actor": "action/a", "name": "ci-1",
                "token": "t", "kind": kind, "data": data}))
            .unwrap()
        };
        let history: Vec<_> = (1..).zip(entries).map(entry).collect();
        assert!(!matches!(history[1].event, Event::Unrecognised { .. }), "{:?}", history[1]);
        Record::of(Uid::new("u"), &history)
    }

    /// A slow worker may write of an attempt that was closed long ago.
    #[test]
    fn an_outcome_closes_its_own_attempt_and_no_other() {
        let outcomes = [
            ("ActionDone", json!({"observed": true})),
            ("ActionFailed", json!({"why": "fenced", "detail": "d", "not_before": null})),
            ("ActionSkipped", json!({"why": "stopped", "detail": "d", "not_before": null})),
        ];
        for (kind, outcome) in outcomes {
            for (of, is_closed) in [(1, true), (2, false)] {
                let mut outcome = outcome.clone();
                outcome["of"] = json!(of);
                let record = after(kind, outcome);
                assert_eq!(record.open.is_none(), is_closed, "{kind} of {of}");
                assert_eq!(record.done.is_some(), is_closed && kind == "ActionDone", "{kind} of {of}");
            }
        }
    }
}
