//! What became of the branch (or merge request) of a pipeline that was cancelled: its successor cancels a pipeline, too, and
//! that means the opposite of what a person means by it.

use serde::{Deserialize, Serialize};

use super::known::RunsFor;

/// What became of the branch (or merge request) of a pipeline that was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequel {
    /// Nothing: it is the last one.
    Nothing,
    /// A newer pipeline that was not cancelled itself.
    Newer { id: u64, status: String },
    /// An older one that runs again.
    Again { id: u64, status: String },
    /// It is not known, and why.
    Unclear { why: String },
}

/// Pipelines as a CI system lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) pipelines: Vec<Listed>,
    /// No newer one is missing in it, and none that runs again.
    pub(super) is_whole: bool,
}

/// A pipeline in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: u64,
    pub(super) status: String,
    pub(super) is_cancelled: bool,
    /// It goes on by itself.
    pub(super) is_under_way: bool,
    /// `None`: that is not told.
    pub(super) runs_for: Option<RunsFor>,
}

impl Sequel {
    /// What lists of pipelines say of the branch of this one. That a server was asked for one branch alone is not relied on:
    /// what is in its answer is compared.
    pub(super) fn of(id: u64, own: &RunsFor, lists: &[List]) -> Self {
        let mut unclear = None;
        for other in lists.iter().flat_map(|list| &list.pipelines).filter(|other| other.id != id) {
            let goes_on = if other.id > id { !other.is_cancelled } else { other.is_under_way };
            if !goes_on {
                continue;
            }
            match other.runs_for.as_ref().and_then(|runs_for| own.is_same(runs_for)) {
                Some(true) if other.id > id => return Self::Newer { id: other.id, status: other.status.clone() },
                Some(true) => return Self::Again { id: other.id, status: other.status.clone() },
                Some(false) => {}
                None => unclear = Some(other.id),
            }
        }
        let why = match unclear {
            Some(other) => format!("it is not told whether {other} runs for the same branch"),
            None if lists.iter().all(|list| list.is_whole) => return Self::Nothing,
            None => "there are more pipelines of its branch than are listed at once".to_owned(),
        };
        Self::Unclear { why }
    }
}

impl RunsFor {
    /// Whether another pipeline is of the same branch, or merge request; `None`: that is not known.
    fn is_same(&self, other: &Self) -> Option<bool> {
        if self.reference != other.reference || self.workflow_id != other.workflow_id {
            return Some(false);
        }
        Some(self.source_id? == other.source_id?)
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::confirmation::Reference;

    use super::*;

    fn runs_for(branch: &str) -> RunsFor {
        let reference = Reference::Branch(branch.to_owned());
        RunsFor { reference, source_id: Some(7), workflow_id: None, is_child: false }
    }

    /// A list of pipelines, `id:branch` and what each does: `+` goes on, `-` was cancelled, `=` is over.
    fn list(words: &str) -> List {
        let listed = |word: &str| {
            let (id, rest) = word.split_once(':').unwrap();
            let (branch, does) = rest.split_at(rest.len() - 1);
            let status = match does {
                "+" => "running",
                "-" => "canceled",
                _ => "success",
            };
            Listed {
                id: id.parse().unwrap(),
                status: status.to_owned(),
                is_cancelled: does == "-",
                is_under_way: does == "+",
                runs_for: (branch != "?").then(|| runs_for(branch)),
            }
        };
        List { pipelines: words.split_whitespace().map(listed).collect(), is_whole: true }
    }

    #[track_caller]
    fn check(words: &str, expected: &str) {
        let found = match Sequel::of(300, &runs_for("main"), &[list(words)]) {
            Sequel::Nothing => "nothing".to_owned(),
            Sequel::Newer { id, status } => format!("newer {id} {status}"),
            Sequel::Again { id, status } => format!("again {id} {status}"),
            Sequel::Unclear { why } => why,
        };
        assert_eq!(found, expected, "{words}");
    }

    #[test]
    fn a_newer_pipeline_that_was_not_cancelled_goes_on_with_the_branch() {
        check("", "nothing");
        check("300:main-", "nothing");
        check("301:main+ 300:main-", "newer 301 running");
        check("301:main= 300:main-", "newer 301 success");
        check("301:main- 300:main-", "nothing");
        check("302:main- 301:main+", "newer 301 running");
    }

    #[test]
    fn an_older_one_counts_while_it_runs() {
        check("300:main- 299:main+", "again 299 running");
        check("300:main- 299:main= 298:main-", "nothing");
    }

    #[test]
    fn other_branches_say_nothing_whatever_was_asked_for() {
        check("301:other+ 300:main- 299:other+", "nothing");
        let unclear = "it is not told whether 301 runs for the same branch";
        check("301:?+", unclear);
        check("301:?-", "nothing");
        check("302:main= 301:?+", "newer 302 success");
    }

    #[test]
    fn of_part_of_a_list_only_what_is_in_it_is_known() {
        let part = |words| Sequel::of(300, &runs_for("main"), &[List { is_whole: false, ..list(words) }, list("")]);
        assert!(matches!(part("300:main-"), Sequel::Unclear { why } if why.starts_with("there are more")));
        assert!(matches!(part("301:main+"), Sequel::Newer { id: 301, .. }));
    }

    #[test]
    fn a_branch_is_of_one_repository_and_one_workflow() {
        let of = |source_id, workflow_id| RunsFor { source_id, workflow_id, ..runs_for("main") };
        let is_same = |one: &RunsFor, other| one.is_same(&other);
        let own = of(Some(7), Some(1));
        assert_eq!(is_same(&own, of(Some(7), Some(1))), Some(true));
        assert_eq!(is_same(&own, of(Some(8), Some(1))), Some(false), "a fork has a `main`, too");
        assert_eq!(is_same(&own, of(Some(7), Some(2))), Some(false));
        assert_eq!(is_same(&own, of(None, Some(1))), None);
        assert_eq!(is_same(&of(None, Some(1)), of(Some(7), Some(1))), None);
    }
}
