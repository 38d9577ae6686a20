//! Whose the state in a store is: of which cluster, and of which installation.
//!
//! A store remembers its cluster by the uid of the namespace `kube-system`, which every cluster has and none shares. Against
//! another one everything it knows would be recorded as gone.

use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use lifecycle::{Actor, Uid};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    beats,
    clock::Clock,
    cluster::{Answer, Cluster, Trouble, within},
    controls,
    store::{Store, StoreError},
};

/// The namespace whose uid stands for its cluster.
const SYSTEM: &str = "kube-system";

/// How long an apiserver that does not answer is left alone, at first and at most.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// The uid that stands for a cluster; `None` where we may not read it.
///
/// # Errors
/// When it is not known: the apiserver did not answer, or has yet to make the namespace.
pub async fn of_cluster(cluster: &Cluster) -> Result<Option<Uid>, Trouble> {
    let doing = format!("read the uid of namespace `{SYSTEM}`, which stands for the cluster");
    match within(&doing, cluster.metadata().get(SYSTEM)).await {
        Ok(object) => match object.metadata.uid {
            Some(uid) => Ok(Some(Uid::new(uid))),
            None => Err(Trouble { doing, answer: Answer::Unclear, why: "the answer lacks it".to_owned() }),
        },
        Err(trouble) if trouble.answer == Answer::Refused => Ok(None),
        Err(trouble) => Err(trouble),
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

/// Waits until it is known that a store and a cluster belong together. Who may not read which cluster it is goes on: others
/// of the same store may.
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
    let (mut rest, mut is_told) = (REST.0, false);
    loop {
        match of_cluster(cluster).await {
            Ok(Some(uid)) => {
                if is_told {
                    info!("the apiserver answers");
                }
                return Ok(hold_to(store, &uid, actor, clock.now()).await??);
            }
            Ok(None) => {
                debug!("which cluster it is may not be read");
                return Ok(());
            }
            Err(trouble) => {
                if !std::mem::replace(&mut is_told, true) {
                    warn!("nothing begins before it is known which cluster it is: {trouble}");
                }
            }
        }
        tokio::select! {
            () = sleep(rest) => rest = (rest * 2).min(REST.1),
            () = cancel.cancelled() => bail!("it was asked to end before it was known which cluster it is"),
        }
    }
}

/// Refuses where a controller of another installation was heard of lately in the same store.
///
/// # Errors
/// When there is one, or the store is out of reach.
pub async fn is_alone(store: &dyn Store, installation: &str, now: Timestamp) -> anyhow::Result<()> {
    for beat in store.beats(beats::MOST).await? {
        let other = beat.body.get("installation").and_then(|it| it.as_str()).filter(|other| *other != installation);
        let Some(other) = other.filter(|_| beats::is_alive(beat.at, now)) else { continue };
        bail!(
            "the installation `{other}` works on this store since {} (`{}`, last heard of at {}), and this one is \
             `{installation}`; give each a database of its own (`store.url`)",
            beat.started,
            beat.id,
            beat.at
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{Heartbeat, SharedStore, open};

    async fn store() -> (tempfile::TempDir, SharedStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        (directory, store)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn a_store_belongs_to_the_first_cluster_it_knows() {
        let (_directory, store) = store().await;
        let (me, here, there) = (Actor::person("me"), Uid::new("here"), Uid::new("there"));
        let held = async |uid: &Uid| hold_to(&*store, uid, &me, at(1)).await.unwrap();
        assert_eq!(held(&here).await, Ok(()));
        assert_eq!(held(&here).await, Ok(()));
        let other = held(&there).await.unwrap_err();
        assert_eq!(other, OtherCluster { known: here.clone(), found: there.clone() });
        for named in ["`here`", "`there`", "nsm approve --cluster"] {
            assert!(other.to_string().contains(named), "{other}");
        }
        assert_eq!(controls::approve_cluster(&*store, &me, &there, at(2)).await.unwrap(), Some(here.clone()));
        assert_eq!((held(&there).await, held(&here).await.is_err()), (Ok(()), true));
    }

    #[tokio::test]
    async fn of_two_clusters_at_once_one_has_the_store() {
        let (_directory, store) = store().await;
        let hold = async |uid: &str| {
            let (me, uid) = (Actor::person("me"), Uid::new(uid));
            hold_to(&*store, &uid, &me, at(1)).await.unwrap().is_ok()
        };
        let (one, other) = tokio::join!(hold("a"), hold("b"));
        assert!(one != other, "{one} {other}");
    }

    #[tokio::test]
    async fn another_installation_is_refused_for_as_long_as_it_is_heard_of() {
        let (_directory, store) = store().await;
        let beat = |installation: &str| Heartbeat {
            id: "collect-controller/p.1".into(),
            role: "collect-controller".into(),
            started: at(0),
            at: at(100),
            body: json!({"installation": installation}),
        };
        store.beat(&beat("team-a/nsm")).await.unwrap();
        is_alone(&*store, "team-a/nsm", at(101)).await.unwrap();
        let refused = is_alone(&*store, "team-b/nsm", at(101)).await.unwrap_err().to_string();
        assert!(refused.contains("`team-a/nsm`") && refused.contains("`team-b/nsm`"), "{refused}");
        is_alone(&*store, "team-b/nsm", at(1_000)).await.unwrap();
    }
}
