//! The store of earlier versions, which was one file for all clusters: the cluster that it belongs to takes it over.

use std::{fs, time::Duration};

use anyhow::{Context as _, bail};
use common::{
    cluster::Cluster,
    config::{StoreSettings, former_default_store, is_default_store},
    controls,
    identity::{
        self,
        kinship::{self, Kinship},
    },
    store::{self, Access, SharedStore, hold},
};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// How long the last connection may take to put the log into the file, and how often that is checked.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Moves the former default store to its new place, where there is none yet and it is of this cluster.
///
/// # Errors
/// When it is of this cluster, and cannot be moved.
pub(super) async fn take_over(settings: &StoreSettings, cluster: &Cluster, now: Timestamp) -> anyhow::Result<()> {
    let Some(place) = settings.file() else { return Ok(()) };
    let Some(former) = former_default_store(place).filter(|former| former.exists() && !place.exists()) else {
        return Ok(());
    };
    let shown = former.display();
    // Nobody else moves it, or goes on with it meanwhile.
    let _hold = match hold::hold(&former, now) {
        Ok(hold) => hold,
        Err(why) => {
            warn!("the former store `{shown}` is left alone: {why}");
            return Ok(());
        }
    };
    let store = store::open_with(&format!("sqlite:{shown}"), &Access::default()).await;
    let store = store.with_context(|| format!("cannot open the former store `{shown}`"))?;
    let is_ours = is_of(&store, cluster).await;
    let stop = controls::stopped(&*store).await.with_context(|| format!("cannot read the former store `{shown}`"))?;
    let is_unclaimed = controls::cluster(&*store).await?.is_none();
    // With the last connection the log goes into the file.
    drop(store);
    match is_ours {
        Ok(true) => {}
        Ok(false) if is_unclaimed && stop.is_some() => bail!(
            "deletions are stopped in the former store `{shown}`, and whether it is of this cluster cannot be told: it knows \
             none, and nothing that it has a history of is here; to go on with it, set `store.url: sqlite:{shown}` and run \
             `nsm approve --cluster`; to begin without it, move it elsewhere"
        ),
        Ok(false) => {
            info!("the former store `{shown}` is not of this cluster, and stays where it is");
            return Ok(());
        }
        Err(why) => bail!(
            "whose the former store `{shown}` is, is not known yet: {why:#}; try again, or name it in `store.url`"
        ),
    }
    let closed = timeout(CLOSE_TIMEOUT, async {
        while hold::is_open(&former) {
            sleep(POLL_INTERVAL).await;
        }
    });
    if closed.await.is_err() {
        bail!("the former store `{shown}` is in use; end what uses it, or name it in `store.url`");
    }
    fs::rename(&former, place).with_context(|| format!("cannot move `{shown}` to `{}`", place.display()))?;
    info!("the former store `{shown}` is of this cluster, and is `{}` from now on", place.display());
    Ok(())
}

/// Refuses to begin a new default store where another context's is of this cluster: what is recorded there, a stop above all,
/// would count for nothing here.
///
/// # Errors
/// When there is one.
pub(super) async fn is_first(settings: &StoreSettings, cluster: &Cluster) -> anyhow::Result<()> {
    let Some(place) = settings.file().filter(|place| !place.exists()) else { return Ok(()) };
    let stores = place.parent().map_or_else(Vec::new, |directory| hold::stores_in(directory, is_default_store));
    if stores.is_empty() {
        return Ok(());
    }
    let Some(uid) = identity::of_cluster(cluster).await? else { return Ok(()) };
    for path in stores {
        let shown = path.display();
        let store = store::open_with(&format!("sqlite:{shown}"), &Access::default()).await;
        let store = store.with_context(|| format!("cannot open the store `{shown}`, which may be of this cluster"))?;
        if controls::cluster(&*store).await? == Some(uid.clone()) {
            bail!(
                "the store `{shown}` is of this cluster, which had another context's name then; to go on with it, set \
                 `store.url: sqlite:{shown}`, or move it to `{}`",
                place.display()
            );
        }
    }
    Ok(())
}

/// Whether a store is of a cluster: by the one it knows, and where it knows none, by whether anything it has a history of is
/// there.
async fn is_of(store: &SharedStore, cluster: &Cluster) -> anyhow::Result<bool> {
    if let Some(known) = controls::cluster(&**store).await? {
        return Ok(identity::of_cluster(cluster).await? == Some(known));
    }
    Ok(kinship::of(&**store, cluster).await?? == Kinship::Shared)
}

#[cfg(test)]
mod tests;
