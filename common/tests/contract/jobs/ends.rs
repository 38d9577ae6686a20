//! Ends: how a job ended is known, and who waits for it is woken.

use std::{pin::pin, time::Duration};

use common::jobs::{JobKind, JobSpec, JobState};
use futures::poll;
use tokio::time::timeout;

use super::{Bench, LONG, NEVER, end, job, start};

pub(crate) async fn a_job_gets_its_arguments_and_completes(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["end", "with these arguments"])).await;
    assert_eq!(end(&*jobs, "a").await, JobState::Complete);
}

pub(crate) async fn a_job_that_fails_says_why(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["fail", "the moon is full"])).await;
    let state = end(&*jobs, "a").await;
    assert!(matches!(&state, JobState::Failed(why) if why.contains("the moon is full")), "{state:?}");
}

pub(crate) async fn a_job_that_dies_has_failed(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["panic"])).await;
    let state = end(&*jobs, "a").await;
    assert!(matches!(state, JobState::Failed(_)), "{state:?}");
}

pub(crate) async fn a_deadline_ends_a_job(bench: &impl Bench) {
    let jobs = bench.open().await;
    let deadline = Some(Duration::from_secs(1));
    start(&*jobs, &JobSpec { deadline, ..job("a", &["stay"]) }).await;
    start(&*jobs, &JobSpec { deadline: Some(NEVER), ..job("b", &["stay"]) }).await;
    let state = end(&*jobs, "a").await;
    assert!(matches!(&state, JobState::Failed(why) if why.contains("deadline")), "{state:?}");
    assert_eq!(jobs.running(JobKind::Action).await.unwrap(), ["b"]);
}

pub(crate) async fn an_end_wakes_who_waits(bench: &impl Bench) {
    let jobs = bench.open().await;
    let deadline = Some(Duration::from_secs(2));
    start(&*jobs, &JobSpec { deadline, ..job("a", &["stay"]) }).await;
    let mut waits = [pin!(jobs.changed(NEVER)), pin!(jobs.changed(NEVER))];
    for wait in &mut waits {
        assert!(poll!(wait).is_pending());
    }
    for wait in waits {
        timeout(LONG, wait).await.expect("it was not woken");
    }
}

pub(crate) async fn waiting_for_an_end_is_bounded(bench: &impl Bench) {
    let jobs = bench.open().await;
    start(&*jobs, &job("a", &["stay"])).await;
    timeout(LONG, jobs.changed(Duration::from_millis(100))).await.expect("it waited on");
}

pub(crate) async fn of_a_stranger_nothing_is_known(bench: &impl Bench) {
    let jobs = bench.open().await;
    assert_eq!(jobs.state("stranger").await.unwrap(), None);
    jobs.stop("stranger").await.unwrap();
}
