//! The job runner: starts jobs by name and arguments, and tells how they are. It knows nothing of what they do.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;

/// What kind of job it is: each has its own program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Collector,
    Action,
}

/// A job to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Chosen by the caller so that starting the same job twice starts one; at most 63 characters.
    pub name: String,
    pub kind: JobKind,
    /// Opaque ids, never text that a stranger wrote.
    pub args: Vec<String>,
    /// The job is ended after this long; `None`: it stays until it ends by itself or is stopped.
    pub deadline: Option<Duration>,
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
    /// Waits until some job ends, at most `wait`.
    async fn changed(&self, wait: Duration);
    /// Removes what an ended job left, so that its name can be used again.
    async fn forget(&self, name: &str) -> Result<()>;
}

/// A job runner shared by the controllers of a process.
pub type SharedJobs = Arc<dyn JobRunner>;
