//! What is known of one pipeline, and what follows from it.

use common::config::Gone;
use jiff::Timestamp;
use lifecycle::{
    Condition, Truth,
    confirmation::RanFor,
    pipeline::{Kind, Origin},
    time::{between, human_text},
};
use serde::{Deserialize, Serialize};

/// What is known of a pipeline. It is written down, and read for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// When was asked last and answered.
    pub at: Timestamp,
    pub state: State,
    /// By which the server tells whether anything changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    There(There),
    /// It is not found, and was not since then.
    Missing {
        since: Timestamp,
    },
}

/// A pipeline that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    /// In the words of the CI system.
    pub status: String,
    /// A merge request is so, too, when it is merged or closed.
    pub is_cancelled: bool,
    /// It does not go on by itself.
    pub is_over: bool,
    /// As people know the project.
    pub project: String,
    /// What a job ran for; of nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_for: Option<RanFor>,
}

/// The longest name of a branch or a commit that is kept, in bytes. Cut, it would be another's.
const LONGEST_NAME: usize = 1_024;

/// Whether what a CI system calls something may be kept.
pub(super) const fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME
}

impl Known {
    /// True: it was cancelled, or is gone.
    #[must_use]
    pub fn condition(&self, pipeline: &Origin, gone: Gone) -> Condition {
        let (truth, reason) = match &self.state {
            State::There(There { is_cancelled: true, project, status, .. }) => {
                let what = match pipeline.kind {
                    Kind::Pipeline | Kind::Job => "cancelled",
                    Kind::MergeRequest => status,
                };
                (Truth::True, format!("{} was {what}", pipeline.of_project(project)))
            }
            State::There(There { status, project, .. }) => {
                (Truth::False, format!("{} has the status `{status}`", pipeline.of_project(project)))
            }
            State::Missing { since } => {
                let since_when = human_text(*since);
                match gone {
                    Gone::Trusted => (Truth::True, format!("{pipeline} is gone since {since_when}")),
                    Gone::Confirmed { after } if *since < self.at && between(*since, self.at) >= after => {
                        (Truth::True, format!("{pipeline} is gone since {since_when}, and its project is not"))
                    }
                    Gone::Confirmed { .. } => {
                        let why =
                            format!("{pipeline} is not found since {since_when}, which is not long enough to tell");
                        (Truth::Unknown, why)
                    }
                }
            }
        };
        Condition { truth, reason, observed_at: self.at }
    }

    /// Whether another says the same, whenever was asked.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.state, &self.etag) == (&other.state, &other.etag)
    }

    pub(super) const fn is_there(&self) -> bool {
        matches!(self.state, State::There(_))
    }

    pub(super) const fn missing_since(&self) -> Option<Timestamp> {
        match self.state {
            State::Missing { since } => Some(since),
            State::There(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_down_is_read_for_ever() {
        let at = Timestamp::UNIX_EPOCH;
        let (status, project) = ("running".to_owned(), "group/app".to_owned());
        let state = State::There(There { status, is_cancelled: false, is_over: false, project, ran_for: None });
        let there = Known { at, state, etag: Some("W/\"a\"".to_owned()) };
        let written = json!({"at": "1970-01-01T00:00:00Z", "etag": "W/\"a\"", "state": {"there": {
            "status": "running", "is_cancelled": false, "is_over": false, "project": "group/app"}}});
        assert_eq!(serde_json::to_value(&there).unwrap(), written);
        assert_eq!(serde_json::from_value::<Known>(written).unwrap(), there);
        let (status, project) = ("success".to_owned(), "group/app".to_owned());
        let ran_for =
            RanFor { branch: Some("main".to_owned()), commit: Some("a9".to_owned()), merge_requests: vec![3] };
        let state = State::There(There { status, is_cancelled: false, is_over: true, project, ran_for: Some(ran_for) });
        let job = Known { at, state, etag: None };
        let written = json!({"at": "1970-01-01T00:00:00Z", "state": {"there": {
            "status": "success", "is_cancelled": false, "is_over": true, "project": "group/app",
            "ran_for": {"branch": "main", "commit": "a9", "merge_requests": [3]}}}});
        assert_eq!(serde_json::to_value(&job).unwrap(), written);
        assert_eq!(serde_json::from_value::<Known>(written).unwrap(), job);
        let missing = Known { at, state: State::Missing { since: at }, etag: None };
        let written = json!({"at": "1970-01-01T00:00:00Z", "state": {"missing": {"since": "1970-01-01T00:00:00Z"}}});
        assert_eq!(serde_json::to_value(&missing).unwrap(), written);
        let mut later = written;
        later["later"] = 1.into();
        assert_eq!(serde_json::from_value::<Known>(later).unwrap(), missing);
    }
}
