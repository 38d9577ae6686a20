//! What all parts of a story share: the true time, the cluster, the store, the judge, the log.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{config::Settings, queue::SharedQueue, store::SharedStore};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{pipeline::CiSystem, time::saturating_add};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    alerts::Prometheus,
    apiserver::Apiserver,
    ci::Ci,
    counts::Tally,
    invariants::Judge,
    scenario::{Moment, Scenario, ScenarioStep, Way, When},
    users,
};

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    Machine(usize),
    /// Throws the stop, takes it back, approves.
    Operator,
}

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) settings: Vec<Arc<Settings>>,
    /// What each machine is configured with now, by its place in `settings`.
    pub(crate) configured: Vec<watch::Sender<usize>>,
    pub(crate) store: SharedStore,
    pub(crate) queue: SharedQueue,
    pub(crate) apiserver: Mutex<Apiserver>,
    pub(crate) prometheus: Mutex<Prometheus>,
    pub(crate) builds: Mutex<Ci>,
    /// The apiserver's log grew.
    pub(crate) changed: Notify,
    pub(crate) judge: Mutex<Judge>,
    pub(crate) tally: Mutex<Tally>,
    /// Lives as long as the story does; what is under way then is forgotten.
    pub(crate) tasks: TaskTracker,
    began: Instant,
    log: Mutex<Vec<String>>,
    calm: AtomicBool,
    clocks: Mutex<Vec<Vec<(Duration, i64)>>>,
    counts: Mutex<BTreeMap<Moment, u64>>,
    steps: Mutex<Vec<(When, ScenarioStep)>>,
    lives: Mutex<Vec<CancellationToken>>,
    frozen: Mutex<Vec<Option<Instant>>>,
    /// Until when watches hear of nothing.
    lags: Mutex<Option<Instant>>,
    /// Until when each machine is started against another cluster.
    away: Mutex<Vec<Option<Instant>>>,
    turns: AtomicU64,
    /// When something went wrong for each machine.
    retries: Mutex<Vec<Vec<Duration>>>,
}

impl World {
    pub(crate) fn new(
        scenario: Scenario,
        settings: Vec<Arc<Settings>>,
        store: SharedStore,
        queue: SharedQueue,
    ) -> Self {
        let machines = scenario.machines;
        let system = scenario.pipelines.as_ref().map_or(CiSystem::Gitlab, |asked| asked.system);
        Self {
            configured: (0..machines).map(|_| watch::channel(0).0).collect(),
            judge: Mutex::new(Judge::new(&scenario, &settings)),
            settings,
            store,
            queue,
            apiserver: Mutex::default(),
            prometheus: Mutex::default(),
            builds: Mutex::new(Ci::new(system)),
            changed: Notify::new(),
            tally: Mutex::default(),
            tasks: TaskTracker::new(),
            began: Instant::now(),
            log: Mutex::default(),
            calm: AtomicBool::new(false),
            clocks: Mutex::new(vec![vec![(Duration::ZERO, 0)]; machines]),
            counts: Mutex::default(),
            steps: Mutex::new(scenario.steps.clone()),
            lives: Mutex::new((0..machines).map(|_| CancellationToken::new()).collect()),
            frozen: Mutex::new(vec![None; machines]),
            lags: Mutex::new(None),
            away: Mutex::new(vec![None; machines]),
            turns: AtomicU64::new(0),
            retries: Mutex::new(vec![Vec::new(); machines]),
            scenario,
        }
    }

    /// How long the story has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The true time, which is the apiserver's.
    pub(crate) fn now(&self) -> Timestamp {
        self.at(self.elapsed())
    }

    pub(crate) fn at(&self, elapsed: Duration) -> Timestamp {
        saturating_add(self.scenario.began, SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX))
    }

    /// What a machine's clock shows.
    pub(crate) fn clock(&self, machine: usize) -> Timestamp {
        let offset = lock(&self.clocks)[machine].last().map_or(0, |(_, offset)| *offset);
        saturating_add(self.now(), SignedDuration::from_secs(offset))
    }

    pub(crate) fn set_clock(&self, machine: usize, offset: i64) {
        lock(&self.clocks)[machine].push((self.elapsed(), offset));
    }

    /// The least that a machine's clock was off, in seconds, in the last `span`.
    pub(crate) fn least_skew(&self, machine: usize, span: Duration) -> u64 {
        let from = self.elapsed().saturating_sub(span);
        let clocks = lock(&self.clocks);
        let all = &clocks[machine];
        let begun_before = all.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        all[begun_before..].iter().map(|(_, offset)| offset.unsigned_abs()).min().unwrap_or(0)
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// How often in a thousand something goes wrong on a way.
    pub(crate) fn rate(&self, way: Way) -> u64 {
        if self.is_calm() {
            return 0;
        }
        match way {
            Way::Alerts => self.scenario.health.as_ref().map_or(0, |health| health.rate),
            Way::Ci => self.scenario.pipelines.as_ref().map_or(0, |pipelines| pipelines.rate),
            Way::Apiserver | Way::Store | Way::Queue | Way::Owners => {
                let at = Way::ALL.iter().position(|one| *one == way);
                at.map_or(0, |at| self.scenario.weather.rates[at])
            }
        }
    }

    /// A line of the story.
    pub(crate) fn tell(&self, who: &str, what: &str) {
        let elapsed = self.elapsed();
        lock(&self.log).push(format!("{:>9.3} {who:<9} {what}", elapsed.as_secs_f64()));
    }

    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.log))
    }

    /// Counts a step that is about the namespace of this name, and lets happen what waits for it.
    pub(crate) fn step(self: &Arc<Self>, moment: Moment, about: &str, when: impl Fn(Moment, u64) -> When) {
        let is_before = matches!(when(moment, 0), When::Before(..));
        let number = {
            let mut counts = lock(&self.counts);
            let count = counts.entry(moment).or_default();
            *count += u64::from(is_before);
            *count
        };
        self.perform(about, |wanted| wanted == when(moment, number));
    }

    /// Lets happen what its time has come for.
    pub(crate) fn perform_due(self: &Arc<Self>) {
        let elapsed = self.elapsed();
        self.perform("", |when| matches!(when, When::At(at) if at <= elapsed));
    }

    /// When the next step is due.
    pub(crate) fn next_step(&self) -> Option<Duration> {
        lock(&self.steps).iter().filter_map(|(when, _)| if let When::At(at) = when { Some(*at) } else { None }).min()
    }

    fn perform(self: &Arc<Self>, about: &str, is_due: impl Fn(When) -> bool) {
        if self.is_calm() {
            return;
        }
        let due: Vec<_> = {
            let mut steps = lock(&self.steps);
            let (due, rest) = steps.drain(..).partition(|(when, _)| is_due(*when));
            *steps = rest;
            due
        };
        for (_, step) in due {
            users::perform(self, about, step);
        }
    }

    /// A new life of a machine.
    pub(crate) fn be_born(&self, machine: usize) -> CancellationToken {
        let life = CancellationToken::new();
        lock(&self.lives)[machine] = life.clone();
        life
    }

    pub(crate) fn kill(&self, machine: usize) {
        lock(&self.lives)[machine].cancel();
    }

    pub(crate) fn freeze(&self, machine: usize, span: Duration) {
        lock(&self.frozen)[machine] = Some(Instant::now() + span);
    }

    pub(crate) fn lag(&self, span: Duration) {
        *lock(&self.lags) = Some(Instant::now() + span);
    }

    /// Until when watches hear of nothing, where that lies ahead.
    pub(crate) fn lags_until(&self) -> Option<Instant> {
        lock(&self.lags).filter(|until| Instant::now() < *until && !self.is_calm())
    }

    pub(crate) fn thaw(&self) {
        lock(&self.frozen).fill(None);
    }

    pub(crate) fn is_frozen(&self, machine: usize) -> bool {
        lock(&self.frozen)[machine].is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn move_away(&self, machine: usize, span: Duration) {
        lock(&self.away)[machine] = Some(Instant::now() + span);
    }

    /// Until when a machine is started against another cluster, if it is.
    pub(crate) fn is_away(&self, machine: usize) -> Option<Instant> {
        lock(&self.away)[machine].filter(|until| Instant::now() < *until)
    }

    /// Something goes wrong for a machine, or it stands still.
    pub(crate) fn failed(&self, machine: usize) {
        lock(&self.retries)[machine].push(self.elapsed());
    }

    /// Whether something went wrong for a machine from then on.
    pub(crate) fn has_failed(&self, machine: usize, since: Duration) -> bool {
        lock(&self.retries)[machine].last().is_some_and(|last| *last >= since)
    }

    /// A number nobody else got.
    pub(crate) fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn cluster(&self) -> MutexGuard<'_, Apiserver> {
        lock(&self.apiserver)
    }

    pub(crate) fn alerts(&self) -> MutexGuard<'_, Prometheus> {
        lock(&self.prometheus)
    }

    pub(crate) fn ci(&self) -> MutexGuard<'_, Ci> {
        lock(&self.builds)
    }

    pub(crate) fn judge(&self) -> MutexGuard<'_, Judge> {
        lock(&self.judge)
    }

    pub(crate) fn count(&self, what: &str) {
        lock(&self.tally).count(what);
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({})", self.scenario.seed)
    }
}

impl Who {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Machine(number) => format!("machine-{number}"),
            Self::Operator => "operator".to_owned(),
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
