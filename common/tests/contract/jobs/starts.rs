//! Starts: one job of a name, and so many of a kind.

use common::jobs::{JobKind, JobSpec, JobState, Started};
use futures::future::join_all;

use super::{Bench, end, job, start};

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

pub(crate) async fn an_ended_job_exists_until_it_is_forgotten(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["fail", "badly"])).await;
    let ended = end(&*jobs, "a").await;
    assert_eq!(jobs.start(&job("a", &["stay"])).await.unwrap(), Started::Exists(ended));
    assert!(jobs.running(JobKind::Action).await.unwrap().is_empty());
    jobs.forget("a").await.unwrap();
    assert_eq!(jobs.state("a").await.unwrap(), None);
    start(&*jobs, &job("a", &["stay"])).await;
    assert_eq!(jobs.state("a").await.unwrap(), Some(JobState::Running));
}

pub(crate) async fn a_running_job_is_not_forgotten(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["stay"])).await;
    assert_eq!(jobs.forget("a").await.unwrap_err().to_string(), "cannot forget job `a`: it is running");
    assert_eq!(jobs.state("a").await.unwrap(), Some(JobState::Running));
}

pub(crate) async fn each_kind_has_its_own_limit(bench: &impl Bench) {
    let jobs = bench.open().await;
    for (kind, names) in [(JobKind::Collector, ["c1", "c2"].as_slice()), (JobKind::Action, &["a1", "a2", "a3"])] {
        for name in names {
            start(&*jobs, &JobSpec { kind, ..job(name, &["stay"]) }).await;
        }
        let beyond = jobs.start(&JobSpec { kind, ..job("beyond", &["stay"]) }).await.unwrap();
        assert!(matches!(&beyond, Started::Refused(why) if why.contains("limit")), "{beyond:?}");
        assert_eq!(jobs.running(kind).await.unwrap(), names);
    }
    assert_eq!(jobs.state("beyond").await.unwrap(), None);
}

pub(crate) async fn an_end_makes_room(bench: &impl Bench) {
    let jobs = bench.open().await;
    for name in ["a", "b", "c"] {
        start(&*jobs, &job(name, &["end", "with these arguments"])).await;
    }
    for name in ["a", "b", "c"] {
        end(&*jobs, name).await;
    }
    start(&*jobs, &job("d", &["stay"])).await;
}

pub(crate) async fn a_name_is_one_that_kubernetes_takes(bench: &impl Bench) {
    let jobs = bench.open().await;
    let longest = "a".repeat(63);
    for name in [longest.as_str(), "action-0", "0"] {
        start(&*jobs, &job(name, &["stay"])).await;
        assert_eq!(jobs.state(name).await.unwrap(), Some(JobState::Running));
    }
    for name in [&format!("{longest}a"), "", "Action", "a_b", "-a", "a-", "a.b", "ä"] {
        let refusal = jobs.start(&job(name, &["stay"])).await.unwrap_err();
        assert!(refusal.why.contains("63"), "`{name}`: {refusal}");
    }
}
