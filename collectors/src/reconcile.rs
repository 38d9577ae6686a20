//! One namespace's turn: observe, decide, append, annotate, publish.

use std::hash::{DefaultHasher, Hash, Hasher};

use common::{
    annotations,
    cluster::{ApiOutcome, look},
    config::Settings,
    context::Context,
    controls,
    history::{Appended, append_named, load, load_and_mend},
    publish,
    store::{Observed, StoreError},
    timings::signed,
};
use evidence::{health::checkup, namespace};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Event, Namespace, Observation, Policy, Reading, Record, Status, Uid, decide,
    decide::shown,
    event::{Gone, PolicyRef, Protected, StatusNotShown},
    health::{Health, Streak},
    keys::RecordMarker,
    observe,
    overrides::{self, Malformed},
    pipeline::CiObjectRef,
    record::Phase,
    supersession::{Deployment, DeploymentGroup, Supersession, supersession},
    time::saturating_add,
};
use tracing::{info, instrument, warn};

use crate::{
    cache::{CachedNamespace, Left},
    collector::Collector,
    log::log,
    record_markers::Compared,
    recreated::deleted_before,
};

/// The most entries one turn writes: a history settles in far fewer.
const MAX_STEPS: usize = 16;

/// How often annotations that somebody changed are put right, at most (docs/design/lifecycle.md section 1).
const REPAIR_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// How many writes in a row have to fail before a collector that stays records that a status cannot be shown: one may be a
/// mishap. One that checks once sees no second.
const FAILS_FROM: u32 = 2;

/// The most that is recorded of an answer, in bytes.
const MAX_REASON_LENGTH: usize = 300;

/// How soon a namespace is checked again after a write that failed, each time twice as long after, and how often: for a
/// quarter of an hour in all.
const LAG_BACKOFF: (SignedDuration, u32) = (SignedDuration::from_secs(15), 6);

/// The name of a namespace, as far as it is known.
fn name(seen: &CachedNamespace) -> Option<&str> {
    let recorded = || seen.record.as_ref().map(|record| record.name.as_str());
    seen.namespace.as_ref().map(|namespace| namespace.name.as_str()).or_else(recorded)
}

impl Collector {
    /// Takes a namespace's turn. While others wait to be judged (`pressed`), annotations are owed instead of written:
    /// a record that is late delays what follows from it; that it is managed may be shown a little later.
    ///
    /// # Errors
    /// When the store is out of reach: the turn is to be taken again.
    #[instrument(name = "reconcile", skip_all, fields(namespace.uid = %uid, namespace.name = name(&seen)))]
    pub(crate) async fn turn(
        &self,
        uid: &Uid,
        seen: CachedNamespace,
        others: Option<(DeploymentGroup, Vec<Deployment>)>,
        pressed: bool,
    ) -> Result<Left, StoreError> {
        let settings = self.context.settings();
        let Some(namespace) = seen.namespace.clone() else {
            return self.end(uid, seen.is_missed).await;
        };
        let now = self.time().await;

        let mut record = match seen.record.clone() {
            // A worker that carries out an intent tells the history alone: what was open may be closed by now.
            Some(record) if record.open.is_none() => record,
            Some(_) | None => load_and_mend(&*self.context.store, uid).await?,
        };
        let was_gone = record.phase == Phase::Gone;
        if was_gone && !self.is_back(&settings, &namespace).await {
            return Ok(self.gone(record, now));
        }
        let (seen_now, kept) = self.observe(&settings, &record, namespace, &seen, others, now).await?;
        let (keys, is_matched) =
            (&settings.policies.keys, settings.policies.for_namespace(&seen_now.namespace).is_some());
        let Compared { belongs, mut written, again } =
            self.compare_marker(keys, is_matched, &mut record, &seen_now).await?;
        if record.phase == Phase::Gone && !was_gone {
            return Ok(self.gone(record, now));
        }

        let (judged, due, check_at) = self.judge(&settings, &mut record, &seen_now).await?;
        written.extend(judged);
        let mut due = due.into_iter().chain(again).min();
        if record.open.is_some() {
            // Nothing announces that an intent was closed, and until then nothing is judged.
            due = Some(self.recheck_at(now));
        }
        let mut left = Left {
            due: if seen_now.clock.is_true() { due } else { Some(self.recheck_at(now)) },
            repaired_at: seen.repaired_at,
            refusal: seen.refusal.clone(),
            check_at,
            kept: self.keep(&record, &seen_now, kept).await?,
            health: seen_now.health.seen().cloned(),
            ..Left::default()
        };
        let wrote = !written.is_empty();
        let policy = settings.policies.for_namespace(&seen_now.namespace);
        let malformed = policy.map_or_else(Vec::new, |policy| {
            overrides::malformed(&seen_now.namespace, keys, Some(policy), record.overrides(), now)
        });
        left.malformed = Some(said(&malformed));
        let is_news = self.is_news(uid, &seen, &malformed, &written, &mut left).await?;
        let why = if wrote {
            Why::Wrote
        } else if seen.failed.as_deref() != seen_now.health.seen().and_then(Health::failing) {
            Why::Fails
        } else {
            Why::Differs
        };
        // What is about to be deleted has to be seen for a while, so that is shown at once.
        let can_wait = pressed && policy.is_none_or(|policy| !policy.deletes(record.status));
        if belongs && can_wait && (wrote || seen.owed) {
            left.owed = !annotations::changes(&settings, &record, &seen_now).is_empty();
        } else if belongs {
            let failed = self.annotate(&settings, &mut record, &seen_now, &seen, why, &mut left).await?;
            written.extend(self.record_shown(policy, &mut record, &seen_now, &left, failed).await?);
            self.tell_of_refusal(&record, &seen, &left).await;
        }
        let (stalled, check_again) = self.record_stalled(&settings, &mut record, &seen_now, &mut left).await?;
        written.extend(stalled);
        left.due = left.due.into_iter().chain(check_again).min();
        if !written.is_empty() {
            publish::event(&*self.context.queue, &record).await;
        }
        let news: &[Malformed] = if is_news { &malformed } else { &[] };
        if !written.is_empty() || !news.is_empty() {
            self.events.tell(&seen_now.namespace, &record, &written, news).await;
        }
        left.record = Some(record);
        if let Some(turns) = seen.unsure {
            // A write that failed may come to be all the same, some time; nothing but another check tells.
            let again = saturating_add(now, LAG_BACKOFF.0.saturating_mul(1 << turns));
            left.due = Some(left.due.map_or(again, |due| due.min(again)));
            left.record = None;
            left.unsure = (turns < LAG_BACKOFF.1).then_some(turns + 1);
        }
        Ok(left)
    }

    /// Nothing follows for what is recorded as gone before it is asked for again.
    fn gone(&self, record: Record, now: Timestamp) -> Left {
        Left { due: Some(self.recheck_at(now)), record: Some(record), ..Left::default() }
    }

    /// Whether one that was recorded as gone is there all the same. A watch may bring what was, so it is asked for.
    async fn is_back(&self, settings: &Settings, namespace: &Namespace) -> bool {
        let found = look(&self.context.cluster, &namespace.name, &settings.policies).await;
        matches!(found, Ok(Some(found)) if found.uid == namespace.uid && found.deleted.is_none())
    }

    /// When to check again what nothing announces: a clock that could not be trusted, an open intent, a namespace that was
    /// missed.
    pub(crate) fn recheck_at(&self, now: Timestamp) -> Timestamp {
        saturating_add(now, signed(self.context.timings().recheck_interval))
    }

    /// Whether newer deployments replace it, and the jobs for which is to be asked to know it. Who is in no group is replaced
    /// by nobody.
    fn succeeded(
        &self,
        settings: &Settings,
        namespace: &Namespace,
        seen: &CachedNamespace,
        others: Option<(DeploymentGroup, Vec<Deployment>)>,
        now: Timestamp,
    ) -> (Check<Supersession>, Vec<CiObjectRef>) {
        let mut jobs = Vec::new();
        let policy = settings.policies.for_namespace(namespace);
        let Some(terms) = policy.and_then(|policy| policy.superseded.as_ref()).filter(|_| seen.group.is_some()) else {
            return (Check::Disabled, jobs);
        };
        let Some((group, members)) = others else { return (Check::Pending, jobs) };
        let Some(member) = members.iter().find(|member| member.uid == namespace.uid) else {
            return (Check::Pending, jobs);
        };
        let prove = |newer: CiObjectRef, own: CiObjectRef| {
            let proof = self.pipelines.proof(&namespace.uid, &group, &newer, &own);
            // Its own is the same each time.
            if jobs.is_empty() {
                jobs.push(own);
            }
            jobs.push(newer);
            proof
        };
        let found = supersession(member, &group, &members, terms, prove, now);
        (Check::Observed(found), jobs)
    }

    /// What is seen of a namespace by now, and what the store keeps of its health as far as we know. Where a collector
    /// begins, it goes on with the timers that another left.
    async fn observe(
        &self,
        settings: &Settings,
        record: &Record,
        namespace: Namespace,
        before: &CachedNamespace,
        others: Option<(DeploymentGroup, Vec<Deployment>)>,
        now: Timestamp,
    ) -> Result<(Observation, Option<Observed>), StoreError> {
        let policy = settings.policies.for_namespace(&namespace);
        let status_generation = (record.status_generation, record.since);
        let health = checkup(policy, self.health.last().as_deref(), status_generation, &namespace);
        let mut stored = match (before.unsure, &health) {
            (None, _) | (Some(_), Check::Disabled) => before.kept.clone(),
            // What was written and not acknowledged may be what the store keeps: the next collector would go on with it.
            (Some(_), _) => Some(self.kept(&record.uid, &mut None).await?.clone()),
        };
        let known = match (&before.health, &health) {
            (Some(known), _) => Some(known.clone()),
            (None, Check::Observed(checkup)) if is_timed(policy, record.status) => {
                let streak = self.kept(&record.uid, &mut stored).await?.health.clone();
                let streak = streak.map(|streak| self.health.continued(streak, record));
                // What was seen then says nothing that the check of now does not say.
                let left = streak.map(|streak| Health { look: checkup.look.clone(), streak });
                left.map(|left| self.health.after_ours(left, policy, status_generation, &namespace, now))
            }
            (None, _) => None,
        };
        let (supersession, jobs) = self.succeeded(settings, &namespace, before, others, now);
        let pipeline = self.pipelines.checked(settings, &namespace, jobs);
        let reading =
            Reading { health, supersession, pipeline, ..namespace::reading(namespace, &self.context.cluster, now) };
        let seen = known.map(|health| Observation {
            namespace: reading.namespace.clone(),
            clock: reading.clock.clone(),
            health: Check::Observed(health),
            supersession: Check::Pending,
            pipeline: Check::Pending,
        });
        Ok((observe(seen, reading, now), stored))
    }

    /// Whether what is malformed is to be told: where it changed, or something was written of it. What was told last is written
    /// down for the next collector, such as the next sweep.
    async fn is_news(
        &self,
        uid: &Uid,
        seen: &CachedNamespace,
        malformed: &[Malformed],
        written: &[Event],
        left: &mut Left,
    ) -> Result<bool, StoreError> {
        if malformed.is_empty() {
            return Ok(false);
        }
        let is_told = match seen.malformed {
            _ if written.iter().any(is_owner_override) => false,
            Some(before) => Some(before) == left.malformed,
            None => self.kept(uid, &mut left.kept).await?.malformed == left.malformed,
        };
        if !is_told {
            let malformed = left.malformed;
            self.change_kept(uid, &mut left.kept, |observed| observed.malformed = malformed).await?;
        }
        Ok(!is_told)
    }

    /// What the store keeps of a namespace, which is read where that is not known yet.
    pub(crate) async fn kept<'k>(
        &self,
        uid: &Uid,
        known: &'k mut Option<Observed>,
    ) -> Result<&'k Observed, StoreError> {
        if known.is_none() {
            *known = self.context.store.observation(uid).await?;
        }
        Ok(known.get_or_insert_default())
    }

    /// Changes what the store keeps of a namespace, for the next collector.
    pub(crate) async fn change_kept(
        &self,
        uid: &Uid,
        known: &mut Option<Observed>,
        change: impl FnOnce(&mut Observed) + Send,
    ) -> Result<(), StoreError> {
        let mut observed = self.kept(uid, known).await?.clone();
        change(&mut observed);
        self.context.store.put_observation(uid, &observed).await?;
        *known = Some(observed);
        Ok(())
    }

    /// Writes down since when the health is what it is, where that changed and a timer runs on it. Returns what is
    /// written down then.
    async fn keep(
        &self,
        record: &Record,
        seen: &Observation,
        mut kept: Option<Observed>,
    ) -> Result<Option<Observed>, StoreError> {
        let Some(streak) = seen.health.seen().map(|health| &health.streak) else { return Ok(kept) };
        let known = kept.as_ref().and_then(|kept| kept.health.as_ref());
        let is_kept = known.is_some_and(|known| known.says_the_same(streak));
        // Where the timer that is written down runs no more, that is written down too: the next collector would go on
        // with it.
        let is_timed = |streak: &Streak| streak.is_timed(record.status);
        if is_kept || !record.is_managed() || !is_timed(streak) && !known.is_some_and(is_timed) {
            return Ok(kept);
        }
        self.change_kept(&record.uid, &mut kept, |observed| observed.health = Some(streak.clone())).await?;
        Ok(kept)
    }

    /// When annotations were last put right, by us or by the collector before us, such as the last sweep.
    async fn repaired_at(
        &self,
        uid: &Uid,
        before: &CachedNamespace,
        left: &mut Left,
    ) -> Result<Option<Timestamp>, StoreError> {
        match before.repaired_at {
            Some(at) => Ok(Some(at)),
            None => Ok(self.kept(uid, &mut left.kept).await?.repaired_at),
        }
    }

    /// Counts that annotations were put right, and writes down when, for the next collector.
    async fn repaired(
        &self,
        uid: &Uid,
        before: Option<Timestamp>,
        left: &mut Left,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.checks.repaired(before, now);
        left.repaired_at = Some(now);
        self.change_kept(uid, &mut left.kept, |observed| observed.repaired_at = Some(now)).await
    }

    /// Decides and appends until nothing is left to decide. Returns what was written, when to ask again, and when to
    /// check the health again.
    async fn judge(
        &self,
        settings: &Settings,
        record: &mut Record,
        seen: &Observation,
    ) -> Result<(Vec<Event>, Option<Timestamp>, Option<Timestamp>), StoreError> {
        let store = &*self.context.store;
        let policy = settings.policies.for_namespace(&seen.namespace);
        let mut written = Vec::new();
        let (mut due, mut check_at) = (None, None);
        for _ in 0..MAX_STEPS {
            let now = self.context.clock.now();
            if seen.clock.is_true() && !self.context.cluster.clock.compare(now).is_true() {
                // Our clock jumped since the namespace was seen, and would tell another age.
                due = Some(self.recheck_at(now));
                break;
            }
            let decision = decide(policy, record, seen, now);
            let Some(mut event) = decision.entry else {
                (due, check_at) = (decision.due, decision.look);
                break;
            };
            if follows_from_configuration(&event) && !self.is_in_force(settings).await? {
                due = Some(saturating_add(now, signed(settings.timings.config_retry_interval)));
                break;
            }
            if let Event::Adopted(adopted) = &mut event {
                adopted.deleted_before = deleted_before(store, &seen.namespace, now).await?;
            }
            match append_named(store, record, &seen.namespace.name, &self.actor, event.clone(), now).await? {
                Appended::Written => {
                    log(record, &event);
                    written.push(event);
                }
                Appended::Conflict => {
                    *record = load_and_mend(store, &record.uid).await?;
                    if record.phase == Phase::Gone {
                        // Somebody saw it go after we saw it: it is asked for before it is managed again.
                        due = Some(self.recheck_at(now));
                        break;
                    }
                }
            }
        }
        if !written.is_empty() {
            self.remember(record).await;
        }
        Ok((written, due, check_at))
    }

    /// Whether nobody recorded another configuration than ours. Two at once would take turns at every namespace, and
    /// fill its history without an end.
    async fn is_in_force(&self, settings: &Settings) -> Result<bool, StoreError> {
        let recorded = controls::config(&*self.context.store).await?;
        Ok(recorded.is_none_or(|control| control.body.hash == settings.hash))
    }

    /// Records that the answer to our write showed the status, or why it could not be written: where a deletion waits for
    /// it to be seen.
    async fn record_shown(
        &self,
        policy: Option<&Policy>,
        record: &mut Record,
        seen: &Observation,
        left: &Left,
        failed: Option<String>,
    ) -> Result<Option<Event>, StoreError> {
        let waits = |policy: &&Policy| {
            let is_quiet = record.open.is_none() && record.done.is_none() && record.damage.is_none();
            let is_theirs = record.terms.as_ref() == Some(&PolicyRef::of(policy));
            policy.requires_visible(record.status) && is_quiet && is_theirs && record.is_managed()
        };
        let Some(policy) = policy.filter(waits).filter(|_| seen.clock.is_true()) else { return Ok(None) };
        let patched = left.patched.as_ref().map(|(_, namespace)| namespace);
        let event = match (patched.and_then(|namespace| shown(policy, record, namespace)), failed) {
            (Some(event), _) => event,
            (None, Some(why)) if record.shown_at.is_none() && record.not_shown.is_none() => {
                let why = why[..why.floor_char_boundary(MAX_REASON_LENGTH)].to_owned();
                Event::StatusNotShown(StatusNotShown { of: record.status_generation, why })
            }
            (None, _) => return Ok(None),
        };
        let (store, now) = (&*self.context.store, self.context.clock.now());
        let name = record.name.clone();
        match append_named(store, record, &name, &self.actor, event.clone(), now).await? {
            Appended::Written => {
                log(record, &event);
                self.remember(record).await;
                Ok(Some(event))
            }
            Appended::Conflict => {
                *record = load_and_mend(store, &record.uid).await?;
                Ok(None)
            }
        }
    }

    /// Tells people that the annotations of a namespace are refused, where no entry tells of that.
    async fn tell_of_refusal(&self, record: &Record, before: &CachedNamespace, left: &Left) {
        let (Some(why), Some(namespace)) = (&left.refusal, &before.namespace) else { return };
        let is_recorded = record.not_shown.as_deref().is_some_and(|told| why.starts_with(told));
        if !is_recorded && left.refusal != before.refusal {
            self.events.tell_of_refusal(namespace, why).await;
        }
    }

    /// Brings the annotations in line with the record. Returns why they are not, where that is no mishap of a moment.
    async fn annotate(
        &self,
        settings: &Settings,
        record: &mut Record,
        seen: &Observation,
        before: &CachedNamespace,
        why: Why,
        left: &mut Left,
    ) -> Result<Option<String>, StoreError> {
        if annotations::changes(settings, record, seen).is_empty() {
            return Ok(None);
        }
        let now = self.context.clock.now();
        let repairs = why == Why::Differs && !before.owed;
        let last = if repairs { self.repaired_at(&record.uid, before, left).await? } else { None };
        if why != Why::Wrote {
            // What could not be written is written as soon as it can be.
            let again_from = last.filter(|_| before.failures == 0).map(|at| saturating_add(at, REPAIR_EVERY));
            if let Some(from) = again_from.filter(|from| now < *from) {
                left.due = Some(left.due.map_or(from, |due| due.min(from)));
                return Ok(None);
            }
            // Others may have appended since the record was read: while an intent is open, nothing is written here.
            *record = load(&*self.context.store, &record.uid).await?;
        }
        let difference = annotations::changes(settings, record, seen);
        if difference.is_empty() {
            return Ok(None);
        }
        let _permit = self.annotating.acquire().await.expect("nobody closes the semaphore");
        let epoch = self.markers.lock().await.store_identity.epoch();
        match annotations::write(&self.context.cluster, settings, record, epoch, difference).await {
            Ok(patched) => {
                if repairs {
                    self.repaired(&record.uid, last, left, now).await?;
                }
                left.refusal = None;
                let marker = RecordMarker::of(&seen.namespace, &settings.policies.keys).flatten();
                if marker.is_some_and(|marker| marker.is_of_another(&seen.namespace)) {
                    info!(
                        namespace.name = %record.name,
                        "namespace `{}` carried the marker of another namespace, which was replaced: it is a copy, or comes \
                         from a backup",
                        record.name
                    );
                }
                left.patched = patched.map(|namespace| (seen.namespace.resource_version.clone(), namespace));
                let carries = |(_, namespace): &(String, Namespace)| {
                    let now_seen = Observation { namespace: namespace.clone(), ..seen.clone() };
                    annotations::changes(settings, record, &now_seen).is_empty()
                };
                if left.patched.as_ref().is_some_and(|patched| !carries(patched)) {
                    // Written again at once, it would be taken off again at once.
                    let again = saturating_add(now, REPAIR_EVERY);
                    left.repaired_at = Some(now);
                    left.due = Some(left.due.map_or(again, |due| due.min(again)));
                    let why = "the apiserver accepted it, and the namespace does not carry it; is there admission that \
                               takes annotations off?";
                    return Ok(Some(why.to_owned()));
                }
            }
            Err(error) => {
                left.failures = before.failures + 1;
                let wait = SignedDuration::from_secs(1_i64 << left.failures.min(8));
                let again = saturating_add(now, wait);
                left.due = Some(left.due.map_or(again, |due| due.min(again)));
                if left.failures == 1 {
                    warn!(namespace.name = %record.name, "the annotations of namespace `{}` are not current: {error}", record.name);
                }
                if left.failures >= FAILS_FROM || !self.stays {
                    if error.answer == ApiOutcome::Refused {
                        left.refusal = Some(error.why.clone());
                    }
                    return Ok(Some(error.why));
                }
            }
        }
        Ok(None)
    }

    /// Writes down that a namespace is no longer there. Where nobody saw it go (`is_missed`), it is asked for first:
    /// the store may know of it since after the list that did not name it.
    async fn end(&self, uid: &Uid, is_missed: bool) -> Result<Left, StoreError> {
        let store = &*self.context.store;
        for _ in 0..MAX_STEPS {
            let mut record = load_and_mend(store, uid).await?;
            if record.head == 0 || record.phase == Phase::Gone {
                break;
            }
            if is_missed {
                match look(&self.context.cluster, &record.name, &self.context.settings().policies).await {
                    // The watch will bring it.
                    Ok(Some(namespace)) if namespace.uid == *uid => break,
                    Ok(_) => {}
                    Err(error) => {
                        warn!(namespace.name = %record.name, "whether namespace `{}` is gone is not known yet: {error}", record.name);
                        let again = self.recheck_at(self.context.clock.now());
                        return Ok(Left { due: Some(again), ..Left::default() });
                    }
                }
            }
            let name = record.name.clone();
            let event = Event::Gone(Gone {});
            let appended =
                append_named(store, &mut record, &name, &self.actor, event, self.context.clock.now()).await?;
            if appended == Appended::Written {
                info!(namespace.name = %name, "namespace `{name}` is gone");
                self.remember(&record).await;
                publish::event(&*self.context.queue, &record).await;
                break;
            }
        }
        Ok(Left { gone: true, ..Left::default() })
    }

    /// Stores the snapshot; best effort, for lists.
    pub(crate) async fn remember(&self, record: &Record) {
        let _ = self.context.store.put_snapshot(record).await;
    }

    /// Now; and where it is not known what the apiserver thinks of it, asks.
    async fn time(&self) -> Timestamp {
        let Context { cluster, clock, .. } = &self.context;
        if !cluster.clock.compare(clock.now()).is_true() {
            let _one_for_all = self.asking.lock().await;
            let condition = cluster.clock.compare(clock.now());
            if !condition.is_true() && cluster.ask_time().await.is_ok() {
                let condition = cluster.clock.compare(clock.now());
                if !condition.is_true() {
                    warn!("nothing is judged by time: {}", condition.reason);
                }
            }
        }
        clock.now()
    }
}

/// Whether another configuration would have said otherwise. What the record says already, and what the owner wrote, is
/// the same under each.
const fn follows_from_configuration(event: &Event) -> bool {
    matches!(event, Event::Adopted(_) | Event::PolicyChanged(_) | Event::Released(_))
}

/// Whether what its owner wrote may be told of with it: it was seen first, or it changed something.
const fn is_owner_override(event: &Event) -> bool {
    matches!(
        event,
        Event::Adopted(_) | Event::DeadlineMoved(_) | Event::Kept(_) | Event::Protected(Protected { on: true })
    )
}

/// What is malformed, in a number that another key or value changes.
fn said(malformed: &[Malformed]) -> i64 {
    let mut hasher = DefaultHasher::new();
    malformed.iter().for_each(|it| (&it.key, &it.text).hash(&mut hasher));
    hasher.finish().cast_signed()
}

/// Why annotations are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// An entry of ours has to show.
    Wrote,
    /// Other things fail than before.
    Fails,
    /// They are not what they should be, no matter who changed them.
    Differs,
}

/// Whether a timer may run on the health in this status.
fn is_timed(policy: Option<&Policy>, status: Status) -> bool {
    match status {
        Status::Unstable | Status::Failing | Status::Failed => true,
        Status::Unknown | Status::Ok => {
            policy.and_then(|policy| policy.health).is_some_and(|terms| terms.fail_after > 1)
        }
        Status::Stale | Status::Cancelled | Status::Superseded => false,
    }
}

#[cfg(test)]
mod tests;
