//! Why not yet: everything that stands between a namespace and its deletion, as far as values can tell.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Mode, Namespace, Policy, Record, Status,
    keys::Lineage,
    record::{Damage, Delivery, Notice, Phase},
    time::{human_text, saturating_add},
    wishes,
};

/// How much later than promised a deletion may come at the earliest: the clocks of ours and of the reader may differ
/// (safety.md S9). A policy has it from [`crate::policy::Common`].
pub const PROMISE_MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// One reason why a deletion may have to wait, and whether it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// One word, stable, for tools.
    pub name: &'static str,
    pub verdict: Verdict,
    /// A sentence without full stop.
    pub why: String,
}

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
pub struct Fresh<'a> {
    pub namespace: &'a Namespace,
    /// The policy that applies to it now.
    pub policy: Option<&'a Policy>,
    /// What this store may have marked.
    pub lineage: &'a Lineage,
}

impl Guard {
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.verdict == Verdict::Clear
    }
}

/// Every guard before the deletion of a namespace, in the order people want to read them: those on the record
/// always, those on the object when it was read. The switches and budgets of the moment are the worker's to ask.
#[must_use]
pub fn guards(policy: &Policy, record: &Record, fresh: Option<&Fresh<'_>>, now: Timestamp) -> Vec<Guard> {
    let mut all = vec![
        history(record),
        managed(record),
        terms(policy, record),
        status(policy, record),
        mode(policy),
        protected(record),
        kept(record, now),
        visible(policy, record, now),
        told(policy, record),
        promise(policy, record, now),
        intent(record, now),
        backoff(record, now),
    ];
    if let Some(fresh) = fresh {
        all.extend(object(policy, record, fresh, now));
    }
    all
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
    let (of_life, of_status) = ends_in_sight(record);
    match of_status.filter(|_| policy.deletes(record.status)) {
        Some(at) => Some(Deletion { about: record.status, at }),
        None => of_life.filter(|_| policy.deletes(Status::Stale)).map(|at| Deletion { about: Status::Stale, at }),
    }
}

/// When a deletion would fall due by the time to live, and by the status, each not before a wish to keep is over.
pub(crate) fn ends_in_sight(record: &Record) -> (Option<Timestamp>, Option<Timestamp>) {
    let kept = record.kept.as_ref().and_then(|kept| kept.until);
    let held = |end: Timestamp| kept.map_or(end, |kept| end.max(kept));
    let of_status = has_end_of_its_own(record.status).then(|| record.finalize_at.or(record.since)).flatten();
    (record.deadline.as_ref().map(|deadline| held(deadline.at)), of_status.map(held))
}

/// Whether a status leads to a deletion that the time to live does not set.
const fn has_end_of_its_own(status: Status) -> bool {
    match status {
        Status::Failed | Status::Cancelled | Status::Superseded => true,
        Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Stale => false,
    }
}

fn clear(name: &'static str, why: impl Into<String>) -> Guard {
    Guard { name, verdict: Verdict::Clear, why: why.into() }
}

fn refuses(name: &'static str, why: impl Into<String>) -> Guard {
    Guard { name, verdict: Verdict::Refuses, why: why.into() }
}

fn waits(name: &'static str, until: Option<Timestamp>, why: impl Into<String>) -> Guard {
    Guard { name, verdict: Verdict::Waits(until), why: why.into() }
}

fn history(record: &Record) -> Guard {
    match &record.damage {
        None => clear("history", "its history is whole"),
        Some(Damage::Gap(seq)) => {
            refuses("history", format!("entry {seq} of its history is missing; restore the store from a backup"))
        }
        Some(Damage::Unrecognised { seq, kind }) => refuses(
            "history",
            format!("entry {seq} of its history is a `{kind}`, which this version cannot read; upgrade"),
        ),
    }
}

fn managed(record: &Record) -> Guard {
    match (record.phase, &record.done) {
        (Phase::Gone, _) => refuses("managed", "it is gone"),
        (_, Some(done)) => refuses("managed", format!("its deletion was accepted at {}", human_text(done.at))),
        (Phase::Managed, None) => clear("managed", "it is managed"),
        (Phase::New, None) => refuses("managed", "it was not adopted yet"),
        (Phase::Released, None) => refuses("managed", "no policy applies to it"),
    }
}

fn terms(policy: &Policy, record: &Record) -> Guard {
    if record.terms.as_ref().is_some_and(|terms| terms.policy_hash == policy.hash && terms.policy == policy.name) {
        clear("policy", format!("it was judged under policy `{}` as it stands now", policy.name))
    } else {
        waits("policy", None, format!("it has yet to be judged under policy `{}` as it stands now", policy.name))
    }
}

fn status(policy: &Policy, record: &Record) -> Guard {
    let status = record.status;
    if policy.deletes(status) {
        clear("status", format!("policy `{}` deletes what is {status}", policy.name))
    } else {
        refuses("status", format!("policy `{}` does not delete what is {status}", policy.name))
    }
}

fn mode(policy: &Policy) -> Guard {
    match policy.mode {
        Mode::Enforce => clear("mode", "the mode is enforce"),
        Mode::Observe => refuses("mode", "the mode is observe: what would be done is recorded, nothing is deleted"),
    }
}

fn protected(record: &Record) -> Guard {
    if record.protected {
        refuses("protect", "its owner protects it")
    } else {
        clear("protect", "its owner does not protect it")
    }
}

fn kept(record: &Record, now: Timestamp) -> Guard {
    let Some(kept) = &record.kept else {
        return clear("keep", "its owner does not ask to keep it");
    };
    match kept.until {
        Some(until) if now < until => {
            let by = kept.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
            let reason = kept.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            waits("keep", Some(until), format!("it is kept until {}{by}{reason}", human_text(until)))
        }
        Some(_) => clear("keep", "the time it was to be kept is over"),
        None => waits("keep", None, "it is kept, and nobody recorded until when"),
    }
}

fn visible(policy: &Policy, record: &Record, now: Timestamp) -> Guard {
    let Some(since) = record.since else {
        return waits("visible", None, "its status has yet to be recorded");
    };
    let of_status = record.finalize_at.filter(|_| has_end_of_its_own(record.status));
    let until = saturating_add(since, policy.visible_for).max(of_status.unwrap_or(Timestamp::MIN));
    if now < until {
        waits("visible", Some(until), format!("its status stands to be read until {}", human_text(until)))
    } else {
        clear("visible", "its status stood long enough to be read")
    }
}

fn told(policy: &Policy, record: &Record) -> Guard {
    if policy.warning.is_none() {
        return clear("told", "no channel is configured, so there is nobody to tell");
    }
    let notice = record.notice(record.status).filter(|notice| notice.counts);
    match notice {
        Some(notice) if is_of(notice, deletion(policy, record)) => match notice.delivery {
            Delivery::Open => waits("told", None, "the notice to its owner is being sent"),
            Delivery::Sent => clear("told", format!("its owner was told at {}", human_text(notice.at))),
            Delivery::Undeliverable => {
                clear("told", format!("the notice of {} could not be delivered", human_text(notice.at)))
            }
            Delivery::Skipped => clear("told", format!("the notice of {} was skipped", human_text(notice.at))),
        },
        _ => waits("told", None, "its owner has yet to be told of this deletion"),
    }
}

/// Whether a notice announces this deletion as it stands now.
pub(crate) fn is_of(notice: &Notice, deletion: Option<Deletion>) -> bool {
    deletion.is_some_and(|it| it.about == notice.intended.about && it.at == notice.intended.deadline)
}

fn promise(policy: &Policy, record: &Record, now: Timestamp) -> Guard {
    let Some(promise) = record.notice(record.status).map(|notice| notice.promise) else {
        return clear("promise", "no time was promised");
    };
    let until = saturating_add(promise, policy.promise_margin);
    if now < until {
        waits("promise", Some(until), format!("its owner was promised the time until {}", human_text(promise)))
    } else {
        clear("promise", format!("the time promised, until {}, is over", human_text(promise)))
    }
}

fn intent(record: &Record, now: Timestamp) -> Guard {
    match &record.open {
        None => clear("intent", "nothing is under way"),
        Some(open) if now < open.intended.until => {
            let until = open.intended.until;
            waits("intent", Some(until), format!("`{}` is at it (entry {})", open.intended.holder, open.seq))
        }
        Some(open) => waits("intent", None, format!("the attempt of entry {} ran out and is to be fenced", open.seq)),
    }
}

fn backoff(record: &Record, now: Timestamp) -> Guard {
    let last = record.attempts.last.as_deref().unwrap_or("nothing was tried yet");
    match record.attempts.not_before {
        Some(until) if now < until => {
            waits("backoff", Some(until), format!("{last}; next look at {}", human_text(until)))
        }
        _ => clear("backoff", last),
    }
}

/// The guards on the object itself, which outrank the record: it is what the request carries as its precondition.
fn object(policy: &Policy, record: &Record, fresh: &Fresh<'_>, now: Timestamp) -> Vec<Guard> {
    let namespace = fresh.namespace;
    let identity = if namespace.uid == record.uid {
        clear("identity", "it is the namespace the history is about")
    } else {
        refuses("identity", format!("the name belongs to another namespace now, `{}`", namespace.uid))
    };
    let active = match namespace.deleted {
        None => clear("active", "nobody is deleting it"),
        Some(at) => refuses("active", format!("it is being deleted since {}", human_text(at))),
    };
    let matches = match fresh.policy {
        Some(found) if found.name == policy.name => clear("match", format!("policy `{}` applies", policy.name)),
        Some(found) => waits("match", None, format!("policy `{}` applies to it now", found.name)),
        None => refuses("match", "no policy applies to it now"),
    };
    vec![
        identity,
        active,
        matches,
        object_protect(policy, namespace),
        object_keep(policy, record, namespace, now),
        mark(policy, record, fresh),
    ]
}

fn object_protect(policy: &Policy, namespace: &Namespace) -> Guard {
    if wishes::is_protected(namespace, &policy.keys) {
        refuses("object-protect", "it carries `protect`")
    } else {
        clear("object-protect", "it carries no `protect`")
    }
}

fn object_keep(policy: &Policy, record: &Record, namespace: &Namespace, now: Timestamp) -> Guard {
    let Some(wish) = wishes::keep(namespace, &policy.keys) else {
        return clear("object-keep", "it carries no `keep_until`");
    };
    let recorded = record.kept.as_ref().filter(|kept| kept.wish.as_ref() == Some(&wish.text));
    // Where nobody recorded this wish yet, its time has only begun.
    let until = recorded.and_then(|kept| kept.until).unwrap_or_else(|| wishes::keep_end(&wish, now, policy.max_keep));
    if now < until {
        waits("object-keep", Some(until), format!("it carries `keep_until: {}`", wish.text))
    } else {
        clear("object-keep", "its `keep_until` is over")
    }
}

fn mark(policy: &Policy, record: &Record, fresh: &Fresh<'_>) -> Guard {
    match fresh.lineage.check(fresh.namespace, &policy.keys, record.head) {
        Ok(()) => clear("mark", "its mark agrees with the history"),
        Err(why) => refuses("mark", format!("{why}; once you know which store is right, run `nsm approve --store`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Uid, entry::Kept};

    #[test]
    fn a_keep_of_which_nobody_recorded_the_end_stands() {
        let mut record = Record::new(Uid::new("a"));
        assert!(kept(&record, Timestamp::MAX).is_clear());
        record.kept = Some(Kept { wish: Some("always".into()), until: None, first_seen: None, by: None, reason: None });
        assert_eq!(kept(&record, Timestamp::MAX).verdict, Verdict::Waits(None));
    }
}
