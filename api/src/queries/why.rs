//! Why a namespace is as it is, and what stands before its deletion.

use std::time::Duration;

use common::{
    channels,
    cluster::{ApiError, ApiOutcome, Cluster, look},
    config::Settings,
    controls::{self, ControlRecord, Stop},
    history, holds,
    store::Store,
};
use evidence::ci::{self, Asked};
use jiff::Timestamp;
use lifecycle::{
    Condition, Event, Guard, GuardKind, Keys, LiveObject, Mode, Namespace, ObjectGuardKind, Policy, Record, Status,
    Verdict, guards, object_guards,
    overrides::{self, Deadline, Malformed},
    ownership::{self, Owner, Source},
    plan::is_foretold,
    record::{Delivery, Phase},
    termination::{DeletionStalled, RemainingPods},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    QueryError,
    next_step::{Halt, NextStep, outlook},
    time_format::both,
    uids,
};

/// How long the cluster, which is only good to have, may take to answer.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(3);

/// What people can do about a name that is made anew again and again.
const WHO: &str = "whatever makes it anew does not want it deleted; take it out of that tool, or run `nsm protect`";

/// Everything that is known about why a namespace is as it is, and what stands before its deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    pub name: String,
    pub uid: String,
    /// `new`, `managed`, `released` or `gone`.
    pub phase: Phase,
    pub status: Status,
    /// When the status was entered.
    pub since: Option<Timestamp>,
    /// Why the status was entered.
    pub reason: String,
    /// Whose it is, by its name.
    pub owner: Option<String>,
    /// Where that was found, and what else is known of them.
    #[serde(default)]
    pub ownership: Option<Ownership>,
    /// The policy it was last judged under.
    pub policy: Option<String>,
    pub mode: Option<Mode>,
    pub created: Option<Timestamp>,
    /// How many of its name were deleted within the hour before it was adopted, at most 20.
    #[serde(default)]
    pub deleted_before: u32,
    /// When its time is over, and by whose word.
    pub deadline: Option<Deadline>,
    /// What the status rests on.
    pub evidence: Vec<Condition>,
    /// What is known by now of the pipeline that made it and of its merge request: true, it goes with them.
    #[serde(default)]
    pub pipeline: Option<Condition>,
    /// The pipeline and the merge request that are asked for, by its labels.
    #[serde(default)]
    pub goes_with: Vec<GoesWith>,
    pub next: NextStep,
    /// Why it is still there, where it is being deleted: the pods that were left at the last check, what it says of its
    /// end now, and its finalizers.
    #[serde(default)]
    pub ending: Option<DeletionStalled>,
    /// Everything before the deletion.
    pub guards: Vec<Shown>,
    /// What its owner wrote and nobody can read, or under a key that is not quite one of ours.
    pub malformed: Vec<String>,
    /// What the answer does not hold, and why.
    pub notes: Vec<String>,
}

/// How an owner was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ownership {
    pub from: Source,
    /// The key of the annotation or label, with its prefix.
    pub key: String,
    pub email: Option<String>,
    /// The id of a member of Slack.
    pub slack: Option<String>,
    /// It is written on the namespace now; else it was when that was adopted.
    pub live: bool,
}

/// A pipeline or a merge request that its CI system is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GoesWith {
    /// Which, in words.
    pub what: String,
    /// Who is asked, such as `GitLab`.
    pub system: String,
    /// When an answer came last; `null`: none is on record.
    pub answered_at: Option<Timestamp>,
}

/// One guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// One word, stable.
    pub name: String,
    pub verdict: Stands,
    /// Until when it waits, where that is a matter of time.
    pub until: Option<Timestamp>,
    pub why: String,
}

/// Whether a guard stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stands {
    /// It does not.
    Clear,
    /// It does for now.
    Waits,
    /// It does as things are.
    Refuses,
}

/// Why the namespace of this uid, or the last that bore this name, is as it is. Without a cluster, the answer says why
/// the namespace itself was not read.
///
/// # Errors
/// When there is no such namespace, or the store is out of reach.
pub async fn why(
    store: &dyn Store,
    settings: &Settings,
    cluster: Result<&Cluster, String>,
    name_or_uid: &str,
    now: Timestamp,
) -> Result<Why, QueryError> {
    let uids = match uids(store, name_or_uid).await {
        Ok(uids) => uids,
        Err(QueryError::NotFound(text)) => {
            let Ok(cluster) = cluster else { return Err(QueryError::NotFound(text)) };
            return match look_soon(cluster, name_or_uid, settings).await {
                Ok(Some(namespace)) => Ok(unrecorded(settings, &namespace, now)),
                Ok(None) | Err(_) => Err(QueryError::NotFound(text)),
            };
        }
        Err(other) => return Err(other),
    };
    let record = history::load(store, &uids[0]).await?;
    let mut answer = recorded(store, settings, &record, cluster, now).await?;
    if uids.len() > 1 {
        let name = &record.name;
        let before = match uids.len() - 1 {
            1 => "an earlier namespace".to_owned(),
            before => format!("{before} earlier namespaces"),
        };
        let note = format!("{before} had this name; `nsm history {name}` tells of that, too");
        answer.notes.push(note);
    }
    Ok(answer)
}

impl Why {
    /// What a record says, without what stands before the deletion.
    #[must_use]
    pub fn of(record: &Record, keys: &Keys, evidence: Vec<Condition>, next: NextStep, now: Timestamp) -> Self {
        let mut why = Self {
            name: record.name.clone(),
            uid: record.uid.to_string(),
            phase: record.phase,
            status: record.status,
            since: record.since,
            reason: record.reason.clone(),
            owner: None,
            ownership: None,
            policy: record.terms.as_ref().map(|terms| terms.policy.clone()),
            mode: record.terms.as_ref().map(|terms| terms.mode),
            created: record.created,
            deleted_before: record.deleted_before,
            deadline: record.deadline.clone(),
            evidence,
            pipeline: None,
            goes_with: Vec::new(),
            next,
            ending: record.stalled.as_ref().filter(|_| record.phase != Phase::Gone).map(|stalled| stalled.what.clone()),
            guards: Vec::new(),
            malformed: Vec::new(),
            notes: record.comes_back(now).map(|it| format!("{it}: {WHO}")).into_iter().collect(),
        };
        why.set_owner(ownership::remembered(record, keys), false);
        why
    }

    /// Takes in what its owner, and others about its owner, wrote on the namespace.
    fn read(&mut self, namespace: &Namespace, keys: &Keys, policy: Option<&Policy>, record: &Record, now: Timestamp) {
        let found = ownership::find(namespace, keys);
        if found.owner.is_some() {
            self.set_owner(found.owner, true);
        }
        let overrides = overrides::malformed(namespace, keys, policy, record.overrides(), now);
        let malformed = overrides.into_iter().chain(found.malformed);
        self.malformed = malformed.map(|it: Malformed| it.to_string()).collect();
    }

    fn set_owner(&mut self, owner: Option<Owner>, live: bool) {
        (self.owner, self.ownership) = owner
            .map(|Owner { from, key, name, email, slack }| (name, Ownership { from, key, email, slack, live }))
            .unzip();
    }
}

impl Shown {
    fn guard(name: &str, verdict: Verdict, why: String) -> Self {
        let (verdict, until) = match verdict {
            Verdict::Clear => (Stands::Clear, None),
            Verdict::Waits(until) => (Stands::Waits, until),
            Verdict::Refuses => (Stands::Refuses, None),
        };
        Self { name: name.to_owned(), verdict, until, why }
    }

    fn clear(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Stands::Clear, until: None, why: why.into() }
    }

    fn waits(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Stands::Waits, until: None, why: why.into() }
    }

    fn refuses(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Stands::Refuses, until: None, why: why.into() }
    }
}

impl From<Asked> for GoesWith {
    fn from(Asked { origin, answered_at }: Asked) -> Self {
        Self { what: origin.to_string(), system: origin.system.name().to_owned(), answered_at }
    }
}

impl From<Guard<GuardKind>> for Shown {
    fn from(guard: Guard<GuardKind>) -> Self {
        Self::guard(guard.name(), guard.verdict, guard.why)
    }
}

impl From<Guard<ObjectGuardKind>> for Shown {
    fn from(guard: Guard<ObjectGuardKind>) -> Self {
        Self::guard(guard.name(), guard.verdict, guard.why)
    }
}

async fn recorded(
    store: &dyn Store,
    settings: &Settings,
    record: &Record,
    cluster: Result<&Cluster, String>,
    now: Timestamp,
) -> Result<Why, QueryError> {
    let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
    let stopped = controls::stopped(store).await?;
    let (mismatch, hold) = (controls::store_mismatch(store).await?, holds::in_force(store).await?);
    let next = outlook(policy, record, Halt::of(stopped.is_some(), mismatch.is_some(), hold.is_some()), now);
    let keys = &settings.policies.keys;
    let mut answer = Why::of(record, keys, evidence(store, record).await?, next, now);
    if record.phase == Phase::Gone {
        return Ok(answer);
    }
    let object = match cluster {
        Ok(cluster) => look_soon(cluster, &record.name, settings).await.map_err(|error| error.to_string()),
        Err(why) => Err(why),
    };
    let object = match object {
        Ok(Some(namespace)) => Some(namespace),
        Ok(None) => {
            answer.notes.push("the cluster has no namespace of this name now".to_owned());
            answer.ending = None;
            None
        }
        Err(why) => {
            answer.notes.push(format!(
                "the namespace itself could not be read from the cluster, so this rests on the store alone: {why}"
            ));
            None
        }
    };
    if let Some(namespace) = &object {
        if let Some(at) = namespace.deleted.filter(|_| namespace.uid == record.uid && record.done.is_none()) {
            answer.next = NextStep { what: "Kubernetes is removing it; somebody deleted it".to_owned(), at: Some(at) };
        }
        answer.ending = ending(namespace, record).filter(|_| namespace.uid == record.uid);
        if namespace.uid == record.uid {
            answer.read(namespace, keys, policy, record, now);
            answer.pipeline = ci::recorded(settings, namespace, store).await;
            answer.goes_with = ci::asked(settings, namespace, store).await.into_iter().map(GoesWith::from).collect();
        }
    }
    let Some(policy) = policy else {
        answer.notes.push(
            "what holds its deletion back is not known: this configuration lacks its policy; name the one that the manager \
             runs with (`--config`)"
                .to_owned(),
        );
        return Ok(answer);
    };
    if let Some(notice) = record.notices.iter().find(|notice| notice.counts && notice.delivery == Delivery::Open) {
        let channels = settings.notices.channels().into_iter();
        for channel in channels.filter(|channel| channel.name == notice.intended.channel) {
            let known = channels::known(store, &channel).await?;
            if let Some(error) = known.trouble() {
                let since = known.since.map_or(String::new(), |since| format!(" since {}", both(since, now)));
                let state = if known.is_broken() { "is broken" } else { "fails" };
                answer.notes.push(format!("channel `{}` {state}{since}: {error}", channel.name));
            }
            if let Some(refusal) = channels::refusal(store, &channel, &notice.id(&record.uid)).await? {
                let at = both(refusal.at, now);
                answer
                    .notes
                    .push(format!("the notice to its owner was refused {at}, and is tried again: {}", refusal.why));
            }
        }
    }
    answer.guards = before_deletion(store, settings, policy, record, object.as_ref(), stopped, now).await?;
    if let Some(in_force) = controls::config(store).await?
        && in_force.body.hash != settings.hash
    {
        answer.notes.push(format!(
            "this is judged by another configuration ({}) than the manager runs with ({}); name that one (`--config`)",
            settings.hash, in_force.body.hash
        ));
    }
    Ok(answer)
}

/// Why a namespace is still there that is being deleted, by what it says now. Its pods are known after the first check.
fn ending(namespace: &Namespace, record: &Record) -> Option<DeletionStalled> {
    namespace.deleted?;
    let nobody = || RemainingPods::Unknown("nobody looked yet: that is done where it takes long".to_owned());
    let pods = record.stalled.as_ref().map_or_else(nobody, |stalled| stalled.what.pods.clone());
    Some(namespace.ending.as_deref().cloned().unwrap_or_default().with(pods))
}

async fn before_deletion(
    store: &dyn Store,
    settings: &Settings,
    policy: &Policy,
    record: &Record,
    object: Option<&Namespace>,
    stopped: Option<ControlRecord<Stop>>,
    now: Timestamp,
) -> Result<Vec<Shown>, QueryError> {
    let store_identity = controls::store_identity(store).await?;
    let fresh = object.map(|namespace| LiveObject {
        namespace,
        policy: settings.policies.for_namespace(namespace),
        store_identity: &store_identity,
    });
    let mut all: Vec<Shown> = guards(policy, record, now).into_iter().map(Shown::from).collect();
    if let Some(fresh) = &fresh {
        all.extend(object_guards(policy, record, fresh, now).into_iter().map(Shown::from));
    }
    all.push(match stopped {
        None => Shown::clear("stop", "nobody stopped deletions"),
        Some(stop) => {
            let reason = stop.body.reason.map_or(String::new(), |reason| format!(": {reason}"));
            Shown::refuses("stop", format!("{} stopped all deletions at {}{reason}", stop.actor, both(stop.at, now)))
        }
    });
    all.push(match controls::store_mismatch(store).await? {
        None => Shown::clear("store", "nothing says that this store is not the right one"),
        Some(mismatch) => Shown::refuses(
            "store",
            format!(
                "this store may not be the right one, found at {}: {}; once you know that it is, run `nsm approve --store`",
                both(mismatch.at, now),
                mismatch.body.why
            ),
        ),
    });
    if let Some(hold) = holds::in_force(store).await? {
        all.push(Shown::waits("hold", format!("since {}: {}", both(hold.at, now), hold.body)));
    }
    if policy.deletes(record.status) {
        all.push(match (is_foretold(policy, record), controls::approval(store, now).await?) {
            (true, _) => Shown::clear("unannounced", "it was announced in time"),
            (false, Some(approval)) => Shown::clear(
                "unannounced",
                format!(
                    "it was not announced in time, which {} approved until {}",
                    approval.actor,
                    both(approval.body.until, now)
                ),
            ),
            (false, None) => Shown::clear(
                "unannounced",
                "it was not announced in time, so it waits its turn where there are many such deletions (`budget.unannounced`)",
            ),
        });
        // Without such an entry, a worker has not checked yet.
        all.extend(record.attempts.missing_evidence().map(|why| Shown::waits("evidence", why)));
    }
    Ok(all)
}

/// What the change to the present status rested on.
async fn evidence(store: &dyn Store, record: &Record) -> Result<Vec<Condition>, QueryError> {
    let Some(before) = record.status_generation.checked_sub(1) else { return Ok(Vec::new()) };
    let entry = store.history(&record.uid, before, 1).await?.pop();
    Ok(match entry.map(|entry| entry.event) {
        Some(Event::StatusChanged(change)) => change.evidence,
        _ => Vec::new(),
    })
}

/// A namespace of the cluster that nothing is recorded of.
fn unrecorded(settings: &Settings, namespace: &Namespace, now: Timestamp) -> Why {
    let mut record = Record::new(namespace.uid.clone());
    record.name.clone_from(&namespace.name);
    record.created = Some(namespace.created);
    let policy = settings.policies.for_namespace(namespace);
    let keys = &settings.policies.keys;
    let mut answer = Why::of(&record, keys, Vec::new(), outlook(policy, &record, None, now), now);
    answer.policy = policy.map(|policy| policy.name.clone());
    (answer.reason, answer.next.what) = match policy {
        Some(policy) => (
            format!("policy `{}` applies to it, and it was not seen yet", policy.name),
            "it is managed as soon as the manager sees it; is the manager running?".to_owned(),
        ),
        None if settings.policies.is_out_of_bounds(&namespace.name) => {
            ("its name is one of those that are never managed".to_owned(), "nothing".to_owned())
        }
        None => ("no policy applies to it".to_owned(), "nothing".to_owned()),
    };
    answer.deadline = policy.and_then(|policy| overrides::deadline(namespace, policy, &policy.keys, None, now));
    answer.read(namespace, keys, policy, &record, now);
    answer
}

/// Reads a namespace, if the cluster answers soon.
async fn look_soon(cluster: &Cluster, name: &str, settings: &Settings) -> Result<Option<Namespace>, ApiError> {
    match tokio::time::timeout(CLUSTER_TIMEOUT, look(cluster, name, &settings.policies)).await {
        Ok(read) => read,
        Err(_) => Err(ApiError {
            doing: format!("read namespace `{name}`"),
            answer: ApiOutcome::Unclear,
            why: format!("the apiserver did not answer within {} s", CLUSTER_TIMEOUT.as_secs()),
        }),
    }
}

#[cfg(test)]
mod tests;
