//! The resident collector's loop: the watch fills the memory, the memory says whose turn it is.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use common::{context::Context, controls, store::StoreError};
use futures::StreamExt as _;
use lifecycle::{Uid, time::between};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    events::Events,
    memory::{Left, Memory},
    turn::{Collector, SharedCollector},
    watch::{self, Watched},
};

/// How many turns are taken at once: enough for a store that commits in groups, few enough for the apiserver.
const AT_ONCE: usize = 48;

/// How many annotations are written at once: two cores of an apiserver answer no more.
const PATCHES_AT_ONCE: usize = 16;

/// How long the loop sleeps at most: our clock may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long turns rest when the store is out of reach, at first and at most.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Watches and judges until cancelled. Turns that were begun are brought to their end.
///
/// # Errors
/// When the store cannot be read at the start; later it is waited for.
pub async fn run(context: Context, cancel: CancellationToken) -> anyhow::Result<()> {
    let collector = Arc::new(Collector {
        actor: context.actor("collector"),
        events: Events::new(&context),
        lineage: Mutex::new(controls::lineage(&*context.store).await?),
        asking: Mutex::new(()),
        annotating: Semaphore::new(PATCHES_AT_ONCE),
        context,
    });
    collector.settle().await?;
    Resident::new(collector).run(cancel).await;
    Ok(())
}

struct Resident {
    collector: SharedCollector,
    memory: Memory,
    turns: JoinSet<(Uid, Result<Left, StoreError>)>,
    /// No turn begins before this: the store was out of reach.
    rest: Option<(Instant, Duration)>,
    /// A complete list that has yet to be compared with the store.
    complete: Option<BTreeSet<Uid>>,
    watch_is_broken: bool,
}

impl Resident {
    fn new(collector: SharedCollector) -> Self {
        Self {
            collector,
            memory: Memory::default(),
            turns: JoinSet::new(),
            rest: None,
            complete: None,
            watch_is_broken: false,
        }
    }

    async fn run(mut self, cancel: CancellationToken) {
        let mut settings = self.collector.context.settings.clone();
        let mut watch = watch::namespaces(&self.collector.context.cluster, settings.borrow_and_update().clone());
        let turns = self.collector.context.vitals.watch("collector", LONGEST_SLEEP);
        loop {
            turns.turned();
            self.compare_with_store().await;
            self.begin_turns();
            let (until_due, rest) = (self.until_due(), self.rest.filter(|_| self.is_resting()));
            // In this order, so that a run can be repeated: what ends makes room before what comes takes it.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(ended) = self.turns.join_next() => self.end_turn(ended),
                () = sleep(until_due) => self.memory.fall_due(self.collector.context.clock.now()),
                Some(watched) = watch.next() => self.take_in(watched),
                () = rested(rest), if rest.is_some() => {}
                Ok(()) = settings.changed() => {
                    info!("the configuration changed: every namespace is judged again");
                    watch = watch::namespaces(&self.collector.context.cluster, settings.borrow_and_update().clone());
                    self.memory.wake_all();
                }
            }
        }
        while let Some(ended) = self.turns.join_next().await {
            self.end_turn(ended);
        }
    }

    fn take_in(&mut self, watched: Watched) {
        match watched {
            Watched::There(namespace) => self.memory.there(namespace),
            Watched::Vanished(uid) => self.memory.vanished(&uid),
            Watched::Complete(all) => {
                if std::mem::take(&mut self.watch_is_broken) {
                    info!("the apiserver answers again");
                }
                self.memory.complete(&all);
                info!("{} namespaces are watched", self.memory.len());
                self.complete = Some(all);
            }
            Watched::Broken(why) => {
                if !std::mem::replace(&mut self.watch_is_broken, true) {
                    warn!("the watch on namespaces broke and is begun again: {why}");
                }
            }
        }
    }

    /// What the store knows and the list does not name gets its end.
    async fn compare_with_store(&mut self) {
        if self.is_resting() {
            return;
        }
        let Some(listed) = self.complete.take() else { return };
        match self.collector.missing(&listed).await {
            Ok(missing) => missing.iter().for_each(|uid| self.memory.missed(uid)),
            Err(error) => {
                self.complete = Some(listed);
                self.store_is_away(&error);
            }
        }
    }

    fn begin_turns(&mut self) {
        while !self.is_resting() && self.turns.len() < AT_ONCE {
            let Some((uid, seen)) = self.memory.begin() else { return };
            let (collector, pressed) = (Arc::clone(&self.collector), self.memory.is_pressed());
            self.turns.spawn(async move {
                let left = collector.turn(&uid, seen, pressed).await;
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
                self.memory.end(&uid, left);
            }
            Err(error) => {
                self.memory.end(&uid, Left { again: true, unsure: Some(0), ..Left::default() });
                self.store_is_away(&error);
            }
        }
    }

    fn store_is_away(&mut self, error: &StoreError) {
        if self.is_resting() {
            return;
        }
        let wait = self.rest.map_or(REST.0, |(_, wait)| (wait * 2).min(REST.1));
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
        self.memory.next_due().map_or(LONGEST_SLEEP, |due| {
            Duration::try_from(between(now, due)).unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
        })
    }
}

async fn rested(rest: Option<(Instant, Duration)>) {
    if let Some((until, _)) = rest {
        sleep_until(until).await;
    }
}
