//! The age of a namespace: its creation and its owner overrides, and whether the clock can be trusted to tell.

use common::cluster::{ApiError, Cluster, look};
use jiff::Timestamp;
use lifecycle::{Check, Namespace, Policies, Reading};

/// What is seen of a namespace that a watch or a read just brought.
#[must_use]
pub fn reading(namespace: Namespace, cluster: &Cluster, now: Timestamp) -> Reading {
    Reading {
        namespace,
        clock: cluster.clock.compare(now),
        health: Check::Pending,
        supersession: Check::Pending,
        pipeline: Check::Pending,
    }
}

/// Reads one namespace afresh; `None` where a live apiserver says that there is none of this name.
///
/// # Errors
/// When it is not known.
pub async fn read(
    cluster: &Cluster,
    name: &str,
    policies: &Policies,
    now: Timestamp,
) -> Result<Option<Reading>, ApiError> {
    let found = look(cluster, name, policies).await?;
    Ok(found.map(|namespace| reading(namespace, cluster, now)))
}
