//! Jobs as tasks of this process.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{JobError, JobKind, JobRunner, JobSpec, JobState, PerKind, Result, Started, is_name};

/// What a kind of job runs, with its arguments, until it is through or the token is cancelled.
pub type Program = Arc<dyn Fn(Vec<String>, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Between being told to end and being cut off: Kubernetes' default `terminationGracePeriodSeconds`.
const GRACE: Duration = Duration::from_secs(30);

/// How long after being cut off a job may take to yield.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Ended jobs that are remembered; the oldest are forgotten first. Kubernetes has them cleared away by time.
const ENDED_KEPT: usize = 1_000;

/// The most that is kept of what a job said last, in characters.
const LAST_WORDS: usize = 1_000;

/// Runs jobs in this process. Dropped, it cuts off what still runs; [`shutdown`](Self::shutdown) lets it end.
pub struct LocalJobs {
    limits: PerKind<usize>,
    programs: PerKind<Program>,
    board: Arc<Board>,
    tasks: TaskTracker,
    /// The parent of every job's token.
    stop: CancellationToken,
    /// Drops the futures of all jobs.
    cut_off: CancellationToken,
}

/// What is known of each job.
#[derive(Debug, Default)]
struct Board {
    jobs: Mutex<Jobs>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Jobs {
    by_name: BTreeMap<String, Job>,
    /// The names of those that ended, the oldest first.
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct Job {
    kind: JobKind,
    state: JobState,
}

impl LocalJobs {
    /// A runner of these programs, with at most so many jobs of a kind at a time.
    #[must_use]
    pub fn new(limits: PerKind<usize>, programs: PerKind<Program>) -> Self {
        Self {
            limits,
            programs,
            board: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut_off: CancellationToken::new(),
        }
    }

    /// Tells all jobs to end, starts no more, and waits for them. After `deadline` it cuts off what still runs, and
    /// returns the names of those.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<String> {
        {
            // Under the lock, so that no start that looked before is still about to begin.
            let _jobs = self.board.jobs();
            self.stop.cancel();
            self.tasks.close();
        }
        if timeout(deadline, self.tasks.wait()).await.is_ok() {
            return Vec::new();
        }
        let late = self.board.jobs().running(|_| true);
        self.cut_off.cancel();
        // A job that never yields cannot be cut off, and must not hold up the process's end.
        timeout(CUT_OFF, self.tasks.wait()).await.ok();
        late
    }
}

#[async_trait]
impl JobRunner for LocalJobs {
    async fn start(&self, spec: &JobSpec) -> Result<Started> {
        let JobSpec { name, kind, args, deadline } = spec.clone();
        if !is_name(&name) {
            return Err(JobError {
                doing: format!("start job `{name}`"),
                why: "a name is 1 to 63 lower case letters, digits and inner dashes".to_owned(),
            });
        }
        let mut jobs = self.board.jobs();
        if let Some(job) = jobs.by_name.get(&name) {
            return Ok(Started::Exists(job.state.clone()));
        }
        if self.stop.is_cancelled() {
            return Ok(Started::Refused("this process is about to end".to_owned()));
        }
        let limit = *self.limits.of(kind);
        if jobs.running(|job| job.kind == kind).len() >= limit {
            return Ok(Started::Refused(format!("{limit} jobs of its kind run already, which is the limit")));
        }
        jobs.by_name.insert(name.clone(), Job { kind, state: JobState::Running });
        let program = Arc::clone(self.programs.of(kind));
        let (board, cancel, cut_off) = (Arc::clone(&self.board), self.stop.child_token(), self.cut_off.clone());
        self.tasks.spawn(async move {
            let state = tokio::select! {
                biased;
                () = cut_off.cancelled() => JobState::Failed("it did not end when it was told to, and was cut off".to_owned()),
                state = run(program, args, deadline, cancel) => state,
            };
            board.jobs().end(name, state);
            board.ended.notify_waiters();
        });
        Ok(Started::Now)
    }

    async fn state(&self, name: &str) -> Result<Option<JobState>> {
        Ok(self.board.jobs().by_name.get(name).map(|job| job.state.clone()))
    }

    async fn running(&self, kind: JobKind) -> Result<Vec<String>> {
        Ok(self.board.jobs().running(|job| job.kind == kind))
    }

    async fn changed(&self, wait: Duration) {
        timeout(wait, self.board.ended.notified()).await.ok();
    }

    async fn forget(&self, name: &str) -> Result<()> {
        self.board.jobs().forget(name)
    }
}

impl Drop for LocalJobs {
    fn drop(&mut self) {
        self.cut_off.cancel();
    }
}

impl fmt::Debug for LocalJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalJobs").field("limits", &self.limits).field("board", &self.board).finish_non_exhaustive()
    }
}

impl Board {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    fn running(&self, which: impl Fn(&Job) -> bool) -> Vec<String> {
        let running = self.by_name.iter().filter(|(_, job)| job.state == JobState::Running && which(job));
        running.map(|(name, _)| name.clone()).collect()
    }

    fn end(&mut self, name: String, state: JobState) {
        if let Some(job) = self.by_name.get_mut(&name) {
            job.state = state;
        }
        self.ended.push_back(name);
        if self.ended.len() > ENDED_KEPT
            && let Some(oldest) = self.ended.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }

    fn forget(&mut self, name: &str) -> Result<()> {
        if self.by_name.get(name).is_some_and(|job| job.state == JobState::Running) {
            return Err(JobError { doing: format!("forget job `{name}`"), why: "it is running".to_owned() });
        }
        self.by_name.remove(name);
        self.ended.retain(|ended| ended != name);
        Ok(())
    }
}

/// Runs a program to its end, which its deadline brings about if it does not come by itself.
async fn run(program: Program, args: Vec<String>, deadline: Option<Duration>, cancel: CancellationToken) -> JobState {
    let told = cancel.clone();
    // Within the future, so that a program that panics before its first await is caught as well.
    let mut work = pin!(AssertUnwindSafe(async move { program(args, told).await }).catch_unwind());
    let Some(deadline) = deadline else {
        return state_of(work.await);
    };
    match timeout(deadline, work.as_mut()).await {
        Ok(outcome) => state_of(outcome),
        Err(_) => {
            cancel.cancel();
            timeout(GRACE, work).await.ok();
            JobState::Failed(format!("it ran longer than its deadline of {deadline:?}"))
        }
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
