//! Whether a newer deployment replaces an older one by the CI system's own word: what both jobs ran for, and when
//! (docs/design/lifecycle.md section 4). Labels are written by those who make namespaces, and what is in them is
//! usually shortened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::ci::CiObjectRef;

/// The least digits of a commit that name it.
const MIN_DIGITS: usize = 7;

/// The most characters of a branch in a label: more fit into none.
const MAX_SLUG_LENGTH: usize = 63;

/// What a pipeline or a job runs for, in the CI system's own words: nothing is shortened. It is written down, and read for
/// ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    Branch(String),
    Tag(String),
    /// The merge request of this number, of the project in which it runs: GitLab's `head`, `merge` and `train` are one.
    MergeRequest(u64),
}

/// What a job ran for, by the CI system. It is written down, and read for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobContext {
    /// The branch, or what else the CI system calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The merge requests, or pull requests, of the job's project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_requests: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The id of the project, or repository, that `reference` is of: of GitHub it may be a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<u64>,
    /// The id of the project, or repository, in which it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<u64>,
    /// The name of the job; of GitHub, whose runs have none, the id of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The pipeline that the job is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<u64>,
    /// Another pipeline started that one. Which, nobody says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_child: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// What started it, in the words of the CI system, where that is nothing that happened to the branch: it then runs for
    /// the default branch, or for one that somebody else named, whatever it deploys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
}

/// Whether a newer deployment replaces an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The CI system says so.
    Confirmed,
    /// It says otherwise, and what.
    Rejected(String),
    /// It is not known, and why.
    Unknown(String),
}

impl JobContext {
    /// Whether it is this branch, by a label that may be a slug of it.
    pub(crate) fn is_branch(&self, label: &str) -> bool {
        let wanted = slug(label);
        !wanted.is_empty() && self.branch.as_deref().is_some_and(|branch| slug(branch) == wanted)
    }

    /// Whether it is this merge request.
    pub(crate) fn is_merge_request(&self, number: u64) -> bool {
        self.merge_requests.contains(&number)
    }

    /// Whether it is this commit, by its first digits or more.
    pub(crate) fn is_commit(&self, label: &str) -> bool {
        let is_name = label.len() >= MIN_DIGITS && label.bytes().all(|byte| byte.is_ascii_hexdigit());
        let starts = |commit: &str| commit.to_ascii_lowercase().starts_with(&label.to_ascii_lowercase());
        is_name && self.commit.as_deref().is_some_and(starts)
    }

    /// What it is, for people.
    pub(crate) fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.branch.as_ref().map(|branch| format!("branch `{}`", branch.escape_debug())));
        words.extend(self.merge_requests.iter().map(|number| format!("merge request {number}")));
        words.extend(self.commit.as_ref().map(|commit| format!("commit {}", commit.escape_debug())));
        if words.is_empty() { "nothing that is known here".to_owned() } else { words.join(", ") }
    }
}

/// A job, and what it ran for.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    pub job: &'a CiObjectRef,
    pub ran_for: &'a JobContext,
}

impl Ran<'_> {
    /// Whether this is a newer deployment of what `older` deployed, which is the one with the smaller number.
    ///
    /// Two things of one name are not one: only what the CI system itself calls the same counts, and what it does not tell
    /// of is not known. Where numbers and times disagree (an older run was run again, a job waited long for a runner) neither
    /// is the newer one.
    pub(crate) fn replaces(self, older: Self) -> Verification {
        let (Self { job, ran_for: new }, Self { job: old_job, ran_for: old }) = (self, older);
        let unknown = |what: &str| {
            Verification::Unknown(format!("the CI system does not tell {what} of both {job} and {old_job}"))
        };
        let (Some(reference), Some(old_reference)) = (&new.reference, &old.reference) else {
            return unknown("the branch or the merge request");
        };
        let (Some(name), Some(old_name)) = (&new.name, &old.name) else { return unknown("the name") };
        if new.project_id.zip(old.project_id).is_some_and(|(new, old)| new != old) {
            return Verification::Rejected(format!(
                "{job} and {old_job} are of two projects, which had one name after the other"
            ));
        }
        let (Some(source), Some(old_source)) = (new.source_id, old.source_id) else {
            return unknown("the repository of the branch");
        };
        if (reference, source) != (old_reference, old_source) {
            let (new, old) = (reference.words(), old_reference.words());
            let fork = if source == old_source { "" } else { " of another repository" };
            return Verification::Rejected(format!("{job} ran for {new}{fork}, and {old_job} for {old}"));
        }
        if name != old_name {
            let (name, old_name) = (name.escape_debug(), old_name.escape_debug());
            return Verification::Rejected(format!("{job} is called `{name}`, and {old_job} `{old_name}`"));
        }
        let are_of_one = new.pipeline.is_some() && new.pipeline == old.pipeline;
        let is_one_commit = new.commit.is_some() && new.commit == old.commit;
        if !are_of_one && is_one_commit && (new.is_child || old.is_child) {
            return Verification::Rejected(format!("{job} and {old_job} are of child pipelines of one commit"));
        }
        if new.started_at.zip(old.started_at).is_some_and(|(new, old)| new < old) {
            return Verification::Rejected(format!("{job} has the greater number, and began before {old_job}"));
        }
        if !are_of_one && (new.is_child || old.is_child) {
            return Verification::Unknown(format!(
                "{job} and {old_job} are of child pipelines, and the CI system does not tell whether these are of one kind"
            ));
        }
        let from_elsewhere =
            [(job, new), (old_job, old)].into_iter().find_map(|(job, it)| Some((job, it.started_by.as_ref()?)));
        if let Some((job, by)) = from_elsewhere {
            let by = by.escape_debug();
            return Verification::Unknown(format!(
                "{job} was started by `{by}`, so that its branch does not tell what it deployed"
            ));
        }
        Verification::Confirmed
    }
}

impl Reference {
    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Branch(name) => format!("branch `{}`", name.escape_debug()),
            Self::Tag(name) => format!("tag `{}`", name.escape_debug()),
            Self::MergeRequest(number) => format!("merge request {number}"),
        }
    }
}

impl Verification {
    /// Of a job that ran for this.
    pub(crate) fn of(job: &CiObjectRef, wanted: &str, is_it: bool, ran_for: &JobContext) -> Self {
        if is_it {
            Self::Confirmed
        } else {
            Self::Rejected(format!("{job} ran for {}, not for {wanted}", ran_for.words()))
        }
    }

    /// This one, and where it is proven the other.
    pub(crate) fn and(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::Confirmed { other() } else { self }
    }
}

/// A branch as GitLab writes it where only a few characters are allowed (`CI_COMMIT_REF_SLUG`).
fn slug(branch: &str) -> String {
    let lower = branch.to_lowercase();
    let plain = lower.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    plain.take(MAX_SLUG_LENGTH).collect::<String>().trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobContext {
        JobContext {
            branch: Some("feature/Add_it".to_owned()),
            commit: Some("a91957a858320c0e17f3a0eca7cfacbff50ea29a".to_owned()),
            merge_requests: vec![3],
            ..JobContext::default()
        }
    }

    #[test]
    fn a_branch_is_named_as_it_is_or_by_its_slug() {
        for label in ["feature/Add_it", "feature-add-it", "feature.Add_it"] {
            assert!(job().is_branch(label), "{label}");
        }
        for label in ["", "-", "feature", "feature-add-it-2", "main"] {
            assert!(!job().is_branch(label), "{label}");
        }
        let long = JobContext { branch: Some("x".repeat(100)), ..JobContext::default() };
        assert!(long.is_branch(&"x".repeat(63)) && !long.is_branch(&"x".repeat(62)));
        assert!(!JobContext::default().is_branch("main"));
        assert!(!JobContext { branch: Some("///".to_owned()), ..JobContext::default() }.is_branch("---"));
    }

    #[test]
    fn a_commit_is_named_by_seven_digits_or_more() {
        for label in ["a91957a", "A91957A8", "a91957a858320c0e17f3a0eca7cfacbff50ea29a"] {
            assert!(job().is_commit(label), "{label}");
        }
        for label in ["", "a91957", "a91957b", "a91957a858320c0e17f3a0eca7cfacbff50ea29a0", "a91957a "] {
            assert!(!job().is_commit(label), "{label}");
        }
        assert!(!JobContext::default().is_commit("a91957a"));
    }

    #[test]
    fn a_merge_request_is_named_by_its_number() {
        assert!(job().is_merge_request(3) && !job().is_merge_request(33));
    }

    #[test]
    fn people_are_told_what_it_ran_for() {
        let commit = "a91957a858320c0e17f3a0eca7cfacbff50ea29a";
        assert_eq!(job().words(), format!("branch `feature/Add_it`, merge request 3, commit {commit}"));
        assert_eq!(JobContext::default().words(), "nothing that is known here");
    }

    /// What comes of a newer and an older job that differ from one another by this.
    #[track_caller]
    fn check_replaces(newer: impl FnOnce(&mut JobContext), older: impl FnOnce(&mut JobContext), expected: &str) {
        let [job, old_job] = [46, 45].map(|id| {
            let (system, project) = (crate::pipeline::CiSystem::Gitlab, "7".to_owned());
            CiObjectRef { system, project, kind: crate::pipeline::CiObjectKind::Job, id }
        });
        let both = JobContext {
            reference: Some(Reference::Branch("feature/x".to_owned())),
            source_id: Some(7),
            project_id: Some(7),
            name: Some("deploy".to_owned()),
            pipeline: Some(1),
            started_at: Some(Timestamp::UNIX_EPOCH),
            ..job_of_commit("a")
        };
        let (mut new, mut old) = (both.clone(), both);
        newer(&mut new);
        older(&mut old);
        let found = match (Ran { job: &job, ran_for: &new }).replaces(Ran { job: &old_job, ran_for: &old }) {
            Verification::Confirmed => "proven".to_owned(),
            Verification::Rejected(why) => format!("refuted: {why}"),
            Verification::Unknown(why) => format!("unknown: {why}"),
        };
        assert!(found.contains(expected), "{found}");
    }

    fn job_of_commit(commit: &str) -> JobContext {
        JobContext { commit: Some(commit.to_owned()), ..JobContext::default() }
    }

    #[test]
    fn only_what_the_ci_system_calls_the_same_replaces_it() {
        let same = |_: &mut JobContext| {};
        check_replaces(same, same, "proven");
        check_replaces(|new| new.reference = Some(Reference::Branch("feature-x".to_owned())), same, "refuted");
        check_replaces(|new| new.reference = Some(Reference::Tag("feature/x".to_owned())), same, "ran for tag");
        check_replaces(|new| new.source_id = Some(8), same, "of another repository");
        check_replaces(|new| new.project_id = Some(8), same, "one name after the other");
        check_replaces(|new| new.name = Some("deploy b".to_owned()), same, "is called `deploy b`");
    }

    #[test]
    fn what_is_not_told_of_both_is_not_known() {
        let same = |_: &mut JobContext| {};
        check_replaces(|new| new.reference = None, same, "unknown: the CI system does not tell the branch");
        check_replaces(same, |old| old.reference = None, "unknown: the CI system does not tell the branch");
        check_replaces(same, |old| old.name = None, "unknown: the CI system does not tell the name");
        check_replaces(|new| new.source_id = None, same, "unknown: the CI system does not tell the repository");
    }

    #[test]
    fn of_one_commit_child_pipelines_are_as_one_and_a_retry_is_the_newer_self() {
        let other = |new: &mut JobContext| new.pipeline = Some(2);
        let child = |old: &mut JobContext| old.is_child = true;
        check_replaces(other, |_| {}, "proven");
        check_replaces(other, child, "of child pipelines of one commit");
        check_replaces(
            |new| *new = JobContext { pipeline: Some(2), is_child: true, ..new.clone() },
            |_| {},
            "of one commit",
        );
        check_replaces(|_| {}, child, "proven");
        check_replaces(
            |new| *new = JobContext { pipeline: Some(2), ..JobContext { commit: Some("b".to_owned()), ..new.clone() } },
            |_| {},
            "proven",
        );
    }

    /// One for each part of a repository, from one template: with the next commit another part is deployed.
    #[test]
    fn of_another_commit_a_child_pipeline_may_be_of_another_part() {
        let other = |new: &mut JobContext| (new.pipeline, new.commit) = (Some(2), Some("b".to_owned()));
        let child = |old: &mut JobContext| old.is_child = true;
        check_replaces(other, child, "unknown: job 46 of project 7 and job 45 of project 7 are of child pipelines");
        let other_child = |new: &mut JobContext| {
            other(new);
            new.is_child = true;
        };
        check_replaces(other_child, |_| {}, "of child pipelines");
        check_replaces(other_child, child, "of child pipelines");
    }

    #[test]
    fn what_was_started_from_elsewhere_does_not_tell_what_it_deployed() {
        let by = |job: &mut JobContext| job.started_by = Some("workflow_run".to_owned());
        check_replaces(by, |_| {}, "unknown: job 46 of project 7 was started by `workflow_run`");
        check_replaces(|_| {}, by, "unknown: job 45 of project 7 was started by `workflow_run`");
        check_replaces(|new| *new = JobContext { name: Some("deploy b".to_owned()), ..new.clone() }, by, "refuted");
    }

    #[test]
    fn an_older_one_that_began_later_is_not_replaced() {
        let later = |old: &mut JobContext| old.started_at = Timestamp::from_second(1).ok();
        check_replaces(|_| {}, later, "refuted: job 46 of project 7 has the greater number, and began before");
        check_replaces(later, |_| {}, "proven");
        check_replaces(|new| new.started_at = None, later, "proven");
    }
}
