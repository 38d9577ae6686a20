//! The whole on one page, for people and programs: `nsm status` and `nsm workers` show it, and the API serves it.
//!
//! It is read from the store alone, so that it shows what is on record, wherever it is requested. Nothing is decided on
//! it: lists may lag.

mod gauges;

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifecycle::{
    Actor, Mode, Record, Status, Uid,
    channel::ChannelState,
    hold::Hold,
    record::{Delivery, Phase},
    stalled,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{
    budget::{self, Window},
    channels,
    config::{RateLimit, Settings},
    controls::{self, Approval, ControlRecord, Stop, StoreMismatch},
    heartbeat::{
        self, CheckCounts, CollectorBody, ControllerBody, CurrentTask, JobRetry, Outage, WorkerBody, is_alive,
    },
    holds,
    store::{ClaimKind, Heartbeat, Result, Store},
};

pub use gauges::register;

/// How many snapshots are read at once.
const PAGE: usize = 500;

/// The most that is listed of what is stalled or under way. All are counted.
const LISTED: usize = 100;

/// How the roles of controllers end.
const CONTROLLER: &str = "-controller";

/// The whole on one page. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// When the status was read.
    pub at: Timestamp,
    /// The mode of the process that answers.
    pub mode: Mode,
    pub configuration: Configuration,
    /// The stop in force.
    pub stop: Option<ControlInForce>,
    /// The approval in force.
    pub approval: Option<ControlInForce>,
    /// The store mismatch that nobody answered.
    pub mismatch: Option<ControlInForce>,
    /// The hold in force: deletions that were accepted do not end, for a reason that holds every namespace, so the rest
    /// waits.
    #[serde(default)]
    pub hold: Option<ControlInForce>,
    /// Controllers that told lately that they lead, or told it last.
    pub controllers: Vec<Controller>,
    /// Who watches namespaces.
    pub collectors: Vec<Collector>,
    /// The sources of evidence that collectors cannot read: what rests on them does not change.
    #[serde(default)]
    pub outages: Vec<Outage>,
    /// The channels by which owners are told.
    #[serde(default)]
    pub channels: Vec<ChannelLine>,
    /// What came of the checks of single namespaces since each collector began, by its instance.
    #[serde(default, skip)]
    pub checks: BTreeMap<String, CheckCounts>,
    /// Deletions that were accepted since the controller began that counts them, by its instance and the status that led
    /// to them.
    #[serde(default, skip)]
    pub deleted: BTreeMap<String, BTreeMap<String, u64>>,
    pub workers: WorkerCount,
    /// Messages that wait for a worker, where a controller knows.
    pub backlog: Option<u64>,
    /// Managed namespaces by status; what is missing is 0.
    pub namespaces: BTreeMap<Status, u64>,
    pub managed: u64,
    /// Attempts under way, the first of them.
    pub under_way: Vec<UnderWay>,
    pub under_way_in_all: u64,
    /// What is to be done and waits for nothing that it names, the first of them.
    pub stuck: Vec<StuckLine>,
    pub stuck_in_all: u64,
    /// Deletions that wait until it can be checked again whether what led to them still is so.
    #[serde(default)]
    pub wait_for_evidence: u64,
    /// Namespaces whose record markers do not agree with their histories: they are not deleted until somebody trusts the store.
    #[serde(default)]
    pub marker_mismatches: u64,
    /// Deletions in the present window.
    pub budget: Use,
    /// Unannounced deletions in the present window.
    pub unannounced: Use,
}

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Configuration {
    /// The hash of the one in force; `None`: none was recorded yet, and nothing is deleted.
    pub in_force: Option<String>,
    pub since: Option<Timestamp>,
    /// The hash of the one of the process that answers. With another one nothing is deleted.
    pub here: String,
}

/// What somebody recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Standing)]
pub struct ControlInForce {
    pub by: Actor,
    pub at: Timestamp,
    pub why: Option<String>,
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Controller {
    pub role: String,
    /// The holder of the lease, where there is one.
    pub instance: String,
    pub since: Timestamp,
    pub last_heartbeat: Timestamp,
    pub alive: bool,
    /// Jobs of its kind that run, and that there should be.
    pub running: u64,
    pub wanted: u64,
    pub retries: Vec<JobRetry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Collector {
    pub instance: String,
    pub since: Timestamp,
    pub last_heartbeat: Timestamp,
    pub alive: bool,
    /// The shard and how many there are, where it told.
    pub shard: Option<u64>,
    pub of: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerCount {
    pub working: u64,
    pub waiting: u64,
    /// They ended without telling, within the last hour.
    pub dead: u64,
}

/// An attempt under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnderWay {
    pub namespace: String,
    pub uid: Uid,
    /// The number of its entry.
    pub entry: u64,
    pub holder: String,
    pub since: Timestamp,
    /// From here on anybody may fence it.
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StuckLine {
    pub namespace: String,
    pub uid: Uid,
    pub since: Timestamp,
    pub why: String,
}

/// How much of a rate limit is used in the present window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Use {
    pub used: u64,
    pub limit: u64,
    /// When the next window begins.
    pub next: Timestamp,
}

/// One channel by which owners are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelLine {
    pub channel: String,
    /// `broken`: nothing gets through; `failing`: the last tries failed, and it may be the messages' fault.
    pub state: ChannelState,
    /// Since when it is in this state, where that is known.
    pub since: Option<Timestamp>,
    /// Why the last try failed, where it does not work.
    pub why: Option<String>,
    /// The first 100 characters of what was answered then.
    pub answer: Option<String>,
    /// Notices that are tried.
    pub waiting: u64,
    /// Namespaces of whose deletion their owners could not be told.
    pub undeliverable: u64,
}

/// One action worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerLine {
    pub instance: String,
    pub since: Timestamp,
    pub last_heartbeat: Timestamp,
    /// It was heard of lately.
    pub alive: bool,
    /// What it carries out; `None`: it waits.
    pub doing: Option<CurrentTask>,
    pub done: u64,
    pub failed: u64,
    /// The hash of its configuration.
    pub config: String,
    /// Why it deletes nothing, whatever is due.
    pub admission_error: Option<String>,
}

/// Every action worker that told of itself within the last hour, the oldest first.
///
/// # Errors
/// When the store is out of reach.
pub async fn workers(store: &dyn Store, now: Timestamp) -> Result<Vec<WorkerLine>> {
    let heartbeats = store.heartbeats(heartbeat::MAX_HEARTBEATS).await?;
    let mut lines: Vec<_> = heartbeats
        .iter()
        .filter(|heartbeat| heartbeat.role == heartbeat::WORKER)
        .map(|heartbeat| line(heartbeat, now))
        .collect();
    lines.sort_by(|a, b| (a.since, &a.instance).cmp(&(b.since, &b.instance)));
    Ok(lines)
}

/// The sources of evidence that collectors cannot read now, each once.
///
/// # Errors
/// When the store is out of reach.
pub async fn outages(store: &dyn Store, now: Timestamp) -> Result<Vec<Outage>> {
    Ok(outages_of(&store.heartbeats(heartbeat::MAX_HEARTBEATS).await?, now))
}

/// The whole, as it is now by the store. `now` is the time of the caller.
///
/// # Errors
/// When the store is out of reach or damaged.
pub async fn overview(store: &dyn Store, settings: &Settings, now: Timestamp) -> Result<Overview> {
    let in_force = controls::config(store).await?;
    let stop = controls::stopped(store).await?;
    let approval = controls::approval(store, now).await?;
    let mismatch = controls::store_mismatch(store).await?;
    let hold = holds::in_force(store).await?;
    let heartbeats = store.heartbeats(heartbeat::MAX_HEARTBEATS).await?;
    let snapshots = Snapshots::read(store, settings, now).await?;
    let channels = channels(store, settings, &snapshots).await?;
    let window = Window::of(now, settings.timings.budget_window);
    let controllers: Vec<_> = heartbeats.iter().filter_map(|heartbeat| controller(heartbeat, now)).collect();
    let leaders =
        heartbeats.iter().filter(|heartbeat| heartbeat.role.ends_with(CONTROLLER) && is_alive(heartbeat.at, now));
    let leaders: Vec<_> = leaders.map(|heartbeat| (instance(heartbeat), body::<ControllerBody>(heartbeat))).collect();
    let backlog = leaders.iter().filter_map(|(_, body)| body.backlog).next_back();
    let deleted = leaders.into_iter().filter(|(_, body)| !body.deleted.is_empty());
    Ok(Overview {
        at: now,
        mode: settings.mode,
        configuration: Configuration {
            since: in_force.as_ref().map(|control| control.at),
            in_force: in_force.map(|control| control.body.hash),
            here: settings.hash.clone(),
        },
        stop: stop.map(ControlInForce::from),
        approval: approval.map(ControlInForce::from),
        mismatch: mismatch.map(ControlInForce::from),
        hold: hold.map(ControlInForce::from),
        controllers,
        collectors: heartbeats.iter().filter_map(|heartbeat| collector(heartbeat, now)).collect(),
        outages: outages_of(&heartbeats, now),
        channels,
        checks: living(&heartbeats, now).map(|(heartbeat, body)| (instance(heartbeat), body.checks)).collect(),
        deleted: deleted.map(|(instance, body)| (instance, body.deleted)).collect(),
        workers: count(&heartbeats, now),
        backlog,
        budget: used(store, ClaimKind::Slots, settings.budget, snapshots.managed, window).await?,
        unannounced: used(store, ClaimKind::Unannounced, settings.unannounced, snapshots.managed, window).await?,
        namespaces: snapshots.by_status,
        managed: snapshots.managed,
        under_way: snapshots.under_way,
        under_way_in_all: snapshots.under_way_in_all,
        stuck: snapshots.stuck,
        stuck_in_all: snapshots.stuck_in_all,
        wait_for_evidence: snapshots.wait_for_evidence,
        marker_mismatches: snapshots.marker_mismatches,
    })
}

impl From<ControlRecord<Stop>> for ControlInForce {
    fn from(stop: ControlRecord<Stop>) -> Self {
        Self { by: stop.actor, at: stop.at, why: stop.body.reason, until: None }
    }
}

impl From<ControlRecord<Approval>> for ControlInForce {
    fn from(approval: ControlRecord<Approval>) -> Self {
        Self { by: approval.actor, at: approval.at, why: None, until: Some(approval.body.until) }
    }
}

impl From<ControlRecord<StoreMismatch>> for ControlInForce {
    fn from(mismatch: ControlRecord<StoreMismatch>) -> Self {
        let StoreMismatch { namespace, why } = mismatch.body;
        Self { by: mismatch.actor, at: mismatch.at, why: Some(format!("namespace `{namespace}`: {why}")), until: None }
    }
}

impl From<ControlRecord<Hold>> for ControlInForce {
    fn from(hold: ControlRecord<Hold>) -> Self {
        Self { by: hold.actor, at: hold.at, why: Some(hold.body.to_string()), until: None }
    }
}

/// What follows from the snapshots.
#[derive(Debug, Default)]
struct Snapshots {
    by_status: BTreeMap<Status, u64>,
    managed: u64,
    under_way: Vec<UnderWay>,
    under_way_in_all: u64,
    stuck: Vec<StuckLine>,
    stuck_in_all: u64,
    wait_for_evidence: u64,
    marker_mismatches: u64,
    /// Notices that are tried, and that could not be delivered, by their channel.
    notices: BTreeMap<String, (u64, u64)>,
}

impl Snapshots {
    async fn read(store: &dyn Store, settings: &Settings, now: Timestamp) -> Result<Self> {
        let mut all = Self::default();
        let mut after: Option<Uid> = None;
        loop {
            let page = store.snapshots(after.as_ref(), PAGE).await?;
            page.iter().filter(|record| record.phase != Phase::Gone).for_each(|record| all.add(record, settings, now));
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.uid.clone()),
                _ => return Ok(all),
            }
        }
    }

    fn add(&mut self, record: &Record, settings: &Settings, now: Timestamp) {
        self.marker_mismatches += u64::from(record.mismatch.is_some());
        if record.is_managed() {
            *self.by_status.entry(record.status).or_default() += 1;
            self.managed += 1;
        }
        if record.is_managed() && record.done.is_none() && record.attempts.missing_evidence().is_some() {
            self.wait_for_evidence += 1;
        }
        self.add_notices(record);
        let (namespace, uid) = (&record.name, &record.uid);
        if let Some(open) = &record.open {
            self.under_way_in_all += 1;
            if self.under_way.len() < LISTED {
                self.under_way.push(UnderWay {
                    namespace: namespace.clone(),
                    uid: uid.clone(),
                    entry: open.seq,
                    holder: open.intended.holder.clone(),
                    since: open.at,
                    until: open.intended.until,
                });
            }
        }
        let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
        if let Some(stalled) = stalled(policy, record).filter(|stalled| stalled.from <= now) {
            self.stuck_in_all += 1;
            if self.stuck.len() < LISTED {
                let (since, why) = (stalled.from, stalled.why);
                self.stuck.push(StuckLine { namespace: namespace.clone(), uid: uid.clone(), since, why });
            }
        }
    }

    /// Of each namespace that is there counts the notice that was intended last.
    fn add_notices(&mut self, record: &Record) {
        let last = record.notices.iter().filter(|notice| notice.counts).max_by_key(|notice| notice.seq);
        let Some(notice) = last.filter(|_| record.is_managed() && record.done.is_none()) else { return };
        let (waiting, undeliverable) = self.notices.entry(notice.intended.channel.clone()).or_default();
        match notice.delivery {
            Delivery::Open => *waiting += 1,
            Delivery::Undeliverable => *undeliverable += 1,
            Delivery::Sent | Delivery::Skipped => {}
        }
    }
}

/// What is known of each channel that is configured.
async fn channels(store: &dyn Store, settings: &Settings, snapshots: &Snapshots) -> Result<Vec<ChannelLine>> {
    let mut lines = Vec::new();
    for channel in settings.notices.channels() {
        let known = channels::known(store, &channel).await?;
        let (waiting, undeliverable) = snapshots.notices.get(channel.name).copied().unwrap_or_default();
        let (why, answer) = match known.state {
            ChannelState::Working => (None, None),
            ChannelState::Failing | ChannelState::Broken => (Some(known.why), known.answer),
        };
        let (channel, state, since) = (channel.name.to_owned(), known.state, known.since);
        lines.push(ChannelLine { channel, state, since, why, answer, waiting, undeliverable });
    }
    Ok(lines)
}

/// The collectors that were heard of lately, with what they tell.
fn living(heartbeats: &[Heartbeat], now: Timestamp) -> impl Iterator<Item = (&Heartbeat, CollectorBody)> {
    let of_role = heartbeats.iter().filter(move |heartbeat| heartbeat.role == heartbeat::COLLECTOR);
    let told = of_role.filter_map(|heartbeat| {
        Some((heartbeat, serde_json::from_value::<CollectorBody>(heartbeat.body.clone()).ok()?))
    });
    told.filter(move |(heartbeat, body)| body.watches(heartbeat.at, now))
}

/// The outages that collectors and workers tell of, each source once, since the first of them.
fn outages_of(heartbeats: &[Heartbeat], now: Timestamp) -> Vec<Outage> {
    let mut found: BTreeMap<String, Outage> = BTreeMap::new();
    let workers =
        heartbeats.iter().filter(|heartbeat| heartbeat.role == heartbeat::WORKER && is_alive(heartbeat.at, now));
    let of_workers = workers.flat_map(|heartbeat| body::<WorkerBody>(heartbeat).outages);
    for outage in living(heartbeats, now).flat_map(|(_, body)| body.outages).chain(of_workers) {
        match found.get(&outage.source) {
            Some(known) if known.since <= outage.since => {}
            Some(_) | None => {
                found.insert(outage.source.clone(), outage);
            }
        }
    }
    found.into_values().collect()
}

fn line(heartbeat: &Heartbeat, now: Timestamp) -> WorkerLine {
    let WorkerBody { current: doing, done, failed, config, admission_error, outages: _ } = body(heartbeat);
    WorkerLine {
        instance: instance(heartbeat),
        since: heartbeat.started,
        last_heartbeat: heartbeat.at,
        alive: is_alive(heartbeat.at, now),
        doing,
        done,
        failed,
        config,
        admission_error,
    }
}

fn controller(heartbeat: &Heartbeat, now: Timestamp) -> Option<Controller> {
    if !heartbeat.role.ends_with(CONTROLLER) {
        return None;
    }
    let ControllerBody { running, wanted, retries, .. } = body(heartbeat);
    Some(Controller {
        role: heartbeat.role.clone(),
        instance: instance(heartbeat),
        since: heartbeat.started,
        last_heartbeat: heartbeat.at,
        alive: is_alive(heartbeat.at, now),
        running,
        wanted,
        retries,
    })
}

fn collector(heartbeat: &Heartbeat, now: Timestamp) -> Option<Collector> {
    if heartbeat.role != heartbeat::COLLECTOR {
        return None;
    }
    let number = |key| heartbeat.body.get(key).and_then(serde_json::Value::as_u64);
    let told = serde_json::from_value::<CollectorBody>(heartbeat.body.clone());
    Some(Collector {
        instance: instance(heartbeat),
        since: heartbeat.started,
        last_heartbeat: heartbeat.at,
        alive: told.map_or_else(|_| is_alive(heartbeat.at, now), |body| body.watches(heartbeat.at, now)),
        shard: number("shard"),
        of: number("of"),
    })
}

fn count(heartbeats: &[Heartbeat], now: Timestamp) -> WorkerCount {
    let mut count = WorkerCount::default();
    for heartbeat in heartbeats.iter().filter(|heartbeat| heartbeat.role == heartbeat::WORKER) {
        match (is_alive(heartbeat.at, now), body::<WorkerBody>(heartbeat).current.is_some()) {
            (false, _) => count.dead += 1,
            (true, true) => count.working += 1,
            (true, false) => count.waiting += 1,
        }
    }
    count
}

async fn used(store: &dyn Store, kind: ClaimKind, rate_limit: RateLimit, managed: u64, window: Window) -> Result<Use> {
    let (used, limit) = budget::used(store, kind, window).await?;
    Ok(Use { used, limit: limit.unwrap_or_else(|| rate_limit.limit(managed)), next: window.end() })
}

/// What somebody told of himself; what cannot be read, of another version, reads as nothing.
fn body<T: DeserializeOwned + Default>(heartbeat: &Heartbeat) -> T {
    serde_json::from_value(heartbeat.body.clone()).unwrap_or_default()
}

/// The instance without its role.
fn instance(heartbeat: &Heartbeat) -> String {
    let id = heartbeat.id.strip_prefix(&heartbeat.role).and_then(|id| id.strip_prefix('/'));
    id.unwrap_or(&heartbeat.id).to_owned()
}

#[cfg(test)]
mod tests {
    use lifecycle::channel::{Delivery, Failure, FailureScope};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        config::Source,
        store::{Claim, SharedStore, temporary},
    };

    fn at(text: &str) -> Timestamp {
        format!("2026-08-17T{text}Z").parse().unwrap()
    }

    fn settings() -> Settings {
        configured(&[])
    }

    fn configured(more: &[(&str, &str)]) -> Settings {
        let policy = r#"[{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h", "visible_for": "0"}]"#;
        let variables = [("STORE__URL", "sqlite:/x"), ("MODE", "enforce"), ("POLICIES", policy)];
        let variables = variables.iter().chain(more).map(|(name, value)| (format!("NSM__{name}"), (*value).to_owned()));
        Source::new(None, variables).load().unwrap()
    }

    async fn heartbeat(store: &SharedStore, role: &str, id: &str, last: &str, body: Value) {
        let (id, role) = (format!("{role}/{id}"), role.to_owned());
        store.heartbeat(&Heartbeat { id, role, started: at("08:00:00"), at: at(last), body }).await.unwrap();
    }

    #[tokio::test]
    async fn workers_are_dead_or_alive_by_their_last_heartbeat() {
        let (_directory, store) = temporary().await;
        heartbeat(&store, "action", "b", "09:59:00", json!({"done": 3})).await;
        heartbeat(&store, "action", "a", "09:58:29", json!("of a later version")).await;
        heartbeat(&store, "collector", "c", "09:59:00", json!({})).await;
        let lines = workers(&*store, at("10:00:00")).await.unwrap();
        let told: Vec<_> = lines.iter().map(|line| (line.instance.as_str(), line.alive, line.done)).collect();
        assert_eq!(told, [("a", false, 0), ("b", true, 3)]);
    }

    #[tokio::test]
    async fn an_empty_store_has_a_page() {
        let (_directory, store) = temporary().await;
        let page = overview(&*store, &settings(), at("10:04:00")).await.unwrap();
        assert_eq!((page.managed, page.stop, page.configuration.in_force), (0, None, None));
        assert_eq!(page.channels, []);
        assert_eq!(page.budget, Use { used: 0, limit: 20, next: at("10:10:00") });
    }

    #[tokio::test]
    async fn a_hold_is_told_for_as_long_as_it_stands() {
        let (_directory, store) = temporary().await;
        let hold = |ended: Value| -> Hold {
            serde_json::from_value(
                json!({"cause": {"condition": "NamespaceDeletionDiscoveryFailure", "group": "a.example.org"},
                "message": "no", "namespaces": [{"uid": "u", "name": "ci-1"}], "ended": ended}),
            )
            .unwrap()
        };
        let page = async || overview(&*store, &settings(), at("10:04:00")).await.unwrap();
        let metric = |page: &Overview| {
            let (mut registry, mut text) = (prometheus_client::registry::Registry::default(), String::new());
            register(page, &crate::timings::Timings::default(), &mut registry);
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text.lines().find(|line| line.starts_with("namespace_manager_deletions_held ")).unwrap().to_owned()
        };
        let me = Actor::role("action-controller", "a");
        holds::follow(&*store, &me, 0, &hold(Value::Null), at("10:00:00")).await.unwrap();
        let held = page().await;
        let told = held.hold.clone().unwrap();
        assert_eq!((&told.by, told.at, told.until), (&me, at("10:00:00"), None));
        assert!(told.why.is_some_and(|why| why.contains("`ci-1`") && why.contains("API group `a.example.org`")));
        assert_eq!(metric(&held), "namespace_manager_deletions_held 1");
        holds::follow(&*store, &me, 1, &hold(json!({"gone": "ci-1"})), at("10:01:00")).await.unwrap();
        let released = page().await;
        assert_eq!((&released.hold, metric(&released).as_str()), (&None, "namespace_manager_deletions_held 0"));
    }

    /// The record of a managed namespace whose owner was to be told, of which this came.
    fn told(uid: &str, outcome: Option<(&str, Value)>) -> Record {
        let adopted = json!({"policy": "ci", "policy_hash": "h", "mode": "enforce", "created": at("08:00:00"), "ci": [],
            "deadline": null});
        let intended =
            json!({"about": "stale", "deadline": at("09:00:00"), "promise": at("09:00:00"), "channel": "webhook"});
        let history = [("Adopted", adopted), ("NoticeIntended", intended)].into_iter().chain(outcome);
        let entry = |(seq, (kind, data)): (u64, (&str, Value))| -> lifecycle::Entry {
            serde_json::from_value(json!({"uid": uid, "seq": seq, "at": at("08:30:00"), "actor": "action/w.1",
                "name": uid, "token": "t", "kind": kind, "data": data}))
            .unwrap()
        };
        Record::of(Uid::new(uid), &(1..).zip(history).map(entry).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn the_page_tells_of_a_channel_what_state_it_is_in_since_when_and_why() {
        let (_directory, store) = temporary().await;
        let settings = configured(&[("NOTICES__WEBHOOK__URL", "https://example.org/hooks/t0p")]);
        let lines = async || overview(&*store, &settings, at("10:00:00")).await.unwrap().channels;
        let (channel, state) = ("webhook".to_owned(), ChannelState::Working);
        let calm = ChannelLine { channel, state, since: None, why: None, answer: None, waiting: 0, undeliverable: 0 };
        assert_eq!(lines().await, std::slice::from_ref(&calm));

        for (uid, outcome) in [
            ("a", None),
            ("b", Some(("NoticeSent", json!({"of": 2})))),
            ("c", Some(("NoticeUndeliverable", json!({"of": 2, "why": "it answered 400"})))),
        ] {
            store.put_snapshot(&told(uid, outcome)).await.unwrap();
        }
        let (why, answer) = ("it answered 401 Unauthorized".to_owned(), Some("who are you?".to_owned()));
        let delivery = Delivery::Failed(Failure { scope: FailureScope::Channel, why, answer, wait: None });
        let (webhook, actor) = (settings.notices.channels().remove(0), Actor::role("action", "w.1"));
        channels::tried(&*store, &actor, &webhook, "a:2", &delivery, at("09:50:00")).await.unwrap();
        let broken = ChannelLine {
            state: ChannelState::Broken,
            since: Some(at("09:50:00")),
            why: Some("it answered 401 Unauthorized".into()),
            answer: Some("who are you?".into()),
            waiting: 1,
            undeliverable: 1,
            ..calm
        };
        assert_eq!(lines().await, [broken]);
        let page = overview(&*store, &settings, at("10:00:00")).await.unwrap();
        let text = metrics(&page, &settings);
        for line in ["channel_outage", "notices_waiting", "notices_undeliverable"] {
            let line = format!("namespace_manager_{line}{{channel=\"webhook\"}} 1");
            assert!(text.contains(&format!("\n{line}\n")), "no `{line}` in {text}");
        }
        assert!(!text.contains("t0p"), "{text}");
    }

    /// The page as Prometheus reads it.
    fn metrics(page: &Overview, settings: &Settings) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        register(page, &settings.timings, &mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[tokio::test]
    async fn the_page_tells_who_leads_what_waits_and_what_is_stalled() {
        let (_directory, store) = temporary().await;
        let settings = settings();
        let retry = json!({"reason": "refused", "what": "exceeded quota", "since": at("09:50:00"), "times": 4,
            "not_before": at("10:00:08")});
        let told = json!({"backlog": 7, "running": 1, "wanted": 3, "retries": [retry]});
        heartbeat(&store, "action-controller", "p.1", "09:59:50", told).await;
        let checks = json!({"known": 1, "unknown": 0, "contested": 2});
        let told = json!({"shard": 1, "of": 2, "slot": null, "watched": 1, "checks": checks});
        heartbeat(&store, "collector", "c.1", "09:59:50", told).await;
        let outage = json!({"source": "clock", "since": at("09:30:00"), "why": "it is behind"});
        let doing = json!({"task": "u/delete/2", "since": at("09:59:45")});
        heartbeat(&store, "action", "w.1", "09:59:50", json!({"current": doing, "outages": [outage]})).await;
        let policy = settings.policies.iter().next().unwrap();
        let history = [
            (
                "08:00:00",
                "Adopted",
                json!({"policy": "ci", "policy_hash": policy.hash, "mode": "enforce",
                "created": at("08:00:00"), "ci": [], "deadline": {"at": at("09:00:00"), "by": {"source": "policy"}}}),
            ),
            (
                "09:00:00",
                "StatusChanged",
                json!({"from": "unknown", "to": "stale", "reason": "it is old",
                "evidence": [], "finalize_at": null}),
            ),
        ];
        let entry = |(seq, (time, kind, data)): (u64, (&str, &str, Value))| -> lifecycle::Entry {
            serde_json::from_value(json!({"uid": "u", "seq": seq, "at": at(time), "actor": "collector/c.1",
                "name": "ci-1", "token": "t", "kind": kind, "data": data}))
            .unwrap()
        };
        let history: Vec<_> = (1..).zip(history).map(entry).collect();
        store.put_snapshot(&Record::of(Uid::new("u"), &history)).await.unwrap();
        let claim = |number, body| Claim {
            kind: ClaimKind::Slots,
            group: at("10:00:00").to_string(),
            number,
            at: at("10:00:00"),
            actor: Actor::role("action", "w.1"),
            token: number.to_string(),
            body,
        };
        store.claim(&claim(0, json!({"limit": 5}))).await.unwrap();
        store.claim(&claim(1, json!({"uid": "x"}))).await.unwrap();
        let page = overview(&*store, &settings, at("10:00:00")).await.unwrap();
        let [leader] = page.controllers.as_slice() else { panic!("{:?}", page.controllers) };
        assert_eq!((leader.instance.as_str(), leader.alive, leader.retries[0].times), ("p.1", true, 4));
        assert_eq!((page.collectors[0].shard, page.collectors[0].of, page.backlog), (Some(1), Some(2), Some(7)));
        assert_eq!(page.workers, WorkerCount { working: 1, waiting: 0, dead: 0 });
        assert_eq!(page.namespaces, BTreeMap::from([(Status::Stale, 1)]));
        assert_eq!((page.stuck[0].namespace.as_str(), page.stuck[0].since), ("ci-1", at("09:15:00")));
        assert_eq!(page.budget, Use { used: 1, limit: 5, next: at("10:10:00") });

        let text = metrics(&page, &settings);
        for line in [
            "stopped 0",
            "store_mismatch 0",
            "configuration_differs 1",
            "managed 1",
            "under_way 0",
            "budget_used 1",
            "budget_limit 5",
            "unannounced_used 0",
            "unannounced_limit 10",
            "collectors 1",
            "job_troubles{role=\"action-controller\"} 1",
            "job_troubles{role=\"collect-controller\"} 0",
            "source_outage{source=\"clock\"} 1",
            "annotations_contested_total{owner=\"c.1\"} 2",
        ] {
            assert!(text.contains(&format!("\nnamespace_manager_{line}\n")), "no `{line}` in {text}");
        }
    }
}
