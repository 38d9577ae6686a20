//! A queue at a broker that speaks AMQP 0-9-1 (RabbitMQ).
//!
//! ```text
//! <prefix>.events (topic)  ── namespace.* ──▶ <prefix>.plan.v1     the planner's; others may bind to the exchange
//! <prefix>.tasks (direct)  ── task ─────────▶ <prefix>.actions.v1  the workers'
//! <prefix>.hints (fanout)  ── whatever ─────▶ <prefix>.hints.…     one of each collector, gone with its connection
//!                     what is rejected, or delivered 20 times ──▶ <prefix>.dead.v1
//! ```
//!
//! The client library is not left to recover by itself: a publish that is under way then hangs for as long as the broker
//! is frozen. On any error the connection is dropped, and another is made, with growing pauses, on which everything is
//! declared again. So a queue that somebody deleted is back by then; what was in it the planner finds in the store. That a
//! subscription does not outlive such a queue as one that hears nothing, `silence.rs` sees to.

mod address;
mod backoff;
mod connection;
mod consumer;
mod metrics;
mod publisher;
mod silence;
mod topology;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use prometheus_client::registry::Registry;

use self::{
    address::Address, consumer::Subscription, metrics::Counts, publisher::Publisher, silence::Told, topology::Topology,
};
use super::{Consumer, Message, OpenError, Queue, QueueError, QueueSettings, Result, Route};

/// How long a call may take in all: the port promises 5 s.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(4_500);

/// The topic of an event of which no more is known than the namespace.
const SOMETHING: &str = "changed";

/// Publishing and consuming have a connection each: a broker that is short of memory stops to listen to publishers, and
/// what they said before it, an acknowledgement for example.
#[derive(Debug)]
pub(super) struct AmqpQueue {
    broker: Arc<Broker>,
    publisher: Publisher,
    events: Subscription,
    tasks: Subscription,
    counts: Counts,
}

/// What all connections share.
#[derive(Debug)]
struct Broker {
    address: Address,
    topology: Topology,
    counts: Counts,
}

impl AmqpQueue {
    /// Connects when it is first used.
    pub(super) fn new(settings: &QueueSettings) -> std::result::Result<Self, OpenError> {
        let counts = Counts::default();
        let address = Address::new(settings)?;
        let broker = Arc::new(Broker { address, topology: Topology::new(&settings.prefix), counts: counts.clone() });
        let subscription = |route| Subscription::new(Arc::clone(&broker), route);
        let (events, tasks) = (subscription(Route::Events), subscription(Route::Tasks));
        Ok(Self { events, tasks, publisher: Publisher::new(Arc::clone(&broker)), broker, counts })
    }
}

#[async_trait]
impl Queue for AmqpQueue {
    async fn publish(&self, route: Route, message: &Message) -> Result<()> {
        self.publisher.publish(route, SOMETHING, message).await
    }

    async fn publish_event(&self, topic: &str, message: &Message) -> Result<()> {
        self.publisher.publish(Route::Events, topic, message).await
    }

    async fn consume(&self, route: Route) -> Result<Box<dyn Consumer>> {
        let ci_events;
        let subscription = match route {
            Route::Events => &self.events,
            Route::Tasks => &self.tasks,
            Route::CiEvents => {
                // Nobody shares it, so it need not be kept: the consumer does.
                ci_events = Subscription::new(Arc::clone(&self.broker), route);
                &ci_events
            }
        };
        Ok(Box::new(subscription.consumer().await))
    }

    async fn backlog(&self, route: Route) -> Result<usize> {
        self.publisher.backlog(route).await
    }

    fn register(&self, registry: &mut Registry) {
        self.counts.register(registry);
    }
}

/// Why something did not work, in words without credentials.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    BrokerConnection(String),
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("the broker takes nothing, as it is short of memory or disk")]
    Blocked,
    #[error("it is left alone until the next try, after: {0}")]
    Resting(String),
    #[error("no queue is bound to what it was sent to")]
    Unroutable,
    #[error("the queue is full")]
    Full,
    #[error("nothing came for {} s, though {} messages wait for {} consumers", .0.as_secs(), .1.waiting, .1.consumers)]
    Deaf(Duration, Told),
}

impl LinkError {
    /// What a caller is told, who was `doing` something.
    fn told(self, doing: &str) -> QueueError {
        match self {
            Self::Full => QueueError::Full,
            why @ (Self::BrokerConnection(_)
            | Self::Late(_)
            | Self::Blocked
            | Self::Resting(_)
            | Self::Unroutable
            | Self::Deaf(..)) => QueueError::Unavailable { doing: doing.to_owned(), why: why.to_string() },
        }
    }
}

impl From<lapin::Error> for LinkError {
    fn from(error: lapin::Error) -> Self {
        Self::BrokerConnection(error.to_string())
    }
}
