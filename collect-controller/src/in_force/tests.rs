use std::sync::Arc;

use async_trait::async_trait;
use common::{
    clock::Clock,
    cluster::Cluster,
    config::Source,
    context::Context,
    controls::{accept_config, config},
    heartbeat,
    http_client::HttpClient,
    jobs::{Job, JobKind, JobRunner, JobSpec, JobState, Result, Schedule, Started},
    liveness::Liveness,
    queue,
    store::{self, Heartbeat},
};
use jiff::SignedDuration;
use lifecycle::Actor;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{ROLE, run};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Each letter of `checks` is what one check found, 5 s after the one before:
///
/// - `=`: one's own configuration is in force
/// - `.`: the store is out of reach
/// - `-`: another's, of whom nothing is heard
/// - `a` to `z`: another's, with this heartbeat as its last
/// - `A`: that of a third, with heartbeat `a` as its last
///
/// `gone` is the check at which one's own is to be put in force again.
#[track_caller]
fn check(checks: &str, gone: Option<usize>) {
    let (mut in_force, began) = (InForce::default(), Instant::now());
    let found = checks.char_indices().position(|(number, found)| {
        let heard = match found {
            '=' | '.' => None,
            '-' => Some((7, None)),
            'A' => Some((8, Some(at(1)))),
            heartbeat => Some((7, Some(at(i64::from(u32::from(heartbeat) - u32::from('a')) + 1)))),
        };
        in_force.has_gone(heard, began + HEARD_INTERVAL * u32::try_from(number).unwrap())
    });
    assert_eq!(found, gone, "{checks}");
}

#[test]
fn a_controller_that_is_heard_of_holds_what_it_put_in_force() {
    check("=========================", None);
    check("aabbccddeeffgghhiijjkkllmm", None);
    // Every third heartbeat arrives, and every fourth, as late as that.
    check("aaaaaabbbbbbccccccddddddeeeeee", None);
    check("aaaaaaaabbbbbbbbccccccccdddddddd", None);
    // It was heard of for the first time just before.
    check("--------aabbcc", None);
}

#[test]
fn a_controller_that_is_not_heard_of_for_40_s_has_gone() {
    check("aaaaaaaaa", Some(8));
    check("aabbbbbbbbb", Some(10));
    check("---------", Some(8));
    // Its end is one more word of it.
    check("aa---------", Some(10));
}

#[test]
fn what_was_heard_of_one_says_nothing_of_another() {
    check("aaaaaaaAAAAAAAAA", Some(15));
    check("aaaaaaa=aaaaaaaaa", Some(16));
}

#[test]
fn time_without_the_store_counts_for_nothing() {
    check("aaaaaaa.a", None);
    check("aaaa........aaaaaaaaa", Some(20));
    check("......................", None);
}

/// Jobs that take so long to be asked for.
#[derive(Debug)]
struct Slow(Duration);

#[async_trait]
impl JobRunner for Slow {
    async fn start(&self, _: &JobSpec) -> Result<Started> {
        Ok(Started::Now)
    }
    async fn state(&self, _: &str) -> Result<Option<JobState>> {
        Ok(None)
    }
    async fn jobs(&self, _: JobKind) -> Result<Vec<Job>> {
        sleep(self.0).await;
        Ok(Vec::new())
    }
    async fn changed(&self, wait: Duration) {
        sleep(wait).await;
    }
    async fn stop(&self, _: &str) -> Result<()> {
        Ok(())
    }
    async fn schedule(&self, _: &[Schedule]) -> Result<()> {
        Ok(())
    }
    fn hands_over(&self) -> bool {
        false
    }
}

struct Scene {
    _directory: TempDir,
    context: Context,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let settings = Source::new(None, [("NSM__STORE__URL".to_owned(), url.clone())]).load().unwrap();
        let began = Instant::now();
        let context = Context {
            store: store::open(&url).await.unwrap(),
            queue: queue::open("memory:").await.unwrap(),
            cluster: Cluster::new(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap(),
            clock: Clock::from_fn(move || at(0) + SignedDuration::try_from(began.elapsed()).unwrap()),
            http: HttpClient::system(),
            liveness: Liveness::default(),
            settings: watch::channel(Arc::new(settings)).1,
            instance: "test".to_owned(),
        };
        Self { _directory: directory, context }
    }

    /// Runs these steps beside a controller whose jobs take so long.
    async fn while_running(&self, takes: Duration, steps: impl Future<Output = ()>) {
        tokio::select! {
            ended = run(self.context.clone(), Arc::new(Slow(takes)), CancellationToken::new()) => panic!("{ended:?}"),
            () = steps => {}
        }
    }

    async fn hash_in_force(&self) -> Option<String> {
        config(&*self.context.store).await.unwrap().map(|control| control.body.hash)
    }

    /// Waits until the controller's configuration is in force. Returns how long that took.
    async fn is_in_force(&self) -> Duration {
        let (began, ours) = (Instant::now(), self.context.settings().hash.clone());
        while self.hash_in_force().await.as_ref() != Some(&ours) {
            sleep(Duration::from_secs(1)).await;
        }
        began.elapsed()
    }

    async fn heartbeat(&self, of: &Actor) {
        let (id, at) = (of.to_string(), self.context.clock.now());
        let heartbeat = Heartbeat { id, role: ROLE.to_owned(), started: at, at, body: Value::Null };
        self.context.store.heartbeat(&heartbeat).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_is_in_force_again_within_a_minute_after_the_one_that_came_later_died() {
    let (scene, other) = (Scene::new().await, Actor::role(ROLE, "other"));
    let theirs = Some("theirs".to_owned());
    let steps = async {
        scene.is_in_force().await;
        accept_config(&*scene.context.store, &other, "theirs", scene.context.clock.now()).await.unwrap();
        // Of its heartbeats every 10 s one or two get lost now and then.
        for pause in [10, 10, 30, 10, 30, 20, 30, 10, 10] {
            sleep(Duration::from_secs(pause)).await;
            assert_eq!(scene.hash_in_force().await, theirs);
            scene.heartbeat(&other).await;
        }
        let took = scene.is_in_force().await;
        assert!(took <= Duration::from_secs(60), "{took:?}");
    };
    scene.while_running(Duration::ZERO, steps).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_also_where_the_other_died_before_its_first_heartbeat() {
    let (scene, other) = (Scene::new().await, Actor::role(ROLE, "other"));
    let steps = async {
        scene.is_in_force().await;
        accept_config(&*scene.context.store, &other, "theirs", scene.context.clock.now()).await.unwrap();
        let took = scene.is_in_force().await;
        assert!(took <= Duration::from_secs(60), "{took:?}");
    };
    scene.while_running(Duration::ZERO, steps).await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_is_heard_of_while_its_jobs_cannot_be_asked_for() {
    let scene = Scene::new().await;
    let own = Actor::role(ROLE, &scene.context.instance).to_string();
    let steps = async {
        let mut heard = Vec::new();
        for pause in [15, 20, 20] {
            sleep(Duration::from_secs(pause)).await;
            let heartbeats = scene.context.store.heartbeats(heartbeat::MAX_HEARTBEATS).await.unwrap();
            heard.extend(
                heartbeats
                    .into_iter()
                    .filter(|heartbeat| heartbeat.id == own)
                    .map(|heartbeat| heartbeat.at.as_second()),
            );
        }
        assert_eq!(heard, [10, 30, 50]);
    };
    scene.while_running(Duration::from_secs(600), steps).await;
}
