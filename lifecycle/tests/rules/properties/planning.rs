//! What holds of `plan` and `guards`: a deletion is offered when the history allows it, and at no other time.
//!
//! The checker below reads the history itself, entry by entry and backwards, and shares nothing with the fold.

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Action, Entry, Event, Guard, LiveObject, Mode, Namespace, ObjectGuardKind, Plan, Policy, Record, Status, Uid,
    Verdict, guards,
    guards::{Deletion, deletion},
    keys::StoreIdentity,
    object_guards, plan,
    plan::{is_foretold, promise},
    time::{between, saturating_add},
};
use proptest::prelude::*;

use crate::any::{any_history, cases, first, folded, instant, is_in_order, namespace, near, nearly_deletable};

/// What the owner was told and promised, and what came of attempts, as the history says it.
struct AuditChecker<'a> {
    policy: &'a Policy,
    history: &'a [Entry],
    now: Timestamp,
}

impl<'a> AuditChecker<'a> {
    fn last<T: 'a>(&self, find: impl Fn(&'a Event) -> Option<T>) -> Option<(&'a Entry, T)> {
        self.history.iter().rev().find_map(|entry| find(&entry.event).map(|found| (entry, found)))
    }

    fn is_whole(&self) -> bool {
        is_in_order(self.history) && !self.history.iter().any(|entry| matches!(entry.event, Event::Unrecognised { .. }))
    }

    /// Whether no record marker tells of lost entries, or somebody trusted the store since.
    fn is_trusted(&self) -> bool {
        let stands = self.last(|event| match event {
            Event::RecordMarkerMismatched(_) => Some(true),
            Event::RecordMarkerTrusted(_) => Some(false),
            _ => None,
        });
        !stands.is_some_and(|(_, stands)| stands)
    }

    /// The intent that no outcome names yet, and whether one was ever done.
    fn attempts(&self) -> (Option<&'a Entry>, bool) {
        let (mut open, mut is_done): (Option<&Entry>, _) = (None, false);
        for entry in self.history {
            let closes = match &entry.event {
                Event::ActionIntended(_) => {
                    open = Some(entry);
                    continue;
                }
                Event::ActionDone(done) => Some(done.of),
                Event::ActionSkipped(skipped) => skipped.of,
                Event::ActionFailed(failed) => Some(failed.of),
                _ => None,
            };
            if closes.is_some() && open.map(|open| open.seq) == closes {
                is_done |= matches!(entry.event, Event::ActionDone(_));
                open = None;
            }
        }
        (open, is_done)
    }

    fn is_managed(&self) -> bool {
        let phase = self.last(|event| match event {
            Event::Adopted(_) => Some(true),
            Event::Released(_) | Event::Gone(_) => Some(false),
            _ => None,
        });
        phase.is_some_and(|(_, is_managed)| is_managed) && !self.attempts().1
    }

    fn is_judged_under_the_policy(&self) -> bool {
        let terms = self.last(|event| match event {
            Event::Adopted(adopted) => Some(&adopted.terms),
            Event::PolicyChanged(terms) => Some(terms),
            _ => None,
        });
        terms.is_some_and(|(_, terms)| terms.policy == self.policy.name && terms.policy_hash == self.policy.hash)
    }

    /// The status, and the entry that brought it.
    fn status(&self) -> Option<(&'a Entry, Status)> {
        self.last(|event| match event {
            Event::Adopted(_) => Some(Status::Unknown),
            Event::StatusChanged(change) => Some(change.to),
            _ => None,
        })
    }

    fn kept(&self) -> Option<Option<Timestamp>> {
        let keep = self.last(|event| if let Event::Kept(kept) = event { Some(kept) } else { None });
        keep.filter(|(_, kept)| kept.requested.is_some()).map(|(_, kept)| kept.until)
    }

    fn deadline(&self) -> Option<Timestamp> {
        let deadline = self.last(|event| match event {
            Event::Adopted(adopted) => Some(&adopted.deadline),
            Event::DeadlineMoved(moved) => Some(&moved.deadline),
            _ => None,
        });
        deadline.and_then(|(_, deadline)| deadline.as_ref()).map(|deadline| deadline.at)
    }

    /// When the time of its status is over, or its time to live where the status does not lead to a deletion of its own.
    fn deletion(&self) -> Option<Timestamp> {
        match self.status() {
            Some((_, status)) if self.policy.deletes(status) && status != Status::Stale => self.end_of_status(),
            _ => self.deadline(),
        }
    }

    fn end_of_status(&self) -> Option<Timestamp> {
        let (since, status) = self.status()?;
        let Event::StatusChanged(change) = &since.event else { return None };
        let is_one = matches!(status, Status::Failed | Status::Cancelled | Status::Superseded);
        is_one.then(|| change.finalize_at.unwrap_or(since.at))
    }

    /// The notices about a status that bind still: those after the owner's last request for an earlier end.
    fn notices(&self, about: Status) -> Vec<&'a Entry> {
        let (mut notices, mut end) = (Vec::new(), None);
        for entry in self.history {
            match &entry.event {
                Event::NoticeIntended(notice) if notice.about == about => notices.push(entry),
                Event::Adopted(adopted) => end = adopted.deadline.as_ref().map(|deadline| deadline.at),
                Event::DeadlineMoved(moved) => {
                    let to = moved.deadline.as_ref().map(|deadline| deadline.at);
                    let is_earlier = to.is_some_and(|to| end.is_none_or(|end| to < end));
                    if is_earlier && about == Status::Stale && moved.why == lifecycle::event::MovedBy::Owner {
                        notices.clear();
                    }
                    end = to;
                }
                _ => {}
            }
        }
        notices
    }

    /// docs/design/protocol.md S9: the promise of every notice that binds, and a minute.
    fn promises_are_over(&self, about: Status) -> bool {
        let is_over = |promise| self.now >= saturating_add(promise, SignedDuration::from_secs(60));
        self.notices(about).into_iter().all(|entry| match &entry.event {
            Event::NoticeIntended(notice) => is_over(notice.promise) && self.late(entry.seq).is_none_or(is_over),
            _ => true,
        })
    }

    /// What the last try of the notice of this entry promised, where that was later than was intended.
    fn late(&self, seq: u64) -> Option<Timestamp> {
        let late = self.history.iter().filter_map(|entry| match &entry.event {
            Event::NoticeSent(sent) if sent.of == seq => sent.promise,
            Event::NoticeUndeliverable(failed) if failed.of == seq => failed.promise,
            _ => None,
        });
        late.max()
    }

    fn is_told(&self, about: Status) -> bool {
        let deletion = self.deletion().map(|end| self.kept().flatten().map_or(end, |kept| kept.max(end)));
        let Some(entry) = self.notices(about).into_iter().next_back() else { return false };
        let Event::NoticeIntended(notice) = &entry.event else { return false };
        let after = || self.history.iter().filter(|later| later.seq > entry.seq);
        let is_settled = after().any(|later| match &later.event {
            Event::NoticeSent(sent) => sent.of == entry.seq,
            Event::NoticeUndeliverable(failed) => failed.of == entry.seq,
            Event::NoticeSkipped(skipped) => skipped.of == Some(entry.seq),
            _ => false,
        });
        // Or it stands for a deadline that moved since, of which no notice of its own was due so soon.
        let stands_for = self.last(|event| match event {
            Event::NoticeSkipped(skipped) if skipped.of.is_none() && skipped.about == about => Some(skipped.deadline),
            _ => None,
        });
        let stands_for = stands_for.filter(|(later, _)| later.seq > entry.seq).map(|(_, deadline)| deadline);
        let began_to_enforce = after().any(|later| {
            let Event::PolicyChanged(terms) = &later.event else { return false };
            let before = self.history.iter().filter(|earlier| earlier.seq < later.seq).rev();
            let mode = before.into_iter().find_map(|earlier| match &earlier.event {
                Event::Adopted(adopted) => Some(adopted.terms.mode),
                Event::PolicyChanged(terms) => Some(terms.mode),
                _ => None,
            });
            terms.mode == Mode::Enforce && mode == Some(Mode::Observe)
        });
        (is_settled || stands_for.is_some())
            && !began_to_enforce
            && Some(stands_for.unwrap_or(notice.deadline)) == deletion
    }

    /// Whether its status stood on the namespace for long enough, or in the record where no more is required.
    fn is_seen(&self, since: &Entry, status: Status) -> bool {
        let long_enough = |from: Timestamp| self.now >= saturating_add(from, self.policy.visible_for);
        let shown = self.history.iter().find(|entry| match &entry.event {
            Event::StatusShown(shown) => entry.seq > since.seq && shown.of == since.seq,
            _ => false,
        });
        if !self.policy.requires_visible(status) {
            return long_enough(since.at);
        }
        shown.is_some_and(|shown| long_enough(shown.at.max(since.at)))
    }

    /// Whether the deletion is to be offered to a worker.
    fn deletes(&self) -> bool {
        if !self.is_whole() {
            return false;
        }
        if let Some(open) = self.attempts().0 {
            return matches!(&open.event, Event::ActionIntended(intended) if self.now >= intended.until);
        }
        let Some((since, status)) = self.status() else { return false };
        let status_generation = || self.history.iter().rev().take_while(|entry| entry.seq > since.seq);
        let may = match self.policy.mode {
            Mode::Enforce => self.policy.warning.is_none() || self.is_told(status),
            Mode::Observe => !status_generation().any(|entry| matches!(entry.event, Event::DryRun(_))),
        };
        let protected =
            self.last(|event| if let Event::Protected(protected) = event { Some(protected.on) } else { None });
        let pause = status_generation().find_map(|entry| match &entry.event {
            Event::ActionSkipped(skipped) => Some(skipped.not_before),
            Event::ActionFailed(failed) => Some(failed.not_before),
            _ => None,
        });
        may && self.is_trusted()
            && self.is_managed()
            && self.is_judged_under_the_policy()
            && self.policy.deletes(status)
            && !protected.is_some_and(|(_, on)| on)
            && self.kept().is_none_or(|until| until.is_some_and(|until| self.now >= until))
            && self.is_seen(since, status)
            && self.end_of_status().is_none_or(|end| self.now >= end)
            && self.promises_are_over(status)
            && pause.flatten().is_none_or(|until| self.now >= until)
    }
}

fn record(history: &[Entry]) -> Record {
    Record::of(Uid::new("uid-1"), history)
}

fn offers_deletion(plan: &Plan) -> bool {
    plan.tasks.iter().any(|task| task.action == Action::Delete)
}

/// A policy and a history.
fn case() -> impl Strategy<Value = (Policy, Vec<Entry>)> {
    prop_oneof![3 => nearly_deletable().boxed(), 1 => any_history().boxed()].prop_map(|(policies, history)| {
        // What was folded already is not folded again (`recording`), so the checker need not know of it.
        (first(&policies).clone(), folded(history))
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_deletion_is_offered_when_the_history_allows_it_and_at_no_other_time(
        (policy, history) in case(), now in near(),
    ) {
        let offered = offers_deletion(&plan(Some(&policy), &record(&history), now));
        prop_assert_eq!(offered, AuditChecker { policy: &policy, history: &history, now }.deletes());
    }

    #[test]
    fn nothing_is_offered_before_it_is_due_and_then_something_is(
        (policy, history) in case(), now in near(), later in instant(), share in 0.0..1.0,
    ) {
        let record = record(&history);
        let found = plan(Some(&policy), &record, now);
        match found.due {
            None => prop_assert_eq!(&found, &plan(Some(&policy), &record, later.max(now))),
            Some(due) => {
                prop_assert!(now < due, "it was due already");
                let between = saturating_add(now, between(now, due).mul_f64(share)).min(due);
                if between < due {
                    prop_assert_eq!(&found, &plan(Some(&policy), &record, between));
                }
                prop_assert_ne!(&found, &plan(Some(&policy), &record, due));
            }
        }
    }

    #[test]
    fn without_a_policy_or_under_another_nothing_is_begun((policy, history) in case(), now in instant()) {
        let record = record(&history);
        let mut other = policy;
        other.hash = "another".to_owned();
        if record.open.is_none() {
            prop_assert_eq!(plan(None, &record, now), Plan::default());
            prop_assert_eq!(plan(Some(&other), &record, now).tasks, []);
        }
        prop_assert_eq!(&plan(None, &record, now).tasks, &plan(Some(&other), &record, now).tasks);
    }

    #[test]
    fn the_worker_sees_the_object_as_it_is(
        (policy, history) in case(), object in namespace(), now in near(),
    ) {
        let record = record(&history);
        let store_identity = StoreIdentity { epochs: [1].into(), ..StoreIdentity::default() };
        let fresh = LiveObject { namespace: &object, policy: Some(&policy), store_identity: &store_identity };
        let (recorded, seen) = (guards(&policy, &record, now), object_guards(&policy, &record, &fresh, now));
        for guard in &seen {
            let expected = match guard.kind {
                ObjectGuardKind::Identity => object.uid == record.uid,
                ObjectGuardKind::Active => object.deleted.is_none(),
                ObjectGuardKind::Protect => !is_protected(&object, &policy),
                ObjectGuardKind::RecordMarker => store_identity.check(&object, &policy.keys, &record).is_ok(),
                ObjectGuardKind::Match | ObjectGuardKind::Keep => continue,
            };
            prop_assert_eq!(guard.is_clear(), expected, "{:?}", guard);
        }
        // Where the mode is observe no worker ever gets through, whatever else is clear.
        prop_assert!(policy.mode == Mode::Enforce || !recorded.iter().all(Guard::is_clear));
        let verdicts = recorded.iter().map(|guard| guard.verdict).chain(seen.iter().map(|guard| guard.verdict));
        for verdict in verdicts {
            let Verdict::Waits(Some(until)) = verdict else { continue };
            prop_assert!(now < until, "a guard waits for what is over");
        }
    }

    #[test]
    fn no_history_and_no_object_can_make_it_panic(
        (policy, history) in case(), object in namespace(), now in instant(),
    ) {
        let record = record(&history);
        let store_identity = StoreIdentity::default();
        let fresh = LiveObject { namespace: &object, policy: None, store_identity: &store_identity };
        prop_assert!(object_guards(&policy, &record, &fresh, now).iter().any(|guard| !guard.is_clear()));
        let _recorded = guards(&policy, &record, now);
        let (_foretold, _tasks) = (is_foretold(&policy, &record), plan(Some(&policy), &record, now));
        let deletion = Deletion { about: record.status, at: now };
        prop_assert!(promise(&policy, &deletion, now) >= now);
    }

    #[test]
    fn what_stood_for_an_hour_or_half_its_life_was_foretold_where_its_owner_was_told(
        (policy, history) in case(), since in near(), created in near(), end in near(),
    ) {
        let mut record = record(&history);
        (record.foretold_since, record.created) = (Some(since), Some(created));
        let Some(deadline) = &mut record.deadline else { return Ok(()) };
        deadline.at = end;
        let (stood, lived) = (between(since, end), between(created, end));
        let hour = SignedDuration::from_hours(1);
        let expected = record.status == Status::Stale
            && stood.is_positive()
            && (stood >= hour || stood.checked_mul(2).unwrap() >= lived);
        let deletion = deletion(&policy, &record).map(|deletion| deletion.at);
        let notice = record.notice(Status::Stale).filter(|notice| Some(notice.intended.deadline) == deletion);
        let is_told = notice.is_some_and(|notice| notice.counts && notice.sent_at.is_some());
        prop_assert_eq!(is_foretold(&policy, &record), expected && (is_told || policy.warning.is_none()));
    }
}

fn is_protected(object: &Namespace, policy: &Policy) -> bool {
    let keys = &policy.keys;
    object.annotations.keys().any(|key| {
        let prefix = key.strip_suffix("protect").or_else(|| key.strip_suffix("Protected"));
        prefix.is_some_and(|prefix| prefix == keys.prefix || keys.former.iter().any(|former| former == prefix))
    })
}
