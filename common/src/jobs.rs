//! The job runner: starts jobs by name and arguments, and tells how they are. It knows nothing of what they do.

mod local;

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::local::{LocalJobs, Program};

/// What kind of job it is: each has its own program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Collector,
    Action,
}

/// A job to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Chosen by the caller so that starting the same job twice starts one: at most 63 lower case letters, digits and
    /// dashes, at both ends a letter or digit (RFC 1123), as Kubernetes has it.
    pub name: String,
    pub kind: JobKind,
    /// Opaque ids, never text that a stranger wrote.
    pub args: Vec<String>,
    /// The job is ended after this long; `None`: it stays until it ends by itself or is stopped.
    pub deadline: Option<Duration>,
}

/// One of something for each kind of job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerKind<T> {
    pub collector: T,
    pub action: T,
}

/// How a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    Running,
    Complete,
    /// It failed, with what it said last.
    Failed(String),
}

/// What became of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    Now,
    /// A job of this name exists: running, or ended and not yet collected.
    Exists(JobState),
    /// There is no room for it now.
    Refused(String),
}

/// Why jobs could not be started or looked at.
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
    async fn start(&self, spec: &JobSpec) -> Result<Started>;
    /// How a job is; `None`: there is none of this name.
    async fn state(&self, name: &str) -> Result<Option<JobState>>;
    /// The names of the jobs of a kind that run now.
    async fn running(&self, kind: JobKind) -> Result<Vec<String>>;
    /// Waits until some job ends, at most `wait`. An end before the call is not waited for: look, then wait, then look.
    async fn changed(&self, wait: Duration);
    /// Removes what an ended job left, so that its name can be used again. One that runs is not touched: an error.
    async fn forget(&self, name: &str) -> Result<()>;
}

/// A job runner shared by the controllers of a process.
pub type SharedJobs = Arc<dyn JobRunner>;

impl<T> PerKind<T> {
    #[must_use]
    pub const fn of(&self, kind: JobKind) -> &T {
        match kind {
            JobKind::Collector => &self.collector,
            JobKind::Action => &self.action,
        }
    }
}

/// Whether it can be a job's name everywhere.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.chars().all(|c| plain(c) || c == '-')
        && text.starts_with(plain)
        && text.ends_with(plain)
}
