//! When the health of all namespaces is checked, and the watches that it is seen by.

use std::time::Duration;

use common::{config::HealthSettings, context::Context};
use evidence::{
    health::{self, Rounds},
    workloads::{self, Look, WorkloadStates},
};
use futures::{StreamExt as _, stream::BoxStream};
use jiff::Timestamp;
use lifecycle::time::between;
use tokio::{task::JoinSet, time::Instant};

/// The least time between two checks.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The health checks of one collector.
pub(crate) struct HealthPoller {
    context: Context,
    settings: HealthSettings,
    workloads: Option<Workloads>,
    /// The one that is being taken.
    taken: JoinSet<Rounds>,
    last: Option<Instant>,
    next: Instant,
}

/// What is known of the workloads in all namespaces, and what brings more.
struct Workloads {
    traces: WorkloadStates,
    watch: BoxStream<'static, workloads::Event>,
}

impl HealthPoller {
    pub(crate) fn new(context: &Context) -> Self {
        let settings = context.settings().health();
        let workloads = Workloads::of(context, &settings);
        let (taken, now) = (JoinSet::new(), Instant::now());
        Self { context: context.clone(), settings, workloads, taken, last: None, next: now }
    }

    /// Whether there is anything to check.
    pub(crate) const fn are_taken(&self) -> bool {
        self.settings.prometheus.is_some() || self.settings.kubernetes
    }

    /// Takes in another configuration: whether it is another source that is queried now.
    pub(crate) fn change(&mut self) -> bool {
        let former = std::mem::replace(&mut self.settings, self.context.settings().health());
        self.next = Instant::now();
        let is_other = (&former.prometheus, former.kubernetes) != (&self.settings.prometheus, self.settings.kubernetes);
        if is_other {
            // One that was begun under another configuration is broken off.
            self.taken.abort_all();
        }
        if former.kubernetes != self.settings.kubernetes {
            self.workloads = Workloads::of(&self.context, &self.settings);
        }
        is_other
    }

    /// Begins a check, where one is due.
    pub(crate) fn begin(&mut self) {
        let now = Instant::now();
        if !self.is_free() || now < self.next {
            return;
        }
        (self.last, self.next) = (Some(now), now + self.settings.every);
        let at = self.context.clock.now();
        let workloads = self.workloads.as_ref().map(|workloads| Look::of_all(&workloads.traces, at));
        self.taken.spawn(health::look(self.settings.clone(), self.context.http.clone(), workloads, at));
    }

    /// Checks sooner where that may bring another status, but not all the time.
    pub(crate) fn by(&mut self, at: Timestamp) {
        let until = Duration::try_from(between(self.context.clock.now(), at)).unwrap_or(Duration::ZERO);
        let earliest = self.last.map_or_else(Instant::now, |last| last + MIN_INTERVAL);
        let wanted = Instant::now().checked_add(until).unwrap_or(self.next);
        self.next = self.next.min(wanted.max(earliest));
    }

    /// How long until one is due; `None`: time brings none.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        self.is_free().then(|| self.next.saturating_duration_since(Instant::now()))
    }

    /// The next check that was made. Meanwhile what the watches bring is taken in; nothing is lost where this is not waited
    /// for any longer.
    pub(crate) async fn next(&mut self) -> Rounds {
        loop {
            let Self { workloads, taken, .. } = self;
            let was_settled = workloads.as_ref().is_none_or(|workloads| workloads.traces.is_settled());
            tokio::select! {
                biased;
                Some(taken) = taken.join_next() => if let Ok(rounds) = taken {
                    return rounds;
                },
                () = take_next(workloads) => if !was_settled {
                    // The first check waits for this.
                    self.begin();
                },
            }
        }
    }

    /// Ends the one that is being taken.
    pub(crate) async fn end(&mut self) {
        self.taken.shutdown().await;
    }

    /// Whether a check could begin. The first waits until the workloads were read.
    fn is_free(&self) -> bool {
        let is_settled = self.workloads.as_ref().is_none_or(|workloads| workloads.traces.is_settled());
        self.are_taken() && self.taken.is_empty() && is_settled
    }
}

impl Workloads {
    fn of(context: &Context, settings: &HealthSettings) -> Option<Self> {
        let watch = || workloads::watch(&context.cluster);
        settings.kubernetes.then(|| Self { traces: WorkloadStates::default(), watch: watch() })
    }
}

async fn take_next(workloads: &mut Option<Workloads>) {
    let event = match workloads {
        Some(workloads) => workloads.watch.next().await,
        None => None,
    };
    match (workloads, event) {
        (Some(workloads), Some(event)) => workloads.traces.take(event),
        // Watches go on for ever.
        _ => std::future::pending().await,
    }
}
