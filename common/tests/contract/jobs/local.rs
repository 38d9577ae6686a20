//! Jobs in this process: the suite, and their end with the process.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{bail, ensure};
use common::jobs::{
    CronInterval, JobKind, JobRunner, JobSpec, JobState, LocalJobs, PerKind, Program, Schedule, SharedJobs, Started,
};
use futures::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Bench, LONG, end, job, start, suite};

suite!(contract, super::Local::new, tokio::test(start_paused = true));

pub(crate) struct Local(Arc<LocalJobs>);

impl Local {
    pub(crate) async fn new() -> Self {
        Self(Arc::new(runner()))
    }
}

impl Bench for Local {
    async fn open(&self) -> SharedJobs {
        self.0.clone()
    }

    async fn schedules(&self) -> Vec<(String, Vec<String>)> {
        self.0.schedules().into_iter().map(|schedule| (schedule.name, schedule.args)).collect()
    }
}

fn runner() -> LocalJobs {
    let program: Program = Arc::new(|args, cancel| program(args, cancel).boxed());
    LocalJobs::new(PerKind { collector: 2, action: 3 }, PerKind { collector: Arc::clone(&program), action: program })
}

/// What [`Bench`] asks for, and `deaf`, which stays and does not listen.
async fn program(args: Vec<String>, cancel: CancellationToken) -> anyhow::Result<()> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["end", ref rest @ ..] => ensure!(rest == ["with these arguments"], "{rest:?}"),
        ["fail", why] => return Err(anyhow::anyhow!("{why}").context("it went wrong")),
        ["panic"] => panic!("it cannot be"),
        ["stay"] => cancel.cancelled().await,
        ["deaf"] => std::future::pending().await,
        ref other => bail!("{other:?}"),
    }
    Ok(())
}

async fn failure(jobs: &dyn JobRunner, spec: JobSpec) -> String {
    start(jobs, &spec).await;
    match end(jobs, &spec.name).await {
        JobState::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_with_its_causes() {
    let jobs = runner();
    assert_eq!(failure(&jobs, job("a", &["fail", "why"])).await, "it went wrong: why");
    assert_eq!(failure(&jobs, job("b", &["panic"])).await, "it panicked: it cannot be");
    assert_eq!(failure(&jobs, job("c", &["fail", &"x".repeat(5_000)])).await.len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_panics_before_its_first_await_has_failed() {
    let program: Program = Arc::new(|_, _| panic!("at once"));
    let jobs = LocalJobs::new(
        PerKind { collector: 1, action: 1 },
        PerKind { collector: Arc::clone(&program), action: program },
    );
    assert_eq!(failure(&jobs, job("a", &[])).await, "it panicked: at once");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_at_the_deadline_is_cut_off_after_the_grace() {
    let jobs = runner();
    let begin = Instant::now();
    let deadline = Some(Duration::from_secs(5));
    let why = failure(&jobs, JobSpec { deadline, ..job("a", &["deaf"]) }).await;
    assert_eq!(why, "it ran longer than its deadline of 5s");
    assert_eq!(begin.elapsed(), Duration::from_secs(35));
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_jobs_end_and_starts_no_more() {
    let jobs = runner();
    start(&jobs, &job("a", &["stay"])).await;
    start(&jobs, &job("b", &["stay"])).await;
    assert!(jobs.shutdown(LONG).await.is_empty());
    assert_eq!(jobs.state("a").await.unwrap(), Some(JobState::Complete));
    assert!(matches!(jobs.start(&job("c", &["end"])).await.unwrap(), Started::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn shutdown_cuts_off_and_names_who_does_not_end() {
    let jobs = runner();
    start(&jobs, &job("a", &["stay"])).await;
    start(&jobs, &job("b", &["deaf"])).await;
    let begin = Instant::now();
    assert_eq!(jobs.shutdown(Duration::from_secs(7)).await, ["b"]);
    assert_eq!(begin.elapsed(), Duration::from_secs(7));
    let state = jobs.state("b").await.unwrap();
    assert!(matches!(&state, Some(JobState::Failed(why)) if why.contains("cut off")), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_runner_leaves_nothing_running() {
    struct Tell(Arc<Mutex<bool>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }
    let gone = Arc::new(Mutex::new(false));
    let tell = Arc::clone(&gone);
    let program: Program = Arc::new(move |_, _| {
        let tell = Tell(Arc::clone(&tell));
        async move {
            let _tell = tell;
            std::future::pending().await
        }
        .boxed()
    });
    let jobs = LocalJobs::new(
        PerKind { collector: 1, action: 1 },
        PerKind { collector: Arc::clone(&program), action: program },
    );
    start(&jobs, &job("a", &[])).await;
    tokio::task::yield_now().await;
    drop(jobs);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(*gone.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_ended_jobs_are_remembered() {
    let jobs = runner();
    for number in 0..=1_000 {
        let name = format!("job-{number}");
        start(&jobs, &job(&name, &["end", "with these arguments"])).await;
        end(&jobs, &name).await;
    }
    assert_eq!(jobs.state("job-0").await.unwrap(), None);
    assert_eq!(jobs.state("job-1").await.unwrap(), Some(JobState::Complete));
}

/// Its former run was the oldest that ended, until it was cleared away.
#[tokio::test(start_paused = true)]
async fn a_job_that_runs_again_is_not_forgotten_for_its_former_run() {
    let jobs = runner();
    let ends = ["end", "with these arguments"];
    start(&jobs, &job("again", &ends)).await;
    end(&jobs, "again").await;
    jobs.stop("again").await.unwrap();
    start(&jobs, &job("again", &["stay"])).await;
    for number in 0..=1_000 {
        let name = format!("job-{number}");
        start(&jobs, &job(&name, &ends)).await;
        end(&jobs, &name).await;
    }
    assert_eq!(jobs.state("again").await.unwrap(), Some(JobState::Running));
}

#[tokio::test(start_paused = true)]
async fn each_kind_has_its_own_limit() {
    let jobs = runner();
    for (kind, names) in [(JobKind::Collector, ["c1", "c2"].as_slice()), (JobKind::Action, &["a1", "a2", "a3"])] {
        for name in names {
            start(&jobs, &JobSpec { kind, ..job(name, &["stay"]) }).await;
        }
        let beyond = jobs.start(&JobSpec { kind, ..job("beyond", &["stay"]) }).await.unwrap();
        assert!(matches!(&beyond, Started::Refused(why) if why.contains("limit")), "{beyond:?}");
        assert_eq!(jobs.running(kind).await.unwrap(), names);
    }
    assert_eq!(jobs.state("beyond").await.unwrap(), None);
    jobs.stop("a1").await.unwrap();
    super::until("its end", &jobs, "a1", |state| state.is_none()).await;
    start(&jobs, &job("beyond", &["stay"])).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_stopped_and_does_not_end_is_cut_off_after_the_grace() {
    let jobs = runner();
    start(&jobs, &job("a", &["deaf"])).await;
    let begin = Instant::now();
    jobs.stop("a").await.unwrap();
    assert_eq!(jobs.state("a").await.unwrap(), Some(JobState::Running), "it ends still");
    super::until("its end", &jobs, "a", |state| state.is_none()).await;
    assert_eq!(begin.elapsed().as_secs(), 30);
}

fn minutely(args: &[&str]) -> Schedule {
    Schedule {
        name: "tick".to_owned(),
        kind: JobKind::Collector,
        args: job("", args).args,
        every: CronInterval::of(Duration::from_secs(60)).unwrap(),
        deadline: Duration::from_secs(150),
    }
}

/// The names of all runs so far.
async fn runs(jobs: &LocalJobs) -> Vec<String> {
    jobs.jobs(JobKind::Collector).await.unwrap().into_iter().map(|job| job.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_schedule_runs_at_once_and_then_at_its_time() {
    let jobs = runner();
    let schedule = [minutely(&["end", "with these arguments"])];
    jobs.schedule(&schedule).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    jobs.schedule(&schedule).await.unwrap();
    assert_eq!(runs(&jobs).await, ["tick-1"], "what did not change does not begin anew");
    tokio::time::sleep(Duration::from_secs(91)).await;
    assert_eq!(runs(&jobs).await, ["tick-1", "tick-2", "tick-3"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lasts_is_not_joined_by_the_next_and_ends_at_its_deadline() {
    let jobs = runner();
    jobs.schedule(&[minutely(&["stay"])]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(140)).await;
    assert_eq!(runs(&jobs).await, ["tick-1"]);
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(runs(&jobs).await, ["tick-1", "tick-2"], "what was missed is left out");
    assert!(matches!(jobs.state("tick-1").await.unwrap(), Some(JobState::Failed(why)) if why.contains("deadline")));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_ends_ends_its_run() {
    let jobs = runner();
    jobs.schedule(&[minutely(&["stay"])]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    jobs.schedule(&[]).await.unwrap();
    super::until("its end", &jobs, "tick-1", |state| state.is_none()).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(runs(&jobs).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_schedules_run_takes_nobodys_room() {
    let jobs = runner();
    jobs.schedule(&[minutely(&["stay"])]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs(&jobs).await, ["tick-1"]);
    for name in ["a", "b"] {
        start(&jobs, &JobSpec { kind: JobKind::Collector, ..job(name, &["stay"]) }).await;
    }
}
