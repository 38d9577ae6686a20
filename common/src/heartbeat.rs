//! What running parts of the program tell of themselves in the store, so that people see who is there and what it is at.
//!
//! Nothing is decided on a heartbeat: its sender may be frozen the next moment, and one that sends none may only be cut off.

use std::{collections::BTreeMap, future::Future, pin::pin, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lifecycle::Actor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tracing::debug;
use utoipa::ToSchema;

pub use crate::jobs::JobRetry;
use crate::{
    clock::ApiClock,
    context::Context,
    store::{Heartbeat, Store, StoreError},
};

/// The role of collectors, as in their heartbeats.
pub const COLLECTOR: &str = "collector";

/// The role of action workers, as in their heartbeats.
pub const WORKER: &str = "action";

/// Interval of heartbeats of a process that has something to do or something new to tell, or that puts a configuration in force; or as
/// often as at rest ([`Timings::heartbeat_interval`](crate::timings::Timings::heartbeat_interval)) where that is more often.
pub const BUSY: Duration = Duration::from_secs(10);

/// Who was not heard of for so long counts as dead: three heartbeats at rest in a release.
pub const DEAD_AFTER: SignedDuration = SignedDuration::from_secs(90);

/// Who was not heard of for so long is forgotten.
pub const REMOVED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// More than ever are alive at a time.
pub const MAX_HEARTBEATS: usize = 10_000;

/// What an action worker tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerBody {
    /// What it carries out now; `None`: it waits.
    pub current: Option<CurrentTask>,
    /// Tasks it brought to an end: carried out, or found not to be due.
    pub done: u64,
    /// Tasks it could not carry out for want of the store or the cluster.
    pub failed: u64,
    /// The hash of the configuration it has.
    pub config: String,
    /// Why it deletes nothing, whatever is due; `None` where nothing is in the way.
    pub admission_error: Option<String>,
    /// What it cannot rely on: its clock.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
}

/// What a collector tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorBody {
    /// Which part of all namespaces it watches, from 0 on.
    pub shard: u32,
    /// How many parts there are.
    pub of: u32,
    /// When its slot began; `None`: it stays until asked to end.
    pub slot: Option<Timestamp>,
    /// How many namespaces it watches.
    pub watched: u64,
    /// The checks of the health of all that it made without a break, each with an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<WatchedSpan>,
    /// The sources that it cannot read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// What came of the checks of single namespaces since it began.
    #[serde(default, skip_serializing_if = "CheckCounts::is_none")]
    pub checks: CheckCounts,
    /// Until when it counts as one that watches, though it has ended: before then the next one checks all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl CollectorBody {
    /// Whether the one that told this, at `at`, counts as one that watches.
    #[must_use]
    pub fn watches(&self, at: Timestamp, now: Timestamp) -> bool {
        is_alive(at, now) || self.until.is_some_and(|until| now < until)
    }
}

/// Checks without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedSpan {
    pub since: Timestamp,
    pub until: Timestamp,
}

/// A source that tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outage {
    pub source: String,
    pub since: Timestamp,
    pub why: String,
}

impl Outage {
    /// The clock of this machine, where it is known to be off.
    #[must_use]
    pub fn of_clock(clock: &ApiClock, now: Timestamp) -> Option<Self> {
        let (since, why) = clock.is_off(now)?;
        Some(Self { source: "clock".to_owned(), since, why })
    }
}

/// What came of the checks of single namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckCounts {
    /// It is known whether something fails.
    pub known: u64,
    pub unknown: u64,
    /// How often annotations were put right that were put right within the hour before, too: somebody, or something,
    /// changes them again and again.
    #[serde(skip_serializing_if = "is_zero")]
    pub contested: u64,
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl CheckCounts {
    /// What Prometheus says of their counter.
    pub const HELP: &str = "Checks of single namespaces, by whether something was found out";

    /// What Prometheus says of the counter of annotations.
    pub const CONTESTED_HELP: &str = "Annotations of namespaces that were put right again within an hour";

    /// Both together: of those who do the same work one after the other.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            known: self.known.saturating_add(other.known),
            unknown: self.unknown.saturating_add(other.unknown),
            contested: self.contested.saturating_add(other.contested),
        }
    }

    const fn is_none(&self) -> bool {
        self.known == 0 && self.unknown == 0 && self.contested == 0
    }
}

/// One task in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CurrentTask {
    /// The task's id.
    pub task: String,
    /// Known once its record was read.
    pub namespace: Option<String>,
    pub since: Timestamp,
}

/// What a controller that leads tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ControllerBody {
    /// Messages that wait for a worker, where it keeps workers and the queue said so lately.
    pub backlog: Option<u64>,
    /// Tasks that are due, handed out and not resolved, where it plans.
    pub outstanding: Option<u64>,
    /// Jobs of its kind that run.
    pub running: u64,
    /// Jobs of its kind that there should be.
    pub wanted: u64,
    /// What keeps its jobs from being as they should, the latest first.
    pub retries: Vec<JobRetry>,
    /// Deletions that were accepted since it began, by the status that led to them, where it counts them. The names are
    /// not parsed: one that a later version adds hides nothing else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub deleted: BTreeMap<String, u64>,
    /// Which installation it belongs to, where it says so: a database serves one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation: Option<String>,
}

/// The heartbeats of one part of this process. Best effort: a store out of reach stops nothing.
#[derive(Debug)]
pub struct Publisher {
    role: &'static str,
    started: Timestamp,
    /// When the last heartbeat was sent.
    last: Option<Instant>,
    /// What the last heartbeat told that the store took.
    told: Value,
    every: Duration,
}

impl Publisher {
    #[must_use]
    pub fn new(role: &'static str, context: &Context) -> Self {
        let (started, every) = (context.clock.now(), context.timings().heartbeat_interval);
        Self { role, started, last: None, told: Value::Null, every }
    }

    /// Sends the first heartbeat when a second one could be due: who has just begun has better things to do.
    #[must_use]
    pub fn later(self) -> Self {
        Self { last: Some(Instant::now()), ..self }
    }

    /// Sends a last heartbeat, in the name of all that have done the same work before it, and ends: the next one overwrites that.
    pub async fn leave(self, context: &Context, name: &str, body: Value) {
        let (id, role) = (Actor::role(self.role, name).to_string(), self.role.to_owned());
        let heartbeat = Heartbeat { id, role, started: self.started, at: context.clock.now(), body };
        if let Err(error) = context.store.heartbeat(&heartbeat).await {
            debug!("the {} could not tell what it leaves: {error}", self.role);
        }
        self.end(context).await;
    }

    /// When it began, as its heartbeats say.
    #[must_use]
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// Sends heartbeats at this interval from now on.
    pub const fn every(&mut self, every: Duration) {
        self.every = every;
    }

    /// Sends one heartbeat at once. Returns whether the store took it.
    pub async fn heartbeat(&mut self, context: &Context, body: Value) -> bool {
        self.last = Some(Instant::now());
        let (id, role) = (id(context, self.role), self.role.to_owned());
        let heartbeat = Heartbeat { id, role, started: self.started, at: context.clock.now(), body };
        match context.store.heartbeat(&heartbeat).await {
            Ok(()) => {
                self.told = heartbeat.body;
                true
            }
            Err(error) => {
                debug!("the {} could not tell that it lives: {error}", self.role);
                false
            }
        }
    }

    /// Waits until a heartbeat is due.
    pub async fn due(&self) {
        if let Some(last) = self.last {
            sleep_until(last + self.every).await;
        }
    }

    /// Waits until a heartbeat is due, or until there is something new to tell. For that it polls every [`BUSY`], so that what
    /// comes together is told together.
    async fn due_or_news(&self, body: impl Fn() -> Value) {
        let Some(last) = self.last else { return };
        let mut poll = last + BUSY;
        while poll < last + self.every {
            sleep_until(poll).await;
            if body() != self.told {
                return;
            }
            poll += BUSY;
        }
        self.due().await;
    }

    /// Brings something to its end, and sends heartbeats meanwhile, sooner where there is something new to tell. The heartbeats wait for
    /// nothing but the store, and nothing waits for them.
    pub async fn while_running<T>(
        &mut self,
        context: &Context,
        body: impl Fn() -> Value,
        work: impl Future<Output = T>,
    ) -> T {
        let beating = async {
            loop {
                self.due_or_news(&body).await;
                self.heartbeat(context, body()).await;
            }
        };
        // In this order, so that a run can be repeated.
        tokio::select! {
            biased;
            outcome = pin!(work) => outcome,
            never = beating => never,
        }
    }

    /// It ends as it should, and nobody is to wait for it.
    pub async fn end(self, context: &Context) {
        if let Err(error) = context.store.remove_heartbeat(&id(context, self.role)).await {
            debug!("the {} could not tell that it ends: {error}", self.role);
        }
    }
}

/// Removes the last heartbeats of those of a role that were not heard of for an hour. At the limit of what is read some stay.
///
/// # Errors
/// When the store is out of reach.
pub async fn remove_dead(store: &dyn Store, role: &str, now: Timestamp) -> Result<(), StoreError> {
    for heartbeat in store.heartbeats(MAX_HEARTBEATS).await? {
        if heartbeat.role == role && now.duration_since(heartbeat.at) > REMOVED_AFTER {
            store.remove_heartbeat(&heartbeat.id).await?;
        }
    }
    Ok(())
}

/// Whether somebody who was heard of then counts as alive.
#[must_use]
pub fn is_alive(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) <= DEAD_AFTER
}

/// Each role of a process has its own heartbeat.
pub(crate) fn id(context: &Context, role: &str) -> String {
    Actor::role(role, &context.instance).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use serde_json::json;
    use tokio::{
        sync::watch,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::{
        clock::Clock,
        cluster::Cluster,
        config::Source,
        http_client::HttpClient,
        liveness::Liveness,
        queue,
        store::{SharedStore, temporary},
    };

    /// A part of a process on a store, at the time that passes in the test.
    async fn context(store: &SharedStore) -> Context {
        let began = Instant::now();
        let settings = Source::new(None, [("HOME".to_owned(), "/home/someone".to_owned())]).load().unwrap();
        let told = move || Timestamp::UNIX_EPOCH + SignedDuration::try_from(began.elapsed()).unwrap();
        Context {
            store: store.clone(),
            queue: queue::open("memory:").await.unwrap(),
            cluster: Cluster::new(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap(),
            clock: Clock::from_fn(told),
            http: HttpClient::from_fn(|_| Box::pin(async { Err("nobody answers".to_owned()) })),
            liveness: Liveness::default(),
            settings: watch::channel(Arc::new(settings)).1,
            instance: "a".to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_new_is_told_within_seconds_and_who_rests_sends_few_heartbeats() {
        let (_directory, store) = temporary().await;
        let context = context(&store).await;
        let (checks, second) = (AtomicU64::new(0), Duration::from_secs);
        // When it sent its last heartbeat, and what it told then.
        let told = async || {
            let heartbeats = store.heartbeats(9).await.unwrap();
            heartbeats.first().map(|heartbeat| (heartbeat.at.as_second(), heartbeat.body.as_u64().unwrap()))
        };
        let checking = async {
            sleep(second(9)).await;
            assert_eq!(told().await, None, "who has just begun has better things to do");
            sleep(second(3)).await;
            assert_eq!(told().await, Some((10, 0)));
            sleep(second(30)).await;
            assert_eq!(told().await, Some((40, 0)), "nothing was new");
            // At 43 s and 47 s.
            sleep(second(1)).await;
            checks.store(1, Ordering::Relaxed);
            sleep(second(4)).await;
            checks.store(2, Ordering::Relaxed);
            sleep(second(4)).await;
            assert_eq!(told().await, Some((50, 2)), "both are told together");
            sleep(second(10)).await;
            checks.store(3, Ordering::Relaxed);
            sleep(second(10)).await;
            assert_eq!(told().await, Some((70, 3)));
        };
        let mut publisher = Publisher::new(COLLECTOR, &context).later();
        let checked = publisher.while_running(&context, || json!(checks.load(Ordering::Relaxed)), checking);
        timeout(second(600), checked).await.unwrap();
    }

    #[test]
    fn what_is_told_reads_as_before() {
        let since = Timestamp::UNIX_EPOCH;
        let doing = Some(CurrentTask { task: "u/delete/3".into(), namespace: Some("ci-1".into()), since });
        let (config, admission_error, outages) = ("c".into(), None, Vec::new());
        let worker = WorkerBody { current: doing, done: 2, failed: 1, config, admission_error, outages };
        let told = json!({"current": {"task": "u/delete/3", "namespace": "ci-1",
            "since": "1970-01-01T00:00:00Z"}, "done": 2, "failed": 1, "config": "c", "admission_error": null});
        assert_eq!(serde_json::to_value(&worker).unwrap(), told);
        let retry =
            JobRetry { reason: "refused".into(), what: "exceeded quota".into(), since, times: 3, not_before: since };
        let controller = ControllerBody {
            backlog: Some(7),
            outstanding: Some(8),
            running: 1,
            wanted: 2,
            retries: vec![retry],
            deleted: BTreeMap::from([("stale".into(), 3)]),
            installation: Some("nsm/nsm".into()),
        };
        let told = json!({"backlog": 7, "outstanding": 8, "running": 1, "wanted": 2, "retries": [
            {"reason": "refused", "what": "exceeded quota", "since": "1970-01-01T00:00:00Z", "times": 3,
                "not_before": "1970-01-01T00:00:00Z"}], "deleted": {"stale": 3},
            "installation": "nsm/nsm"});
        assert_eq!(serde_json::to_value(&controller).unwrap(), told);
        let looked = Some(WatchedSpan { since, until: since });
        let outage = Outage { source: "prometheus".into(), since, why: "it does not answer".into() };
        let checks = CheckCounts { known: 4, unknown: 5, contested: 0 };
        let (slot, outages) = (Some(since), vec![outage]);
        let collector = CollectorBody { shard: 1, of: 2, slot, watched: 3, looked, outages, checks, until: None };
        let told = json!({"shard": 1, "of": 2, "slot": "1970-01-01T00:00:00Z", "watched": 3,
            "looked": {"since": "1970-01-01T00:00:00Z", "until": "1970-01-01T00:00:00Z"},
            "outages": [{"source": "prometheus", "since": "1970-01-01T00:00:00Z", "why": "it does not answer"}],
            "checks": {"known": 4, "unknown": 5}});
        assert_eq!(serde_json::to_value(&collector).unwrap(), told);
        let (looked, outages, checks) = (None, Vec::new(), CheckCounts::default());
        let collector = CollectorBody { looked, outages, checks, ..collector };
        let told = json!({"shard": 1, "of": 2, "slot": "1970-01-01T00:00:00Z", "watched": 3});
        assert_eq!(serde_json::to_value(&collector).unwrap(), told);
        assert_eq!(serde_json::from_value::<CollectorBody>(told).unwrap(), collector);
        assert_eq!(serde_json::from_value::<WorkerBody>(json!({"later": 1})).unwrap(), WorkerBody::default());
        assert_eq!(serde_json::from_value::<ControllerBody>(json!({})).unwrap(), ControllerBody::default());
    }
}
