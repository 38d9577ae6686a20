//! Starts: one job of a name, until that is cleared away.

use common::jobs::{JobKind, JobSpec, JobState, MAX_NAME_LENGTH, Started, attempt_name};
use futures::future::join_all;

use super::{Bench, end, job, start, until};

pub(crate) async fn starting_twice_starts_one(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["stay"])).await;
    assert_eq!(jobs.start(&job("a", &["stay"])).await.unwrap(), Started::Exists(JobState::Running));
    assert_eq!(jobs.running(JobKind::Action).await.unwrap(), ["a"]);
}

pub(crate) async fn of_concurrent_starts_one_starts(bench: &impl Bench) {
    let jobs = bench.open().await;
    let spec = job("a", &["stay"]);
    let started = join_all((0..16).map(|_| jobs.start(&spec))).await;
    assert_eq!(started.into_iter().filter(|started| matches!(started, Ok(Started::Now))).count(), 1);
}

pub(crate) async fn an_ended_job_exists_and_the_next_try_has_a_name_of_its_own(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["fail", "badly"])).await;
    let ended = end(&*jobs, "a").await;
    assert_eq!(jobs.start(&job("a", &["stay"])).await.unwrap(), Started::Exists(ended));
    assert!(jobs.running(JobKind::Action).await.unwrap().is_empty());
    start(&*jobs, &job(&attempt_name("a", 1), &["stay"])).await;
    assert_eq!(jobs.running(JobKind::Action).await.unwrap(), ["a-1"]);
}

pub(crate) async fn a_job_is_told_with_its_arguments(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &JobSpec { kind: JobKind::Collector, ..job("c", &["stay"]) }).await;
    start(&*jobs, &job("b", &["stay"])).await;
    start(&*jobs, &job("a", &["end", "with these arguments"])).await;
    end(&*jobs, "a").await;
    until("its beginning", &*jobs, "b", |state| state == Some(&JobState::Running)).await;
    let told = jobs.jobs(JobKind::Action).await.unwrap();
    let told: Vec<_> = told.iter().map(|job| (job.name.as_str(), job.args.join("+"), job.state.clone())).collect();
    let expected =
        [("a", "end+with these arguments".to_owned(), JobState::Complete), ("b", "stay".to_owned(), JobState::Running)];
    assert_eq!(told, expected, "those of another kind are not told");
}

pub(crate) async fn a_stopped_job_ends_and_leaves_nothing(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["stay"])).await;
    jobs.stop("a").await.unwrap();
    until("its end", &*jobs, "a", |state| state.is_none()).await;
    assert!(jobs.jobs(JobKind::Action).await.unwrap().is_empty());
    jobs.stop("a").await.unwrap();
    start(&*jobs, &job("b", &["end", "with these arguments"])).await;
    end(&*jobs, "b").await;
    jobs.stop("b").await.unwrap();
    until("its clearing away", &*jobs, "b", |state| state.is_none()).await;
}

pub(crate) async fn a_name_is_one_that_kubernetes_takes(bench: &impl Bench) {
    let jobs = bench.open().await;
    let longest = "a".repeat(MAX_NAME_LENGTH);
    for name in [longest.as_str(), "action-0", "0"] {
        start(&*jobs, &job(name, &["stay"])).await;
        assert_eq!(jobs.state(name).await.unwrap(), Some(JobState::Running));
    }
    for name in [&format!("{longest}a"), "", "Action", "a_b", "-a", "a-", "a.b", "ä"] {
        let refusal = jobs.start(&job(name, &["stay"])).await.unwrap_err();
        assert!(refusal.why.contains("30"), "`{name}`: {refusal}");
    }
}
