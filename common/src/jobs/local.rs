//! Jobs as tasks of this process.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{Job, JobKind, JobRunner, JobSpec, JobState, PerKind, Result, Schedule, Started, check_name};

/// What a kind of job runs, with its arguments, until it is through or the token is cancelled.
pub type Program = Arc<dyn Fn(Vec<String>, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Between being told to end and being cut off: Kubernetes' default `terminationGracePeriodSeconds`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after being cut off a job may take to yield.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Ended jobs that are remembered; the oldest are forgotten first. Kubernetes has them cleared away by time.
const ENDED_KEPT: usize = 1_000;

/// The most that is kept of what a job said last, in characters.
const LAST_WORDS: usize = 1_000;

/// What a job that was cut off has said last.
const DEAF: &str = "it did not end when it was told to, and was cut off";

/// Runs jobs in this process. Dropped, it cuts off what still runs; [`shutdown`](Self::shutdown) lets it end.
pub struct LocalJobs(Arc<Inner>);

struct Inner {
    limits: PerKind<usize>,
    programs: PerKind<Program>,
    board: JobTable,
    tasks: TaskTracker,
    /// The parent of every job's token.
    stop: CancellationToken,
    /// Drops the futures of all jobs.
    cut_off: CancellationToken,
    /// What is started again and again, each with what ends it.
    schedules: Mutex<Vec<(Schedule, CancellationToken)>>,
    /// How many runs schedules have had.
    runs: AtomicU32,
}

/// What is known of each job.
#[derive(Debug, Default)]
struct JobTable {
    jobs: Mutex<Jobs>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Jobs {
    by_name: BTreeMap<String, LocalJob>,
    /// The names of those that ended, the oldest first.
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct LocalJob {
    kind: JobKind,
    args: Vec<String>,
    state: JobState,
    /// Tells it to end.
    stop: CancellationToken,
    /// Nothing is to be left of it once it ended.
    is_cleared: bool,
    /// A schedule's run, which takes nobody's room.
    is_scheduled: bool,
}

impl LocalJobs {
    /// A runner of these programs, with at most so many jobs of a kind at a time. Runs of schedules do not count.
    #[must_use]
    pub fn new(limits: PerKind<usize>, programs: PerKind<Program>) -> Self {
        Self(Arc::new(Inner {
            limits,
            programs,
            board: JobTable::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut_off: CancellationToken::new(),
            schedules: Mutex::default(),
            runs: AtomicU32::new(1),
        }))
    }

    /// The schedules there are.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        let schedules = self.0.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        schedules.iter().map(|(schedule, _)| schedule.clone()).collect()
    }

    /// Tells all jobs to end, starts no more, and waits for them. After `deadline` it cuts off what still runs, and
    /// returns the names of those.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<String> {
        let inner = &*self.0;
        {
            // Under the lock, so that no start that checked before is still about to begin.
            let _jobs = inner.board.jobs();
            inner.stop.cancel();
            inner.tasks.close();
        }
        if timeout(deadline, inner.tasks.wait()).await.is_ok() {
            return Vec::new();
        }
        let late = inner.board.jobs().running(|_| true);
        inner.cut_off.cancel();
        // A job that never yields cannot be cut off, and must not hold up the process's end.
        timeout(CUT_OFF, inner.tasks.wait()).await.ok();
        late
    }
}

#[async_trait]
impl JobRunner for LocalJobs {
    async fn start(&self, spec: &JobSpec) -> Result<Started> {
        self.0.start(spec, Some(*self.0.limits.of(spec.kind)))
    }

    async fn state(&self, name: &str) -> Result<Option<JobState>> {
        Ok(self.0.board.jobs().by_name.get(name).map(|job| job.state.clone()))
    }

    async fn jobs(&self, kind: JobKind) -> Result<Vec<Job>> {
        let jobs = self.0.board.jobs();
        let of_kind = jobs.by_name.iter().filter(|(_, job)| job.kind == kind);
        let told = of_kind.map(|(name, job)| Job {
            name: name.clone(),
            args: job.args.clone(),
            state: job.state.clone(),
            has_begun: true,
            trouble: None,
        });
        Ok(told.collect())
    }

    async fn changed(&self, wait: Duration) {
        timeout(wait, self.0.board.ended.notified()).await.ok();
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.0.board.jobs().stop(name);
        Ok(())
    }

    async fn schedule(&self, schedules: &[Schedule]) -> Result<()> {
        for schedule in schedules {
            check_name(&schedule.name)?;
        }
        let mut known = self.0.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(schedule, end)| {
            let stays = schedules.contains(schedule);
            if !stays {
                end.cancel();
            }
            stays
        });
        for schedule in schedules {
            if !known.iter().any(|(known, _)| known == schedule) {
                let end = self.0.stop.child_token();
                known.push((schedule.clone(), end.clone()));
                self.0.tasks.spawn(repeat(Arc::clone(&self.0), schedule.clone(), end));
            }
        }
        Ok(())
    }

    fn hands_over(&self) -> bool {
        false
    }
}

impl Drop for LocalJobs {
    fn drop(&mut self) {
        self.0.stop.cancel();
        self.0.cut_off.cancel();
    }
}

impl fmt::Debug for LocalJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalJobs")
            .field("limits", &self.0.limits)
            .field("board", &self.0.board)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn start(self: &Arc<Self>, spec: &JobSpec, limit: Option<usize>) -> Result<Started> {
        let JobSpec { name, kind, args, deadline } = spec.clone();
        check_name(&name)?;
        let mut jobs = self.board.jobs();
        if let Some(job) = jobs.by_name.get(&name) {
            return Ok(Started::Exists(job.state.clone()));
        }
        if self.stop.is_cancelled() {
            return Ok(Started::Refused("this process is about to end".to_owned()));
        }
        let counts = |job: &LocalJob| job.kind == kind && !job.is_scheduled;
        if let Some(limit) = limit.filter(|limit| jobs.running(counts).len() >= *limit) {
            return Ok(Started::Refused(format!("{limit} jobs of its kind run already, which is the limit")));
        }
        let stop = self.stop.child_token();
        let job = LocalJob {
            kind,
            args: args.clone(),
            state: JobState::Running,
            stop: stop.clone(),
            is_cleared: false,
            is_scheduled: limit.is_none(),
        };
        jobs.by_name.insert(name.clone(), job);
        let (inner, program) = (Arc::clone(self), Arc::clone(self.programs.of(kind)));
        self.tasks.spawn(async move {
            let state = tokio::select! {
                biased;
                () = inner.cut_off.cancelled() => JobState::Failed(DEAF.to_owned()),
                state = run(program, args, deadline, stop) => state,
            };
            inner.board.jobs().end(name, state);
            inner.board.ended.notify_waiters();
        });
        Ok(Started::Now)
    }

    /// Waits until a job runs no more.
    async fn ended(&self, name: &str) {
        loop {
            let mut ended = pin!(self.board.ended.notified());
            ended.as_mut().enable();
            if !self.board.jobs().by_name.get(name).is_some_and(|job| job.state == JobState::Running) {
                return;
            }
            ended.await;
        }
    }
}

/// Starts a schedule's runs, one after another, the first at once.
async fn repeat(inner: Arc<Inner>, schedule: Schedule, end: CancellationToken) {
    let Schedule { name, kind, args, every, deadline } = schedule;
    let mut ticks = interval(every.period());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let name = format!("{name}-{}", inner.runs.fetch_add(1, Ordering::Relaxed));
        match inner.start(&JobSpec { name: name.clone(), kind, args: args.clone(), deadline: Some(deadline) }, None) {
            Ok(Started::Now) => tokio::select! {
                biased;
                () = end.cancelled() => return inner.board.jobs().stop(&name),
                () = inner.ended(&name) => {}
            },
            Ok(other) => warn!("`{name}` was not started: {other:?}"),
            Err(error) => warn!("`{name}` was not started: {error}"),
        }
    }
}

impl JobTable {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    fn running(&self, which: impl Fn(&LocalJob) -> bool) -> Vec<String> {
        let running = self.by_name.iter().filter(|(_, job)| job.state == JobState::Running && which(job));
        running.map(|(name, _)| name.clone()).collect()
    }

    fn end(&mut self, name: String, state: JobState) {
        let Some(job) = self.by_name.get_mut(&name) else { return };
        if job.is_cleared {
            self.by_name.remove(&name);
            return;
        }
        job.state = state;
        self.ended.push_back(name);
        if self.ended.len() > ENDED_KEPT
            && let Some(oldest) = self.ended.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }

    fn stop(&mut self, name: &str) {
        let Some(job) = self.by_name.get_mut(name) else { return };
        if job.state == JobState::Running {
            job.is_cleared = true;
            job.stop.cancel();
        } else {
            self.by_name.remove(name);
            self.ended.retain(|ended| ended != name);
        }
    }
}

/// Runs a program to its end, which its deadline brings about, or a stop, if it does not come by itself.
async fn run(program: Program, args: Vec<String>, deadline: Option<Duration>, stop: CancellationToken) -> JobState {
    let told = stop.clone();
    // Within the future, so that a program that panics before its first await is caught as well.
    let mut work = pin!(AssertUnwindSafe(async move { program(args, told).await }).catch_unwind());
    let over = async {
        match deadline {
            Some(deadline) => tokio::select! {
                () = stop.cancelled() => None,
                () = sleep(deadline) => Some(deadline),
            },
            None => {
                stop.cancelled().await;
                None
            }
        }
    };
    let late = tokio::select! {
        biased;
        outcome = work.as_mut() => return state_of(outcome),
        late = over => late,
    };
    stop.cancel();
    let outcome = timeout(SHUTDOWN_TIMEOUT, work).await;
    match (late, outcome) {
        (Some(deadline), _) => JobState::Failed(format!("it ran longer than its deadline of {deadline:?}")),
        (None, Ok(outcome)) => state_of(outcome),
        (None, Err(_)) => JobState::Failed(DEAF.to_owned()),
    }
}

fn state_of(outcome: std::result::Result<anyhow::Result<()>, Box<dyn Any + Send>>) -> JobState {
    let last_words = match outcome {
        Ok(Ok(())) => return JobState::Complete,
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            format!("it panicked: {}", text.unwrap_or("without a text"))
        }
    };
    JobState::Failed(last_words.chars().take(LAST_WORDS).collect())
}
