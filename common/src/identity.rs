//! Whose the state in a store is: of which cluster, and of which installation.
//!
//! A store remembers its cluster by the uid of the namespace `kube-system`, which every cluster has and none shares. Against
//! another one everything it knows would be recorded as gone.

pub mod kinship;

use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lifecycle::{Actor, Uid};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    cluster::{ApiError, ApiOutcome, Cluster, within},
    context::Context,
    controls, heartbeat,
    identity::kinship::Kinship,
    store::{Heartbeat, Store, StoreError},
};

/// The namespace whose uid stands for its cluster.
const SYSTEM: &str = "kube-system";

/// How long an apiserver that does not answer is left alone, at first and at most.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// The uid that stands for a cluster; `None` where we may not read it.
///
/// # Errors
/// When it is not known: the apiserver did not answer, or has yet to make the namespace.
pub async fn of_cluster(cluster: &Cluster) -> Result<Option<Uid>, ApiError> {
    let doing = format!("read the uid of namespace `{SYSTEM}`, which stands for the cluster");
    match within(&doing, cluster.lean_namespaces().get(SYSTEM)).await {
        Ok(object) => match object.metadata.uid {
            Some(uid) => Ok(Some(Uid::new(uid))),
            None => Err(ApiError { doing, answer: ApiOutcome::Unclear, why: "the answer lacks it".to_owned() }),
        },
        Err(error) if error.answer == ApiOutcome::Refused => Ok(None),
        Err(error) => Err(error),
    }
}

/// The uid that stands for a cluster, where this is the namespace that bears it.
#[must_use]
pub fn named_by(meta: &ObjectMeta) -> Option<Uid> {
    meta.uid.clone().filter(|_| meta.name.as_deref() == Some(SYSTEM)).map(Uid::new)
}

/// Compares the cluster that a complete list of namespaces names with the one that its store knows: behind the address of an
/// apiserver another one may answer.
///
/// # Errors
/// When they are not the same, or the list names none.
pub fn agree(known: &Uid, listed: Option<Uid>) -> anyhow::Result<()> {
    let found = listed.with_context(|| {
        format!(
            "which cluster answers is not told: it lacks `{SYSTEM}`, which every cluster has, or that may not be read"
        )
    })?;
    if *known != found {
        return Err(OtherCluster { known: known.clone(), found }.into());
    }
    Ok(())
}

/// Asks whether the cluster that the store knows still answers: behind the address of an apiserver another one may by now.
///
/// # Errors
/// When it does not, or when that is not known.
pub async fn still_answers(store: &dyn Store, cluster: &Cluster) -> anyhow::Result<()> {
    match controls::cluster(store).await? {
        Some(known) => agree(&known, of_cluster(cluster).await?),
        None => Ok(()),
    }
}

/// Holds a store to the cluster it knows; one that knows none knows this one from now on.
///
/// # Errors
/// When the store is out of reach.
pub async fn hold_to(
    store: &dyn Store,
    cluster: &Uid,
    actor: &Actor,
    now: Timestamp,
) -> Result<Result<(), OtherCluster>, StoreError> {
    let known = match controls::cluster(store).await? {
        Some(known) => known,
        None => controls::remember_cluster(store, actor, cluster, now).await?,
    };
    Ok(if known == *cluster { Ok(()) } else { Err(OtherCluster { known, found: cluster.clone() }) })
}

/// A store is not this cluster's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this store is of another cluster: it knows the one whose namespace `kube-system` has the uid `{known}`, and the one that \
     answers has `{found}`; use a store of its own (`store.url`), or another context; where that cluster was rebuilt, and \
     this one takes its place, run `nsm approve --cluster`"
)]
pub struct OtherCluster {
    pub known: Uid,
    pub found: Uid,
}

/// Waits until it is known that a store and a cluster belong together. Who may not read which cluster it is waits for that
/// right: the chart's roles have it. A store that knows none and is not empty has to have a history of some namespace that is
/// there; who may not list them waits for the role that may, the collect-controller.
///
/// # Errors
/// When they do not, or the store is out of reach.
pub async fn belong_together(
    store: &dyn Store,
    cluster: &Cluster,
    actor: &Actor,
    clock: &Clock,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let (mut rest, mut is_told) = (RETRY_BACKOFF.0, false);
    loop {
        match of_cluster(cluster).await {
            Ok(Some(uid)) => match is_known_or_kin(store, cluster).await? {
                Ok(()) => {
                    if is_told {
                        info!("the apiserver answers");
                    }
                    return Ok(hold_to(store, &uid, actor, clock.now()).await??);
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        warn!(
                            "nothing begins before it is known whether this store, which knows no cluster and is not empty, \
                             is of this one: {error}"
                        );
                    }
                }
            },
            Ok(None) => {
                if !std::mem::replace(&mut is_told, true) {
                    warn!(
                        "nothing begins before it is known which cluster it is: the uid of namespace `{SYSTEM}` may not be \
                         read; give this service account `get` on namespaces"
                    );
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    warn!("nothing begins before it is known which cluster it is: {error}");
                }
            }
        }
        tokio::select! {
            () = sleep(rest) => rest = (rest * 2).min(RETRY_BACKOFF.1),
            () = cancel.cancelled() => bail!("it was asked to end before it was known which cluster it is"),
        }
    }
}

/// Whether a store knows a cluster, or has its histories of this one.
async fn is_known_or_kin(store: &dyn Store, cluster: &Cluster) -> anyhow::Result<Result<(), ApiError>> {
    if controls::cluster(store).await?.is_some() {
        return Ok(Ok(()));
    }
    Ok(match kinship::of(store, cluster).await? {
        Ok(Kinship::Nothing | Kinship::Shared) => Ok(()),
        Ok(Kinship::Strange(name)) => bail!(
            "this store knows no cluster yet, and none of the namespaces that it has a history of is in the one that \
             answers, `{name}` for one; use a store of its own (`store.url`), or another context; where this is the right \
             cluster, and all of them have gone, run `nsm approve --cluster`"
        ),
        Err(error) => Err(error),
    })
}

/// Refuses where a controller of another installation was heard of lately in the same store. Tells of itself first, so that
/// of two that begin at once at least one hears of the other.
///
/// # Errors
/// When there is one, or the store is out of reach.
pub async fn is_alone(context: &Context, role: &'static str, installation: &str) -> anyhow::Result<()> {
    let (store, now) = (&*context.store, context.clock.now());
    let (id, body) = (heartbeat::id(context, role), json!({"installation": installation}));
    store.heartbeat(&Heartbeat { id: id.clone(), role: role.to_owned(), started: now, at: now, body }).await?;
    let heartbeats = store.heartbeats(heartbeat::MAX_HEARTBEATS).await?;
    let Some((other, heartbeat)) = other_installation(&heartbeats, &id, installation, now) else { return Ok(()) };
    store.remove_heartbeat(&id).await?;
    bail!(
        "the installation `{other}` works on this store since {} (`{}`, last heard of at {}), and this one is \
         `{installation}`; give each a database of its own (`store.url`); if that one has gone without a word, wait until it \
         was not heard of for {} s",
        heartbeat.started,
        heartbeat.id,
        heartbeat.at,
        heartbeat::DEAD_AFTER.as_secs()
    )
}

/// Another installation that was heard of lately, and the heartbeat that tells of it.
fn other_installation<'a>(
    heartbeats: &'a [Heartbeat],
    own: &str,
    installation: &str,
    now: Timestamp,
) -> Option<(&'a str, &'a Heartbeat)> {
    let others = heartbeats.iter().filter(|heartbeat| heartbeat.id != own && heartbeat::is_alive(heartbeat.at, now));
    let mut named = others.filter_map(|heartbeat| Some((heartbeat.body.get("installation")?.as_str()?, heartbeat)));
    named.find(|(other, _)| *other != installation)
}

#[cfg(test)]
mod tests;
