//! Brings the jobs there are in line with those there should be. The runner knows by
//! heart which there are: at rest nothing else is queried.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{
    config::Settings,
    heartbeat::ControllerBody,
    jobs::{
        Job, JobKind, JobSpec, JobState, Outcome, Pending, Schedule, SharedJobs, Started, attempt_name, attempt_of,
    },
};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::{desired_jobs::DesiredJobs, metrics::Metrics, retry::RetryStates};

/// How many numbers are tried in a row where jobs of theirs ended that the runner does not show.
const MAX_ATTEMPTS: u32 = 8;

/// What the retries of all jobs at once are about.
const ALL: &str = "collectors";

/// What the retries of all schedules at once are about.
const SCHEDULES: &str = "schedules";

#[derive(Debug)]
pub(crate) struct JobReconciler {
    jobs: SharedJobs,
    metrics: Metrics,
    retries: RetryStates,
    began: Instant,
    /// Jobs that ended and were counted.
    ended: BTreeSet<String>,
    /// The last number given to an attempt, by the name of the first: a name that was used is not used again.
    turns: BTreeMap<String, u32>,
    pending: Pending,
    running: usize,
    wanted: usize,
}

impl JobReconciler {
    pub(crate) fn new(jobs: SharedJobs, metrics: Metrics) -> Self {
        Self {
            jobs,
            metrics,
            retries: RetryStates::default(),
            began: Instant::now(),
            ended: BTreeSet::new(),
            turns: BTreeMap::new(),
            pending: Pending::default(),
            running: 0,
            wanted: 0,
        }
    }

    /// Starts, schedules and ends what there should be or not. Returns how soon to check again, where nothing else tells.
    pub(crate) async fn keep(&mut self, settings: &Settings, now: Timestamp) -> Option<Duration> {
        let plan = DesiredJobs::of(settings, self.jobs.hands_over(), now);
        self.wanted = plan.collectors.len();
        if self.retries.pause(ALL).is_none() {
            match self.jobs.jobs(JobKind::Collector).await {
                Ok(jobs) => self.keep_collectors(&plan, &jobs, now).await,
                Err(error) => self.record_failure(ALL, Outcome::Unreachable, error.to_string(), now),
            }
        }
        // Collectors are left to begin before anything else is.
        if plan.collectors.is_empty() || self.began.elapsed() >= settings.timings.schedule_grace {
            self.schedule(&plan.schedules, now).await;
        }
        self.metrics.running.set(i64::try_from(self.running).unwrap_or(i64::MAX));
        self.metrics.wanted.set(i64::try_from(self.wanted).unwrap_or(i64::MAX));
        [plan.holds_for, self.retries.shortest_pause()].into_iter().flatten().min()
    }

    /// What it tells of itself.
    pub(crate) fn body(&mut self, now: Timestamp) -> ControllerBody {
        ControllerBody {
            running: self.running as u64,
            wanted: self.wanted as u64,
            retries: [self.pending.told(), self.retries.told(now)].concat(),
            ..ControllerBody::default()
        }
    }

    async fn schedule(&mut self, schedules: &[Schedule], now: Timestamp) {
        if self.retries.pause(SCHEDULES).is_some() {
            return;
        }
        match self.jobs.schedule(schedules).await {
            Ok(()) => self.retries.end(SCHEDULES),
            Err(error) => self.record_failure(SCHEDULES, Outcome::Unreachable, error.to_string(), now),
        }
    }

    async fn keep_collectors(&mut self, plan: &DesiredJobs, jobs: &[Job], now: Timestamp) {
        self.take_in(jobs, now).await;
        self.turns.retain(|base, _| plan.collectors.iter().any(|spec| spec.name == *base));
        self.running = 0;
        let mut have_begun = true;
        for spec in &plan.collectors {
            let own = |job: &&Job| attempt_of(&spec.name, &job.name).is_some();
            let last = jobs.iter().filter(own).filter_map(|job| attempt_of(&spec.name, &job.name)).max();
            if let Some(last) = last {
                let known = self.turns.entry(spec.name.clone()).or_insert(last);
                *known = last.max(*known);
            }
            // One of the same name may be of another number of shards.
            let runs = |job: &&Job| own(job) && job.state == JobState::Running && job.args == spec.args;
            match jobs.iter().find(runs) {
                Some(job) => {
                    self.running += 1;
                    have_begun &= job.has_begun;
                    if job.has_begun {
                        self.retries.end(about(&spec.name));
                    }
                }
                None => have_begun &= self.start(spec, now).await,
            }
        }
        if have_begun {
            self.end_others(plan, jobs).await;
        }
    }

    /// Starts the next attempt at a job, when it may be. Returns whether it has begun, which it has not.
    async fn start(&mut self, spec: &JobSpec, now: Timestamp) -> bool {
        if self.retries.pause(about(&spec.name)).is_some() {
            return false;
        }
        let next = self.turns.get(&spec.name).map_or(0, |last| last + 1);
        for turn in next..next + MAX_ATTEMPTS {
            let attempt = JobSpec { name: attempt_name(&spec.name, turn), ..spec.clone() };
            match self.jobs.start(&attempt).await {
                Ok(Started::Now | Started::Exists(JobState::Running)) => {
                    self.metrics.job(Outcome::Started);
                    info!("job `{}` is started", attempt.name);
                    self.turns.insert(spec.name.clone(), turn);
                    self.running += 1;
                    return false;
                }
                Ok(Started::Exists(JobState::Complete | JobState::Failed(_))) => {
                    self.turns.insert(spec.name.clone(), turn);
                }
                Ok(Started::Refused(why)) => {
                    self.record_failure(about(&spec.name), Outcome::Refused, why, now);
                    return false;
                }
                Err(error) => {
                    self.record_failure(about(&spec.name), Outcome::Unreachable, error.to_string(), now);
                    return false;
                }
            }
        }
        let why = format!("the names of {MAX_ATTEMPTS} jobs from `{}` on are used", attempt_name(&spec.name, next));
        self.record_failure(about(&spec.name), Outcome::Refused, why, now);
        false
    }

    /// Counts what ended since the last check, tells what failed, and ends what does not begin.
    async fn take_in(&mut self, jobs: &[Job], now: Timestamp) {
        self.ended.retain(|name| jobs.iter().any(|job| job.name == *name));
        for (name, why) in self.pending.take_in(jobs, now) {
            self.record_failure(about(&name), Outcome::Pending, format!("job `{name}` did not begin: {why}"), now);
            self.stop(&name).await;
        }
        for job in jobs {
            match &job.state {
                JobState::Complete if self.ended.insert(job.name.clone()) => self.metrics.job(Outcome::Complete),
                JobState::Failed(why) if self.ended.insert(job.name.clone()) => {
                    self.record_failure(
                        about(&job.name),
                        Outcome::Failed,
                        format!("job `{}` failed: {why}", job.name),
                        now,
                    );
                }
                JobState::Running | JobState::Complete | JobState::Failed(_) => {}
            }
        }
    }

    /// Ends collectors that are not of the shards there should be. A predecessor of one that should be ends by itself.
    async fn end_others(&self, plan: &DesiredJobs, jobs: &[Job]) {
        let runs = |job: &&Job| job.state == JobState::Running && job.args.first().is_some_and(|it| it == "resident");
        for job in jobs.iter().filter(runs) {
            if !plan.collectors.iter().any(|spec| share(&spec.args) == share(&job.args)) {
                info!("job `{}` is of no shard any more, and is ended", job.name);
                self.stop(&job.name).await;
            }
        }
    }

    async fn stop(&self, name: &str) {
        if let Err(error) = self.jobs.stop(name).await {
            debug!("job `{name}` could not be ended: {error}");
        }
    }

    fn record_failure(&mut self, about: &str, outcome: Outcome, what: String, now: Timestamp) {
        self.metrics.job(outcome);
        self.retries.add(about, outcome, what, now);
    }
}

/// What a job's retries are about, whichever slot, run or attempt it is: `collector-0`, `sweep-0`, `prune`.
fn about(name: &str) -> &str {
    let dash = if name.starts_with("prune") { 0 } else { 1 };
    name.match_indices('-').nth(dash).map_or(name, |(at, _)| &name[..at])
}

/// The part of a long-running collector's arguments that tells its share of the namespaces.
fn share(args: &[String]) -> &[String] {
    args.get(..5).unwrap_or(args)
}

#[cfg(test)]
mod tests;
