//! The outcome of the branch (or merge request) of a pipeline that was cancelled: its successor cancels a pipeline, too, and
//! that means the opposite of what a person means by it.

use jiff::Timestamp;

use super::state::{RunsFor, Sequel, There};

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
    /// When it changed last; `None`: that is not told.
    pub(super) changed_at: Option<Timestamp>,
    /// `None`: that is not told.
    pub(super) runs_for: Option<RunsFor>,
}

impl Sequel {
    /// What lists of pipelines say of the branch of this one, `there` by what was known of it before. That a server was queried
    /// for one branch alone is not relied on: what is in its answer is compared. That one is in no list any more says
    /// nothing, for CI systems tidy up.
    pub(super) fn of(id: u64, own: &RunsFor, there: &There, lists: &[List]) -> Self {
        let is_listed = |other: u64| lists.iter().flat_map(|list| &list.pipelines).any(|listed| listed.id == other);
        let before = there.sequel.as_ref().filter(|before| before.id().is_some_and(|other| !is_listed(other)));
        match (Self::listed(id, own, there.created_at, lists), before) {
            (Self::Nothing | Self::Unclear { .. }, Some(before)) => before.clone(),
            (listed, _) => listed,
        }
    }

    /// The pipeline that goes on.
    const fn id(&self) -> Option<u64> {
        match self {
            Self::Newer { id, .. } | Self::Again { id, .. } => Some(*id),
            Self::Nothing | Self::Unclear { .. } => None,
        }
    }

    /// What these lists say by themselves. Of several the one is named that is over: it will say the same for longest.
    fn listed(id: u64, own: &RunsFor, began: Option<Timestamp>, lists: &[List]) -> Self {
        let (mut found, mut unclear) = (None::<&Listed>, None);
        for other in lists.iter().flat_map(|list| &list.pipelines).filter(|other| other.id != id) {
            // It may have deployed again by then, also where it was not checked while it ran.
            let went_on = other.is_under_way || other.changed_at.zip(began).is_some_and(|(at, began)| at > began);
            if other.is_cancelled || (other.id < id && !went_on) {
                continue;
            }
            match other.runs_for.as_ref().and_then(|runs_for| own.is_same(runs_for)) {
                Some(true) => {
                    let rank = |it: &Listed| (it.id > id, !it.is_under_way);
                    found = found.filter(|found| rank(found) >= rank(other)).or(Some(other));
                }
                Some(false) => {}
                None => unclear = Some(other.id),
            }
        }
        if let Some(Listed { id: other, status, .. }) = found {
            let (other, status) = (*other, status.clone());
            return if other > id { Self::Newer { id: other, status } } else { Self::Again { id: other, status } };
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
    use lifecycle::ci_verification::Reference;

    use super::*;

    fn runs_for(branch: &str) -> RunsFor {
        let reference = Reference::Branch(branch.to_owned());
        RunsFor { reference, source_id: Some(7), workflow_id: None, is_child: false }
    }

    /// A list of pipelines, `id:branch` and what each does: `+` goes on, `-` was cancelled, `=` is over, `~` since the one that
    /// was cancelled began.
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
                changed_at: Timestamp::from_second(if does == "~" { 301 } else { 299 }).ok(),
                runs_for: (branch != "?").then(|| runs_for(branch)),
            }
        };
        List { pipelines: words.split_whitespace().map(listed).collect(), is_whole: true }
    }

    /// A pipeline that began in second 300, of which this was known before.
    fn there(sequel: Option<Sequel>) -> There {
        There { created_at: Timestamp::from_second(300).ok(), sequel, ..There::default() }
    }

    #[track_caller]
    fn check(words: &str, expected: &str) {
        check_after(None, words, expected);
    }

    #[track_caller]
    fn check_after(before: Option<Sequel>, words: &str, expected: &str) {
        let found = match Sequel::of(300, &runs_for("main"), &there(before), &[list(words)]) {
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
        check("302:main+ 301:main=", "newer 301 success");
    }

    #[test]
    fn an_older_one_counts_while_it_runs() {
        check("300:main- 299:main+", "again 299 running");
        check("300:main- 299:main= 298:main-", "nothing");
        check("301:main= 300:main- 299:main+", "newer 301 success");
    }

    #[test]
    fn an_older_one_that_ran_again_counts_when_it_is_over() {
        check("300:main- 299:main~", "again 299 success");
        check("300:main- 299:other~", "nothing");
        let unknown = There { created_at: None, ..there(None) };
        assert_eq!(Sequel::of(300, &runs_for("main"), &unknown, &[list("299:main~")]), Sequel::Nothing);
    }

    #[test]
    fn a_successor_that_was_tidied_up_has_taken_over_all_the_same() {
        let before = |id| Some(Sequel::Newer { id, status: "success".to_owned() });
        check_after(before(301), "300:main-", "newer 301 success");
        check_after(before(301), "", "newer 301 success");
        check_after(before(301), "302:main-", "newer 301 success");
        check_after(before(301), "302:?+", "newer 301 success");
        check_after(before(301), "302:main+", "newer 302 running");
        check_after(before(301), "301:main- 300:main-", "nothing");
        let again = Some(Sequel::Again { id: 299, status: "running".to_owned() });
        check_after(again.clone(), "300:main-", "again 299 running");
        check_after(again, "300:main- 299:main-", "nothing");
        check_after(Some(Sequel::Nothing), "300:main-", "nothing");
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
        let part = |words| {
            Sequel::of(300, &runs_for("main"), &there(None), &[List { is_whole: false, ..list(words) }, list("")])
        };
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
