//! What all turns of a collector share.

use std::sync::Arc;

use common::{
    context::Context,
    controls,
    store::{Store, StoreError},
};
use jiff::Timestamp;
use lifecycle::{Actor, keys::StoreIdentity};
use tokio::sync::{Mutex, Semaphore};

use crate::{kube_events::Events, metrics::Checks, pipelines::Pipelines, shard::Shard};

/// What all turns of a collector share.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) context: Context,
    pub(crate) shard: Shard,
    /// Whether it takes more than one turn for a namespace.
    pub(crate) stays: bool,
    pub(crate) actor: Actor,
    pub(crate) events: Events,
    /// The record markers of this store; read again when a marker does not belong to it.
    pub(crate) markers: Mutex<KnownMarkers>,
    /// Held by whoever asks the apiserver for the time, so that one asks for all.
    pub(crate) asking: Mutex<()>,
    /// Held by whoever writes annotations: each PATCH at the same time is a connection with its buffers.
    pub(crate) annotating: Semaphore,
    pub(crate) health: crate::health::Health,
    pub(crate) pipelines: Pipelines,
    pub(crate) checks: Checks,
}

/// A collector as turns use it, shared.
pub(crate) type SharedCollector = Arc<Collector>;

/// What a collector knows of the record markers that this store may have left.
#[derive(Debug, Default)]
pub(crate) struct KnownMarkers {
    pub(crate) store_identity: StoreIdentity,
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) managed: Option<(Timestamp, u64)>,
}

impl KnownMarkers {
    /// # Errors
    /// When the store is out of reach.
    pub(crate) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self { store_identity: controls::store_identity(store).await?, ..Self::default() })
    }
}
