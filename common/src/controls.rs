//! What people and leaders record: stop, approvals, the configuration in force, the store's epochs.
//!
//! Each is a log of claims that only grows, so that who recorded what, and when, stays on record.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Actor, Record, Uid, keys::StoreIdentity, record::Phase, time::saturating_add};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    heartbeat,
    history::token,
    store::{Claim, ClaimKind, Inserted, Result, Store, StoreError},
};

const STOP: &str = "stop";
const APPROVAL: &str = "approval";
const CONFIG: &str = "config";
const EPOCH: &str = "epoch";
const STORE_MISMATCH: &str = "store-mismatch";
const TRUST: &str = "trust";
const MARKER_MISMATCH: &str = "marker-mismatch";
const CLUSTER: &str = "cluster";

const PAGE: usize = 1_000;

/// One control record, with its number in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlRecord<T> {
    pub number: u64,
    pub at: Timestamp,
    pub actor: Actor,
    pub body: T,
}

/// Whether anything destructive may be done at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub on: bool,
    pub reason: Option<String>,
}

/// What was not foretold may be deleted beyond `budget.unannounced`, until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub until: Timestamp,
}

/// The configuration in force: a process with another one acts on nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Epoch {
    epoch: u64,
}

/// A namespace carries a record marker that is not of this store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMismatch {
    pub namespace: String,
    pub why: String,
}

/// A person trusts this store, whatever markers were left before this epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trust {
    before: u64,
    /// The last store mismatch that is answered by it.
    store_mismatch: u64,
    /// The last report of a record marker that is answered by it.
    marker_mismatch: u64,
}

/// A namespace that was there before the present epoch began carries a record marker that does not agree with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkerReport {
    pub uid: Uid,
    pub namespace: String,
}

/// The cluster a store knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownCluster {
    /// That of its namespace `kube-system`.
    uid: Uid,
}

/// What a person answered by trusting this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The mismatch of the whole store.
    pub mismatch: Option<ControlRecord<StoreMismatch>>,
    /// The namespaces whose record markers did not agree with their histories.
    pub namespaces: Vec<String>,
}

/// How many namespaces have to tell that this store lost entries before it counts as a store mismatch, of so many that are
/// managed: 3, or 1 % where that is more. What stands on fewer may be somebody's doing.
#[must_use]
pub fn mismatch_limit(managed: u64) -> u64 {
    managed.div_ceil(100).max(3)
}

/// The stop in force, if there is one.
///
/// # Errors
/// When the store is out of reach: then nothing destructive may be done either.
pub async fn stopped(store: &dyn Store) -> Result<Option<ControlRecord<Stop>>> {
    Ok(last::<Stop>(store, STOP).await?.filter(|control| control.body.on))
}

/// Activates the stop, or releases it.
///
/// # Errors
/// When it is not known to be durable: activate it again.
pub async fn set_stop(store: &dyn Store, actor: &Actor, stop: &Stop, now: Timestamp) -> Result<u64> {
    log(store, STOP, actor, stop, now).await
}

/// The approval in force at `now`, if there is one.
///
/// # Errors
/// When the store is out of reach.
pub async fn approval(store: &dyn Store, now: Timestamp) -> Result<Option<ControlRecord<Approval>>> {
    Ok(last::<Approval>(store, APPROVAL).await?.filter(|control| now < control.body.until))
}

/// Approves, for a length of time from `now`, that what was not foretold is deleted beyond `budget.unannounced`.
///
/// # Errors
/// When it is not known to be durable.
pub async fn approve(store: &dyn Store, actor: &Actor, period: SignedDuration, now: Timestamp) -> Result<Timestamp> {
    let until = saturating_add(now, period);
    log(store, APPROVAL, actor, &Approval { until }, now).await?;
    Ok(until)
}

/// The configuration in force.
///
/// # Errors
/// When the store is out of reach.
pub async fn config(store: &dyn Store) -> Result<Option<ControlRecord<Config>>> {
    last(store, CONFIG).await
}

/// Puts a configuration in force, unless it is already.
///
/// # Errors
/// When it is not known to be durable.
pub async fn accept_config(store: &dyn Store, actor: &Actor, hash: &str, now: Timestamp) -> Result<()> {
    if config(store).await?.is_some_and(|control| control.body.hash == hash) {
        return Ok(());
    }
    log(store, CONFIG, actor, &Config { hash: hash.to_owned() }, now).await.map(|_| ())
}

/// A configuration in force that is another one than one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherInForce {
    pub control: ControlRecord<Config>,
    /// The last heartbeat of the process that put it in force; `None`: there is none, or none any more.
    pub heard: Option<Timestamp>,
}

/// The configuration in force, where it is another one than this.
///
/// # Errors
/// When the store is out of reach.
pub async fn other_in_force(store: &dyn Store, hash: &str) -> Result<Option<OtherInForce>> {
    let Some(control) = config(store).await?.filter(|control| control.body.hash != hash) else { return Ok(None) };
    let heartbeats = store.heartbeats(heartbeat::MAX_HEARTBEATS).await?;
    let heard =
        heartbeats.into_iter().find(|heartbeat| heartbeat.id == control.actor.as_str()).map(|heartbeat| heartbeat.at);
    Ok(Some(OtherInForce { control, heard }))
}

/// Begins an epoch, higher than every one this store has had. It starts from the seconds since 1970, so that two
/// stores hardly ever share one.
///
/// # Errors
/// When it is not known to be durable.
pub async fn begin_epoch(store: &dyn Store, actor: &Actor, now: Timestamp) -> Result<u64> {
    let last = last::<Epoch>(store, EPOCH).await?.map_or(0, |control| control.body.epoch);
    let epoch = u64::try_from(now.as_second()).unwrap_or(0).max(last + 1);
    log(store, EPOCH, actor, &Epoch { epoch }, now).await?;
    Ok(epoch)
}

/// The start of the epoch before the present one, if there was one.
///
/// # Errors
/// When the store is out of reach.
pub async fn previous_start(store: &dyn Store) -> Result<Option<Timestamp>> {
    let all = all::<Epoch>(store, EPOCH).await?;
    Ok(all.iter().rev().nth(1).map(|control| control.at))
}

/// The identity of this store: which markers it may have left.
///
/// # Errors
/// When the store is out of reach.
pub async fn store_identity(store: &dyn Store) -> Result<StoreIdentity> {
    let all = all::<Epoch>(store, EPOCH).await?;
    let began = all.last().map(|control| control.at);
    let epochs = all.into_iter().map(|control| control.body.epoch).collect();
    let trusted_before_epoch = last::<Trust>(store, TRUST).await?.map_or(0, |control| control.body.before);
    Ok(StoreIdentity { epochs, began, trusted_before_epoch })
}

/// The last store mismatch that nobody answered yet.
///
/// # Errors
/// When the store is out of reach.
pub async fn store_mismatch(store: &dyn Store) -> Result<Option<ControlRecord<StoreMismatch>>> {
    let answered = last::<Trust>(store, TRUST).await?.map_or(0, |control| control.body.store_mismatch);
    Ok(last::<StoreMismatch>(store, STORE_MISMATCH).await?.filter(|control| control.number > answered))
}

/// Records a store mismatch, unless one stands already.
///
/// # Errors
/// When it is not known to be durable.
pub async fn report_mismatch(store: &dyn Store, actor: &Actor, mismatch: &StoreMismatch, now: Timestamp) -> Result<()> {
    if store_mismatch(store).await?.is_none() {
        log(store, STORE_MISMATCH, actor, mismatch, now).await?;
    }
    Ok(())
}

/// Reports a record marker that does not agree with a history, unless that was done, and returns the namespaces of which that was
/// reported since somebody last trusted this store, and which have not gone: what one forges now and then over months
/// is no loss.
///
/// # Errors
/// When it is not known to be durable.
pub async fn report_marker(
    store: &dyn Store,
    actor: &Actor,
    report: &MarkerReport,
    now: Timestamp,
) -> Result<Vec<String>> {
    let answered = last::<Trust>(store, TRUST).await?.map_or(0, |control| control.body.marker_mismatch);
    let reported: Vec<_> = from::<MarkerReport>(store, MARKER_MISMATCH, answered + 1).await?;
    let mut namespaces: BTreeMap<_, _> = reported.into_iter().map(|it| (it.body.uid, it.body.namespace)).collect();
    if namespaces.insert(report.uid.clone(), report.namespace.clone()).is_none() {
        log(store, MARKER_MISMATCH, actor, report, now).await?;
    }
    let mut standing = Vec::new();
    for (uid, namespace) in namespaces {
        if store.snapshot(&uid).await?.is_none_or(|record| record.phase != Phase::Gone) {
            standing.push(namespace);
        }
    }
    Ok(standing)
}

/// Trusts this store: record markers of any store from before now no longer stand against it, nor against any history in it.
/// `None`: there is no mismatch.
///
/// # Errors
/// When it is not known to be durable.
pub async fn trust_store(store: &dyn Store, actor: &Actor, now: Timestamp) -> Result<Option<Trusted>> {
    let mismatch = store_mismatch(store).await?;
    let namespaces = mismatched(store).await?;
    if mismatch.is_none() && namespaces.is_empty() {
        return Ok(None);
    }
    let store_mismatch = last::<StoreMismatch>(store, STORE_MISMATCH).await?.map_or(0, |control| control.number);
    let marker_mismatch = last::<MarkerReport>(store, MARKER_MISMATCH).await?.map_or(0, |control| control.number);
    // A new epoch, so that the markers from now on are told from those that were trusted.
    let before = begin_epoch(store, actor, now).await?;
    log(store, TRUST, actor, &Trust { before, store_mismatch, marker_mismatch }, now).await?;
    Ok(Some(Trusted { mismatch, namespaces }))
}

/// The namespaces whose record markers do not agree with their histories, by their snapshots, where nobody trusted the store since.
async fn mismatched(store: &dyn Store) -> Result<Vec<String>> {
    let trusted_before_epoch = last::<Trust>(store, TRUST).await?.map_or(0, |control| control.body.before);
    let mut namespaces = Vec::new();
    let mut after: Option<Uid> = None;
    loop {
        let page = store.snapshots(after.as_ref(), PAGE).await?;
        let stands = |record: &&Record| {
            let mismatch = record.mismatch.as_ref().filter(|mismatch| mismatch.epoch >= trusted_before_epoch);
            mismatch.is_some() && record.phase != Phase::Gone
        };
        namespaces.extend(page.iter().filter(stands).map(|record| record.name.clone()));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.uid.clone()),
            _ => return Ok(namespaces),
        }
    }
}

/// The cluster this store knows, by the uid of its namespace `kube-system`.
///
/// # Errors
/// When the store is out of reach.
pub async fn cluster(store: &dyn Store) -> Result<Option<Uid>> {
    Ok(last::<KnownCluster>(store, CLUSTER).await?.map(|control| control.body.uid))
}

/// Has a store that knows no cluster know this one. Returns the one it knows: of two at once one comes first.
///
/// # Errors
/// When it is not known to be durable.
pub async fn remember_cluster(store: &dyn Store, actor: &Actor, uid: &Uid, now: Timestamp) -> Result<Uid> {
    let first = claim(CLUSTER, 1, actor, &KnownCluster { uid: uid.clone() }, now);
    store.claim(&first).await?;
    Ok(cluster(store).await?.unwrap_or_else(|| uid.clone()))
}

/// Has this store know another cluster from now on: that one was rebuilt. Returns the one it knew.
///
/// # Errors
/// When it is not known to be durable.
pub async fn approve_cluster(store: &dyn Store, actor: &Actor, uid: &Uid, now: Timestamp) -> Result<Option<Uid>> {
    let former = cluster(store).await?;
    if former.as_ref() != Some(uid) {
        log(store, CLUSTER, actor, &KnownCluster { uid: uid.clone() }, now).await?;
    }
    Ok(former)
}

pub(crate) async fn last<T: DeserializeOwned>(store: &dyn Store, group: &str) -> Result<Option<ControlRecord<T>>> {
    store.last_claim(ClaimKind::Controls, group).await?.map(read).transpose()
}

async fn all<T: DeserializeOwned>(store: &dyn Store, group: &str) -> Result<Vec<ControlRecord<T>>> {
    from(store, group, 1).await
}

/// The whole of a log, from a number on.
async fn from<T: DeserializeOwned>(store: &dyn Store, group: &str, mut from: u64) -> Result<Vec<ControlRecord<T>>> {
    let mut found = Vec::new();
    loop {
        let page = store.claims(ClaimKind::Controls, group, from, PAGE).await?;
        let full = page.len() == PAGE;
        from = page.last().map_or(from, |claim| claim.number + 1);
        for claim in page {
            found.push(read(claim)?);
        }
        if !full {
            return Ok(found);
        }
    }
}

/// Appends to a log under the next free number.
async fn log(store: &dyn Store, group: &str, actor: &Actor, body: &impl Serialize, now: Timestamp) -> Result<u64> {
    let mut number = store.last_claim(ClaimKind::Controls, group).await?.map_or(1, |claim| claim.number + 1);
    loop {
        match store.claim(&claim(group, number, actor, body, now)).await? {
            Inserted::Written => return Ok(number),
            Inserted::Taken => number += 1,
        }
    }
}

pub(crate) fn claim(group: &str, number: u64, actor: &Actor, body: &impl Serialize, at: Timestamp) -> Claim {
    let body = serde_json::to_value(body).expect("plain data serializes");
    let (group, actor) = (group.to_owned(), actor.clone());
    Claim { kind: ClaimKind::Controls, group, number, at, actor, token: token(), body }
}

pub(crate) fn read<T: DeserializeOwned>(claim: Claim) -> Result<ControlRecord<T>> {
    let Claim { group, number, at, actor, body, .. } = claim;
    let body = serde_json::from_value(body).map_err(|error| StoreError::Damaged {
        doing: format!("read `{group}` number {number}"),
        why: error.to_string(),
    })?;
    Ok(ControlRecord { number, at, actor, body })
}

#[cfg(test)]
mod tests {
    use lifecycle::{Namespace, event::RecordMarkerMismatched, keys::Mismatch};

    use super::*;
    use crate::store::temporary;

    fn me() -> Actor {
        Actor::person("me")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn carrying(marker: &str) -> Namespace {
        Namespace {
            uid: lifecycle::Uid::new("u"),
            name: "a".into(),
            resource_version: "1".into(),
            created: at(0),
            deleted: None,
            ending: None,
            labels: Default::default(),
            annotations: [("manager.cicd.skao.int/record".to_owned(), marker.to_owned())].into(),
        }
    }

    #[tokio::test]
    async fn the_last_word_about_the_stop_counts() {
        let (_directory, store) = temporary().await;
        assert_eq!(stopped(&*store).await.unwrap(), None);
        set_stop(&*store, &me(), &Stop { on: true, reason: Some("fire".into()) }, at(1)).await.unwrap();
        assert_eq!(stopped(&*store).await.unwrap().unwrap().body.reason.as_deref(), Some("fire"));
        set_stop(&*store, &me(), &Stop { on: false, reason: None }, at(2)).await.unwrap();
        assert_eq!(stopped(&*store).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_approval_ends() {
        let (_directory, store) = temporary().await;
        approve(&*store, &me(), SignedDuration::from_secs(60), at(0)).await.unwrap();
        assert!(approval(&*store, at(59)).await.unwrap().is_some());
        assert!(approval(&*store, at(60)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_configuration_is_put_in_force_once() {
        let (_directory, store) = temporary().await;
        for hash in ["a", "a", "b", "a"] {
            accept_config(&*store, &me(), hash, at(0)).await.unwrap();
        }
        let last = config(&*store).await.unwrap().unwrap();
        assert_eq!((last.number, last.body.hash.as_str()), (3, "a"));
    }

    #[tokio::test]
    async fn another_configuration_in_force_is_told_with_the_last_heartbeat_of_its_holder() {
        let (_directory, store) = temporary().await;
        let holder = Actor::role("collect-controller", "other");
        let heard = async |hash: &str| other_in_force(&*store, hash).await.unwrap().map(|other| other.heard);
        assert_eq!(heard("ours").await, None, "none is in force");
        accept_config(&*store, &holder, "theirs", at(0)).await.unwrap();
        assert_eq!(heard("theirs").await, None);
        assert_eq!(heard("ours").await, Some(None));
        let heartbeat = |id: String, second| crate::store::Heartbeat {
            id,
            role: "collect-controller".into(),
            started: at(0),
            at: at(second),
            body: serde_json::Value::Null,
        };
        store.heartbeat(&heartbeat("collect-controller/ours".into(), 40)).await.unwrap();
        store.heartbeat(&heartbeat(holder.to_string(), 30)).await.unwrap();
        assert_eq!(heard("ours").await, Some(Some(at(30))));
    }

    #[tokio::test]
    async fn epochs_rise_also_when_the_clock_does_not() {
        let (_directory, store) = temporary().await;
        let first = begin_epoch(&*store, &me(), at(1_000)).await.unwrap();
        let second = begin_epoch(&*store, &me(), at(500)).await.unwrap();
        assert_eq!((first, second), (1_000, 1_001));
        assert_eq!(previous_start(&*store).await.unwrap(), Some(at(1_000)));
    }

    #[tokio::test]
    async fn who_trusts_a_store_answers_every_marker_from_before() {
        let (_directory, store) = temporary().await;
        begin_epoch(&*store, &me(), at(2_000)).await.unwrap();
        let keys = lifecycle::Keys::default();
        let record = Record { head: 4, ..Record::new(Uid::new("u")) };
        let check =
            |store_identity: &StoreIdentity, marker: &str| store_identity.check(&carrying(marker), &keys, &record);

        let identity_before = store_identity(&*store).await.unwrap();
        assert_eq!(check(&identity_before, "2000.4"), Ok(()));
        assert_eq!(check(&identity_before, "2000.5"), Err(Mismatch::Behind { marked: 5, head: 4 }));
        assert_eq!(check(&identity_before, "1500.1"), Err(Mismatch::OtherStore(1_500)));
        assert_eq!(check(&identity_before, "mine"), Err(Mismatch::Unreadable));
        assert_eq!(trust_store(&*store, &me(), at(2_100)).await.unwrap(), None, "there is no mismatch");

        let mismatch = StoreMismatch { namespace: "a".into(), why: "for a test".into() };
        report_mismatch(&*store, &me(), &mismatch, at(2_200)).await.unwrap();
        report_mismatch(&*store, &me(), &mismatch, at(2_201)).await.unwrap();
        assert_eq!(store_mismatch(&*store).await.unwrap().unwrap().number, 1, "one mismatch stands for all");
        let trusted = trust_store(&*store, &me(), at(2_300)).await.unwrap().unwrap();
        assert_eq!((trusted.mismatch.unwrap().number, trusted.namespaces), (1, Vec::new()));

        assert_eq!(store_mismatch(&*store).await.unwrap(), None);
        let identity_after = store_identity(&*store).await.unwrap();
        assert_eq!(check(&identity_after, "1500.9"), Ok(()));
        assert_eq!(check(&identity_after, "2000.9"), Ok(()));
        assert_eq!(check(&identity_after, "2300.9"), Err(Mismatch::Behind { marked: 9, head: 4 }));
        assert_eq!(check(&identity_after, "9999.1"), Err(Mismatch::OtherStore(9_999)));
        report_mismatch(&*store, &me(), &mismatch, at(2_400)).await.unwrap();
        assert!(store_mismatch(&*store).await.unwrap().is_some(), "what comes after is a mismatch of its own");
    }

    #[tokio::test]
    async fn who_trusts_a_store_answers_the_markers_of_single_namespaces_too() {
        let (_directory, store) = temporary().await;
        let epoch = begin_epoch(&*store, &me(), at(1_000)).await.unwrap();
        let mismatch = RecordMarkerMismatched { marker: "9.9.u".into(), why: "for a test".into(), epoch };
        let record = Record { name: "a".into(), mismatch: Some(mismatch), ..Record::new(Uid::new("u")) };
        store.put_snapshot(&record).await.unwrap();
        let trusted = trust_store(&*store, &me(), at(1_001)).await.unwrap().unwrap();
        assert_eq!((trusted.mismatch, trusted.namespaces), (None, vec!["a".to_owned()]));
        assert!(store_identity(&*store).await.unwrap().trusted_before_epoch > epoch);
        assert_eq!(trust_store(&*store, &me(), at(1_002)).await.unwrap(), None, "that is answered");
    }

    #[tokio::test]
    async fn reports_of_markers_count_each_namespace_once_and_from_the_last_answer_on() {
        let (_directory, store) = temporary().await;
        begin_epoch(&*store, &me(), at(1_000)).await.unwrap();
        let report = async |uid: &str| {
            let report = MarkerReport { uid: Uid::new(uid), namespace: uid.into() };
            report_marker(&*store, &me(), &report, at(1_001)).await.unwrap().len()
        };
        assert_eq!((report("a").await, report("b").await, report("a").await), (1, 2, 2));
        report_mismatch(&*store, &me(), &StoreMismatch { namespace: "a".into(), why: "for a test".into() }, at(1_002))
            .await
            .unwrap();
        trust_store(&*store, &me(), at(1_003)).await.unwrap().unwrap();
        assert_eq!(report("c").await, 1);
        store.put_snapshot(&Record { phase: Phase::Gone, head: 1, ..Record::new(Uid::new("c")) }).await.unwrap();
        assert_eq!(report("d").await, 1, "one of them has gone");
    }

    #[test]
    fn three_namespaces_or_a_hundredth_of_all_are_a_store_mismatch() {
        let of = |managed: &[u64]| managed.iter().map(|managed| mismatch_limit(*managed)).collect::<Vec<_>>();
        assert_eq!(of(&[0, 2, 300, 301, 10_000]), [3, 3, 3, 4, 100]);
    }

    #[tokio::test]
    async fn controls_of_two_at_once_are_both_kept() {
        let (_directory, store) = temporary().await;
        let activate = |second: i64| {
            let store = store.clone();
            async move { set_stop(&*store, &me(), &Stop { on: true, reason: None }, at(second)).await.unwrap() }
        };
        let mut numbers = futures::future::join_all((0..8).map(activate)).await;
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
