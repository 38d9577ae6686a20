//! What is kept running, told with the embedded runner in paused time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use common::{
    config::{Settings, Source},
    jobs::{JobRunner, LocalJobs, PerKind, Program, Result},
};
use jiff::SignedDuration;
use tokio::time::timeout;

use super::*;

/// Jobs of this process that are relieved as those of a cluster are, and take as long to begin.
#[derive(Debug)]
struct Relieved {
    jobs: LocalJobs,
    begin_after: Duration,
    started: Mutex<BTreeMap<String, Instant>>,
}

#[async_trait]
impl JobRunner for Relieved {
    async fn start(&self, spec: &JobSpec) -> Result<Started> {
        self.started.lock().unwrap().entry(spec.name.clone()).or_insert_with(Instant::now);
        self.jobs.start(spec).await
    }
    async fn state(&self, name: &str) -> Result<Option<JobState>> {
        self.jobs.state(name).await
    }
    async fn jobs(&self, kind: JobKind) -> Result<Vec<Job>> {
        let mut jobs = self.jobs.jobs(kind).await?;
        let started = self.started.lock().unwrap();
        for job in &mut jobs {
            job.has_begun = started.get(&job.name).is_none_or(|started| started.elapsed() >= self.begin_after);
        }
        Ok(jobs)
    }
    async fn changed(&self, wait: Duration) {
        self.jobs.changed(wait).await;
    }
    async fn stop(&self, name: &str) -> Result<()> {
        self.jobs.stop(name).await
    }
    async fn schedule(&self, schedules: &[Schedule]) -> Result<()> {
        self.jobs.schedule(schedules).await
    }
    fn hands_over(&self) -> bool {
        true
    }
}

/// How often a program was started, by its arguments.
type Starts = Arc<Mutex<BTreeMap<String, u32>>>;

struct Scene {
    jobs: Arc<Relieved>,
    reconciler: JobReconciler,
    starts: Starts,
    began: Instant,
}

impl Scene {
    /// With room for so many jobs.
    fn new(limit: usize, fails: bool) -> Self {
        Self::slow(limit, fails, Duration::ZERO)
    }

    /// As `new`, with jobs that take so long to begin.
    fn slow(limit: usize, fails: bool, begin_after: Duration) -> Self {
        let starts = Starts::default();
        let program: Program = {
            let starts = Arc::clone(&starts);
            Arc::new(move |args, cancel| {
                *starts.lock().unwrap().entry(args.join(" ")).or_default() += 1;
                Box::pin(async move {
                    match args[0].as_str() {
                        "prune" => Ok(()),
                        _ if fails => anyhow::bail!("on purpose"),
                        _ => {
                            cancel.cancelled().await;
                            Ok(())
                        }
                    }
                })
            })
        };
        let limits = PerKind { collector: limit, action: 0 };
        let local = LocalJobs::new(limits, PerKind { collector: program.clone(), action: program });
        let jobs = Arc::new(Relieved { jobs: local, begin_after, started: Mutex::default() });
        let reconciler = JobReconciler::new(jobs.clone(), Metrics::default());
        Self { jobs, reconciler, starts, began: Instant::now() }
    }

    /// Keeps for so long, from the beginning of a slot on.
    async fn keep(&mut self, variables: &[(&str, &str)], span: Duration) {
        let settings = settings(variables);
        let (began, jobs, reconciler) = (self.began, self.jobs.clone(), &mut self.reconciler);
        let keeping = async {
            loop {
                let now = Timestamp::UNIX_EPOCH + SignedDuration::try_from(began.elapsed()).unwrap();
                let wait = reconciler.keep(&settings, now).await.unwrap_or(LOOK).min(LOOK);
                timeout(wait, jobs.changed(wait)).await.ok();
            }
        };
        timeout(span, keeping).await.unwrap_err();
    }

    fn starts(&self) -> BTreeMap<String, u32> {
        self.starts.lock().unwrap().iter().filter(|(args, _)| *args != "prune").map(|(a, n)| (a.clone(), *n)).collect()
    }

    async fn running(&self) -> Vec<String> {
        self.jobs.running(JobKind::Collector).await.unwrap()
    }
}

const LOOK: Duration = Duration::from_secs(30);
const SLOT: Duration = Duration::from_secs(1_800);

fn settings(variables: &[(&str, &str)]) -> Settings {
    let jobs = variables.iter().map(|(key, value)| (format!("NSM__JOBS__{key}"), (*value).to_owned()));
    let store = ("NSM__STORE__URL".to_owned(), "sqlite:/nowhere".to_owned());
    Source::new(None, jobs.chain([store])).load().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_shard_has_one_collector_and_at_a_new_slot_another() {
    let mut scene = Scene::new(10, false);
    scene.keep(&[("SHARDS", "2")], SLOT - LOOK).await;
    assert_eq!(scene.running().await, ["collector-0-0", "collector-1-0"]);
    assert_eq!((scene.reconciler.running, scene.reconciler.wanted), (2, 2));
    scene.keep(&[("SHARDS", "2")], LOOK * 2).await;
    // The former ones end by themselves, some time after.
    let all = ["collector-0-0", "collector-0-1800", "collector-1-0", "collector-1-1800"];
    assert_eq!(scene.running().await, all);
    assert_eq!(scene.starts().into_values().collect::<Vec<_>>(), [1; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_fails_is_started_again_under_another_name_and_ever_more_seldom() {
    let mut scene = Scene::new(10, true);
    scene.keep(&[], Duration::from_secs(600)).await;
    let starts = scene.starts()["resident --shard 0 --of 1 --slot 0"];
    assert!((10..=20).contains(&starts), "{starts} in ten minutes");
    let retry = scene.reconciler.retries.told(Timestamp::UNIX_EPOCH).remove(0);
    assert_eq!(retry.reason, "failed");
    assert!(retry.what.starts_with("`collector-0`: job `collector-0-0"), "{retry:?}");
    assert!(retry.what.ends_with("failed: on purpose"), "{retry:?}");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_room_the_others_run_and_people_are_told() {
    let mut scene = Scene::new(1, false);
    scene.keep(&[("SHARDS", "2")], Duration::from_secs(300)).await;
    assert_eq!(scene.running().await, ["collector-0-0"]);
    let told = scene.reconciler.retries.told(Timestamp::UNIX_EPOCH);
    assert_eq!(told.len(), 1);
    assert!(told[0].reason == "refused" && told[0].what.starts_with("`collector-1`"), "{told:?}");
    assert!(told[0].times < 15, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn of_another_number_of_shards_the_former_end_once_the_new_have_begun() {
    let mut scene = Scene::slow(10, false, LOOK * 3);
    scene.keep(&[], LOOK).await;
    assert_eq!(scene.running().await, ["collector-0-0"]);
    scene.keep(&[("SHARDS", "2")], LOOK * 2).await;
    assert_eq!(scene.running().await, ["collector-0-0", "collector-0-0-1", "collector-1-0"], "it watches meanwhile");
    scene.keep(&[("SHARDS", "2")], LOOK * 3).await;
    assert_eq!(scene.running().await, ["collector-0-0-1", "collector-1-0"]);
    let of = |number| format!("resident --shard {number} --of 2 --slot 0");
    assert_eq!((scene.starts()[&of(0)], scene.starts()[&of(1)]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn with_sweeps_no_collector_stays() {
    let mut scene = Scene::new(10, false);
    scene.keep(&[], LOOK).await;
    scene.keep(&[("SWEEP", "cron")], LOOK).await;
    assert_eq!(scene.running().await.into_iter().filter(|name| name.starts_with("collector")).count(), 0);
    let schedules: BTreeSet<_> = scene.jobs.jobs.schedules().into_iter().map(|schedule| schedule.name).collect();
    assert_eq!(schedules, BTreeSet::from(["prune".to_owned(), "sweep-0".to_owned()]));
    scene.keep(&[], LOOK * 2).await;
    assert_eq!(scene.jobs.jobs.schedules().len(), 1);
}

#[test]
fn retries_of_all_slots_runs_and_attempts_are_about_the_same() {
    for (name, expected) in [
        ("collector-1-1764061200", "collector-1"),
        ("collector-1-1764061200-2", "collector-1"),
        ("collector-0", "collector-0"),
        ("collector-0-3", "collector-0"),
        ("sweep-12-29391", "sweep-12"),
        ("prune-29391", "prune"),
    ] {
        assert_eq!(about(name), expected, "{name}");
    }
}
