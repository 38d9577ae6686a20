//! The job runner: starts jobs by name and arguments, and tells how they are. It knows nothing of what they do.

mod cron;
mod kubernetes;
mod local;
mod outcome;
mod pending;
mod retry;
mod time_slot;

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    cron::CronInterval,
    kubernetes::{KubernetesJobs, Place},
    local::{LocalJobs, Program},
    outcome::Outcome,
    pending::{BEGINS_WITHIN, Pending},
    retry::{RECOVERED_AFTER, RetryState},
    time_slot::TimeSlot,
};

/// The most letters of a job's name: with the name of the installation before it, and what a CronJob hangs on to it, it
/// is one that Kubernetes takes (63; 52 for a CronJob).
pub const MAX_NAME_LENGTH: usize = 30;

/// What kind of job it is: each has its own program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Collector,
    Action,
}

/// A job to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Chosen by the caller so that starting the same job twice starts one: at most [`MAX_NAME_LENGTH`] lower case letters,
    /// digits and dashes, at both ends a letter or digit. An ended job keeps its name until it is cleared away, so the
    /// next try has a number of its own at the end ([`turn_name`]).
    pub name: String,
    pub kind: JobKind,
    /// Opaque ids, never text that a stranger wrote.
    pub args: Vec<String>,
    /// The job is ended after this long; `None`: it stays until it ends by itself or is stopped.
    pub deadline: Option<Duration>,
}

/// A job that is started again and again, and never while its last run lasts. Runs that were missed are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// As [`JobSpec::name`], and at most 19 letters: each run gets a number at the end.
    pub name: String,
    pub kind: JobKind,
    /// As [`JobSpec::args`].
    pub args: Vec<String>,
    pub every: CronInterval,
    /// Each run is ended after this long.
    pub deadline: Duration,
}

/// One of something for each kind of job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerKind<T> {
    pub collector: T,
    pub action: T,
}

/// A job that was started, by whomever, and not yet cleared away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    pub args: Vec<String>,
    pub state: JobState,
    /// Its program is known to have begun.
    pub has_begun: bool,
    /// Why its program has not begun, where it should have: no image, no room, no quota. Worth telling people.
    pub trouble: Option<String>,
}

/// Why jobs are not as they should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobRetry {
    /// `failed`: one ended badly; `refused`: none may be started; `unreachable`: nobody answers.
    pub reason: String,
    /// What was said last.
    pub what: String,
    /// When it began.
    pub since: Timestamp,
    /// How often in a row.
    pub times: u64,
    /// Nothing is tried before.
    pub not_before: Timestamp,
}

/// How a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    Running,
    Complete,
    /// It failed, with what it said last.
    Failed(String),
}

/// The outcome of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    Now,
    /// A job of this name exists: running, or ended and not yet collected.
    Exists(JobState),
    /// There is no room for it now, or it is not allowed.
    Refused(String),
}

/// Why jobs could not be started or listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}: {why}")]
pub struct JobError {
    pub doing: String,
    pub why: String,
}

pub type Result<T> = std::result::Result<T, JobError>;

/// The port.
#[async_trait]
pub trait JobRunner: Debug + Send + Sync {
    /// Starts a job, unless one of its name exists.
    ///
    /// # Errors
    /// When it is not known whether it was started: start it again, under the same name.
    async fn start(&self, spec: &JobSpec) -> Result<Started>;
    /// How a job is; `None`: there is none of this name.
    async fn state(&self, name: &str) -> Result<Option<JobState>>;
    /// The jobs of a kind, those that ended included until they are cleared away, by name.
    async fn jobs(&self, kind: JobKind) -> Result<Vec<Job>>;
    /// Waits until some job ends, at most `wait`. An end before the call is not waited for: list, then wait, then list.
    async fn changed(&self, wait: Duration);
    /// Ends a job, if it runs, and clears away what it left. Do not use its name again: controllers of a cluster take a
    /// Job that follows at once for the former one, and wait for minutes.
    async fn stop(&self, name: &str) -> Result<()>;
    /// Makes these the schedules there are: the others of this installation end. Writes only what differs.
    async fn schedule(&self, schedules: &[Schedule]) -> Result<()>;
    /// Whether a job that stays is to be relieved by another now and then: it may run an old program, on a machine that
    /// is to be emptied.
    fn hands_over(&self) -> bool;

    /// The names of the jobs of a kind that run now.
    async fn running(&self, kind: JobKind) -> Result<Vec<String>> {
        let running = self.jobs(kind).await?.into_iter().filter(|job| job.state == JobState::Running);
        Ok(running.map(|job| job.name).collect())
    }
}

/// A job runner shared by the controllers of a process.
pub type SharedJobs = Arc<dyn JobRunner>;

/// The name of a job's nth try, from 0 on.
#[must_use]
pub fn attempt_name(name: &str, turn: u32) -> String {
    if turn == 0 { name.to_owned() } else { format!("{name}-{turn}") }
}

/// Which try of the job `base` this name is of; `None`: of another job.
#[must_use]
pub fn attempt_of(base: &str, name: &str) -> Option<u32> {
    match name.strip_prefix(base)? {
        "" => Some(0),
        rest => rest.strip_prefix('-')?.parse().ok().filter(|turn| *turn > 0),
    }
}

impl<T> PerKind<T> {
    #[must_use]
    pub const fn of(&self, kind: JobKind) -> &T {
        match kind {
            JobKind::Collector => &self.collector,
            JobKind::Action => &self.action,
        }
    }
}

impl JobKind {
    /// Its name, as in labels and names of files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Action => "action",
        }
    }
}

/// Refuses what could not be a job's name everywhere.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.chars().all(|c| plain(c) || c == '-')
        && name.starts_with(plain)
        && name.ends_with(plain);
    if is_name {
        return Ok(());
    }
    Err(JobError {
        doing: format!("start job `{name}`"),
        why: format!("a name is 1 to {MAX_NAME_LENGTH} lower case letters, digits and inner dashes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_turn() {
        for turn in [0, 1, 12] {
            assert_eq!(attempt_of("collector-0-1", &attempt_name("collector-0-1", turn)), Some(turn));
        }
        for other in ["collector-0", "collector-0-1-", "collector-0-1-x", "collector-0-1-0", "collector-0-12"] {
            assert_eq!(attempt_of("collector-0-1", other), None, "{other}");
        }
    }
}
