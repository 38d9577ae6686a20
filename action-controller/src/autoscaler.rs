//! Enough workers for what is handed out, and no more attempts than do any good.
//!
//! Each turn asks the runner which jobs there are, since it knows them by heart; it queries the queue only while something
//! is due. So at rest it sends no request at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{
    config::WORKER_LIFE,
    context::Context,
    heartbeat::JobRetry,
    jobs::{
        BEGINS_WITHIN, Job, JobKind, JobSpec, JobState, Outcome, Pending, SharedJobs, Started, attempt_name, attempt_of,
    },
    queue::Route,
};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::debug;

use crate::{metrics::Metrics, retry::RetryStates};

/// How many waiting tasks are worth one more worker.
const TASKS_PER_WORKER: usize = 8;

/// The least time between two queries of the queue, while much happens.
const QUERY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a worker may take beyond its life: what it carries out last has deadlines of its own, and it had to begin.
const START_TIMEOUT: Duration = Duration::from_secs(600);

/// How many numbers are tried in a row where jobs of theirs ended that the runner does not show.
const MAX_ATTEMPTS: u32 = 8;

#[derive(Debug)]
pub(crate) struct Workers {
    jobs: SharedJobs,
    metrics: Metrics,
    retries: RetryStates,
    /// How many tasks waited when the queue was asked last, and when that was.
    backlog: Option<(usize, Instant)>,
    /// Jobs that ended and were counted.
    ended: BTreeSet<String>,
    /// The last number given to a job, by place: a name that was used is not used again.
    turns: BTreeMap<usize, u32>,
    pending: Pending,
    running: usize,
    wanted: usize,
}

impl Workers {
    pub(crate) fn new(jobs: SharedJobs, metrics: Metrics) -> Self {
        Self {
            jobs,
            metrics,
            retries: RetryStates::default(),
            backlog: None,
            ended: BTreeSet::new(),
            turns: BTreeMap::new(),
            pending: Pending::default(),
            running: 0,
            wanted: 0,
        }
    }

    /// Starts as many workers as the backlog asks for, within the configured numbers. They end by themselves. Returns
    /// how soon to check again, where nothing else tells.
    ///
    /// `may_wait`: something may be on the task queue.
    pub(crate) async fn keep_enough(&mut self, context: &Context, may_wait: bool) -> Option<Duration> {
        let now = context.clock.now();
        let jobs = match self.jobs.jobs(JobKind::Action).await {
            Ok(jobs) => jobs,
            Err(error) => {
                self.record_failure(Outcome::Unreachable, error.to_string(), now);
                return self.retries.pause();
            }
        };
        self.take_in(&jobs, now).await;
        let (min, max) = (context.settings().workers.min as usize, context.settings().workers.max as usize);
        let again = self.ask(context, may_wait).await;
        let backlog = self.backlog.map_or(0, |(waiting, _)| waiting);
        self.wanted = backlog.div_ceil(TASKS_PER_WORKER).clamp(min, max);
        let is_running = |job: &&Job| job.state == JobState::Running;
        self.running = jobs.iter().filter(is_running).count();
        // One whose program cannot begin says that no other could.
        let cannot_begin = jobs.iter().filter(is_running).any(|job| job.trouble.is_some());
        if !cannot_begin && self.running < self.wanted && self.retries.pause().is_none() {
            self.start(&jobs, max, now).await;
        }
        self.metrics.running.set(i64::try_from(self.running).unwrap_or(i64::MAX));
        self.metrics.wanted.set(i64::try_from(self.wanted).unwrap_or(i64::MAX));
        let missing = self.running < self.wanted;
        let begins = (!self.pending.is_empty()).then_some(BEGINS_WITHIN);
        [again, self.retries.pause().filter(|_| missing), begins].into_iter().flatten().min()
    }

    /// For people: the backlog at the last check, jobs that run, jobs that there should be.
    pub(crate) fn numbers(&self) -> (Option<u64>, u64, u64) {
        (self.backlog.map(|(waiting, _)| waiting as u64), self.running as u64, self.wanted as u64)
    }

    pub(crate) fn retries(&mut self, now: Timestamp) -> Vec<JobRetry> {
        [self.pending.told(), self.retries.told(now)].concat()
    }

    /// Counts what ended since the last check, and ends what does not begin.
    async fn take_in(&mut self, jobs: &[Job], now: Timestamp) {
        self.ended.retain(|name| jobs.iter().any(|job| job.name == *name));
        for (name, why) in self.pending.take_in(jobs, now) {
            self.record_failure(Outcome::Pending, format!("worker `{name}` did not begin: {why}"), now);
            if let Err(error) = self.jobs.stop(&name).await {
                debug!("worker `{name}` could not be ended: {error}");
            }
        }
        for job in jobs {
            match &job.state {
                JobState::Complete if self.ended.insert(job.name.clone()) => {
                    self.metrics.job(Outcome::Complete);
                    self.retries.end(Outcome::Failed);
                    self.retries.end(Outcome::Pending);
                }
                JobState::Failed(why) if self.ended.insert(job.name.clone()) => {
                    self.record_failure(Outcome::Failed, format!("worker `{}` failed: {why}", job.name), now);
                }
                JobState::Running | JobState::Complete | JobState::Failed(_) => {}
            }
        }
    }

    /// Asks the queue how many tasks wait, where some may and it was not asked just now.
    async fn ask(&mut self, context: &Context, may_wait: bool) -> Option<Duration> {
        let waited = self.backlog.is_some_and(|(waiting, _)| waiting > 0);
        if !may_wait && !waited {
            return None;
        }
        if let Some((_, asked)) = self.backlog
            && asked.elapsed() < QUERY_INTERVAL
        {
            return Some(QUERY_INTERVAL - asked.elapsed());
        }
        // Out of reach, it hands nothing out either.
        self.backlog = match context.queue.backlog(Route::Tasks).await {
            Ok(waiting) => Some((waiting, Instant::now())),
            Err(error) => {
                debug!("the number of tasks that wait for a worker is unknown: {error}");
                None
            }
        };
        self.metrics.waiting.set(self.backlog.map_or(0, |(waiting, _)| i64::try_from(waiting).unwrap_or(i64::MAX)));
        None
    }

    async fn start(&mut self, jobs: &[Job], max: usize, now: Timestamp) {
        let mut taken = BTreeSet::new();
        for (job, (place, turn)) in jobs.iter().filter_map(|job| Some((job, place(&job.name)?))) {
            let last = self.turns.entry(place).or_insert(turn);
            *last = turn.max(*last);
            if job.state == JobState::Running {
                taken.insert(place);
            }
        }
        for place in (0..max).filter(|place| !taken.contains(place)) {
            if self.running >= self.wanted {
                return;
            }
            match self.start_one(place).await {
                Ok(()) => {
                    self.running += 1;
                    self.retries.end(Outcome::Refused);
                    self.retries.end(Outcome::Unreachable);
                }
                Err((outcome, why)) => return self.record_failure(outcome, why, now),
            }
        }
    }

    /// Starts one under the next number of its place that nobody used.
    async fn start_one(&mut self, place: usize) -> Result<(), (Outcome, String)> {
        let next = self.turns.get(&place).map_or(0, |last| last + 1);
        for turn in next..next + MAX_ATTEMPTS {
            let spec = JobSpec {
                name: name(place, turn),
                kind: JobKind::Action,
                args: vec!["work".to_owned()],
                deadline: Some(WORKER_LIFE + START_TIMEOUT),
            };
            match self.jobs.start(&spec).await {
                Ok(Started::Now) => {
                    self.metrics.job(Outcome::Started);
                    self.turns.insert(place, turn);
                    return Ok(());
                }
                Ok(Started::Exists(JobState::Running)) => return Ok(()),
                Ok(Started::Exists(JobState::Complete | JobState::Failed(_))) => drop(self.turns.insert(place, turn)),
                Ok(Started::Refused(why)) => return Err((Outcome::Refused, why)),
                Err(error) => return Err((Outcome::Unreachable, error.to_string())),
            }
        }
        Err((Outcome::Refused, format!("the names of {MAX_ATTEMPTS} jobs from `{}` on are used", name(place, next))))
    }

    fn record_failure(&mut self, outcome: Outcome, what: String, now: Timestamp) {
        self.metrics.job(outcome);
        self.retries.add(outcome, what, now);
    }
}

/// The name of the nth job at a place.
fn name(place: usize, turn: u32) -> String {
    attempt_name(&format!("action-{place}"), turn)
}

/// Which place and number a name tells.
fn place(name: &str) -> Option<(usize, u32)> {
    let place = name.strip_prefix("action-")?.split('-').next()?.parse().ok()?;
    Some((place, attempt_of(&format!("action-{place}"), name)?))
}
