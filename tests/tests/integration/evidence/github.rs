//! What became of workflow runs, by a GitHub that answers as documented. What is the same for all CI systems is told of
//! GitLab.

use jiff::SignedDuration;
use lifecycle::Truth;
use lifecycle::confirmation::Proof;
use lifecycle::pipeline::{CiSystem, Kind, Origin};
use serde_json::json;
use testbed::ci::{CiServer, Fault};
use tokio::time::Instant;

use crate::evidence::pipelines::{Asker, group, is_left_alone_for, terms};

const TOKEN: &str = "github_pat_s3cret";
const REPOSITORY: &str = "octo/app";

async fn github(status: &str) -> (CiServer, Asker) {
    let github = CiServer::github(TOKEN).await.unwrap();
    github.set(REPOSITORY, 46, status);
    let run = Origin { system: CiSystem::Github, project: REPOSITORY.to_owned(), kind: Kind::Pipeline, id: 46 };
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
    let path = "/repos/octo/app/actions/runs/46";
    assert_eq!(asked, [200, 200, 304, 200].map(|status| (path.to_owned(), Some(status))));
}

#[tokio::test]
async fn what_is_not_found_is_gone_while_its_repository_is_found() {
    let (github, mut asker) = github("success").await;
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
    let trouble = asker.look().await.trouble.unwrap();
    assert!(trouble.why.starts_with("GitHub answered 403 Forbidden: the token in `"), "{}", trouble.why);
    assert!(!trouble.is_of_all);
    github.close(REPOSITORY, false);
    assert_eq!(asker.told().await.0, Truth::True);
}

#[tokio::test]
async fn what_is_used_up_closes_all_of_it_until_there_is_more() {
    let (github, mut asker) = github("cancelled").await;
    github.fail(Some(Fault::UsedUp(600)));
    let before = Instant::now();
    let look = asker.look().await;
    assert_eq!(look.condition.truth, Truth::Unknown);
    assert_eq!(look.condition.reason, "GitHub answered 403 Forbidden: it was asked too often");
    assert!(look.trouble.unwrap().is_of_all);
    is_left_alone_for(&asker, before, 600);
}

#[tokio::test]
async fn a_wrong_token_cancels_nothing() {
    let (github, _) = github("cancelled").await;
    let run = Origin { system: CiSystem::Github, project: REPOSITORY.to_owned(), kind: Kind::Pipeline, id: 46 };
    let mut asker = Asker::about(run, &github.url(), "other", &json!({"gone": "trusted"}));
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::Unknown);
    assert!(reason.starts_with("GitHub answered 401 Unauthorized: it does not take the token in `"), "{reason}");
}

#[tokio::test]
async fn a_run_proves_what_it_was_for() {
    let github = CiServer::github(TOKEN).await.unwrap();
    github.set_job(REPOSITORY, 46, "feature/x");
    let group = |branch| group(&terms(CiSystem::Github), branch);
    let job = group("feature-x").job(CiSystem::Github, "46").unwrap();
    let mut asker = Asker::about(job.clone(), &github.url(), TOKEN, &json!({}));
    let look = asker.look().await;
    assert_eq!(look.proof(&group("feature-x"), &job), Proof::Proven);
    assert!(matches!(look.proof(&group("main"), &job), Proof::Refuted(_)));
}
