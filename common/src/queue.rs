//! The queue: publishes events and hands out work. No message is believed; losing all of them costs latency and nothing else.

mod amqp;
mod memory;

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

use self::{amqp::AmqpQueue, memory::MemoryQueue};
use crate::{config::QueueSettings, store::is_scheme};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// Something happened to a namespace: to the planner, and to everybody else who listens.
    Events,
    /// A task for one worker.
    Tasks,
    /// What to ask a CI system again: to everybody who listens at that time. The oldest make room where somebody does not
    /// keep up.
    CiEvents,
}

/// What is sent: what to check, and nothing that could be believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// The version of this shape, 1.
    pub v: u32,
    /// A uid, a task's id, or the key of what a CI system is queried for.
    pub about: String,
}

/// Why a message could not be handed over or fetched.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue is full")]
    Full,
    #[error("cannot {doing}: {why}")]
    Unavailable { doing: String, why: String },
}

/// Why a queue could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Only the scheme is told: the rest of a queue's URL may hold credentials.
    #[error("no queue has the scheme `{scheme}`; supported are `memory:`, `amqp://HOST:PORT/VHOST` and `amqps://…`")]
    Unsupported { scheme: String },
    #[error("the queue's url is not one; supported are `memory:`, `amqp://HOST:PORT/VHOST` and `amqps://…`")]
    Malformed,
}

pub type Result<T> = std::result::Result<T, QueueError>;

/// A message in hand. Dropped without an acknowledgement, it is delivered again.
#[async_trait]
pub trait Delivery: Debug + Send {
    /// What was sent; `None` where it cannot be decoded.
    fn message(&self) -> Option<&Message>;
    /// The events that follow from it are durable, or it has no effect: it need not come again.
    async fn ack(self: Box<Self>) -> Result<()>;
    /// It cannot be decoded: to the dead letters.
    async fn reject(self: Box<Self>) -> Result<()>;
}

/// A consumer of one route. Several share the messages, but each has every CI event. It outlives outages: while there is no
/// queue, no message comes.
///
/// A consumer has one message in hand at a time: the next may wait until that is settled.
#[async_trait]
pub trait Consumer: Debug + Send {
    /// The next message, or `None` when none came within `wait`. Safe to cancel: nothing is lost.
    async fn next(&mut self, wait: Duration) -> Result<Option<Box<dyn Delivery>>>;
}

/// The port. Every call ends within 5 s.
#[async_trait]
pub trait Queue: Debug + Send + Sync {
    /// Hands a message over; when it returns, the queue has it, or where it is a CI event nobody listens. Of identical messages
    /// that wait at the same time, one may be delivered for all.
    async fn publish(&self, route: Route, message: &Message) -> Result<()>;
    /// As [`publish`](Self::publish) to [`Route::Events`], under a topic by which others may choose.
    async fn publish_event(&self, topic: &str, message: &Message) -> Result<()> {
        let _ = topic;
        self.publish(Route::Events, message).await
    }
    /// Begins to consume. It does not fail because the queue is out of reach.
    async fn consume(&self, route: Route) -> Result<Box<dyn Consumer>>;
    /// How many messages wait for a worker; of CI events, which wait for nobody, none.
    async fn backlog(&self, route: Route) -> Result<usize>;
    /// Registers what it counts, if anything.
    fn register(&self, _registry: &mut Registry) {}
}

/// A queue shared by the roles of a process.
pub type SharedQueue = Arc<dyn Queue>;

/// Opens the queue at a URL that needs nothing else, as [`open_with`].
///
/// # Errors
/// As [`open_with`].
pub async fn open(url: &str) -> std::result::Result<SharedQueue, OpenError> {
    open_with(&QueueSettings::at(url)).await
}

/// Opens the queue. It need not be within reach yet.
///
/// # Errors
/// When the URL names no kind of queue.
pub async fn open_with(settings: &QueueSettings) -> std::result::Result<SharedQueue, OpenError> {
    match settings.url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(MemoryQueue::default())),
        Some(("amqp" | "amqps", _)) => Ok(Arc::new(AmqpQueue::new(settings)?)),
        Some((scheme, _)) if is_scheme(scheme) && scheme != "memory" => {
            Err(OpenError::Unsupported { scheme: scheme.to_owned() })
        }
        _ => Err(OpenError::Malformed),
    }
}

impl Message {
    #[must_use]
    pub fn about(about: impl Into<String>) -> Self {
        Self { v: 1, about: about.into() }
    }
}
