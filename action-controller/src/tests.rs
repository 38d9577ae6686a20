//! Scaling, told with the embedded adapters in paused time.

mod holding;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use common::{
    clock::Clock,
    cluster::Cluster,
    config::Source,
    context::Context,
    exposition::Format,
    http_client::HttpClient,
    jobs::{JobKind, LocalJobs, PerKind, Program, SharedJobs},
    liveness::Liveness,
    queue::{self, Consumer, Message, Queue, Result, Route, SharedQueue},
    store,
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Entry, Record, Uid};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{autoscaler::Workers, metrics::Metrics, planner::Planner};

/// A memory queue that counts what is asked of it.
#[derive(Debug)]
struct Counted {
    inner: SharedQueue,
    asked: AtomicU64,
    tasks: AtomicU64,
    /// How many seconds it takes to hand out a task.
    takes: AtomicU64,
}

#[async_trait]
impl Queue for Counted {
    async fn publish(&self, route: Route, message: &Message) -> Result<()> {
        if route == Route::Tasks {
            self.tasks.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(self.takes.load(Ordering::Relaxed))).await;
        }
        self.inner.publish(route, message).await
    }

    async fn consume(&self, route: Route) -> Result<Box<dyn Consumer>> {
        self.inner.consume(route).await
    }

    async fn backlog(&self, route: Route) -> Result<usize> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.backlog(route).await
    }
}

struct Scene {
    directory: TempDir,
    context: Context,
    queue: Arc<Counted>,
}

/// What a worker's job does in these tests.
#[derive(Clone, Copy)]
enum Does {
    /// Takes tasks, each for a while, until none came for 30 s.
    Drains(Duration),
    Fails,
    Stays,
}

impl Scene {
    async fn new(min: u32, max: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let policy = r#"[{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h", "visible_for": "0"}]"#;
        let variables = [
            ("NSM__STORE__URL", url.clone()),
            ("NSM__MODE", "enforce".to_owned()),
            ("NSM__POLICIES", policy.to_owned()),
            ("NSM__WORKERS__MIN", min.to_string()),
            ("NSM__WORKERS__MAX", max.to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let settings = Source::new(None, variables).load().unwrap();
        let inner = queue::open("memory:").await.unwrap();
        let queue =
            Arc::new(Counted { inner, asked: AtomicU64::new(0), tasks: AtomicU64::new(0), takes: AtomicU64::new(0) });
        let began = Instant::now();
        let context = Context {
            store: store::open(&url).await.unwrap(),
            queue: queue.clone(),
            cluster: Cluster::new(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap(),
            clock: Clock::from_fn(move || at(0) + SignedDuration::try_from(began.elapsed()).unwrap()),
            http: HttpClient::system(),
            liveness: Liveness::default(),
            settings: watch::channel(Arc::new(settings)).1,
            instance: "test".to_owned(),
        };
        Self { directory, context, queue }
    }

    fn jobs(&self, limit: usize, does: Does) -> SharedJobs {
        let queue = self.queue.inner.clone();
        let program: Program = Arc::new(move |args, cancel| {
            assert_eq!(args, ["work"]);
            Box::pin(work(queue.clone(), does, cancel))
        });
        Arc::new(LocalJobs::new(
            PerKind { collector: 0, action: limit },
            PerKind { collector: program.clone(), action: program },
        ))
    }

    async fn publish(&self, tasks: usize) {
        for number in 0..tasks {
            self.queue.inner.publish(Route::Tasks, &Message::about(number.to_string())).await.unwrap();
        }
    }

    /// Keeps enough workers for so long. Returns the most that ran at once.
    async fn keep(&self, workers: &mut Workers, jobs: &SharedJobs, span: Duration) -> u64 {
        let mut most = 0;
        let keeping = async {
            let mut may_wait = true;
            loop {
                let again = workers.keep_enough(&self.context, may_wait).await;
                may_wait = false;
                most = most.max(workers.numbers().1);
                timeout(again.unwrap_or(Duration::from_secs(30)), jobs.changed(Duration::from_secs(30))).await.ok();
            }
        };
        timeout(span, keeping).await.unwrap_err();
        most
    }
}

async fn work(queue: SharedQueue, does: Does, cancel: CancellationToken) -> anyhow::Result<()> {
    match does {
        Does::Drains(each) => {
            let mut tasks = queue.consume(Route::Tasks).await?;
            while let Some(task) = tasks.next(Duration::from_secs(30)).await? {
                sleep(each).await;
                task.ack().await?;
            }
            Ok(())
        }
        Does::Fails => anyhow::bail!("its image is broken"),
        Does::Stays => {
            cancel.cancelled().await;
            Ok(())
        }
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

async fn running(jobs: &SharedJobs) -> usize {
    jobs.running(JobKind::Action).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn three_hundred_tasks_get_four_workers_and_none_is_left_behind() {
    let scene = Scene::new(0, 4).await;
    let metrics = Metrics::new(&scene.context);
    let jobs = scene.jobs(9, Does::Drains(Duration::from_secs(1)));
    let mut workers = Workers::new(jobs.clone(), metrics);
    scene.publish(300).await;
    assert_eq!(scene.keep(&mut workers, &jobs, Duration::from_secs(90)).await, 4);
    assert_eq!(scene.context.queue.backlog(Route::Tasks).await.unwrap(), 0, "300 s of work for four");
    scene.keep(&mut workers, &jobs, Duration::from_secs(60)).await;
    assert_eq!((running(&jobs).await, workers.numbers().2), (0, 0));
    let text = scene.context.liveness.metrics(Format::Classic);
    assert!(text.contains("namespace_manager_worker_jobs_total{outcome=\"complete\"} 4\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn few_tasks_get_few_workers() {
    for (tasks, wanted) in [(1, 1), (8, 1), (9, 2), (25, 4)] {
        let scene = Scene::new(0, 9).await;
        let jobs = scene.jobs(9, Does::Stays);
        let mut workers = Workers::new(jobs.clone(), Metrics::default());
        scene.publish(tasks).await;
        assert_eq!(scene.keep(&mut workers, &jobs, Duration::from_secs(5)).await, wanted, "{tasks}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_rest_no_worker_runs_and_nothing_is_asked() {
    let scene = Scene::new(0, 4).await;
    let jobs = scene.jobs(9, Does::Stays);
    let mut workers = Workers::new(jobs.clone(), Metrics::default());
    scene.keep(&mut workers, &jobs, Duration::from_secs(600)).await;
    assert_eq!(running(&jobs).await, 0);
    assert_eq!(scene.queue.asked.load(Ordering::Relaxed), 1, "once at the start, for an earlier leader's messages");
}

#[tokio::test(start_paused = true)]
async fn so_many_as_are_to_wait_are_there_without_work() {
    let scene = Scene::new(2, 4).await;
    let jobs = scene.jobs(9, Does::Drains(Duration::ZERO));
    let mut workers = Workers::new(jobs.clone(), Metrics::default());
    scene.keep(&mut workers, &jobs, Duration::from_secs(300)).await;
    assert_eq!(running(&jobs).await, 2, "a worker that ends is replaced");
}

#[tokio::test(start_paused = true)]
async fn workers_that_fail_are_started_ever_more_seldom_and_it_shows() {
    let scene = Scene::new(0, 4).await;
    let metrics = Metrics::new(&scene.context);
    let jobs = scene.jobs(9, Does::Fails);
    let mut workers = Workers::new(jobs.clone(), metrics);
    scene.publish(1).await;
    scene.keep(&mut workers, &jobs, Duration::from_secs(600)).await;
    let text = scene.context.liveness.metrics(Format::Classic);
    // After 1, 2, 4, … 256 s.
    assert!(text.contains("namespace_manager_worker_jobs_total{outcome=\"started\"} 10\n"), "{text}");
    let retries = workers.retries(scene.context.clock.now());
    let told: Vec<_> = retries.iter().map(|it| (it.reason.as_str(), it.times)).collect();
    assert_eq!(told, [("failed", 10)]);
    assert!(retries[0].what.contains("its image is broken"), "{retries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_hammered_and_ends_with_the_first_start() {
    let scene = Scene::new(0, 4).await;
    let metrics = Metrics::new(&scene.context);
    // The runner takes one; three more are wanted.
    let jobs = scene.jobs(1, Does::Stays);
    let mut workers = Workers::new(jobs.clone(), metrics);
    scene.publish(300).await;
    scene.keep(&mut workers, &jobs, Duration::from_secs(60)).await;
    let text = scene.context.liveness.metrics(Format::Classic);
    // At 0, 1, 3, 7, 15 and 31 s.
    assert!(text.contains("namespace_manager_worker_jobs_total{outcome=\"refused\"} 6\n"), "{text}");
    assert_eq!(workers.retries(scene.context.clock.now())[0].reason, "refused");
}

/// A namespace whose time was over a minute ago.
async fn due(scene: &Scene, uid: &str) {
    let hash = scene.context.settings().policies.iter().next().unwrap().hash.clone();
    let events = [
        json!({"kind": "Adopted", "data": {"policy": "ci", "policy_hash": hash, "mode": "enforce", "created": at(-3_660),
            "ci": [], "deadline": {"at": at(-60), "by": {"source": "policy"}}}}),
        json!({"kind": "StatusChanged", "data": {"from": "unknown", "to": "stale", "reason": "it is old", "evidence": [],
            "finalize_at": null}}),
    ];
    append(scene, uid, at(-60), &events).await;
}

async fn append(scene: &Scene, uid: &str, time: Timestamp, events: &[serde_json::Value]) {
    let store = &scene.context.store;
    let mut record = common::history::load(&**store, &Uid::new(uid)).await.unwrap();
    for event in events {
        let mut entry = event.clone();
        let common = json!({"uid": uid, "seq": record.head + 1, "at": time, "actor": "action/w", "name": "ci-1",
            "token": format!("{uid}{}", record.head)});
        entry.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
        let entry: Entry = serde_json::from_value(entry).unwrap();
        store.append(&entry).await.unwrap();
        record.fold(&entry);
    }
    store.put_snapshot(&record).await.unwrap();
    assert_eq!(Record::of(Uid::new(uid), &store.history(&Uid::new(uid), 0, 99).await.unwrap()), record);
}

async fn run_for(scene: &Scene, does: Does, span: Duration) {
    let running = crate::run(scene.context.clone(), scene.jobs(9, does), CancellationToken::new());
    assert!(timeout(span, running).await.is_err(), "it ended by itself");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_queue_is_not_handed_out_again_and_what_was_lost_is() {
    let scene = Scene::new(0, 4).await;
    due(&scene, "u1").await;
    due(&scene, "u2").await;
    // A worker that starts takes nothing: the messages wait.
    run_for(&scene, Does::Stays, Duration::from_secs(900)).await;
    assert_eq!(scene.queue.tasks.load(Ordering::Relaxed), 2);

    let scene = Scene::new(0, 4).await;
    due(&scene, "u1").await;
    // A worker that starts takes the message, and nothing comes of it.
    run_for(&scene, Does::Drains(Duration::ZERO), Duration::from_secs(300)).await;
    let offers = scene.queue.tasks.load(Ordering::Relaxed);
    assert!((9..=11).contains(&offers), "{offers} times in five minutes");
}

/// What is to be checked again soon would be due at once, for as long as the clock was ahead: nobody would get to anything else.
#[tokio::test(start_paused = true)]
async fn a_round_ends_though_the_clock_is_set_back_in_the_middle_of_it() {
    let mut scene = Scene::new(0, 4).await;
    due(&scene, "u1").await;
    // So many times more the clock is told a day ahead.
    let ahead = Arc::new(AtomicU64::new(u64::MAX));
    let (told, asked, began) = (ahead.clone(), AtomicU64::new(0), Instant::now());
    scene.context.clock = Clock::from_fn(move || {
        // Paused time does not go on while somebody works, so no deadline would end it.
        assert!(asked.fetch_add(1, Ordering::Relaxed) < 10_000, "a round without an end");
        let is_ahead = told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let off = SignedDuration::from_hours(if is_ahead { 24 } else { 0 });
        at(0) + SignedDuration::try_from(began.elapsed()).unwrap() + off
    });
    let mut planner = Planner::new(scene.context.clone(), Metrics::default());
    planner.check_all_if_wanted().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    ahead.store(1, Ordering::Relaxed);
    planner.check_due().await.unwrap();
    assert_eq!(ahead.load(Ordering::Relaxed), 0, "it checked");
    assert!(planner.until_due() > Duration::from_secs(20));
}

/// The uid of the namespace of this number, of which nothing is recorded.
fn unrecorded(number: u64) -> Uid {
    Uid::new(format!("00000000-0000-4000-8000-{number:012}"))
}

#[tokio::test(start_paused = true)]
async fn a_turn_checks_so_many_and_first_those_that_wait_longest() {
    let scene = Scene::new(0, 4).await;
    let mut planner = Planner::new(scene.context.clone(), Metrics::default());
    let (first, last) = (unrecorded(999), unrecorded(250));
    planner.hint(first.as_str());
    sleep(Duration::from_secs(1)).await;
    (1..=250).for_each(|number| planner.hint(unrecorded(number).as_str()));
    sleep(Duration::from_secs(1)).await;
    // A namespace that is spoken of again keeps its place.
    planner.hint(first.as_str());
    planner.check_due().await.unwrap();
    assert!(!planner.knows(&first), "it was checked");
    assert!(planner.knows(&last), "it was not its turn");
    assert_eq!(planner.until_due(), Duration::ZERO, "some are due still");
    planner.check_due().await.unwrap();
    assert!(!planner.knows(&last));
    assert!(planner.until_due() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_hint_about_what_is_no_uid_is_dropped() {
    let scene = Scene::new(0, 4).await;
    let mut planner = Planner::new(scene.context.clone(), Metrics::default());
    for junk in ["", "ci-1", "00000000-0000-4000-8000-00000000000x"] {
        planner.hint(junk);
        assert!(!planner.knows(&Uid::new(junk)), "{junk}");
    }
    assert!(planner.until_due() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_and_is_forgotten_is_kept_in_mind_no_longer() {
    let scene = Scene::new(0, 4).await;
    let uid = unrecorded(1);
    due(&scene, uid.as_str()).await;
    let mut planner = Planner::new(scene.context.clone(), Metrics::default());
    planner.check_all_if_wanted().await.unwrap();
    assert!(planner.knows(&uid));
    scene.context.store.forget(&uid).await.unwrap();
    planner.want_all();
    planner.check_all_if_wanted().await.unwrap();
    planner.check_due().await.unwrap();
    assert!(!planner.knows(&uid));
}

/// The kubelet ends a process whose loops do not turn.
#[tokio::test(start_paused = true)]
async fn a_turn_that_takes_long_is_not_taken_for_a_stalled_one() {
    let scene = Scene::new(0, 4).await;
    for number in 0..5 {
        due(&scene, unrecorded(number).as_str()).await;
    }
    scene.queue.takes.store(60, Ordering::Relaxed);
    let mut planner = Planner::new(scene.context.clone(), Metrics::default());
    let began = Instant::now();
    let checking = async {
        loop {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(scene.context.liveness.stuck(), None, "after {:?}", began.elapsed());
        }
    };
    tokio::select! {
        checked = planner.check_all_if_wanted() => checked.unwrap(),
        () = checking => {}
    }
    assert!(began.elapsed() >= Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_history_is_told_of() {
    let scene = Scene::new(0, 4).await;
    due(&scene, "u1").await;
    append(&scene, "u1", at(-30), &[json!({"kind": "Painted", "data": {}})]).await;
    run_for(&scene, Does::Stays, Duration::from_secs(60)).await;
    let text = scene.context.liveness.metrics(Format::Classic);
    assert!(text.contains("namespace_manager_histories_damaged 1\n"), "{text}");
    assert!(text.contains("namespace_manager_tasks_stuck 1\n"), "{text}");
    assert_eq!(scene.queue.tasks.load(Ordering::Relaxed), 0);
}

/// The store cannot read the history of this namespace any more, and has no snapshot of it.
fn damage(scene: &Scene, uid: &str) {
    let file = rusqlite::Connection::open(scene.directory.path().join("nsm.db")).unwrap();
    assert!(file.execute("UPDATE entries SET document = '{' WHERE uid = ?1", [uid]).unwrap() > 0);
    assert_eq!(file.execute("DELETE FROM snapshots WHERE uid = ?1", [uid]).unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_cannot_be_read_is_told_of_and_left_alone_for_a_while() {
    let scene = Scene::new(0, 4).await;
    let mut planner = Planner::new(scene.context.clone(), Metrics::default());
    let (broken, whole) = (unrecorded(1), unrecorded(2));
    due(&scene, broken.as_str()).await;
    due(&scene, whole.as_str()).await;
    damage(&scene, broken.as_str());
    planner.hint(broken.as_str());
    sleep(Duration::from_secs(1)).await;
    planner.hint(whole.as_str());
    planner.check_due().await.expect("the store answers");
    assert_eq!((planner.damaged(), planner.outstanding()), (1, 1), "the other one is planned");
    assert!(planner.until_due() > Duration::ZERO, "it is not read in a loop");
}

#[tokio::test(start_paused = true)]
async fn deletions_are_counted_from_the_history_once() {
    let scene = Scene::new(0, 4).await;
    let intended = |uid: &str| {
        json!({"kind": "ActionIntended", "data": {"action": "delete", "cause_seq": 2, "attempt": 1, "holder": uid,
            "until": at(500), "resource_version": "1", "cause": "stale", "decision": "it is stale", "evidence": [],
            "evidence_at": at(0), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce", "notice": "no_channel"}})
    };
    let done = json!({"kind": "ActionDone", "data": {"of": 3, "observed": false}});
    due(&scene, "before").await;
    append(&scene, "before", at(-30), &[intended("w"), done.clone()]).await;
    let deletes_later = async {
        sleep(Duration::from_secs(100)).await;
        for uid in ["u1", "u2"] {
            due(&scene, uid).await;
            append(&scene, uid, at(100), &[intended("w"), done.clone()]).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = run_for(&scene, Does::Stays, Duration::from_secs(900)) => {}
        () = deletes_later => {}
    }
    let text = scene.context.liveness.metrics(Format::Classic);
    assert!(text.contains("namespace_manager_ns_delete_total{owner=\"test\",status=\"stale\"} 2\n"), "{text}");
    assert!(text.contains("namespace_manager_ns_delete_total{owner=\"test\",status=\"ok\"} 0\n"), "{text}");
    let heartbeats = scene.context.store.heartbeats(9).await.unwrap();
    let told = &heartbeats
        .iter()
        .find(|heartbeat| heartbeat.role == "action-controller")
        .expect("it sends heartbeats")
        .body["deleted"];
    assert_eq!((&told["stale"], &told["ok"]), (&json!(2), &json!(0)), "{told}");
    // The one that was accepted a quarter of an hour ago, and of which nobody wrote that it is gone.
    assert!(text.contains("namespace_manager_tasks_stuck 1\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_announced_is_told_of_within_seconds_and_once() {
    let scene = Scene::new(0, 4).await;
    let intended = json!({"kind": "ActionIntended", "data": {"action": "delete", "cause_seq": 2, "attempt": 1, "holder": "w",
        "until": at(500), "resource_version": "1", "cause": "stale", "decision": "it is stale", "evidence": [],
        "evidence_at": at(0), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce", "notice": "no_channel"}});
    let done = json!({"kind": "ActionDone", "data": {"of": 3, "observed": false}});
    let delete = async |number: u64| {
        let uid = unrecorded(number);
        due(&scene, uid.as_str()).await;
        append(&scene, uid.as_str(), at(100), &[intended.clone(), done.clone()]).await;
        scene.queue.publish(Route::Events, &Message::about(uid.as_str())).await.unwrap();
    };
    let told = async || {
        let heartbeats = scene.context.store.heartbeats(9).await.unwrap();
        heartbeats.iter().find(|heartbeat| heartbeat.role == "action-controller").expect("it sends heartbeats").body["deleted"]["stale"].clone()
    };
    let checking = async {
        // Halfway between two reads of the tail, and between two heartbeats.
        sleep(Duration::from_millis(105_100)).await;
        delete(1).await;
        sleep(Duration::from_millis(100)).await;
        assert_eq!(told().await, 1);
        delete(2).await;
        delete(3).await;
        sleep(Duration::from_millis(100)).await;
        assert_eq!(told().await, 1, "those that come together are told together");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(told().await, 3);
        sleep(Duration::from_secs(900)).await;
        assert_eq!(told().await, 3, "the tail shows them, too, and so do all records");
    };
    tokio::select! {
        () = run_for(&scene, Does::Stays, Duration::from_secs(3_600)) => panic!("it ended by itself"),
        () = checking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_which_the_store_took_no_heartbeat_is_told_of_as_soon_as_it_takes_one() {
    let scene = Scene::new(0, 4).await;
    let file = rusqlite::Connection::open(scene.directory.path().join("nsm.db")).unwrap();
    let intended = json!({"kind": "ActionIntended", "data": {"action": "delete", "cause_seq": 2, "attempt": 1, "holder": "w",
        "until": at(500), "resource_version": "1", "cause": "stale", "decision": "it is stale", "evidence": [],
        "evidence_at": at(0), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce", "notice": "no_channel"}});
    let done = json!({"kind": "ActionDone", "data": {"of": 3, "observed": false}});
    let told = async || {
        let heartbeats = scene.context.store.heartbeats(9).await.unwrap();
        heartbeats.iter().find(|heartbeat| heartbeat.role == "action-controller").expect("it sends heartbeats").body["deleted"]["stale"].clone()
    };
    let checking = async {
        // Between two reads of the tail, and between two heartbeats.
        sleep(Duration::from_millis(105_100)).await;
        let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON heartbeats BEGIN SELECT RAISE(ABORT, 'no'); END";
        file.execute_batch(refuses).unwrap();
        let uid = unrecorded(1);
        due(&scene, uid.as_str()).await;
        append(&scene, uid.as_str(), at(100), &[intended, done]).await;
        scene.queue.publish(Route::Events, &Message::about(uid.as_str())).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(told().await, 0);
        file.execute_batch("DROP TRIGGER refuses").unwrap();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(told().await, 1);
    };
    tokio::select! {
        () = run_for(&scene, Does::Stays, Duration::from_secs(3_600)) => panic!("it ended by itself"),
        () = checking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn it_tells_how_it_is_and_says_so_when_it_ends() {
    let scene = Scene::new(1, 4).await;
    due(&scene, "u1").await;
    let cancel = CancellationToken::new();
    let running = crate::run(scene.context.clone(), scene.jobs(9, Does::Fails), cancel.clone());
    let checking = async {
        sleep(Duration::from_secs(100)).await;
        let heartbeats = scene.context.store.heartbeats(9).await.unwrap();
        cancel.cancel();
        heartbeats
    };
    let (ended, heartbeats) = tokio::join!(running, checking);
    ended.unwrap();
    assert_eq!((heartbeats.len(), heartbeats[0].id.as_str()), (1, "action-controller/test"));
    let body = &heartbeats[0].body;
    assert_eq!(
        (&body["outstanding"], &body["wanted"], &body["retries"][0]["reason"]),
        (&json!(1), &json!(1), &json!("failed"))
    );
    assert_eq!(body["installation"], "test", "another one has to hear of it for as long as it runs");
    assert_eq!(scene.context.store.heartbeats(9).await.unwrap(), []);
}
