//! What a role is given to work with.

use std::sync::Arc;

use lifecycle::Actor;
use tokio::sync::watch;

use crate::{
    clock::Clock, cluster::Cluster, config::Settings, http_client::HttpClient, liveness::Liveness, queue::SharedQueue,
    store::SharedStore, timings::Timings,
};

/// The edges of a role: the ports, the cluster, the time, and the configuration as it is now.
#[derive(Clone, Debug)]
pub struct Context {
    pub store: SharedStore,
    pub queue: SharedQueue,
    pub cluster: Cluster,
    pub clock: Clock,
    pub http: HttpClient,
    pub liveness: Liveness,
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Tells this process from every other, in the history: see [`crate::process::instance`].
    pub instance: String,
}

impl Context {
    /// The configuration as it is now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    /// The intervals and timeouts of this process, which no configuration changes.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.settings.borrow().timings
    }

    /// How a role of this process signs what it writes.
    #[must_use]
    pub fn actor(&self, role: &str) -> Actor {
        Actor::role(role, &self.instance)
    }
}
