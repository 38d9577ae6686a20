//! What is counted of a queue.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Connections that were made, the first ones too.
    pub(super) connects: Counter,
    /// Attempts to connect that failed.
    pub(super) refusals: Counter,
    /// Messages that the broker did not take.
    pub(super) failed_publishes: Counter,
}

impl Counts {
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut register = |name: &str, help: &str, counter: &Counter| {
            registry.register(format!("namespace_manager_queue_{name}"), help, counter.clone());
        };
        register("connects", "Connections made to the broker: two at the start, more after outages", &self.connects);
        register("connect_failures", "Attempts to connect to the broker that failed", &self.refusals);
        register(
            "publish_failures",
            "Messages the broker did not take: latency, and nothing else",
            &self.failed_publishes,
        );
    }
}
