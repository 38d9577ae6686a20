//! Why not yet: everything that stands between a namespace and its deletion, as far as values can tell.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Mode, Namespace, Policy, Record, Status, channel,
    keys::StoreIdentity,
    overrides,
    policy::OnUndeliverable,
    record::{Damage, Delivery, Notice, Phase},
    time::{human_text, saturating_add},
};

/// How much later than promised a deletion may come at the earliest: the clocks of ours and of the reader may differ
/// (docs/design/protocol.md S9). A policy has it from [`crate::policy::Common`].
pub const PROMISE_MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// The remedy where a record marker does not agree with the history.
const APPROVE_STORE: &str = "once you know that this store is the right one, run `nsm approve --store`";

/// One reason why a deletion may have to wait, and whether it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard<K = GuardKind> {
    pub kind: K,
    pub verdict: Verdict,
    /// A sentence without full stop.
    pub why: String,
}

/// Declares kinds of guards: one list is the enum, all of its values, and their names.
macro_rules! kinds {
    ($(#[$doc:meta])* $kinds:ident { $($kind:ident: $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kinds {
            $($kind,)+
        }

        impl $kinds {
            /// Every one, in the order people want to read them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// One word, stable, for tools.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }

        impl Guard<$kinds> {
            /// One word, stable, for tools.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                self.kind.as_str()
            }
        }
    };
}

kinds! {
    /// The guards on the record, under its policy.
    GuardKind {
        History: "history",
        Managed: "managed",
        Policy: "policy",
        Status: "status",
        Mode: "mode",
        Protect: "protect",
        Keep: "keep",
        Visible: "visible",
        Notice: "notice",
        Promise: "promise",
        Intent: "intent",
        Backoff: "backoff",
    }
}

impl GuardKind {
    /// Whether it stands in mode `observe` for no other reason than the mode: nothing is sent, and nobody is told.
    #[must_use]
    pub const fn is_of_the_mode(self) -> bool {
        match self {
            Self::Mode | Self::Notice => true,
            Self::History
            | Self::Managed
            | Self::Policy
            | Self::Status
            | Self::Protect
            | Self::Keep
            | Self::Visible
            | Self::Promise
            | Self::Intent
            | Self::Backoff => false,
        }
    }
}

kinds! {
    /// The guards on the object itself, which outrank the record: it is what the request carries as its precondition.
    ObjectGuardKind {
        Identity: "identity",
        Active: "active",
        Match: "match",
        Protect: "object-protect",
        Keep: "object-keep",
        RecordMarker: "marker",
    }
}

/// Every guard on a record: none can be missing.
pub type Guards = [Guard; GuardKind::ALL.len()];

/// Every guard on an object: none can be missing.
pub type ObjectGuards = [Guard<ObjectGuardKind>; ObjectGuardKind::ALL.len()];

/// A verdict and its sentence, by whichever guard was evaluated.
type Judged = (Verdict, String);

/// What a guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not stand in the way.
    Clear,
    /// Not before this instant; `None`: not before something else happened.
    Waits(Option<Timestamp>),
    /// Not as things are.
    Refuses,
}

/// A namespace as it was just read, with what its cluster and its store say of it.
#[derive(Clone, Debug)]
pub struct LiveObject<'a> {
    pub namespace: &'a Namespace,
    /// The policy that applies to it now.
    pub policy: Option<&'a Policy>,
    /// The identity of this store: which markers it may have left.
    pub store_identity: &'a StoreIdentity,
}

impl<K> Guard<K> {
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.verdict == Verdict::Clear
    }
}

/// Asks every guard on the record. The switches and budgets of the moment are the worker's to ask.
#[must_use]
pub fn guards(policy: &Policy, record: &Record, now: Timestamp) -> Guards {
    GuardKind::ALL.map(|kind| {
        let (verdict, why) = match kind {
            GuardKind::History => history(record),
            GuardKind::Managed => managed(record),
            GuardKind::Policy => terms(policy, record),
            GuardKind::Status => status(policy, record),
            GuardKind::Mode => mode(policy),
            GuardKind::Protect => protected(record),
            GuardKind::Keep => kept(record, now),
            GuardKind::Visible => visible(policy, record, now),
            GuardKind::Notice => told(policy, record),
            GuardKind::Promise => promise(policy, record, now),
            GuardKind::Intent => intent(record, now),
            GuardKind::Backoff => backoff(record, now),
        };
        Guard { kind, verdict, why }
    })
}

/// Asks every guard on the object that was just read.
#[must_use]
pub fn object_guards(policy: &Policy, record: &Record, fresh: &LiveObject<'_>, now: Timestamp) -> ObjectGuards {
    ObjectGuardKind::ALL.map(|kind| {
        let (verdict, why) = match kind {
            ObjectGuardKind::Identity => identity(record, fresh),
            ObjectGuardKind::Active => active(fresh),
            ObjectGuardKind::Match => matches(policy, fresh),
            ObjectGuardKind::Protect => object_protect(policy, fresh.namespace),
            ObjectGuardKind::Keep => object_keep(policy, record, fresh.namespace, now),
            ObjectGuardKind::RecordMarker => marker(policy, record, fresh),
        };
        Guard { kind, verdict, why }
    })
}

/// A deletion that is in sight, as a notice announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The status that leads to it.
    pub about: Status,
    /// When it falls due, whether or not the owner was told.
    pub at: Timestamp,
}

/// The deletion that the record leads to under this policy; `None` where none is in sight.
///
/// What has failed, was cancelled or superseded is deleted for that, when its status stood long enough; everything else
/// when its time to live is over.
#[must_use]
pub fn deletion(policy: &Policy, record: &Record) -> Option<Deletion> {
    let (of_life, of_status) = record.expected_ends();
    match of_status.filter(|_| policy.deletes(record.status)) {
        Some(at) => Some(Deletion { about: record.status, at }),
        None => of_life.filter(|_| policy.deletes(Status::Stale)).map(|at| Deletion { about: Status::Stale, at }),
    }
}

fn clear(why: impl Into<String>) -> Judged {
    (Verdict::Clear, why.into())
}

fn refuses(why: impl Into<String>) -> Judged {
    (Verdict::Refuses, why.into())
}

fn waits(until: Option<Timestamp>, why: impl Into<String>) -> Judged {
    (Verdict::Waits(until), why.into())
}

pub(crate) fn history(record: &Record) -> Judged {
    match &record.damage {
        None => match &record.mismatch {
            None => clear("its history is whole"),
            Some(mismatch) => refuses(format!("{}; {APPROVE_STORE}", mismatch.why)),
        },
        Some(Damage::Gap(seq)) => {
            refuses(format!("entry {seq} of its history is missing; restore the store from a backup"))
        }
        Some(Damage::Unrecognised { seq, kind }) => {
            refuses(format!("entry {seq} of its history is a `{kind}`, which this version cannot read; upgrade"))
        }
    }
}

fn managed(record: &Record) -> Judged {
    match (record.phase, &record.done) {
        (Phase::Gone, _) => refuses("it is gone"),
        (_, Some(done)) => refuses(format!("its deletion was accepted at {}", human_text(done.at))),
        (Phase::Managed, None) => clear("it is managed"),
        (Phase::New, None) => refuses("it is not managed yet"),
        (Phase::Released, None) => refuses("no policy applies to it"),
    }
}

fn terms(policy: &Policy, record: &Record) -> Judged {
    if record.terms.as_ref().is_some_and(|terms| terms.policy_hash == policy.hash && terms.policy == policy.name) {
        clear(format!("it was checked under policy `{}` as it is now", policy.name))
    } else {
        waits(None, format!("it has yet to be checked under policy `{}` as it is now", policy.name))
    }
}

fn status(policy: &Policy, record: &Record) -> Judged {
    let status = record.status;
    if policy.deletes(status) {
        clear(format!("policy `{}` deletes what is {status}", policy.name))
    } else {
        refuses(format!("its status is {status}, which is no reason to delete it under policy `{}`", policy.name))
    }
}

fn mode(policy: &Policy) -> Judged {
    match policy.mode {
        Mode::Enforce => clear("the mode is enforce"),
        Mode::Observe => refuses("the mode is observe: what would be done is recorded, nothing is deleted"),
    }
}

fn protected(record: &Record) -> Judged {
    if record.protected { refuses("its owner protects it") } else { clear("its owner does not protect it") }
}

fn kept(record: &Record, now: Timestamp) -> Judged {
    let Some(kept) = &record.kept else {
        return clear("its owner does not ask to keep it");
    };
    match kept.until {
        Some(until) if now < until => {
            let by = kept.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
            let reason = kept.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            waits(Some(until), format!("it is kept until {}{by}{reason}", human_text(until)))
        }
        Some(_) => clear("the time it was to be kept is over"),
        None => waits(None, "it is kept, and nobody recorded until when"),
    }
}

fn visible(policy: &Policy, record: &Record, now: Timestamp) -> Judged {
    let Some(since) = record.since else {
        return waits(None, "its status has yet to be recorded");
    };
    let from = match record.shown_at {
        _ if !policy.requires_visible(record.status) => since,
        Some(shown) => shown.max(since),
        None => {
            return waits(
                None,
                match &record.not_shown {
                    Some(why) => format!("its status could not be written on the namespace: {why}"),
                    None => "its status has yet to be seen on the namespace".to_owned(),
                },
            );
        }
    };
    let of_status = record.finalize_at.filter(|_| record.status.has_end_of_its_own());
    let until = saturating_add(from, policy.visible_for).max(of_status.unwrap_or(Timestamp::MIN));
    if now < until {
        waits(Some(until), format!("its status stays on the namespace for people to read until {}", human_text(until)))
    } else if !policy.deletes(record.status) {
        clear(format!("its status {} leads to no deletion, so nobody has to have read it", record.status))
    } else if !policy.requires_visible(record.status) {
        clear("nobody has to have read its status before it is deleted")
    } else {
        clear("its status stood long enough to be read")
    }
}

fn told(policy: &Policy, record: &Record) -> Judged {
    let Some(warning) = &policy.warning else {
        return clear("no channel for notices is configured, so nobody is told");
    };
    match notice_of(policy, record) {
        Some(notice) => match notice.delivery {
            Delivery::Open => {
                let until = human_text(channel::tried_until(&warning.undeliverable, notice));
                let until = match warning.undeliverable.then {
                    OnUndeliverable::Proceed => format!("until {until} at the latest"),
                    OnUndeliverable::Wait => "until it arrives".to_owned(),
                };
                waits(None, format!("the notice to its owner is being sent since {}, {until}", human_text(notice.at)))
            }
            Delivery::Sent => {
                clear(format!("its owner was told at {}", human_text(notice.sent_at.unwrap_or(notice.at))))
            }
            Delivery::Skipped if notice.is_delivered() => {
                clear(format!("the notice of {} stands for it", human_text(notice.at)))
            }
            Delivery::Undeliverable | Delivery::Skipped => match warning.undeliverable.then {
                OnUndeliverable::Proceed => {
                    clear(format!("the notice of {} could not be delivered, so nobody was told", human_text(notice.at)))
                }
                OnUndeliverable::Wait => {
                    waits(None, format!("the notice of {} could not be delivered", human_text(notice.at)))
                }
            },
        },
        None => waits(None, "its owner has yet to be told of this deletion"),
    }
}

/// The notice that announces the deletion which the record leads to, as it stands now; `None`: none does that counts.
pub(crate) fn notice_of<'a>(policy: &Policy, record: &'a Record) -> Option<&'a Notice> {
    let Deletion { about, at } = deletion(policy, record)?;
    record.notice(about).filter(|notice| notice.counts && notice.intended.deadline == at)
}

fn promise(policy: &Policy, record: &Record, now: Timestamp) -> Judged {
    let Some(promise) = record.notice(record.status).map(|notice| notice.promise) else {
        return clear("no time was promised to its owner");
    };
    let until = saturating_add(promise, policy.promise_margin);
    if now < until {
        let (promise, margin) = (human_text(promise), human_text(until));
        waits(
            Some(until),
            format!("its owner was promised that it stays until {promise}, which with a margin is {margin}"),
        )
    } else {
        clear(format!("the time promised to its owner, until {}, is over", human_text(promise)))
    }
}

fn intent(record: &Record, now: Timestamp) -> Judged {
    match &record.open {
        None => clear("nothing is under way"),
        Some(open) if now < open.intended.until => {
            let until = open.intended.until;
            waits(Some(until), format!("`{}` is deleting it (entry {})", open.intended.holder, open.seq))
        }
        Some(open) => waits(
            None,
            format!(
                "the attempt of entry {} got no clear answer in time, and has to be cut off before the next",
                open.seq
            ),
        ),
    }
}

fn backoff(record: &Record, now: Timestamp) -> Judged {
    let last = record.attempts.last_words();
    match record.attempts.not_before {
        Some(until) if now < until => waits(Some(until), format!("{last}; it is tried again at {}", human_text(until))),
        _ if record.attempts.last.is_none() => clear(last),
        _ => clear(format!("it may be tried again now; {last}")),
    }
}

fn identity(record: &Record, fresh: &LiveObject<'_>) -> Judged {
    let found = &fresh.namespace.uid;
    if *found == record.uid {
        clear("it is the namespace the history is about")
    } else {
        refuses(format!("the name belongs to another namespace now, `{found}`"))
    }
}

fn active(fresh: &LiveObject<'_>) -> Judged {
    match fresh.namespace.deleted {
        None => clear("nobody is deleting it"),
        Some(at) => refuses(format!("its deletion began at {}", human_text(at))),
    }
}

fn matches(policy: &Policy, fresh: &LiveObject<'_>) -> Judged {
    match fresh.policy {
        Some(found) if found.name == policy.name => clear(format!("policy `{}` applies", policy.name)),
        Some(found) => waits(None, format!("policy `{}` applies to it now", found.name)),
        None => refuses("no policy applies to it now"),
    }
}

fn object_protect(policy: &Policy, namespace: &Namespace) -> Judged {
    if overrides::is_protected(namespace, &policy.keys) {
        refuses("it carries `protect`")
    } else {
        clear("it carries no `protect`")
    }
}

fn object_keep(policy: &Policy, record: &Record, namespace: &Namespace, now: Timestamp) -> Judged {
    let Some(request) = overrides::keep(namespace, &policy.keys) else {
        return clear("it carries no `keep_until`");
    };
    let recorded = record.kept.as_ref().filter(|kept| kept.requested.as_ref() == Some(&request.text));
    // Where this request is not recorded yet, its time has only begun.
    let until =
        recorded.and_then(|kept| kept.until).unwrap_or_else(|| overrides::keep_end(&request, now, policy.max_keep));
    if now < until {
        waits(Some(until), format!("it carries `keep_until: {}`", request.text))
    } else {
        clear("its `keep_until` is over")
    }
}

fn marker(policy: &Policy, record: &Record, fresh: &LiveObject<'_>) -> Judged {
    match fresh.store_identity.check(fresh.namespace, &policy.keys, record) {
        Ok(()) => clear("its annotation `record` agrees with the history"),
        Err(why) => refuses(format!("{why}; {APPROVE_STORE}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        Uid,
        event::{Kept, NoticeIntended},
        fixture,
        overrides::{Deadline, DeadlineBy},
    };

    #[test]
    fn a_keep_of_which_nobody_recorded_the_end_stands() {
        let mut record = Record::new(Uid::new("a"));
        assert_eq!(kept(&record, Timestamp::MAX).0, Verdict::Clear);
        record.kept =
            Some(Kept { requested: Some("always".into()), until: None, first_seen: None, by: None, reason: None });
        assert_eq!(kept(&record, Timestamp::MAX).0, Verdict::Waits(None));
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a small number is an instant")
    }

    /// A record in this status, whose life ends at minute 60, and whose status ends at minute 30 where it has an end of its
    /// own. Its owner was told of a deletion about this status then.
    fn told_of(status: Status, about: Status, deadline: Timestamp) -> Record {
        let intended = NoticeIntended { about, deadline, promise: deadline, channel: "chat".into() };
        let (delivery, sent_at) = (Delivery::Sent, Some(at(10)));
        let notice = Notice { intended, seq: 3, at: at(9), delivery, promise: deadline, counts: true, sent_at };
        Record {
            status,
            since: Some(at(5)),
            finalize_at: Some(at(30)),
            deadline: Some(Deadline { at: at(60), by: DeadlineBy::Policy, unreadable: None }),
            notices: vec![notice],
            ..Record::new(Uid::new("a"))
        }
    }

    /// A deletion and its notice are about the status, where the status leads to a deletion; so it makes no difference to
    /// what is done whether the notice is found by the one or by the other.
    #[test]
    fn the_deletion_is_about_another_status_only_where_the_status_leads_to_none() {
        let raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h"});
        let policies = fixture::policies(raw, Mode::Enforce, true);
        let leading = [Status::Stale, Status::Failed, Status::Cancelled, Status::Superseded];
        for set in 0..1_u32 << leading.len() {
            let deletes: Vec<_> =
                (0..).zip(leading).filter(|(bit, _)| (set >> bit) & 1 == 1).map(|(_, it)| it).collect();
            let policy = policies.iter().next().expect("there is one").deleting(&deletes);
            for (status, about) in Status::ALL.into_iter().flat_map(|one| Status::ALL.map(|other| (one, other))) {
                for deadline in [at(30), at(60)] {
                    let record = told_of(status, about, deadline);
                    let of_status = Some(Deletion { about: status, at: deadline }) == deletion(&policy, &record);
                    let by_status = record.notice(status).filter(|_| of_status);
                    let is_led_to = super::status(&policy, &record).0 == Verdict::Clear;
                    let agree = notice_of(&policy, &record) == by_status;
                    assert!(agree || !is_led_to, "{status} told of {about} at {deadline}, deletes {deletes:?}");
                }
            }
        }
    }

    #[test]
    fn who_was_told_before_the_status_leads_to_it_was_told() {
        let raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h"});
        let policies = fixture::policies(raw, Mode::Enforce, true);
        let policy = policies.iter().next().expect("there is one");
        let guard = |deadline| told(policy, &told_of(Status::Ok, Status::Stale, at(deadline)));
        assert_eq!(guard(60), (Verdict::Clear, format!("its owner was told at {}", human_text(at(10)))));
        assert_eq!(guard(59).0, Verdict::Waits(None), "that was of another deadline");
    }

    #[test]
    fn no_two_guards_have_one_name() {
        let names = GuardKind::ALL.map(GuardKind::as_str).into_iter();
        let all: Vec<_> = names.chain(ObjectGuardKind::ALL.map(ObjectGuardKind::as_str)).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }
}
