//! `nsm why`.

use common::{
    cluster::{Cluster, look},
    config::Settings,
    controls::{self, Decree, Stop},
    history,
    store::Store,
};
use jiff::Timestamp;
use lifecycle::{Condition, Fact, Fresh, Namespace, Policy, Record, guards, plan::is_foretold, record::Phase, wishes};

use crate::{
    failure::{Code, Failure},
    reach::{Reach, uids},
    screen::Screen,
    view::{
        moment::both,
        outlook::{Outlook, outlook},
        reasons::{self, Shown, Why},
    },
};

pub(super) async fn why(reach: &Reach<'_>, screen: &Screen, name_or_uid: &str) -> Result<(), Failure> {
    let settings = reach.settings()?;
    let store = reach.store(&settings).await?;
    let now = reach.now();
    let cluster = reach.cluster_if_near().await;
    let answer = match uids(&*store, name_or_uid).await {
        Ok(uids) => {
            let record = history::load(&*store, &uids[0]).await?;
            let mut answer = recorded(&*store, &settings, &record, cluster, now).await?;
            if uids.len() > 1 {
                let (before, name) = (uids.len() - 1, &record.name);
                let note =
                    format!("this name was borne before, by {before} of those that `nsm history {name}` tells of");
                answer.notes.push(note);
            }
            answer
        }
        Err(failure) if failure.code == Code::NotFound => match cluster {
            Ok(cluster) => match look(&cluster, name_or_uid, &settings.policies).await? {
                Some(namespace) => unrecorded(&settings, &namespace, now),
                None => return Err(failure),
            },
            Err(_) => return Err(failure),
        },
        Err(failure) => return Err(failure),
    };
    screen.answer(&answer, |_| reasons::text(&answer, now))
}

async fn recorded(
    store: &dyn Store,
    settings: &Settings,
    record: &Record,
    cluster: Result<Cluster, String>,
    now: Timestamp,
) -> Result<Why, Failure> {
    let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
    let stopped = controls::stopped(store).await?;
    let next = outlook(policy, record, stopped.is_some(), now);
    let mut answer = Why::of(record, evidence(store, record).await?, next);
    if record.phase == Phase::Gone {
        return Ok(answer);
    }
    let object = match cluster {
        Ok(cluster) => look(&cluster, &record.name, &settings.policies).await.map_err(|trouble| trouble.to_string()),
        Err(why) => Err(why),
    };
    let object = match object {
        Ok(Some(namespace)) => Some(namespace),
        Ok(None) => {
            answer.notes.push("the cluster has no namespace of this name now".to_owned());
            None
        }
        Err(why) => {
            answer.notes.push(format!("the namespace itself was not looked at: {why}"));
            None
        }
    };
    if let Some(namespace) = &object {
        if let Some(at) = namespace.deleted.filter(|_| namespace.uid == record.uid && record.done.is_none()) {
            answer.next = Outlook { what: "it is going away, somebody deleted it".to_owned(), at: Some(at) };
        }
        answer.set_malformed(&wishes::malformed(namespace, &settings.policies.keys));
    }
    let Some(policy) = policy else {
        answer.notes.push(
            "what stands before its deletion is not known: this configuration lacks its policy; name the one that the \
             manager runs with (`--config`)"
                .to_owned(),
        );
        return Ok(answer);
    };
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

async fn before_deletion(
    store: &dyn Store,
    settings: &Settings,
    policy: &Policy,
    record: &Record,
    object: Option<&Namespace>,
    stopped: Option<Decree<Stop>>,
    now: Timestamp,
) -> Result<Vec<Shown>, Failure> {
    let lineage = controls::lineage(store).await?;
    let fresh = object.map(|namespace| Fresh {
        namespace,
        policy: settings.policies.for_namespace(namespace),
        lineage: &lineage,
    });
    let mut all: Vec<Shown> = guards(policy, record, fresh.as_ref(), now).into_iter().map(Shown::from).collect();
    all.push(match stopped {
        None => Shown::clear("stop", "nobody stopped deletions"),
        Some(stop) => {
            let reason = stop.body.reason.map_or(String::new(), |reason| format!(": {reason}"));
            Shown::refuses("stop", format!("{} stopped all deletions {}{reason}", stop.actor, both(stop.at, now)))
        }
    });
    all.push(match controls::doubt(store).await? {
        None => Shown::clear("store", "nobody doubts this store"),
        Some(doubt) => Shown::refuses(
            "store",
            format!(
                "it is in doubt since {}: {}; `nsm approve --store` vouches for it",
                both(doubt.at, now),
                doubt.body.why
            ),
        ),
    });
    if policy.deletes(record.status) {
        all.push(match (is_foretold(record), controls::approval(store, now).await?) {
            (true, _) => Shown::clear("wave", "it was foretold"),
            (false, Some(approval)) => Shown::clear(
                "wave",
                format!(
                    "it was not foretold, which {} approved until {}",
                    approval.actor,
                    both(approval.body.until, now)
                ),
            ),
            (false, None) => Shown::clear("wave", "it was not foretold, so it takes its turn in the waves"),
        });
    }
    Ok(all)
}

/// What the change to the present status rested on.
async fn evidence(store: &dyn Store, record: &Record) -> Result<Vec<Condition>, Failure> {
    let Some(before) = record.episode.checked_sub(1) else { return Ok(Vec::new()) };
    let entry = store.history(&record.uid, before, 1).await?.pop();
    Ok(match entry.map(|entry| entry.fact) {
        Some(Fact::StatusChanged(change)) => change.evidence,
        _ => Vec::new(),
    })
}

/// A namespace of the cluster that nothing is recorded of.
fn unrecorded(settings: &Settings, namespace: &Namespace, now: Timestamp) -> Why {
    let mut record = Record::new(namespace.uid.clone());
    record.name.clone_from(&namespace.name);
    record.created = Some(namespace.created);
    let policy = settings.policies.for_namespace(namespace);
    let mut answer = Why::of(&record, Vec::new(), outlook(policy, &record, false, now));
    answer.policy = policy.map(|policy| policy.name.clone());
    (answer.reason, answer.next.what) = match policy {
        Some(policy) => (
            format!("policy `{}` applies to it, and it was not seen yet", policy.name),
            "it is adopted as soon as the manager sees it; is it running?".to_owned(),
        ),
        None if settings.policies.is_out_of_bounds(&namespace.name) => {
            ("its name is one of those that are never managed".to_owned(), "nothing".to_owned())
        }
        None => ("no policy applies to it".to_owned(), "nothing".to_owned()),
    };
    answer.deadline = policy.and_then(|policy| wishes::deadline(namespace, policy, &policy.keys));
    answer.set_malformed(&wishes::malformed(namespace, &settings.policies.keys));
    answer
}
