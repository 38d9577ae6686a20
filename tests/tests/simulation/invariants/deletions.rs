//! Each deletion that the apiserver accepts from us, in the moment it does.

use std::time::Duration;

use common::store::ClaimKind;
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Action, Entry, Event, Mode, Record, Status, Task, Uid,
    event::{ActionIntended, NoticeSent, NoticeState, NoticeUndeliverable},
    plan,
    time::annotation_text,
};

use super::{Deletion, Judge, SKEW, Sent, Written, closes, deadline, has_own_end, is_managed};
use crate::{apiserver::Object, scenario::Variant, world::World};

/// From the intent to the handing over (S4), with what a store takes to answer.
const HAND_OVER: Duration = Duration::from_millis(20_100);

/// From the acknowledgement of a stop (S13).
const STOPPED: Duration = Duration::from_secs(5);

impl Judge {
    /// A deletion of ours was accepted. `object` is as it was just before.
    pub(crate) fn deletion(
        &mut self,
        world: &World,
        sent: Sent,
        object: &Object,
        uid: Option<&str>,
        version: Option<&str>,
    ) {
        self.now = world.elapsed();
        let name = &object.name;
        let (Some(uid), Some(version)) = (uid, version) else {
            self.complain("S1", format!("the deletion of `{name}` carried no uid or no resourceVersion"));
            return;
        };
        if self.deletions.iter().any(|deletion| deletion.uid == uid) {
            self.complain("S2", format!("`{name}` ({uid}) was deleted twice"));
        }
        if !is_managed(object) {
            self.complain("S5", format!("no policy applies to `{name}`"));
        }
        self.overrides(world, object);
        self.marker(object, uid);
        if let Some((acknowledged, unfenced)) = &self.stopped
            && self.now > *acknowledged + STOPPED
            && !unfenced.contains(name)
        {
            let since = self.now.saturating_sub(*acknowledged);
            self.complain("S13", format!("`{name}` was deleted {since:?} after the stop was acknowledged"));
        }
        let found = self.history(uid).iter().rev().find_map(|written| match &written.entry.event {
            Event::ActionIntended(intended) if intended.resource_version == version => {
                Some((written.clone(), (**intended).clone()))
            }
            _ => None,
        });
        let Some((written, intended)) = found else {
            self.complain("S3", format!("no intent announced the deletion of `{name}` at version {version}"));
            return;
        };
        let intent = written.entry.seq;
        let waited = sent.at.saturating_sub(written.at);
        if waited > HAND_OVER {
            self.complain("S4", format!("the deletion of `{name}` was handed over {waited:?} after its intent"));
        }
        if self.fenced.contains(&(uid.to_owned(), intent)) {
            self.complain("S4", format!("the deletion of `{name}` follows the fence of entry {intent}"));
        }
        let outcome = self.history(uid).iter().find(|written| closes(&written.entry.event) == Some(intent));
        if let Some(outcome) = outcome.map(|outcome| outcome.entry.clone()) {
            let kind = outcome.event.kind();
            self.complain("S11", format!("`{name}` was deleted after entry {} ({kind}) had closed it", outcome.seq));
        }
        self.intent(world, object, intent, &intended);
        self.cause(world, object, &written.entry);
        let (window, _) = intended.slot.rsplit_once('/').unwrap_or_default();
        let unannounced = intended.unannounced.clone();
        self.deletions.push(Deletion { uid: uid.to_owned(), intent, window: window.to_owned(), unannounced });
        self.budgets(world, object, intent, &intended, written.at);
    }

    /// What its owner wrote on it (S5).
    fn overrides(&mut self, world: &World, object: &Object) {
        let now = world.now();
        if object.annotations.keys().any(|key| key.ends_with("/protect")) {
            self.complain("S5", format!("`{}` carries `protect`", object.name));
        }
        let max_keep = self.variants.values().map(|(variant, _)| variant.max_keep).min().unwrap_or(0);
        let max_keep = SignedDuration::from_secs(i64::try_from(max_keep).unwrap_or(0));
        if let Some((since, until)) = self.keeps.get(&object.uid).copied()
            && now + SKEW < until.min(since + max_keep)
        {
            self.complain("S5", format!("`{}` is kept until {until}", object.name));
        }
    }

    /// Nothing told of entries that were lost (step 1).
    fn marker(&mut self, object: &Object, uid: &str) {
        let marker = object.annotations.get("manager.cicd.skao.int/record").map(String::as_str).unwrap_or_default();
        let mut parts = marker.splitn(3, '.').skip(1);
        let (number, of) = (parts.next().and_then(|text| text.parse::<usize>().ok()), parts.next());
        let is_beyond = of == Some(uid) && number.is_some_and(|number| number > self.history(uid).len());
        if is_beyond || self.has_lost(uid) {
            self.complain(
                "S1",
                format!("`{}` was deleted, though its mark `{marker}` told of lost entries", object.name),
            );
        }
    }

    /// The reason held still (S4).
    fn cause(&mut self, world: &World, object: &Object, intent: &Entry) {
        let name = &object.name;
        let cause = self.status_before(&object.uid, intent.seq);
        world.count(&format!("deleted: {cause}"));
        match cause {
            Status::Stale => {
                let end = self.variants.values().map(|(variant, _)| deadline(object, variant)).min();
                if end.is_some_and(|end| world.now() + SKEW < end) {
                    let rule = if has_own_end(object) { "S5" } else { "S4" };
                    self.complain(rule, format!("the life of `{name}` does not end before {end:?}"));
                }
            }
            Status::Failed => self.still_fails(world, object, intent),
            Status::Superseded => self.still_replaced(world, object, intent),
            Status::Cancelled => self.still_abandoned(world, object, intent),
            Status::Unknown | Status::Ok | Status::Unstable | Status::Failing => {
                self.complain("S4", format!("`{name}` is deleted while it is {cause}"));
            }
        }
    }

    /// The status that the entry of this number found.
    fn status_before(&self, uid: &str, seq: u64) -> Status {
        let before = self.history(uid).iter().rev().filter(|written| written.entry.seq < seq);
        let mut statuses = before.filter_map(|written| match &written.entry.event {
            Event::StatusChanged(change) => Some(change.to),
            Event::Adopted(_) => Some(Status::Unknown),
            _ => None,
        });
        statuses.next().unwrap_or(Status::Unknown)
    }

    /// What the record said, and what it said it said.
    fn intent(&mut self, world: &World, object: &Object, intent: u64, intended: &ActionIntended) {
        let (name, uid) = (&object.name, &object.uid);
        let Some((variant, settings)) = self.variants.get(&intended.config).cloned() else {
            self.complain("S2", format!("nobody knows the configuration of entry {intent} of `{name}`"));
            return;
        };
        let before: Vec<_> =
            self.history(uid).iter().filter(|written| written.entry.seq < intent).map(|it| it.entry.clone()).collect();
        let record = Record::of(Uid::new(uid), &before);
        let task = Task { uid: Uid::new(uid), action: Action::Delete, cause_seq: intended.cause_seq };
        let intended_at = self.history(uid).iter().find(|it| it.entry.seq == intent).map(|it| it.entry.at);
        let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
        // Between planning and writing a second or two go by, in which nothing falls due that was not.
        let planned = intended_at.is_some_and(|at| plan(policy, &record, at).tasks.contains(&task));
        if !planned {
            self.complain("S1", format!("nothing planned what entry {intent} of `{name}` intends"));
        }
        if intended.mode != Mode::Enforce || !variant.enforces {
            self.complain("S2", format!("`{name}` was deleted while observing"));
        }
        let (mut managed, mut protected) = (false, false);
        for entry in &before {
            match &entry.event {
                Event::Adopted(_) => managed = true,
                Event::Released(_) | Event::Gone(_) => managed = false,
                Event::Protected(it) => protected = it.on,
                _ => {}
            }
        }
        if !managed || protected {
            self.complain("S2", format!("`{name}` was deleted, managed: {managed}, protected: {protected}"));
        }
        // Both by the same clock, which may have been set in between by what its check lets pass.
        let aged = intended_at.map(|at| at.duration_since(intended.evidence_at));
        if aged.is_none_or(|aged| aged > SignedDuration::from_secs(60) + SKEW) {
            self.complain("S4", format!("entry {intent} of `{name}` rests on evidence {aged:?} old"));
        }
        self.shown_before(object, &variant, intent);
        self.told_before(world, object, &variant, intent, intended);
    }

    /// Its status stood on the namespace, and not in our record alone (docs/design/lifecycle.md section 5).
    fn shown_before(&mut self, object: &Object, variant: &Variant, intent: u64) {
        let before = self.history(&object.uid).iter().rev().filter(|written| written.entry.seq < intent);
        let mut changes = before.filter_map(|written| match &written.entry.event {
            Event::StatusChanged(change) => Some((change.to.to_string(), annotation_text(written.entry.at))),
            _ => None,
        });
        let Some((status, since)) = changes.next() else { return };
        let visible_for = Duration::from_secs(variant.visible_for);
        let shown = self.shown.get(&(object.uid.clone(), status.clone(), since)).copied();
        // A clock may have been set in between by what its check lets pass.
        let skew = Duration::try_from(SKEW).unwrap_or_default();
        if !visible_for.is_zero() && shown.is_none_or(|at| self.now + skew < at + visible_for) {
            self.complain(
                "S9",
                format!("`{}` was deleted, and shows that it is {status} since {shown:?}", object.name),
            );
        }
    }

    /// S9.
    fn told_before(
        &mut self,
        world: &World,
        object: &Object,
        variant: &Variant,
        intent: u64,
        intended: &ActionIntended,
    ) {
        let name = &object.name;
        let cause = self.status_before(&object.uid, intent);
        let mut promised: Option<Timestamp> = None;
        for written in self.history(&object.uid).iter().filter(|written| written.entry.seq < intent) {
            match &written.entry.event {
                Event::NoticeIntended(notice) if notice.about == cause => {
                    promised = Some(promised.map_or(notice.promise, |latest| latest.max(notice.promise)));
                }
                // What left late promises a later time.
                Event::NoticeSent(NoticeSent { of, promise: Some(late) })
                | Event::NoticeUndeliverable(NoticeUndeliverable { of, promise: Some(late), .. })
                    if self.is_about(&object.uid, *of, cause) =>
                {
                    promised = promised.map(|latest| latest.max(*late));
                }
                // Its owner asked for another end, and so took back what was promised.
                Event::DeadlineMoved(_) if cause == Status::Stale => promised = None,
                _ => {}
            }
        }
        let kept_to = promised.is_none_or(|promise| world.now() + SKEW >= promise + SignedDuration::from_secs(60));
        if !kept_to {
            self.complain("S9", format!("`{name}` was deleted before what was promised, {promised:?}"));
        }
        let was_told = self.was_told(&object.uid, cause, intent);
        match (&intended.notice, variant.tells, was_told) {
            (NoticeState::NoChannel, false, _) | (NoticeState::Promised(_), _, Some(true)) => {}
            (NoticeState::NoChannel, true, _) => {
                self.complain("S9", format!("the owner of `{name}` was not told, though there is a channel"));
            }
            (NoticeState::Undelivered(_), _, Some(false)) if !world.scenario.undeliverable.waits => {
                world.count("deleted: untold");
            }
            (told @ (NoticeState::Promised(_) | NoticeState::Undelivered(_)), ..) => {
                self.complain("S9", format!("entry {intent} of `{name}` says {told:?}, and it was told: {was_told:?}"));
            }
        }
    }

    /// S6 and S7.
    fn budgets(&mut self, world: &World, object: &Object, intent: u64, intended: &ActionIntended, at: Duration) {
        self.budget(world, object, ClaimKind::Slots, &intended.slot, at);
        match &intended.unannounced {
            None if self.status_before(&object.uid, intent) == Status::Stale
                && self.is_foretold(&object.uid, intent)
                && !matches!(intended.notice, NoticeState::Undelivered(_)) => {}
            None => self.complain("S7", format!("`{}` was not foretold, and is in no limit of those", object.name)),
            Some(approved) if approved.starts_with("approved by ") => {
                let now = world.at(at);
                if self.approved_until.is_none_or(|until| now > until + SKEW) {
                    self.complain("S7", format!("`{}` was approved by nobody", object.name));
                }
            }
            Some(unannounced) => self.budget(world, object, ClaimKind::Unannounced, unannounced, at),
        }
    }

    fn budget(&mut self, world: &World, object: &Object, kind: ClaimKind, taken: &str, at: Duration) {
        let rule = if kind == ClaimKind::Slots { "S6" } else { "S7" };
        let name = &object.name;
        let parsed = taken.rsplit_once('/').and_then(|(group, number)| Some((group, number.parse::<u64>().ok()?)));
        let Some((group, number)) = parsed else {
            self.complain(rule, format!("`{taken}` of `{name}` is no number of a window"));
            return;
        };
        let (limit, owner) = match self.windows.get(&(kind, group.to_owned())) {
            Some(window) => (window.limit.unwrap_or(0), window.taken.get(&number).cloned()),
            None => (0, None),
        };
        if number == 0 || number > limit || owner.as_ref() != Some(&object.uid) {
            self.complain(rule, format!("`{taken}` of `{name}` is {owner:?}'s, of {limit}"));
        }
        let spent = self.deletions.iter().filter(|deletion| match kind {
            ClaimKind::Unannounced => {
                deletion.unannounced.as_deref().is_some_and(|unannounced| unannounced.starts_with(group))
            }
            ClaimKind::Slots | ClaimKind::Controls => deletion.window == group,
        });
        let spent = spent.count() as u64;
        if spent > limit {
            self.complain(rule, format!("{spent} deletions took {} of {group}, of {limit}", kind.as_str()));
        }
        let start: Timestamp = group.parse().unwrap_or(Timestamp::MIN);
        let written = world.at(at);
        if written + SKEW < start || written > start + SignedDuration::from_mins(10) + SKEW {
            self.complain(rule, format!("`{taken}` of `{name}` was not good at {written}"));
        }
    }

    /// Whether the record held the deadline, or an earlier one, for an hour or half the ttl before it fell due.
    fn is_foretold(&self, uid: &str, intent: u64) -> bool {
        let (mut since, mut deadline, mut created, mut observing) = (None, None, None, false);
        for Written { entry, .. } in self.history(uid).iter().filter(|written| written.entry.seq < intent) {
            match &entry.event {
                Event::Adopted(adopted) => {
                    since = Some(entry.at);
                    deadline = adopted.deadline.as_ref().map(|it| it.at);
                    created = Some(adopted.created);
                    observing = adopted.terms.mode == Mode::Observe;
                }
                Event::PolicyChanged(terms) => {
                    if observing && terms.mode == Mode::Enforce {
                        since = Some(entry.at);
                    }
                    observing = terms.mode == Mode::Observe;
                }
                Event::DeadlineMoved(moved) => {
                    let to = moved.deadline.as_ref().map(|it| it.at);
                    if to.is_some_and(|to| deadline.is_none_or(|from| to < from)) {
                        since = Some(entry.at);
                    }
                    deadline = to;
                }
                _ => {}
            }
        }
        let (Some(since), Some(deadline), Some(created)) = (since, deadline, created) else { return false };
        let stood = deadline.duration_since(since);
        let half = deadline.duration_since(created).as_secs() / 2;
        stood.as_secs() >= half.min(3_600) && stood > SignedDuration::ZERO
    }
}
