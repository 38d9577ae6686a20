//! The planner: when something of a namespace falls due, and what is then handed out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{
    context::Context,
    history::load,
    liveness::Ticker,
    publish,
    queue::Route,
    store::{EntryPosition, StoreError},
    timings::signed,
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Record, Task, Uid, plan, stalled,
    time::{between, saturating_add},
};
use tracing::{debug, instrument, warn};

use crate::{deletions::Deletions, holding::Holding, metrics::Metrics};

/// How many snapshots or entries are read at once.
const PAGE: usize = 500;

/// How far before the last read of the tail the next one begins: a writer's clock may be behind.
const TAIL_OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// How many namespaces of which something fell due are checked in a turn, at most: between turns there is time for
/// whatever else the controller does.
const MAX_DUE: usize = 200;

/// Interval within which the planner ticks, for liveness.
const TICK_INTERVAL: Duration = Duration::from_secs(30);

/// Interval within which a history that cannot be read is not read again unless somebody speaks of it: a person has to mend it.
const UNREADABLE_INTERVAL: SignedDuration = SignedDuration::from_mins(10);

/// How long the planner sleeps at most: our clock may jump.
const MAX_SLEEP: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Planner {
    context: Context,
    turns: Ticker,
    /// In the order in which they fell due: whatever waits longest without having been checked comes first.
    due: BTreeSet<(Timestamp, Uid)>,
    known: BTreeMap<Uid, Known>,
    all_wanted: bool,
    tail_wanted: bool,
    /// The last read of the tail of the history.
    read_at: Timestamp,
    deletions: Deletions,
    holding: Holding,
    /// Whether it is known what was deleted before this process led.
    is_recalled: bool,
    metrics: Metrics,
    /// Whether anything was handed out since somebody asked.
    handed_out: bool,
    /// How many messages wait for a worker, as asked in this round of checks.
    waiting: Option<usize>,
}

#[derive(Debug, Default)]
struct Known {
    /// The number of the last entry read.
    head: u64,
    due: Option<Timestamp>,
    /// What was due at the last check, and was handed out then or before.
    handed_out: Vec<Task>,
    /// From here on it counts as stalled.
    stalled_from: Option<Timestamp>,
    /// Its history has a gap, or an entry that this version cannot read.
    is_damaged: bool,
    /// The store cannot read its history.
    is_unreadable: bool,
}

impl Planner {
    pub(crate) fn new(context: Context, metrics: Metrics) -> Self {
        let read_at = context.clock.now();
        Self {
            turns: context.liveness.watch("planner", TICK_INTERVAL),
            context,
            due: BTreeSet::new(),
            known: BTreeMap::new(),
            all_wanted: true,
            tail_wanted: false,
            read_at,
            deletions: Deletions::default(),
            holding: Holding::default(),
            is_recalled: false,
            metrics,
            handed_out: false,
            waiting: None,
        }
    }

    /// The loop that plans turned.
    pub(crate) fn turned(&self) {
        self.turns.tick();
    }

    /// Whether anything was handed out since this was asked last.
    pub(crate) const fn has_handed_out(&mut self) -> bool {
        std::mem::replace(&mut self.handed_out, false)
    }

    /// Tasks that are due and not known to be resolved.
    pub(crate) fn outstanding(&self) -> usize {
        self.known.values().map(|known| known.handed_out.len()).sum()
    }

    /// Namespaces about which something is to be done, and that wait for nothing that is named.
    pub(crate) fn stalled(&self) -> usize {
        let now = self.context.clock.now();
        self.known.values().filter(|known| known.stalled_from.is_some_and(|from| from <= now)).count()
    }

    /// Namespaces whose history cannot be relied on.
    pub(crate) fn damaged(&self) -> usize {
        self.known.values().filter(|known| known.is_damaged || known.is_unreadable).count()
    }

    /// Names that something makes anew again and again.
    pub(crate) fn recreated(&mut self) -> usize {
        let now = self.context.clock.now();
        self.deletions.recreated(now)
    }

    /// Something was written about this namespace, somebody says. Anybody may say anything: what is no uid is dropped.
    pub(crate) fn hint(&mut self, uid: &str) {
        let uid = Uid::new(uid);
        if uid.is_well_formed() {
            self.set_due_now(&uid);
        }
    }

    /// The tail of the history is to be read.
    pub(crate) const fn want_tail(&mut self) {
        self.tail_wanted = true;
    }

    /// Everything is to be planned anew.
    pub(crate) const fn want_all(&mut self) {
        self.all_wanted = true;
    }

    /// Plans every namespace from its snapshot where that is wanted, and what the tail of the history names.
    ///
    /// # Errors
    /// When the store is out of reach: it is wanted still.
    pub(crate) async fn check_all_if_wanted(&mut self) -> Result<(), StoreError> {
        if self.all_wanted {
            self.check_all().await?;
            self.all_wanted = false;
        }
        if !self.is_recalled {
            match self.deletions.recall(&*self.context.store, self.context.clock.now()).await {
                Ok(()) => {}
                Err(error) if error.is_worth_another_try() => return Err(error),
                Err(error) => warn!("which names are made anew again and again is known from now on alone: {error}"),
            }
            self.is_recalled = true;
        }
        if self.tail_wanted {
            let read = self.read_tail().await;
            // What cannot be read is read again when the next read is due.
            self.tail_wanted = read.as_ref().is_err_and(StoreError::is_worth_another_try);
            read?;
        }
        Ok(())
    }

    /// Holds deletions where those that were accepted do not end, or takes that back. As long as not everything is known,
    /// nothing is concluded.
    ///
    /// # Errors
    /// When the store is out of reach: it stays as it was.
    pub(crate) async fn hold_or_release(&mut self) -> Result<(), StoreError> {
        if self.all_wanted { Ok(()) } else { self.holding.judge(&self.context).await }
    }

    /// Checks the namespaces of which something fell due, the first [`MAX_DUE`] of them.
    ///
    /// # Errors
    /// When the store is out of reach: the rest stays due, and what could not be read comes after it. A history that cannot be
    /// read is none: nothing is planned from it, and it is read again later.
    pub(crate) async fn check_due(&mut self) -> Result<(), StoreError> {
        self.waiting = None;
        for _ in 0..MAX_DUE {
            // The time anew for each: were the clock set back meanwhile, what is to be checked again soon would be due
            // at once, for as long as it was ahead.
            let now = self.context.clock.now();
            let Some((_, uid)) = self.due.first().filter(|(at, _)| *at <= now).cloned() else { break };
            match load(&*self.context.store, &uid).await {
                Ok(record) => self.take_in(&record).await,
                Err(error) if !error.is_worth_another_try() => self.leave_unread(&uid, &error, now),
                Err(error) => {
                    // Were it tried first again, one that can never be read would keep everybody else waiting.
                    self.set_due(&uid, Some(now));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether it keeps anything in mind about this namespace.
    #[cfg(test)]
    pub(crate) fn knows(&self, uid: &Uid) -> bool {
        self.known.contains_key(uid)
    }

    /// How long nothing falls due.
    pub(crate) fn until_due(&self) -> Duration {
        let now = self.context.clock.now();
        self.due.first().map_or(MAX_SLEEP, |(due, _)| {
            Duration::try_from(between(now, *due)).unwrap_or(Duration::ZERO).min(MAX_SLEEP)
        })
    }

    async fn check_all(&mut self) -> Result<(), StoreError> {
        let mut after: Option<Uid> = None;
        let mut unseen: BTreeSet<Uid> = self.known.keys().cloned().collect();
        loop {
            let page = self.context.store.snapshots(after.as_ref(), PAGE).await?;
            for record in &page {
                unseen.remove(&record.uid);
                // A snapshot may lag behind what was planned from already, or behind what cannot be read: then the history
                // is read.
                if self.known.get(&record.uid).is_some_and(|known| known.head > record.head || known.is_unreadable) {
                    self.set_due_now(&record.uid);
                } else {
                    self.take_in(record).await;
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.uid.clone()),
                _ => break,
            }
        }
        // Of those that have none the history is read: it may be gone, and then they are forgotten.
        unseen.iter().for_each(|uid| self.set_due_now(uid));
        Ok(())
    }

    async fn read_tail(&mut self) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let from = saturating_add(self.read_at, -TAIL_OVERLAP);
        let mut after: Option<EntryPosition> = None;
        let mut moved = BTreeSet::new();
        loop {
            let page = self.context.store.tail(from, after.as_ref(), PAGE).await?;
            for entry in &page {
                if let Some(cause) = self.deletions.accepted(&*self.context.store, entry).await? {
                    self.metrics.deleted(cause);
                }
                if self.known.get(&entry.uid).is_none_or(|known| known.head < entry.seq) {
                    moved.insert(entry.uid.clone());
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(EntryPosition::of(last)),
                _ => break,
            }
        }
        moved.iter().for_each(|uid| self.set_due_now(uid));
        self.deletions.through(from);
        self.read_at = now;
        Ok(())
    }

    /// Plans from a record: hands out what is due now, and notes when to check again.
    #[instrument(name = "plan", skip_all, fields(namespace.uid = %record.uid, namespace.name = record.name))]
    async fn take_in(&mut self, record: &Record) {
        self.turns.tick();
        if let Some(cause) = self.deletions.recorded(record) {
            self.metrics.deleted(cause);
        }
        let now = self.context.clock.now();
        let settings = self.context.settings();
        let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
        let plan = plan(policy, record, now);
        let before = self.known.get(&record.uid).map_or(&[][..], |known| &known.handed_out);
        if before != plan.tasks || !self.still_waits().await {
            for task in &plan.tasks {
                self.handed_out |= publish::task(&*self.context.queue, task).await;
                self.metrics.offered.inc();
            }
            // They wait now.
            self.waiting = None;
        }
        let interval = signed(settings.timings.reoffer_interval);
        let again = (!plan.tasks.is_empty()).then(|| plan::offered_again(policy, record, interval, now));
        let due = [plan.due, again].into_iter().flatten().min();
        let known = self.known.entry(record.uid.clone()).or_default();
        known.head = record.head;
        known.handed_out = plan.tasks;
        known.stalled_from = stalled(policy, record).map(|stalled| stalled.from);
        (known.is_damaged, known.is_unreadable) = (record.damage.is_some(), false);
        self.holding.learn(record);
        self.set_due(&record.uid, due);
        let is_over = record.phase == lifecycle::record::Phase::Gone || record.head == 0;
        if due.is_none() && is_over {
            // It ended, or has no history, or none any more: nothing will ever be due. The tail may name it once more and
            // finds nothing either.
            self.known.remove(&record.uid);
        }
    }

    /// Nothing is planned from a history that cannot be read. Whether its deletion ended, it does not tell.
    fn leave_unread(&mut self, uid: &Uid, error: &StoreError, now: Timestamp) {
        let known = self.known.entry(uid.clone()).or_default();
        known.handed_out.clear();
        if !std::mem::replace(&mut known.is_unreadable, true) {
            warn!(namespace.uid = %uid, "the history of a namespace cannot be read, and nothing is done to it: {error}");
        }
        self.holding.leave_unread(uid);
        self.set_due(uid, Some(saturating_add(now, UNREADABLE_INTERVAL)));
    }

    /// Whether what was handed out before may all wait in the queue still. Then it is not handed out a second time: while
    /// no worker can be started, the queue would fill with what it holds already. Whatever was lost shows in this: there
    /// waits less than is outstanding, and a queue that is worked through is empty in the end.
    async fn still_waits(&mut self) -> bool {
        let outstanding = self.outstanding();
        if outstanding == 0 {
            return false;
        }
        if self.waiting.is_none() {
            self.waiting = match self.context.queue.backlog(Route::Tasks).await {
                Ok(waiting) => Some(waiting),
                Err(error) => {
                    debug!("the number of tasks that wait for a worker is unknown: {error}");
                    Some(0)
                }
            };
        }
        self.waiting.is_some_and(|waiting| waiting >= outstanding)
    }

    /// Lets it be checked soon. What is due already keeps its place: were it put last at each word about it, a namespace that
    /// is spoken of all the time would never be checked.
    fn set_due_now(&mut self, uid: &Uid) {
        let now = self.context.clock.now();
        if self.known.get(uid).and_then(|known| known.due).is_none_or(|due| due > now) {
            self.set_due(uid, Some(now));
        }
    }

    fn set_due(&mut self, uid: &Uid, due: Option<Timestamp>) {
        let known = self.known.entry(uid.clone()).or_default();
        if let Some(former) = std::mem::replace(&mut known.due, due) {
            self.due.remove(&(former, uid.clone()));
        }
        if let Some(due) = due {
            self.due.insert((due, uid.clone()));
        }
    }
}
