//! Whether a newer deployment is what its labels say: its job, by the CI system, ran for the branch, the merge request or
//! the commit that they name (lifecycle.md section 4). Labels are written by whoever makes a namespace.

use serde::{Deserialize, Serialize};

use crate::pipeline::Origin;

/// The least digits of a commit that name it.
const LEAST_DIGITS: usize = 7;

/// The most characters of a branch in a label: more fit into none.
const LONGEST_SLUG: usize = 63;

/// What a job ran for, by the CI system. It is written down, and read for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanFor {
    /// The branch, or what else the CI system calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The merge requests, or pull requests, of the job's project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_requests: Vec<u64>,
}

/// Whether a newer deployment is what its labels say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The CI system says so.
    Proven,
    /// It says otherwise, and what.
    Refuted(String),
    /// It is not known, and why.
    Unknown(String),
}

impl RanFor {
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
        let is_name = label.len() >= LEAST_DIGITS && label.bytes().all(|byte| byte.is_ascii_hexdigit());
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

impl Proof {
    /// Of a job that ran for this.
    pub(crate) fn of(job: &Origin, wanted: &str, is_it: bool, ran_for: &RanFor) -> Self {
        if is_it { Self::Proven } else { Self::Refuted(format!("{job} ran for {}, not for {wanted}", ran_for.words())) }
    }
}

/// A branch as GitLab writes it where only a few characters are allowed (`CI_COMMIT_REF_SLUG`).
fn slug(branch: &str) -> String {
    let lower = branch.to_lowercase();
    let plain = lower.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    plain.take(LONGEST_SLUG).collect::<String>().trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> RanFor {
        RanFor {
            branch: Some("feature/Add_it".to_owned()),
            commit: Some("a91957a858320c0e17f3a0eca7cfacbff50ea29a".to_owned()),
            merge_requests: vec![3],
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
        let long = RanFor { branch: Some("x".repeat(100)), ..RanFor::default() };
        assert!(long.is_branch(&"x".repeat(63)) && !long.is_branch(&"x".repeat(62)));
        assert!(!RanFor::default().is_branch("main"));
        assert!(!RanFor { branch: Some("///".to_owned()), ..RanFor::default() }.is_branch("---"));
    }

    #[test]
    fn a_commit_is_named_by_seven_digits_or_more() {
        for label in ["a91957a", "A91957A8", "a91957a858320c0e17f3a0eca7cfacbff50ea29a"] {
            assert!(job().is_commit(label), "{label}");
        }
        for label in ["", "a91957", "a91957b", "a91957a858320c0e17f3a0eca7cfacbff50ea29a0", "a91957a "] {
            assert!(!job().is_commit(label), "{label}");
        }
        assert!(!RanFor::default().is_commit("a91957a"));
    }

    #[test]
    fn a_merge_request_is_named_by_its_number() {
        assert!(job().is_merge_request(3) && !job().is_merge_request(33));
    }

    #[test]
    fn people_are_told_what_it_ran_for() {
        let commit = "a91957a858320c0e17f3a0eca7cfacbff50ea29a";
        assert_eq!(job().words(), format!("branch `feature/Add_it`, merge request 3, commit {commit}"));
        assert_eq!(RanFor::default().words(), "nothing that is known here");
    }
}
