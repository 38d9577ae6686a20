//! HTTP over the record store: what is known, why, what comes next, and the controls people set.
//!
//! It answers from the store, so that it shows what is on record and not what a process happens to know; only `why` also
//! reads the namespace itself. Health can always be asked for, and webhooks of CI systems are known by a secret. Everything
//! else needs a token that the cluster accepts and a right that it grants ([`access`]), unless the configuration opens it. The answers are [`queries`], which `nsm`
//! gives beside the store too; the page that describes them, `/api/openapi.json`, is made from their types.

mod access;
mod limits;
mod metrics;
mod openapi;
mod problem;
pub mod program;
pub mod queries;
mod routes;
mod serve;

use std::sync::Arc;

use common::{
    clock::Clock, cluster::Cluster, config::Settings, context::Context, queue::SharedQueue, store::SharedStore,
};
use tokio::sync::watch;

use self::metrics::Hooks;
pub use openapi::openapi;
pub use problem::{ProblemDetails, Refusal};
pub use routes::{Approved, Because, router};
pub use serve::serve;

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct Api {
    pub store: SharedStore,
    /// Takes what webhooks tell to the collectors.
    pub queue: SharedQueue,
    /// Says who asks and whether they may, and is fenced by a stop.
    pub cluster: Cluster,
    pub clock: Clock,
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What came of webhooks.
    hooks: Hooks,
    /// The OpenAPI document of all routes, as JSON.
    page: Arc<str>,
}

impl From<&Context> for Api {
    fn from(context: &Context) -> Self {
        let Context { store, queue, cluster, clock, settings, liveness, .. } = context.clone();
        let hooks = Hooks::default();
        let page = openapi().to_json().expect("plain data serializes").into();
        liveness.register(|registry| hooks.register(registry));
        Self { store, queue, cluster, clock, settings, hooks, page }
    }
}
