//! What a collector keeps in mind: every namespace it sees, whose turn it is, and when the next turn falls due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::store::Observed;
use jiff::Timestamp;
use lifecycle::{
    Keys, Namespace, Record, Uid,
    health::Health,
    supersession::{Deployment, DeploymentGroup, Readiness},
};
use serde_json::Value;
use tracing::warn;

/// One turn in so many is of the second line, however many wait in the first: what waits there comes to an end.
const SECOND_EVERY: usize = 8;

/// The most deployments of one group that are compared: many times what pipelines leave behind, and few enough for each
/// to be compared with all.
const MAX_DEPLOYMENTS: usize = 200;

/// Everything in mind.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Each in a box: a third of the places in the map are free.
    seen: BTreeMap<Uid, Box<CachedNamespace>>,
    /// Whose turn it is, in order.
    ready: VecDeque<Uid>,
    /// Whose turn it is once nobody is to be judged: only annotations are owed to them.
    second: VecDeque<Uid>,
    begun: usize,
    due: BTreeSet<(Timestamp, Uid)>,
    /// Who belongs to which group of deployments, where that is asked for.
    groups: BTreeMap<DeploymentGroup, BTreeSet<Uid>>,
    /// A complete list came since the watch began: no member of a group is missing.
    is_complete: bool,
}

/// One namespace in mind.
#[derive(Clone, Debug, Default)]
pub(crate) struct CachedNamespace {
    /// `None`: it vanished, and its end has yet to be written.
    pub(crate) namespace: Option<Namespace>,
    /// That it vanished was concluded, not seen: it is asked for before its end is written.
    pub(crate) is_missed: bool,
    /// The record as of the last turn; others may have appended since.
    pub(crate) record: Option<Record>,
    /// When the annotations were last put right without an entry of ours.
    pub(crate) repaired_at: Option<Timestamp>,
    /// Turns in a row that could not write the annotations.
    pub(crate) failures: u32,
    /// Why somebody's rule refuses the annotations, as people were told.
    pub(crate) refusal: Option<String>,
    /// Turns since one in which the store failed, and may have written later what it did not acknowledge.
    pub(crate) unsure: Option<u32>,
    /// An entry of ours has yet to show in the annotations.
    pub(crate) owed: bool,
    /// Its group of deployments, where its policy asks for that.
    pub(crate) group: Option<DeploymentGroup>,
    /// How it stood among its group when its record was last known.
    pub(crate) stood: Option<Readiness>,
    /// Its health as of the last check.
    pub(crate) health: Option<Health>,
    /// What failed as of the last turn, where that was known.
    pub(crate) failed: Option<Vec<Value>>,
    /// What the store keeps of it; `None`: it was not read yet.
    pub(crate) kept: Option<Observed>,
    /// What its owner wrote that is malformed, in a number; `None`: no turn was taken yet.
    pub(crate) malformed: Option<i64>,
    /// Where it waits for its turn. One that changed lines may stand in the other one still.
    line: Option<Line>,
    due: Option<Timestamp>,
    /// A turn is being taken; `true`: another is wanted after it.
    turning: Option<bool>,
    /// Another collector's by now: it is forgotten after the turn that is being taken.
    is_elsewhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Ready,
    Second,
}

impl Cache {
    /// A namespace is there, as it is now, and belongs to this group of deployments.
    pub(crate) fn there(&mut self, namespace: Namespace, group: Option<DeploymentGroup>) {
        let uid = namespace.uid.clone();
        let seen = self.seen.entry(uid.clone()).or_default();
        seen.namespace = Some(namespace);
        (seen.is_missed, seen.is_elsewhere) = (false, false);
        self.join(&uid, group);
        self.wake(&uid);
    }

    /// Everything is to be judged anew, and belongs to the group that this says.
    pub(crate) fn regroup(&mut self, group: impl Fn(&Namespace) -> Option<DeploymentGroup>) {
        let all: Vec<_> =
            self.seen.iter().map(|(uid, seen)| (uid.clone(), seen.namespace.as_ref().and_then(&group))).collect();
        for (uid, group) in all {
            self.join(&uid, group);
            self.wake(&uid);
        }
    }

    /// The group of a namespace and all its members, itself too; `None`: it is in none, or not all are known yet, by
    /// their records too. A comparison of those it knows would take back what the others bring about.
    pub(crate) fn deployments(&self, uid: &Uid, keys: &Keys) -> Option<(DeploymentGroup, Vec<Deployment>)> {
        let group = self.seen.get(uid)?.group.clone().filter(|_| self.is_complete)?;
        if self.groups.get(&group)?.len() > MAX_DEPLOYMENTS {
            return None;
        }
        if !self.is_known(&group) {
            return None;
        }
        let member = |uid| {
            let seen = self.seen.get(uid)?;
            let namespace = seen.namespace.as_ref()?;
            let member = Deployment::new(namespace, seen.record.as_ref(), keys)?;
            let as_before = seen.stood.filter(|_| seen.record.is_none() && namespace.deleted.is_none());
            Some(Deployment { standing: as_before.unwrap_or(member.standing), ..member })
        };
        let members = self.groups.get(&group)?.iter().filter_map(member).collect();
        Some((group, members))
    }

    /// Whether the records of all members of a group were read.
    fn is_known(&self, group: &DeploymentGroup) -> bool {
        let mut members = self.groups.get(group).into_iter().flatten();
        members.all(|uid| self.seen.get(uid).is_some_and(|seen| seen.stood.is_some()))
    }

    fn join(&mut self, uid: &Uid, group: Option<DeploymentGroup>) {
        let Some(seen) = self.seen.get_mut(uid) else { return };
        let former = std::mem::replace(&mut seen.group, group.clone());
        if former != group
            && let Some(former) = former
        {
            self.wake_group(&former);
            if let Some(members) = self.groups.get_mut(&former) {
                members.remove(uid);
                if members.is_empty() {
                    self.groups.remove(&former);
                }
            }
        }
        if let Some(group) = group {
            let members = self.groups.entry(group.clone()).or_default();
            if members.insert(uid.clone()) && members.len() == MAX_DEPLOYMENTS + 1 {
                warn!("{group} has more than {MAX_DEPLOYMENTS} namespaces: none of them is superseded");
            }
            self.wake_group(&group);
        }
    }

    /// Something of a member changed: each of the others may be replaced now, or no more.
    fn wake_group(&mut self, group: &DeploymentGroup) {
        let members = self.groups.get(group).filter(|members| members.len() <= MAX_DEPLOYMENTS);
        let members: Vec<_> = members.into_iter().flatten().cloned().collect();
        members.iter().for_each(|uid| self.wake(uid));
    }

    /// A namespace is another collector's.
    pub(crate) fn elsewhere(&mut self, uid: &Uid) {
        let Some(seen) = self.seen.get_mut(uid) else { return };
        if seen.turning.is_some() {
            seen.is_elsewhere = true;
        } else {
            self.forget(uid);
        }
    }

    /// A namespace is no longer there.
    pub(crate) fn vanished(&mut self, uid: &Uid) {
        let seen = self.seen.entry(uid.clone()).or_default();
        (seen.namespace, seen.is_missed) = (None, false);
        self.join(uid, None);
        self.wake(uid);
    }

    /// A namespace that the store knows was not seen. It may have come after the check, and another collector may have
    /// adopted it.
    pub(crate) fn missed(&mut self, uid: &Uid) {
        if !self.seen.contains_key(uid) {
            self.seen.insert(uid.clone(), Box::new(CachedNamespace { is_missed: true, ..CachedNamespace::default() }));
            self.wake(uid);
        }
    }

    /// These are all there are: whatever else is in mind has vanished.
    pub(crate) fn complete(&mut self, all: &BTreeSet<Uid>) {
        let gone: Vec<_> = self.seen.keys().filter(|uid| !all.contains(uid)).cloned().collect();
        gone.iter().for_each(|uid| self.vanished(uid));
        if !std::mem::replace(&mut self.is_complete, true) {
            let grouped: Vec<_> = self.groups.values().flatten().cloned().collect();
            grouped.iter().for_each(|uid| self.wake(uid));
        }
    }

    /// It is the turn of those of which this is so.
    pub(crate) fn wake_where(&mut self, is_so: impl Fn(&CachedNamespace) -> bool) {
        let uids: Vec<_> = self.seen.iter().filter(|(_, seen)| is_so(seen)).map(|(uid, _)| uid.clone()).collect();
        uids.iter().for_each(|uid| self.wake(uid));
    }

    /// A check is taken in at once, whatever becomes of turns: they may rest, and break off.
    pub(crate) fn check(&mut self, after: impl Fn(&CachedNamespace) -> Option<Health>) {
        for seen in self.seen.values_mut() {
            if let Some(health) = after(seen) {
                seen.health = Some(health);
            }
        }
    }

    /// Everything in mind.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Uid, &CachedNamespace)> {
        self.seen.iter().map(|(uid, seen)| (uid, &**seen))
    }

    /// One of those in mind.
    pub(crate) fn get(&self, uid: &Uid) -> Option<&CachedNamespace> {
        self.seen.get(uid).map(|seen| &**seen)
    }

    /// It is this one's turn, after the one that is being taken.
    pub(crate) fn wake(&mut self, uid: &Uid) {
        let Some(seen) = self.seen.get_mut(uid) else { return };
        if let Some(again) = &mut seen.turning {
            *again = true;
        } else if seen.line != Some(Line::Ready) {
            seen.line = Some(Line::Ready);
            self.ready.push_back(uid.clone());
        }
    }

    /// What fell due by `now` gets its turn.
    pub(crate) fn fall_due(&mut self, now: Timestamp) {
        while let Some((_, uid)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.set_due(&uid, None);
            self.wake(&uid);
        }
    }

    /// When the next turn falls due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Begins the next turn.
    pub(crate) fn begin(&mut self) -> Option<(Uid, CachedNamespace)> {
        self.begun = self.begun.wrapping_add(1);
        let lines = if self.begun.is_multiple_of(SECOND_EVERY) {
            [Line::Second, Line::Ready]
        } else {
            [Line::Ready, Line::Second]
        };
        let uid = lines.into_iter().find_map(|line| self.next_in(line))?;
        let seen = self.seen.get_mut(&uid)?;
        seen.line = None;
        seen.turning = Some(false);
        Some((uid, CachedNamespace::clone(seen)))
    }

    /// Whether somebody waits to be judged.
    pub(crate) fn is_pressed(&self) -> bool {
        !self.ready.is_empty()
    }

    fn next_in(&mut self, line: Line) -> Option<Uid> {
        let uids = match line {
            Line::Ready => &mut self.ready,
            Line::Second => &mut self.second,
        };
        while let Some(uid) = uids.pop_front() {
            if self.seen.get(&uid).is_some_and(|seen| seen.line == Some(line)) {
                return Some(uid);
            }
        }
        None
    }

    /// Whether the last turn of some namespace broke off, and it had none since.
    pub(crate) fn has_broken_off(&self) -> bool {
        self.seen.values().any(|seen| seen.unsure == Some(0))
    }

    /// A turn was taken, and left this behind.
    pub(crate) fn end(&mut self, uid: &Uid, left: Left) {
        let Some(seen) = self.seen.get_mut(uid) else { return };
        let again = seen.turning.take().unwrap_or(false);
        if left.gone && seen.namespace.is_none() || seen.is_elsewhere {
            return self.forget(uid);
        }
        seen.record = left.record;
        let stood = seen.stood;
        if let (Some(namespace), Some(record)) = (&seen.namespace, &seen.record) {
            seen.stood = Some(Readiness::of(namespace, Some(record)));
        }
        let changed = seen.group.clone().filter(|_| stood != seen.stood);
        seen.repaired_at = left.repaired_at;
        seen.failures = left.failures;
        seen.refusal = left.refusal;
        seen.unsure = left.unsure;
        seen.owed = left.owed;
        seen.malformed = left.malformed.or(seen.malformed);
        if !left.again {
            // A turn that broke off knows less of it than the one before.
            seen.kept = left.kept;
            seen.failed = left.health.as_ref().and_then(Health::failing).map(<[_]>::to_vec);
            seen.health = left.health.map(|health| match seen.health.take() {
                // There was another check meanwhile.
                Some(newer) if newer.streak.looked_at > health.streak.looked_at => newer,
                _ => health,
            });
        }
        if let Some(patched) = left.patched
            && let Some(namespace) = &mut seen.namespace
            && namespace.resource_version == patched.0
        {
            // Nothing newer came while the turn was taken, so what our own PATCH brought is what is there. Its echo
            // will find nothing to do.
            *namespace = patched.1;
        }
        self.set_due(uid, left.due);
        if let Some(group) = changed.filter(|group| self.is_known(group)) {
            self.wake_group(&group);
        }
        if again || left.again {
            self.wake(uid);
        } else if left.owed
            && let Some(seen) = self.seen.get_mut(uid)
        {
            seen.line = Some(Line::Second);
            self.second.push_back(uid.clone());
        }
    }

    /// Whether nobody waits for anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.seen.values().all(|seen| seen.line.is_none() && seen.turning.is_none())
    }

    /// How many are in mind.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    fn forget(&mut self, uid: &Uid) {
        self.join(uid, None);
        self.set_due(uid, None);
        self.seen.remove(uid);
    }

    fn set_due(&mut self, uid: &Uid, due: Option<Timestamp>) {
        let Some(seen) = self.seen.get_mut(uid) else { return };
        if let Some(former) = std::mem::replace(&mut seen.due, due) {
            self.due.remove(&(former, uid.clone()));
        }
        if let Some(due) = due {
            self.due.insert((due, uid.clone()));
        }
    }
}

/// What a turn leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) record: Option<Record>,
    pub(crate) due: Option<Timestamp>,
    pub(crate) repaired_at: Option<Timestamp>,
    pub(crate) failures: u32,
    pub(crate) refusal: Option<String>,
    pub(crate) unsure: Option<u32>,
    /// The annotations are to be written once nobody waits to be judged.
    pub(crate) owed: bool,
    pub(crate) health: Option<Health>,
    pub(crate) kept: Option<Observed>,
    /// What its owner wrote that is malformed, where it was read.
    pub(crate) malformed: Option<i64>,
    /// When a check of its health may bring another status.
    pub(crate) check_at: Option<Timestamp>,
    /// The namespace after our PATCH, and the resourceVersion it was decided on.
    pub(crate) patched: Option<(String, Namespace)>,
    /// Its end is written: it can be forgotten.
    pub(crate) gone: bool,
    /// The turn broke off and is to be taken again.
    pub(crate) again: bool,
}

impl Left {
    /// What a turn leaves behind in which the store failed: it is to be taken again.
    pub(crate) fn broken_off() -> Self {
        Self { again: true, unsure: Some(0), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::{Condition, Truth, health::HealthSample};
    use serde_json::json;

    use lifecycle::supersession::{GroupBy, SupersedeRules, Trigger};

    use super::*;

    fn namespace(uid: &str, version: &str) -> Namespace {
        Namespace {
            uid: Uid::new(uid),
            name: uid.to_owned(),
            resource_version: version.to_owned(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: Default::default(),
            annotations: Default::default(),
        }
    }

    fn turns(cache: &mut Cache) -> Vec<String> {
        std::iter::from_fn(|| cache.begin()).map(|(uid, _)| uid.to_string()).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn many_changes_are_one_turn() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.there(namespace("a", "2"), None);
        assert_eq!(turns(&mut cache), ["a"]);
    }

    #[test]
    fn a_change_during_a_turn_is_one_more_turn() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        assert_eq!(turns(&mut cache), ["a"]);
        cache.there(namespace("a", "2"), None);
        cache.there(namespace("a", "3"), None);
        assert_eq!(turns(&mut cache), [""; 0], "never two turns of one namespace at once");
        cache.end(&Uid::new("a"), Left::default());
        assert_eq!(turns(&mut cache), ["a"]);
    }

    #[test]
    fn what_falls_due_gets_its_turn_then_and_not_before() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.begin();
        cache.end(&Uid::new("a"), Left { due: Some(at(10)), ..Left::default() });
        cache.fall_due(at(9));
        assert_eq!(turns(&mut cache), [""; 0]);
        cache.fall_due(at(10));
        assert_eq!(turns(&mut cache), ["a"]);
        assert_eq!(cache.next_due(), None);
    }

    #[test]
    fn a_complete_list_ends_what_it_does_not_name() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.there(namespace("b", "1"), None);
        cache.complete(&BTreeSet::from([Uid::new("b")]));
        let (uid, seen) = cache.begin().unwrap();
        assert_eq!((uid.as_str(), seen.namespace), ("a", None));
        cache.end(&uid, Left { gone: true, ..Left::default() });
        assert_eq!(cache.len(), 1, "`b` alone is left");
    }

    #[test]
    fn one_that_came_back_during_its_end_is_not_forgotten() {
        let mut cache = Cache::default();
        cache.vanished(&Uid::new("a"));
        cache.begin();
        cache.there(namespace("a", "1"), None);
        cache.end(&Uid::new("a"), Left { gone: true, ..Left::default() });
        assert_eq!(turns(&mut cache), ["a"]);
    }

    /// Its health by a check of that second, in which this failed.
    fn health(second: i64, failing: &[&str]) -> Health {
        let fails = !failing.is_empty();
        let truth = if fails { Truth::True } else { Truth::False };
        let condition = Condition { truth, reason: String::new(), observed_at: at(second) };
        let look = HealthSample { condition, failing: failing.iter().map(|name| json!(name)).collect() };
        let (since, looked_at) = (at(second), at(second));
        Health {
            look,
            streak: lifecycle::health::Streak {
                status_generation: 1,
                fails,
                since,
                status_since: since,
                looked_at,
                is_known: true,
            },
        }
    }

    #[test]
    fn a_check_stays_taken_in_whatever_becomes_of_the_turn_it_came_during() {
        let uid = Uid::new("a");
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.begin();
        cache.end(&uid, Left { health: Some(health(1, &[])), ..Left::default() });
        let endings = [
            Left { health: Some(health(1, &[])), ..Left::default() },
            Left { again: true, ..Left::default() },
            Left { health: Some(health(4, &["x", "y"])), ..Left::default() },
        ];
        for (left, (looked_at, failed)) in endings.into_iter().zip([(3, 0), (3, 0), (4, 2)]) {
            cache.wake(&uid);
            cache.begin();
            cache.check(|_| Some(health(3, &["x"])));
            cache.end(&uid, left);
            let seen = cache.get(&uid).unwrap();
            assert_eq!(seen.health.as_ref().unwrap().streak.looked_at, at(looked_at));
            assert_eq!(seen.failed.as_ref().unwrap().len(), failed, "that is as of the last turn");
        }
    }

    #[test]
    fn what_became_another_collectors_is_left_to_it() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.there(namespace("b", "1"), None);
        cache.begin();
        cache.elsewhere(&Uid::new("a"));
        cache.elsewhere(&Uid::new("b"));
        assert_eq!(cache.len(), 1, "the turn of `a` is being taken");
        cache.end(&Uid::new("a"), Left { due: Some(at(10)), ..Left::default() });
        assert_eq!((cache.len(), cache.next_due(), turns(&mut cache)), (0, None, Vec::new()));
    }

    #[test]
    fn one_that_came_back_from_another_collector_during_a_turn_stays() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.begin();
        cache.elsewhere(&Uid::new("a"));
        cache.there(namespace("a", "2"), None);
        cache.end(&Uid::new("a"), Left::default());
        assert_eq!(turns(&mut cache), ["a"]);
    }

    /// All of these were judged and have yet to be annotated.
    fn owe(cache: &mut Cache, uids: &[&str]) {
        uids.iter().for_each(|uid| cache.there(namespace(uid, "1"), None));
        assert_eq!(turns(cache), uids);
        uids.iter().for_each(|uid| cache.end(&Uid::new(*uid), Left { owed: true, ..Left::default() }));
    }

    #[test]
    fn annotations_are_written_once_nobody_waits_to_be_judged() {
        let mut cache = Cache::default();
        owe(&mut cache, &["a"]);
        cache.there(namespace("b", "1"), None);
        assert!(cache.is_pressed());
        assert_eq!(turns(&mut cache), ["b", "a"]);
        assert!(!cache.is_pressed());
    }

    #[test]
    fn annotations_do_not_wait_for_ever() {
        let mut cache = Cache::default();
        owe(&mut cache, &["late"]);
        (0..SECOND_EVERY).for_each(|number| cache.there(namespace(&format!("other-{number}"), "1"), None));
        let turns = turns(&mut cache);
        assert_eq!(turns.len(), SECOND_EVERY + 1);
        assert!(turns[..SECOND_EVERY].contains(&"late".to_owned()), "{turns:?}");
    }

    #[test]
    fn a_namespace_that_is_owed_annotations_and_changes_is_judged_first_and_once() {
        let mut cache = Cache::default();
        owe(&mut cache, &["a", "b"]);
        cache.there(namespace("b", "2"), None);
        assert_eq!(turns(&mut cache), ["b", "a"]);
    }

    #[test]
    fn our_own_patch_does_not_hide_what_came_meanwhile() {
        let mut cache = Cache::default();
        cache.there(namespace("a", "1"), None);
        cache.begin();
        cache.there(namespace("a", "3"), None);
        cache.end(&Uid::new("a"), Left { patched: Some(("1".into(), namespace("a", "2"))), ..Left::default() });
        assert_eq!(cache.begin().unwrap().1.namespace.unwrap().resource_version, "3");
    }

    /// What a turn leaves behind that read the record.
    fn judged(uid: &Uid) -> Left {
        Left { record: Some(Record::new(uid.clone())), ..Left::default() }
    }

    /// The group of a deployment of this job.
    fn deployed(uid: &str, job_id: &str) -> (Namespace, Option<DeploymentGroup>) {
        let keys = Keys::default();
        let labels = [("projectId", "7"), ("job", "deploy"), ("branch", "main"), ("jobId", job_id)];
        let labels = labels.map(|(key, value)| (keys.of_ci(key), value.to_owned())).into();
        let namespace = Namespace { labels, ..namespace(uid, "1") };
        let by = vec![GroupBy::Branch];
        let terms = SupersedeRules { by, when: Trigger::NewerReady, confirm: None };
        let group = DeploymentGroup::of(&namespace, &terms, &keys);
        (namespace, group)
    }

    fn members(cache: &Cache, uid: &str) -> Option<Vec<String>> {
        let (_, members) = cache.deployments(&Uid::new(uid), &Keys::default())?;
        Some(members.into_iter().map(|member| member.name).collect())
    }

    fn there(cache: &mut Cache, uid: &str, job_id: &str) {
        let (namespace, group) = deployed(uid, job_id);
        cache.there(namespace, group);
    }

    #[test]
    fn deployments_are_compared_once_all_are_known() {
        let mut cache = Cache::default();
        there(&mut cache, "a", "1");
        there(&mut cache, "b", "2");
        cache.there(namespace("other", "1"), None);
        turns(&mut cache);
        let end = |cache: &mut Cache, uids: &[&str]| {
            uids.iter().map(|uid| Uid::new(*uid)).for_each(|uid| cache.end(&uid, judged(&uid)));
        };
        end(&mut cache, &["a", "other"]);
        cache.complete(&["a", "b", "other"].map(Uid::new).into());
        assert_eq!(members(&cache, "a"), None, "nobody read the record of `b`");
        assert_eq!(turns(&mut cache), ["a"]);
        end(&mut cache, &["a", "b"]);
        assert_eq!(turns(&mut cache), ["a", "b"]);
        assert_eq!(members(&cache, "a").unwrap(), ["a", "b"]);
        assert_eq!(members(&cache, "other"), None);
    }

    #[test]
    fn who_comes_changes_or_goes_gives_the_others_a_turn() {
        let mut cache = Cache::default();
        cache.complete(&BTreeSet::new());
        let settle = |cache: &mut Cache| {
            let turned = turns(cache);
            turned.iter().map(Uid::new).for_each(|uid| cache.end(&uid, judged(&uid)));
            turned
        };
        there(&mut cache, "a", "1");
        assert_eq!(settle(&mut cache), ["a"]);
        there(&mut cache, "b", "2");
        assert_eq!(settle(&mut cache), ["a", "b"]);
        // Its record says that it is managed and ok now.
        there(&mut cache, "b", "2");
        assert_eq!(turns(&mut cache), ["a", "b"]);
        cache.end(&Uid::new("a"), judged(&Uid::new("a")));
        let mut record = Record::new(Uid::new("b"));
        (record.phase, record.status) = (lifecycle::record::Phase::Managed, lifecycle::Status::Ok);
        cache.end(&Uid::new("b"), Left { record: Some(record), ..Left::default() });
        assert_eq!(settle(&mut cache), ["a", "b"]);
        cache.vanished(&Uid::new("b"));
        assert_eq!(settle(&mut cache), ["a", "b"]);
        assert_eq!(members(&cache, "a").unwrap(), ["a"]);
        let (namespace, _) = deployed("a", "1");
        cache.there(namespace, None);
        assert_eq!(cache.groups.len(), 0, "nothing is kept of a group without members");
    }

    #[test]
    fn more_than_can_be_compared_are_not() {
        let mut cache = Cache::default();
        cache.complete(&BTreeSet::new());
        for number in 0..=MAX_DEPLOYMENTS {
            there(&mut cache, &format!("u{number}"), &number.to_string());
        }
        turns(&mut cache).iter().map(Uid::new).for_each(|uid| cache.end(&uid, judged(&uid)));
        assert_eq!(members(&cache, "u0"), None);
        cache.vanished(&Uid::new("u1"));
        assert_eq!(members(&cache, "u0").unwrap().len(), MAX_DEPLOYMENTS);
    }
}
