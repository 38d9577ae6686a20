//! How a command ends that did not do what was asked.

use std::process::ExitCode;

use api::queries::QueryError;
use common::{
    cluster::{ApiError, ApiOutcome},
    config::Refused,
    stop::Unchanged,
    store::{OpenError, StoreError},
};

/// What went wrong, for people and for scripts.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// What, where, and how to mend it.
    pub(crate) text: String,
}

/// The exit codes of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    OutOfReach = 5,
    Configuration = 6,
}

impl Failure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::new(Code::Configuration, refused.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable { .. } => Code::OutOfReach,
            StoreError::Damaged { .. } | StoreError::Refused { .. } => Code::Failed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            other => Self::new(Code::Configuration, other.to_string()),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(unanswered: QueryError) -> Self {
        match unanswered {
            QueryError::NotFound(text) => Self::new(Code::NotFound, text),
            QueryError::Store(error) => error.into(),
            QueryError::Cluster(error) => error.into(),
        }
    }
}

impl From<Unchanged> for Failure {
    fn from(unchanged: Unchanged) -> Self {
        Self::new(Code::OutOfReach, unchanged.to_string())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let code = match error.answer {
            ApiOutcome::NotFound | ApiOutcome::OtherUid => Code::NotFound,
            ApiOutcome::Refused => Code::Refused,
            ApiOutcome::Moved => Code::Failed,
            ApiOutcome::TooManyRequests | ApiOutcome::Unclear => Code::OutOfReach,
        };
        Self::new(code, error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Code::Failed, causes(&error))
    }
}

/// An error with its causes, each once: some repeat the next one in their own text.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        said if said.contains(&cause) => said.to_owned(),
        said => format!("{said}: {cause}"),
    })
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Code::Failed, format!("cannot write the answer: {error}"))
    }
}
