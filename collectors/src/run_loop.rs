//! The loop of a long-running collector: the watch fills the cache, the cache says whose turn it is.

#[cfg(test)]
mod moved;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{
    config::Settings,
    context::Context,
    controls,
    heartbeat::{self, CheckCounts as Checked, CollectorBody, Outage, Publisher},
    identity,
    jobs::TimeSlot,
    store::{Heartbeat, Observed, Store, StoreError},
    timings::signed,
};
use evidence::health::Rounds;
use futures::{StreamExt as _, stream::BoxStream};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Actor, Namespace, Uid,
    pipeline::CiObjectRef,
    supersession::DeploymentGroup,
    time::{between, saturating_add},
};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    cache::{Cache, Left},
    ci_events::CiEvents,
    ci_poller::CiPoller,
    collector::KnownMarkers,
    collector::{Collector, SharedCollector},
    health::Health,
    health_poller::HealthPoller,
    kube_events::Events,
    metrics::Checks,
    pipelines::Pipelines,
    resync::settle,
    shard::Shard,
    watch::{self, Listed, NamespaceEvent},
};

/// How many turns are taken at once: enough for a store that commits in groups, few enough for the apiserver.
const CONCURRENCY: usize = 48;

/// How many annotations are written at once: two cores of an apiserver answer no more.
const MAX_CONCURRENT_PATCHES: usize = 16;

/// How long the namespaces may be unseen before that is told: a list of many thousands takes seconds.
const UNSEEN: SignedDuration = SignedDuration::from_secs(60);

/// How long the loop sleeps at most: our clock may jump.
const MAX_SLEEP: Duration = Duration::from_secs(30);

/// How long the end may take to write down until when timers have run.
const SAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the turns of a sweep wait at most for the health check of all, so that each namespace has one and not two.
const POLL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long turns rest when the store is out of reach, at first and at most.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// How long a collector stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    UntilAsked,
    /// Until the slot is over and its successor has begun.
    ForSlot(TimeSlot),
    /// Until each namespace of a complete list had its turn.
    ForOneLook,
}

/// Watches and judges the namespaces of a shard as long as it stays, or until cancelled. Turns that were begun are
/// brought to their end.
///
/// # Errors
/// When the store cannot be read at the start, later it is waited for; or when another cluster answers than the one that the
/// store knows.
pub(crate) async fn run(context: Context, shard: Shard, stays: Stays, cancel: CancellationToken) -> anyhow::Result<()> {
    let checks = Checks::new(&context);
    let collector = Arc::new(Collector {
        actor: context.actor(heartbeat::COLLECTOR),
        shard,
        stays: stays != Stays::ForOneLook,
        events: Events::new(&context),
        markers: Mutex::new(KnownMarkers::read(&*context.store).await?),
        asking: Mutex::new(()),
        annotating: Semaphore::new(MAX_CONCURRENT_PATCHES),
        health: Health::new(checks.clone()),
        pipelines: Pipelines::new(checks.clone()),
        checks: checks.clone(),
        context: context.clone(),
    });
    let (now, length) = (context.clock.now(), context.settings().jobs.resident_for);
    let known = controls::cluster(&*context.store).await?;
    let heartbeats = context.store.heartbeats(heartbeat::MAX_HEARTBEATS).await?;
    settle(&*context.store, &heartbeats, predecessor(stays, length, now)).await?;
    collector.health.inherit(&heartbeats, shard);
    let (left_under, swept) = left_by_sweeps(&heartbeats, shard);
    let run_loop = RunLoop::new(Arc::clone(&collector), stays, known);
    let (slot, watched, sight) = (run_loop.slot(), Arc::clone(&run_loop.watched), Arc::clone(&run_loop.sight));
    let is_over = async {
        match stays {
            Stays::ForSlot(slot) => sleep(slot.stay(length, context.timings().hand_over_overlap, now)).await,
            Stays::UntilAsked | Stays::ForOneLook => std::future::pending().await,
        }
    };
    let over = cancel.child_token();
    let work = async {
        tokio::select! {
            biased;
            outcome = run_loop.run(over.clone()) => outcome,
            never = async {
                is_over.await;
                info!("the slot of this collector is over");
                over.cancel();
                std::future::pending().await
            } => never,
        }
    };
    let mut publisher = Publisher::new(heartbeat::COLLECTOR, &context).later();
    let body = || {
        let watched = watched.load(Ordering::Relaxed);
        let slot = slot.map(TimeSlot::begins);
        let (looked, outages, checks, until) = (None, Vec::new(), checks.so_far(), None);
        let body = CollectorBody { shard: shard.number, of: shard.of, slot, watched, looked, outages, checks, until };
        let (mut body, now) = (collector.pipelines.tell(collector.health.tell(body)), context.clock.now());
        body.outages.extend(sight.outage(now));
        body.outages.extend(Outage::of_clock(&context.cluster.clock, now));
        body
    };
    let value = |body: CollectorBody| serde_json::to_value(body).expect("plain data serializes");
    let outcome = publisher.while_running(&context, || value(body()), work).await;
    match stays {
        Stays::ForOneLook if outcome.is_ok() && !cancel.is_cancelled() => {
            let next = signed(context.settings().jobs.sweep_every.period()).saturating_add(heartbeat::DEAD_AFTER);
            let until = saturating_add(context.clock.now(), next);
            let checks = swept.and(checks.so_far());
            let body = CollectorBody { looked: None, until: Some(until), checks, ..body() };
            publisher.leave(&context, &left_under, value(body)).await;
        }
        Stays::ForOneLook | Stays::UntilAsked | Stays::ForSlot(_) => publisher.end(&context).await,
    }
    outcome
}

/// The name under which each sweep of a shard leaves word of itself, and what they counted up to now: counters grow from one
/// to the next.
fn left_by_sweeps(heartbeats: &[Heartbeat], shard: Shard) -> (String, Checked) {
    let name = format!("sweep-{}", shard.number);
    let id = Actor::role(heartbeat::COLLECTOR, &name).to_string();
    let body = heartbeats.iter().find(|heartbeat| heartbeat.id == id).map(|heartbeat| heartbeat.body.clone());
    let body = body.and_then(|body| serde_json::from_value::<CollectorBody>(body).ok());
    (name, body.map_or_else(Checked::default, |body| body.checks))
}

/// When the collector before this one began; `None`: as long ago as the controller's former start.
fn predecessor(stays: Stays, length: Duration, now: Timestamp) -> Option<Timestamp> {
    const SWEEPS: SignedDuration = SignedDuration::from_hours(1);
    match stays {
        Stays::UntilAsked => None,
        Stays::ForSlot(slot) => Some(slot.before(length).begins()),
        Stays::ForOneLook => Some(saturating_add(now, -SWEEPS)),
    }
}

struct RunLoop {
    collector: SharedCollector,
    cache: Cache,
    turns: JoinSet<(Uid, Result<Left, StoreError>)>,
    /// Checks the health of all.
    health_poller: HealthPoller,
    /// Asks the CI systems about pipelines.
    ci_poller: CiPoller,
    /// `None`: it does not stay for long enough to be told anything.
    ci_events: Option<CiEvents>,
    /// No turn begins before this: the store was out of reach.
    rest: Option<(Instant, Duration)>,
    /// The cluster that the store knows.
    known: Option<Uid>,
    /// A list began, and is not complete: whose the namespaces are that it brings is not known, and no turn begins.
    is_listing: bool,
    /// The watch broke, and goes on without a list: whether the same cluster answers is to be asked first.
    is_unsure: bool,
    /// A complete list that has yet to be compared with the store.
    complete: Option<BTreeSet<Uid>>,
    watch_is_broken: bool,
    sight: Arc<UnknownClock>,
    stays: Stays,
    began: Instant,
    /// A complete list was compared with the store.
    is_compared: bool,
    /// How many namespaces there are in this shard, for people.
    watched: Arc<AtomicU64>,
}

impl RunLoop {
    fn new(collector: SharedCollector, stays: Stays, known: Option<Uid>) -> Self {
        Self {
            health_poller: HealthPoller::new(&collector.context),
            ci_poller: CiPoller::new(Arc::clone(&collector)),
            ci_events: match stays {
                Stays::UntilAsked | Stays::ForSlot(_) => Some(CiEvents::listen(&collector.context)),
                Stays::ForOneLook => None,
            },
            collector,
            cache: Cache::default(),
            turns: JoinSet::new(),
            rest: None,
            known,
            is_listing: true,
            is_unsure: false,
            complete: None,
            watch_is_broken: false,
            sight: Arc::default(),
            stays,
            began: Instant::now(),
            is_compared: false,
            watched: Arc::default(),
        }
    }

    const fn slot(&self) -> Option<TimeSlot> {
        match self.stays {
            Stays::ForSlot(slot) => Some(slot),
            Stays::UntilAsked | Stays::ForOneLook => None,
        }
    }

    async fn run(mut self, cancel: CancellationToken) -> anyhow::Result<()> {
        let outcome = self.work(cancel).await;
        while let Some(ended) = self.turns.join_next().await {
            self.end_turn(ended);
        }
        self.health_poller.end().await;
        self.ci_poller.end().await;
        keep(&*self.collector.context.store, self.timed()).await;
        outcome
    }

    /// Runs until cancelled, until a sweep is through, or until another cluster answers.
    async fn work(&mut self, cancel: CancellationToken) -> anyhow::Result<()> {
        let mut settings = self.collector.context.settings.clone();
        let mut watch = self.watch(settings.borrow_and_update().clone());
        let turns = self.collector.context.liveness.watch("collector", MAX_SLEEP);
        loop {
            turns.tick();
            self.make_sure().await?;
            self.compare_with_store().await;
            self.begin_turns();
            self.health_poller.begin();
            self.ci_poller.begin(&self.cache);
            if self.is_through() {
                return Ok(());
            }
            let (until_due, rest) = (self.until_due(), self.rest.filter(|_| self.is_resting()));
            // In this order, so that a run can be repeated: what ends makes room before what comes takes it.
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                Some(ended) = self.turns.join_next() => self.end_turn(ended),
                answered = self.ci_poller.next() => self.ci_poller.take(&answered, &mut self.cache),
                () = sleep(until_due) => self.cache.fall_due(self.collector.context.clock.now()),
                Some(watched) = watch.next() => self.take_in(watched)?,
                () = rested(rest), if rest.is_some() => {}
                Ok(()) = settings.changed() => {
                    info!("the configuration changed: every namespace is judged again");
                    watch = self.watch(settings.borrow_and_update().clone());
                    if self.health_poller.change() {
                        self.collector.health.forget();
                    }
                    self.ci_poller.change();
                    let settings = self.collector.context.settings();
                    self.cache.regroup(|namespace| group(&settings, namespace));
                }
                rounds = self.health_poller.next() => self.end_check(rounds),
                origin = next_ci_event(self.ci_events.as_mut()) => self.collector.pipelines.hurry(&origin),
            }
        }
    }

    /// What the check that has just ended says of a namespace is a reason for a turn.
    fn end_check(&mut self, rounds: Rounds) {
        let (rounds, health, settings) = (Arc::new(rounds), &self.collector.health, self.collector.context.settings());
        let is_written = self.turns.is_empty() && self.cache.is_idle() && !self.cache.has_broken_off();
        health.take(&settings, Arc::clone(&rounds), is_written);
        self.cache.wake_where(|seen| health.is_news(&settings, &rounds, seen));
        let now = self.collector.context.clock.now();
        self.cache.check(|seen| crate::health::after(&settings, &rounds, seen, now));
    }

    /// Until when timers have run, for the next collector.
    fn timed(&self) -> Vec<(Uid, Observed)> {
        let timed = self.cache.all().filter_map(|(uid, seen)| {
            let (record, health) = (seen.record.as_ref()?, seen.health.as_ref()?);
            let observed = || {
                let kept = seen.kept.clone().unwrap_or_default();
                let repaired_at = seen.repaired_at.or(kept.repaired_at);
                Observed { health: Some(health.streak.clone()), repaired_at, ..kept }
            };
            health.streak.is_timed(record.status).then(|| (uid.clone(), observed()))
        });
        timed.collect()
    }

    /// Whether the health of all was checked, where it is to be.
    fn has_checked(&self) -> bool {
        !self.health_poller.are_taken() || self.collector.health.last().is_some()
    }

    fn watch(&self, settings: Arc<Settings>) -> BoxStream<'static, NamespaceEvent> {
        watch::namespaces(&self.collector.context.cluster, settings, self.collector.shard)
    }

    /// Whether a sweep has seen to everything.
    fn is_through(&self) -> bool {
        let sweeps = matches!(self.stays, Stays::ForOneLook);
        let is_idle = || self.turns.is_empty() && self.ci_poller.are_through() && self.cache.is_idle();
        sweeps && self.is_compared && self.has_checked() && is_idle()
    }

    fn take_in(&mut self, watched: NamespaceEvent) -> anyhow::Result<()> {
        self.apply(watched)?;
        self.watched.store(self.cache.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn apply(&mut self, watched: NamespaceEvent) -> anyhow::Result<()> {
        let was_broken = std::mem::replace(&mut self.watch_is_broken, matches!(watched, NamespaceEvent::Failed(_)));
        if was_broken && !self.watch_is_broken {
            info!("the apiserver answers again");
            // Where it begins with a list, nothing is seen before that is whole.
            if !self.is_listing {
                self.is_unsure = self.known.is_some();
                if !self.is_unsure {
                    self.sight.found();
                }
            }
        }
        match watched {
            NamespaceEvent::Applied(namespace) => {
                let group = group(&self.collector.context.settings(), &namespace);
                self.cache.there(namespace, group);
            }
            NamespaceEvent::OtherShard(uid) => self.cache.elsewhere(&uid),
            NamespaceEvent::Deleted(uid) => self.cache.vanished(&uid),
            NamespaceEvent::Listing => {
                self.is_listing = true;
                self.sight.lost(self.collector.context.clock.now(), "all namespaces are being listed");
            }
            NamespaceEvent::Synced(Listed { all, cluster }) => {
                if let Some(known) = &self.known {
                    identity::agree(known, cluster)?;
                }
                (self.is_listing, self.is_unsure) = (false, false);
                self.sight.found();
                self.cache.complete(&all);
                info!("{} namespaces are watched", self.cache.len());
                self.complete = Some(all);
            }
            NamespaceEvent::Failed(why) => {
                self.sight.lost(self.collector.context.clock.now(), &why);
                if !was_broken {
                    warn!("the watch on namespaces broke and is begun again: {why}");
                }
            }
        }
        Ok(())
    }

    /// Asks which cluster answers, where that is not sure.
    async fn make_sure(&mut self) -> anyhow::Result<()> {
        let Some(known) = self.known.as_ref().filter(|_| self.is_unsure) else { return Ok(()) };
        // Else it is tried again when the next thing happens, in half a minute at the latest.
        if let Ok(Some(found)) = identity::of_cluster(&self.collector.context.cluster).await {
            identity::agree(known, Some(found))?;
            self.is_unsure = false;
            self.sight.found();
        } else {
            let now = self.collector.context.clock.now();
            self.sight.lost(now, "which cluster answers is not known: the uid of `kube-system` cannot be read");
        }
        Ok(())
    }

    /// What the store knows and the list does not name gets its end.
    async fn compare_with_store(&mut self) {
        if self.is_resting() {
            return;
        }
        let Some(listed) = self.complete.take() else { return };
        match self.collector.missing(&listed).await {
            Ok(missing) => {
                missing.iter().for_each(|uid| self.cache.missed(uid));
                self.is_compared = true;
            }
            Err(error) => {
                self.complete = Some(listed);
                self.store_is_away(&error);
            }
        }
    }

    /// How much longer a sweep has turns wait for its check. One that takes long holds up nothing that does not depend on it.
    fn until_checked(&self) -> Option<Duration> {
        let waits = matches!(self.stays, Stays::ForOneLook) && !self.has_checked();
        waits.then(|| POLL_TIMEOUT.saturating_sub(self.began.elapsed())).filter(|left| !left.is_zero())
    }

    fn begin_turns(&mut self) {
        if self.is_listing || self.is_unsure || self.until_checked().is_some() {
            return;
        }
        while !self.is_resting() && self.turns.len() < CONCURRENCY {
            let Some((uid, seen)) = self.cache.begin() else { return };
            let (collector, pressed) = (Arc::clone(&self.collector), self.cache.is_pressed());
            let others = self.cache.deployments(&uid, &collector.context.settings().policies.keys);
            self.turns.spawn(async move {
                let left = collector.turn(&uid, seen, others, pressed).await;
                (uid, left)
            });
        }
    }

    fn end_turn(&mut self, ended: Result<(Uid, Result<Left, StoreError>), tokio::task::JoinError>) {
        let (uid, left) = ended.expect("a turn does not panic, and nobody aborts one");
        match left {
            Ok(left) => {
                if !self.is_resting() && self.rest.take().is_some() {
                    info!("the store answers again");
                }
                if let Some(at) = left.check_at {
                    self.health_poller.by(at);
                }
                self.cache.end(&uid, left);
            }
            Err(error) => {
                self.cache.end(&uid, Left::broken_off());
                self.store_is_away(&error);
            }
        }
    }

    fn store_is_away(&mut self, error: &StoreError) {
        if self.is_resting() {
            return;
        }
        let wait = self.rest.map_or(RETRY_BACKOFF.0, |(_, wait)| (wait * 2).min(RETRY_BACKOFF.1));
        if self.rest.is_none() {
            warn!("nothing is judged while the store is out of reach: {error}");
        }
        self.rest = Some((Instant::now() + wait, wait));
    }

    fn is_resting(&self) -> bool {
        self.rest.is_some_and(|(until, _)| Instant::now() < until)
    }

    fn until_due(&self) -> Duration {
        let now = self.collector.context.clock.now();
        let until_due = self
            .cache
            .next_due()
            .map_or(MAX_SLEEP, |due| Duration::try_from(between(now, due)).unwrap_or(Duration::ZERO).min(MAX_SLEEP));
        let until_next = self
            .health_poller
            .until_next()
            .into_iter()
            .chain(self.ci_poller.until_next())
            .chain(self.until_checked())
            .min();
        until_next.map_or(until_due, |until| until_due.min(until))
    }
}

/// Since when the namespaces are not seen, and why.
#[derive(Debug, Default)]
struct UnknownClock(std::sync::Mutex<Option<(Timestamp, String)>>);

impl UnknownClock {
    fn lost(&self, now: Timestamp, why: &str) {
        let mut lost = self.lock();
        let since = lost.as_ref().map_or(now, |(since, _)| *since);
        *lost = Some((since, why.to_owned()));
    }

    fn found(&self) {
        *self.lock() = None;
    }

    /// That they have not been seen for longer than a list takes.
    fn outage(&self, now: Timestamp) -> Option<Outage> {
        let (since, why) = self.lock().clone().filter(|(since, _)| now.duration_since(*since) >= UNSEEN)?;
        Some(Outage { source: "namespaces".to_owned(), since, why })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, String)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes down until when timers have run. Best effort: without it they start again.
async fn keep(store: &dyn Store, timed: Vec<(Uid, Observed)>) {
    let keep = async {
        for (uid, observed) in timed {
            if store.put_observation(&uid, &observed).await.is_err() {
                return;
            }
        }
    };
    let _ = timeout(SAVE_TIMEOUT, keep).await;
}

/// The group of deployments a namespace belongs to, where its policy asks for that.
fn group(settings: &Settings, namespace: &Namespace) -> Option<DeploymentGroup> {
    let superseded = settings.policies.for_namespace(namespace)?.superseded.as_ref()?;
    DeploymentGroup::of(namespace, superseded, &settings.policies.keys)
}

async fn next_ci_event(ci_events: Option<&mut CiEvents>) -> CiObjectRef {
    match ci_events {
        Some(ci_events) => ci_events.next().await,
        None => std::future::pending().await,
    }
}

async fn rested(rest: Option<(Instant, Duration)>) {
    if let Some((until, _)) = rest {
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests;
