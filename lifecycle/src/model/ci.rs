//! What a CI system is queried for: pipelines, merge requests and jobs, as labels and messages name them.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most digits an id has: all of them fit into 64 bits.
const MAX_DIGITS: usize = 18;

/// Where pipelines run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CiSystem {
    Gitlab,
    Github,
}

/// The CI system that is queried for the outcome of the pipeline that made a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PipelineSource {
    /// Where a CI system is configured, if it is the only one.
    #[default]
    Auto,
    /// GitLab, by the labels `projectId` and `pipelineId`.
    Gitlab,
    /// GitHub, by the labels `projectPath` (the repository, `owner.name`) and `pipelineId` (the workflow run).
    Github,
    /// Nowhere: nothing is cancelled.
    Off,
}

/// What a CI system is queried for: a pipeline, a merge request or a job of a project. Whatever the labels say, it is safe to
/// write into an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CiObjectRef {
    pub system: CiSystem,
    /// As the system's API takes it.
    pub project: String,
    pub kind: CiObjectKind,
    pub id: u64,
}

/// What a CI system is queried for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CiObjectKind {
    /// The pipeline, or workflow run, that made it.
    Pipeline,
    /// The merge request, or pull request, that it is for.
    MergeRequest,
    /// The job, or workflow run, that deployed it. It goes with none; it may replace others by it.
    Job,
}

impl PipelineSource {
    pub(crate) fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

impl CiSystem {
    /// One word, for keys and tools.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gitlab => "gitlab",
            Self::Github => "github",
        }
    }

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gitlab => "GitLab",
            Self::Github => "GitHub",
        }
    }
}

impl CiObjectKind {
    /// One word, for keys and tools.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::MergeRequest => "merge_request",
            Self::Job => "job",
        }
    }
}

impl CiObjectRef {
    /// What a CI system tells of: a project of GitLab by its number, one of GitHub as `owner/name`. `None`: no namespace's
    /// labels could name it.
    #[must_use]
    pub fn told(system: CiSystem, project: &str, kind: CiObjectKind, id: u64) -> Option<Self> {
        let project = match system {
            CiSystem::Gitlab => number(project)?.to_string(),
            CiSystem::Github => {
                let (owner, name) = project.split_once('/')?;
                full_name(owner, name)?
            }
        };
        Some(Self { system, project, kind, id: number(&id.to_string())? })
    }

    /// As messages between the parts of the system name it; read back by [`FromStr`].
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.system.as_str(), self.project, self.kind.as_str(), self.id)
    }

    /// What it is for people, who call its project so.
    #[must_use]
    pub fn of_project(&self, project: &str) -> String {
        let id = self.id;
        match (self.system, self.kind) {
            (CiSystem::Gitlab, CiObjectKind::Pipeline) => format!("pipeline {id} of project {project}"),
            (CiSystem::Gitlab, CiObjectKind::MergeRequest) => format!("merge request {id} of project {project}"),
            (CiSystem::Gitlab, CiObjectKind::Job) => format!("job {id} of project {project}"),
            (CiSystem::Github, CiObjectKind::Pipeline | CiObjectKind::Job) => format!("workflow run {id} of {project}"),
            (CiSystem::Github, CiObjectKind::MergeRequest) => format!("pull request {id} of {project}"),
        }
    }
}

/// A text that is no [`CiObjectRef::key`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names no pipeline, merge request or job")]
pub struct InvalidCiObjectRef;

impl FromStr for CiObjectRef {
    type Err = InvalidCiObjectRef;

    fn from_str(key: &str) -> Result<Self, InvalidCiObjectRef> {
        let parse = || {
            let (system, rest) = key.split_once('/')?;
            let (rest, id) = rest.rsplit_once('/')?;
            let (project, kind) = rest.rsplit_once('/')?;
            let system = [CiSystem::Gitlab, CiSystem::Github].into_iter().find(|one| one.as_str() == system)?;
            let kind = [CiObjectKind::Pipeline, CiObjectKind::MergeRequest, CiObjectKind::Job]
                .into_iter()
                .find(|one| one.as_str() == kind)?;
            Self::told(system, project, kind, number(id)?)
        };
        parse().ok_or(InvalidCiObjectRef)
    }
}

impl fmt::Display for CiObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.of_project(&self.project))
    }
}

/// An id as digits alone. Whatever else somebody writes into a label is none: it goes into an address.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_number = text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number > 0)
}

/// A repository, `owner/name`, written with a dot for the slash, which no label can hold. No owner's name has a dot, so the
/// first one is that. Large and small letters are the same to GitHub.
pub(crate) fn repository(text: &str) -> Option<String> {
    let (owner, name) = text.split_once('.')?;
    full_name(owner, name)
}

/// A repository as GitHub's API takes it.
fn full_name(owner: &str, name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_owner = !owner.is_empty() && owner.chars().all(is_plain);
    let is_name = !name.is_empty() && name != "." && name != ".." && name.chars().all(|c| is_plain(c) || c == '.');
    (is_owner && is_name).then(|| format!("{owner}/{name}").to_ascii_lowercase())
}
