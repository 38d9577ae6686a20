//! What became of workflow runs, by a GitHub that answers as documented. What is the same for all CI systems is told of
//! GitLab.

use jiff::SignedDuration;
use lifecycle::Truth;
use lifecycle::ci_verification::Verification;
use lifecycle::pipeline::{CiObjectKind, CiObjectRef, CiSystem};
use serde_json::json;
use testbed::ci::{CiServer, Fault, What};
use tokio::time::Instant;

use crate::evidence::pipelines::{Asker, Jobs, is_left_alone_for};

const TOKEN: &str = "github_pat_s3cret";
const REPOSITORY: &str = "octo/app";

async fn github(status: &str) -> (CiServer, Asker) {
    let github = CiServer::github(TOKEN).await.unwrap();
    github.set(REPOSITORY, 46, status);
    let run =
        CiObjectRef { system: CiSystem::Github, project: REPOSITORY.to_owned(), kind: CiObjectKind::Pipeline, id: 46 };
    let asker = Asker::about(run, &github.url(), TOKEN, &json!({}));
    (github, asker)
}

#[tokio::test]
async fn what_was_cancelled_is_so_until_it_is_run_again() {
    let (github, mut asker) = github("in_progress").await;
    assert_eq!(
        asker.told().await,
        (Truth::False, "workflow run 46 of octo/app has the status `in_progress`".to_owned())
    );
    github.set(REPOSITORY, 46, "cancelled");
    assert_eq!(asker.told().await, (Truth::True, "workflow run 46 of octo/app was cancelled".to_owned()));
    asker.look().await;
    github.set(REPOSITORY, 46, "queued");
    assert_eq!(asker.told().await.0, Truth::False);
    let asked: Vec<_> = github.asked().into_iter().map(|asked| (asked.path, asked.status)).collect();
    let [run, all] = ["/repos/octo/app/actions/runs/46", "/repos/octo/app/actions/workflows/159038/runs"];
    let expected = [(run, 200), (run, 200), (all, 200), (run, 304), (all, 200), (run, 200)];
    assert_eq!(asked, expected.map(|(path, status)| (path.to_owned(), Some(status))));
}

#[tokio::test]
async fn what_is_not_found_is_gone_while_its_repository_is_found() {
    let (github, mut asker) = github("in_progress").await;
    asker.look().await;
    github.remove(REPOSITORY, 46);
    assert_eq!(asker.told().await.0, Truth::Unknown);
    asker.later(SignedDuration::from_mins(10));
    assert_eq!(asker.told().await.0, Truth::True);
    github.remove_project(REPOSITORY);
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::Unknown);
    assert!(reason.starts_with("neither workflow run 46 of octo/app nor the project is found"), "{reason}");
}

#[tokio::test]
async fn a_right_that_is_missing_is_that_of_one_repository() {
    let (github, mut asker) = github("cancelled").await;
    github.close(REPOSITORY, true);
    let error = asker.look().await.trouble.unwrap();
    assert!(error.why.starts_with("GitHub answered 403 Forbidden: the token in `"), "{}", error.why);
    assert!(!error.is_of_all);
    github.close(REPOSITORY, false);
    assert_eq!(asker.told().await.0, Truth::True);
}

#[tokio::test]
async fn what_is_used_up_closes_all_of_it_until_there_is_more() {
    let (github, mut asker) = github("cancelled").await;
    github.fail(Some(Fault::UsedUp(600)));
    let before = Instant::now();
    let look = asker.look().await;
    let condition = asker.condition(&look);
    assert_eq!(condition.truth, Truth::Unknown);
    assert_eq!(condition.reason, "GitHub answered 403 Forbidden: it was asked too often");
    assert!(look.trouble.unwrap().is_of_all);
    is_left_alone_for(&asker, before, 600);
}

#[tokio::test]
async fn a_wrong_token_cancels_nothing() {
    let (github, _) = github("cancelled").await;
    let run =
        CiObjectRef { system: CiSystem::Github, project: REPOSITORY.to_owned(), kind: CiObjectKind::Pipeline, id: 46 };
    let mut asker = Asker::about(run, &github.url(), "other", &json!({"gone": "trusted"}));
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::Unknown);
    assert!(reason.starts_with("GitHub answered 401 Unauthorized: it does not take the token in `"), "{reason}");
}

#[tokio::test]
async fn a_successor_that_was_tidied_up_has_taken_over_all_the_same() {
    let (github, mut asker) = github("cancelled").await;
    github.set(REPOSITORY, 47, "success");
    [46, 47].into_iter().for_each(|run| github.tell(What::Pipeline, REPOSITORY, run, &json!({"head_branch": "main"})));
    for tidied in [47, 46] {
        assert_eq!(asker.told().await.0, Truth::False);
        github.remove(REPOSITORY, tidied);
    }
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::False);
    assert!(reason.contains("47 of the same branch `main` is newer"), "{reason}");
}

#[tokio::test]
async fn an_older_run_that_ran_again_counts_when_it_is_over() {
    let (github, mut asker) = github("cancelled").await;
    github.set(REPOSITORY, 45, "success");
    [45, 46].into_iter().for_each(|run| github.tell(What::Pipeline, REPOSITORY, run, &json!({"head_branch": "main"})));
    assert_eq!(asker.told().await.0, Truth::True);
    github.tell(What::Pipeline, REPOSITORY, 45, &json!({"run_started_at": "2100-01-01T00:00:00Z"}));
    assert_eq!(asker.told().await.0, Truth::False);
}

#[tokio::test]
async fn a_run_that_is_not_found_in_another_repository_of_its_name_is_not_gone() {
    let (github, mut asker) = github("in_progress").await;
    github.tell(What::Pipeline, REPOSITORY, 46, &json!({"repository": {"id": 2, "full_name": REPOSITORY}}));
    assert_eq!(asker.told().await.0, Truth::False);
    github.remove(REPOSITORY, 46);
    let (truth, reason) = asker.told().await;
    assert_eq!((truth, reason.as_str()), (Truth::Unknown, "the answer of GitHub is about another project"));
    asker.later(SignedDuration::from_mins(10));
    assert_eq!(asker.told().await.0, Truth::Unknown);
}

#[tokio::test]
async fn what_another_workflow_started_does_not_tell_what_it_deployed() {
    let (github, mut runs) = runs("feature/x").await;
    github.tell(What::Pipeline, REPOSITORY, 46, &json!({"event": "workflow_run"}));
    assert!(matches!(runs.proof().await, Verification::Unknown(why) if why.contains("was started by `workflow_run`")));
}

/// A GitHub with two runs of this branch, 45 and 46.
async fn runs(branch: &str) -> (CiServer, Jobs) {
    let github = CiServer::github(TOKEN).await.unwrap();
    [45, 46].iter().for_each(|run| github.set_job(REPOSITORY, *run, branch));
    let jobs = Jobs::of(CiSystem::Github, &github.url(), TOKEN, "feature-x");
    (github, jobs)
}

#[tokio::test]
async fn a_run_replaces_what_one_of_the_same_branch_and_workflow_deployed() {
    let (github, mut runs) = runs("feature/x").await;
    assert_eq!(runs.proof().await, Verification::Confirmed);
    github.tell(What::Pipeline, REPOSITORY, 46, &json!({"workflow_id": 2}));
    assert_eq!(
        runs.refuted().await,
        "workflow run 46 of octo/app is called `2`, and workflow run 45 of octo/app `159038`"
    );
}

#[tokio::test]
async fn an_older_run_that_is_run_again_neither_replaces_nor_is_replaced() {
    let (github, mut runs) = runs("feature/x").await;
    github.tell(What::Pipeline, REPOSITORY, 45, &json!({"run_started_at": "2026-08-17T09:30:00Z"}));
    github.tell(What::Pipeline, REPOSITORY, 46, &json!({"run_started_at": "2026-08-17T09:00:00Z"}));
    assert!(runs.refuted().await.ends_with("began before workflow run 45 of octo/app"));
}

#[tokio::test]
async fn a_fork_and_a_repository_that_came_back_under_its_name_are_others() {
    let (github, mut runs) = runs("feature/x").await;
    let fork = json!({"head_repository": {"id": 2, "full_name": "somebody/app"}});
    github.tell(What::Pipeline, REPOSITORY, 45, &fork);
    assert!(runs.refuted().await.contains("of another repository"));
    github.tell(What::Pipeline, REPOSITORY, 45, &json!({"repository": {"id": 2, "full_name": "octo/app"}}));
    assert!(runs.refuted().await.ends_with("are of two projects, which had one name after the other"));
}

#[tokio::test]
async fn a_run_that_its_successor_cancelled_is_not_abandoned() {
    let (github, mut asker) = github("cancelled").await;
    let main = |run| github.tell(What::Pipeline, REPOSITORY, run, &json!({"head_branch": "main"}));
    github.set(REPOSITORY, 47, "queued");
    [46, 47].into_iter().for_each(main);
    let why = "workflow run 46 of octo/app was cancelled, and 47 of the same branch `main` is newer, with the status `queued`";
    assert_eq!(asker.told().await, (Truth::False, why.to_owned()));
    for other in [json!({"workflow_id": 2}), json!({"head_repository": {"id": 2, "full_name": "somebody/app"}})] {
        github.tell(What::Pipeline, REPOSITORY, 47, &json!({"workflow_id": 159_038}));
        github.tell(What::Pipeline, REPOSITORY, 47, &other);
        // Nobody looked before.
        asker.known = None;
        assert_eq!(asker.told().await.0, Truth::True, "{other}");
    }
}
