//! What a CI system told of one pipeline, merge request or job, as it is written down.

use jiff::Timestamp;
use lifecycle::ci_verification::{JobContext, Reference};
use serde::{Deserialize, Serialize};

/// What is known of a pipeline. It is written down, and read for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// When it was last queried and answered.
    pub at: Timestamp,
    pub state: State,
    /// By which the server tells whether anything changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// [`FORM`] of its writer: an older one read less out of the same answer.
    #[serde(default)]
    pub form: u32,
}

/// The form of what is written down. It grows when more is read out of an answer: "not modified" then says nothing.
pub const FORM: u32 = 2;

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    There(There),
    /// It is not found, and was not since then.
    Missing {
        since: Timestamp,
        /// As it was seen before that; `None`: it never was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Last>,
    },
}

/// How something was seen last, before it was missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub at: Timestamp,
    pub there: There,
}

/// A pipeline, merge request or job that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    /// In the words of the CI system.
    pub status: String,
    /// A merge request is so, too, when it is merged or closed.
    pub is_cancelled: bool,
    /// It does not go on by itself.
    pub is_over: bool,
    /// It waits for a person, or for a time that one set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_held: bool,
    /// As people know the project.
    pub project: String,
    /// The project by its number, which is given once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<u64>,
    /// What a job ran for; of nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_for: Option<JobContext>,
    /// What a pipeline runs for; of nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_for: Option<RunsFor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When a pipeline began: of GitHub its last attempt, which may be later than `created_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// When a merge request was merged or closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whatever a merge request was seen to bring in: branches are renamed, and forks deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The outcome of the branch of a pipeline that was cancelled; `None`: that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequel: Option<Sequel>,
}

/// What a pipeline runs for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsFor {
    pub reference: Reference,
    /// The project that `reference` is of: of GitHub it may be a fork; `None`: that fork is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<u64>,
    /// Of GitHub, whose branches have runs of several workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<u64>,
    /// Another pipeline started it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_child: bool,
}

/// A branch of a project, which a merge request brings in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub branch: String,
    pub project_id: u64,
}

/// The longest name of a branch or a commit that is kept, in bytes. Cut, it would be another's.
const MAX_NAME_LENGTH: usize = 1_024;

/// The most sources of a merge request that are kept.
const MAX_SOURCES: usize = 8;

/// Whether what a CI system calls something may be kept.
pub(super) const fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_LENGTH
}

/// The outcome of the branch (or merge request) of a pipeline that was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequel {
    /// Nothing: it is the last one.
    Nothing,
    /// A newer pipeline that was not cancelled itself.
    Newer { id: u64, status: String },
    /// An older one that runs again, or went on after this one began.
    Again { id: u64, status: String },
    /// It is not known, and why.
    Unclear { why: String },
}

impl Known {
    /// It was there at this time.
    #[must_use]
    pub fn there(at: Timestamp, there: There, etag: Option<String>) -> Self {
        Self { at, state: State::There(there), etag, form: FORM }
    }

    /// It was missing at this time, after what was known before.
    pub(super) fn missing(at: Timestamp, before: Option<Self>) -> Self {
        let (since, last) = match before {
            None => (at, None),
            Some(Self { state: State::Missing { since, last }, .. }) => (since, last),
            Some(Self { at: seen, state: State::There(there), .. }) => (at, Some(Last { at: seen, there })),
        };
        Self { at, state: State::Missing { since, last }, etag: None, form: FORM }
    }

    /// What is known still after an answer that says nothing: what was missing may have been found meanwhile, so its time
    /// begins anew.
    pub(super) fn found_or_not(self) -> Option<Self> {
        match self.state {
            State::There(_) => Some(self),
            State::Missing { last, .. } => last.map(|Last { at, there }| Self::there(at, there, None)),
        }
    }

    /// As one that queries anew has it from its writer.
    pub(super) fn recalled(self) -> Self {
        let etag = self.etag.filter(|_| self.form == FORM);
        Self { etag, ..self }
    }

    /// How it was seen last; `None`: it never was.
    #[must_use]
    pub const fn last(&self) -> Option<&There> {
        match &self.state {
            State::There(there) => Some(there),
            State::Missing { last: Some(last), .. } => Some(&last.there),
            State::Missing { last: None, .. } => None,
        }
    }

    /// Whether another says the same, whenever it was queried.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.state, &self.etag, self.form) == (&other.state, &other.etag, other.form)
    }

    pub(super) const fn is_there(&self) -> bool {
        matches!(self.state, State::There(_))
    }
}

impl There {
    /// It goes on by itself.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        !self.is_over && !self.is_held
    }

    /// With what was known before and is told no more: where forks are deleted and branches renamed, what agreed once does
    /// so still.
    pub(super) fn after(mut self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        if let (Some(now), Some(then)) = (&mut self.runs_for, &before.runs_for)
            && now.reference == then.reference
        {
            now.source_id = now.source_id.or(then.source_id);
        }
        self.sequel = self.sequel.or_else(|| before.sequel.clone());
        for source in &before.sources {
            if self.sources.len() < MAX_SOURCES && !self.sources.contains(source) {
                self.sources.push(source.clone());
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_down_is_read_for_ever() {
        let at = Timestamp::UNIX_EPOCH;
        let running = || There { status: "running".to_owned(), project: "group/app".to_owned(), ..There::default() };
        let there = Known { form: 0, ..Known::there(at, running(), Some("W/\"a\"".to_owned())) };
        let written = json!({"at": "1970-01-01T00:00:00Z", "etag": "W/\"a\"", "state": {"there": {
            "status": "running", "is_cancelled": false, "is_over": false, "project": "group/app"}}});
        let read = serde_json::from_value::<Known>(written).unwrap();
        assert_eq!(read, there);
        assert_eq!(read.recalled().etag, None, "more is read out of the answer now");
        let now = json!({"at": "1970-01-01T00:00:00Z", "etag": "W/\"a\"", "form": 2, "state": {"there": {
            "status": "canceled", "is_cancelled": true, "is_over": true, "is_held": true, "project": "group/app",
            "project_id": 7, "runs_for": {"reference": {"branch": "main"}, "source_id": 7, "workflow_id": 9, "is_child": true},
            "created_at": "1970-01-01T00:00:00Z", "began_at": "1970-01-01T00:00:00Z", "ended_at": "1970-01-01T00:00:00Z",
            "sources": [{"branch": "a", "project_id": 8}], "sequel": {"newer": {"id": 4, "status": "running"}},
            "ran_for": {"branch": "main", "commit": "a9", "merge_requests": [3], "reference": {"merge_request": 3},
                "source_id": 7, "project_id": 7, "name": "deploy", "pipeline": 5, "is_child": true,
                "started_at": "1970-01-01T00:00:00Z", "started_by": "workflow_run"}}}});
        let read = serde_json::from_value::<Known>(now.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), now);
        assert_eq!(read.clone().recalled(), read);
        let missing = json!({"at": "1970-01-01T00:00:00Z", "state": {"missing": {"since": "1970-01-01T00:00:00Z"}}});
        let mut later = missing.clone();
        later["later"] = 1.into();
        let read = serde_json::from_value::<Known>(later).unwrap();
        assert_eq!(read, Known { form: 0, ..Known::missing(at, None) });
        let last = Known::missing(at, Some(Known::there(at, running(), None)));
        assert_eq!(serde_json::from_value::<Known>(serde_json::to_value(&last).unwrap()).unwrap(), last);
    }

    #[test]
    fn what_is_missing_is_known_as_it_was_seen_last() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let there = There { status: "success".to_owned(), ..There::default() };
        let missing = Known::missing(at(2), Some(Known::there(at(1), there.clone(), None)));
        let still = Known::missing(at(3), Some(missing));
        assert_eq!(still.state, State::Missing { since: at(2), last: Some(Last { at: at(1), there: there.clone() }) });
        assert_eq!(still.last(), Some(&there));
        assert_eq!(still.found_or_not(), Some(Known::there(at(1), there, None)), "its time begins anew");
        assert_eq!(Known::missing(at(3), None).found_or_not(), None);
    }

    #[test]
    fn what_is_told_no_more_was_so_all_the_same() {
        let runs_for = |branch: &str, source_id| {
            Some(RunsFor {
                reference: Reference::Branch(branch.to_owned()),
                source_id,
                workflow_id: None,
                is_child: false,
            })
        };
        let before = There { runs_for: runs_for("main", Some(7)), ..There::default() };
        let now = |branch| There { runs_for: runs_for(branch, None), ..There::default() };
        assert_eq!(now("main").after(Some(&before)).runs_for, runs_for("main", Some(7)));
        assert_eq!(now("other").after(Some(&before)).runs_for, runs_for("other", None));
        let source = |branch: &str| Source { branch: branch.to_owned(), project_id: 7 };
        let of =
            |sources: &[&str]| There { sources: sources.iter().map(|one| source(one)).collect(), ..There::default() };
        assert_eq!(of(&["new"]).after(Some(&of(&["old"]))), of(&["new", "old"]));
        assert_eq!(of(&["old"]).after(Some(&of(&["old"]))), of(&["old"]));
        assert_eq!(of(&[]).after(Some(&of(&["old"]))), of(&["old"]), "the fork is gone");
    }
}
