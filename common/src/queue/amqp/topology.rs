//! What is declared at the broker. Each connection declares all of it: to declare what is there changes nothing.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::silence::Told;
use crate::queue::Route;

/// Messages that wait in one queue. A message beyond them is refused, so that its publisher knows.
const MAX_MESSAGES: i64 = 10_000;

/// Dead letters that are kept to be read; the oldest make room.
const MAX_DEAD_LETTERS: i64 = 1_000;

/// CI events that wait for one consumer; the oldest make room.
const MAX_CI_EVENTS: i64 = 1_000;

/// How long a CI event waits, in milliseconds. By then its subject may have been polled anyway.
const CI_EVENT_TTL: i64 = 60_000;

/// How often a message is delivered until it is taken for one that its consumers die of.
const DELIVERIES: i64 = 20;

/// What every event matches.
const ANY_EVENT: &str = "namespace.*";

/// The key of a task.
const TASK: &str = "task";

/// The names.
#[derive(Debug)]
pub(super) struct Topology {
    events: String,
    plan: String,
    tasks: String,
    actions: String,
    ci_events: String,
    dead: String,
}

impl Topology {
    pub(super) fn new(prefix: &str) -> Self {
        let name = |rest: &str| format!("{prefix}.{rest}");
        Self {
            events: name("events"),
            plan: name("plan.v1"),
            tasks: name("tasks"),
            actions: name("actions.v1"),
            ci_events: name("hints"),
            dead: name("dead.v1"),
        }
    }

    /// The exchange and the key that a message is published with.
    pub(super) fn to(&self, route: Route, topic: &str) -> (&str, String) {
        match route {
            Route::Events => (&self.events, format!("namespace.{topic}")),
            Route::Tasks => (&self.tasks, TASK.to_owned()),
            Route::CiEvents => (&self.ci_events, String::new()),
        }
    }

    /// The queue that a consumer takes messages from: the one that it shares with others, or a new one of its own.
    pub(super) async fn inlet(&self, channel: &Channel, route: Route) -> lapin::Result<ShortString> {
        match self.shared(route) {
            Some(queue) => Ok(queue.into()),
            None => self.listen(channel).await,
        }
    }

    /// The queue that the consumers of a route share; `None`: each has its own.
    fn shared(&self, route: Route) -> Option<&str> {
        match route {
            Route::Events => Some(&self.plan),
            Route::Tasks => Some(&self.actions),
            Route::CiEvents => None,
        }
    }

    /// Declares a queue for CI events, which is gone with the connection. The broker would give it a name, but not one that
    /// begins as ours do, and rights go by that.
    async fn listen(&self, channel: &Channel) -> lapin::Result<ShortString> {
        let queue = ShortString::from(format!("{}.{:032x}", self.ci_events, rand::random::<u128>()));
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(MAX_CI_EVENTS));
        arguments.insert("x-overflow".into(), text("drop-head"));
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(CI_EVENT_TTL));
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.clone(), options, arguments).await?;
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.clone(), self.ci_events.as_str().into(), "".into(), options, arguments).await?;
        Ok(queue)
    }

    /// Declares everything.
    pub(super) async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        let exchanges = [
            (&self.events, ExchangeKind::Topic),
            (&self.tasks, ExchangeKind::Direct),
            (&self.ci_events, ExchangeKind::Fanout),
        ];
        for (exchange, kind) in exchanges {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default()).await?;
        }
        let dead = [("x-max-length", AMQPValue::LongLongInt(MAX_DEAD_LETTERS)), ("x-overflow", text("drop-head"))];
        declare(channel, &self.dead, dead).await?;
        for (queue, exchange, key) in [(&self.plan, &self.events, ANY_EVENT), (&self.actions, &self.tasks, TASK)] {
            self.declare_shared(channel, queue).await?;
            let (queue, options) = (queue.as_str().into(), QueueBindOptions::default());
            channel.queue_bind(queue, exchange.as_str().into(), key.into(), options, FieldTable::default()).await?;
        }
        Ok(())
    }

    /// Declares the queue that the consumers of a route share, and returns how many messages wait in it.
    pub(super) async fn waiting(&self, channel: &Channel, route: Route) -> lapin::Result<usize> {
        match self.shared(route) {
            Some(queue) => self.declare_shared(channel, queue).await,
            None => Ok(0),
        }
    }

    /// What the broker tells of a queue; an error where it is not there.
    pub(super) async fn ask(channel: &Channel, queue: &ShortString) -> lapin::Result<Told> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(queue.clone(), options, FieldTable::default()).await?;
        Ok(Told { waiting: queue.message_count(), consumers: queue.consumer_count() })
    }

    async fn declare_shared(&self, channel: &Channel, queue: &str) -> lapin::Result<usize> {
        let arguments = [
            ("x-max-length", AMQPValue::LongLongInt(MAX_MESSAGES)),
            ("x-overflow", text("reject-publish")),
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERIES)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&self.dead)),
        ];
        declare(channel, queue, arguments).await
    }
}

async fn declare<const N: usize>(
    channel: &Channel,
    queue: &str,
    arguments: [(&str, AMQPValue); N],
) -> lapin::Result<usize> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(queue.into(), options, table).await?;
    Ok(declared.message_count() as usize)
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
