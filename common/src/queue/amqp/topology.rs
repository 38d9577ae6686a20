//! What is declared at the broker. Each connection declares all of it: to declare what is there changes nothing.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use crate::queue::Route;

/// Messages that wait in one queue. A message beyond them is refused, so that its publisher knows.
const MOST: i64 = 10_000;

/// Dead letters that are kept to be looked at; the oldest make room.
const MOST_DEAD: i64 = 1_000;

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
            dead: name("dead.v1"),
        }
    }

    /// The exchange and the key that a message is published with.
    pub(super) fn to(&self, route: Route, topic: &str) -> (&str, String) {
        match route {
            Route::Events => (&self.events, format!("namespace.{topic}")),
            Route::Tasks => (&self.tasks, TASK.to_owned()),
        }
    }

    /// The queue that messages are consumed from.
    pub(super) fn from(&self, route: Route) -> &str {
        match route {
            Route::Events => &self.plan,
            Route::Tasks => &self.actions,
        }
    }

    /// Declares everything.
    pub(super) async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        for (exchange, kind) in [(&self.events, ExchangeKind::Topic), (&self.tasks, ExchangeKind::Direct)] {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default()).await?;
        }
        let dead = [("x-max-length", AMQPValue::LongLongInt(MOST_DEAD)), ("x-overflow", text("drop-head"))];
        declare(channel, &self.dead, dead).await?;
        for route in [Route::Events, Route::Tasks] {
            self.waiting(channel, route).await?;
            let (exchange, key) = match route {
                Route::Events => (&self.events, ANY_EVENT),
                Route::Tasks => (&self.tasks, TASK),
            };
            let (queue, options) = (self.from(route).into(), QueueBindOptions::default());
            channel.queue_bind(queue, exchange.as_str().into(), key.into(), options, FieldTable::default()).await?;
        }
        Ok(())
    }

    /// Declares a route's queue, and returns how many messages wait in it.
    pub(super) async fn waiting(&self, channel: &Channel, route: Route) -> lapin::Result<usize> {
        let arguments = [
            ("x-max-length", AMQPValue::LongLongInt(MOST)),
            ("x-overflow", text("reject-publish")),
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERIES)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&self.dead)),
        ];
        declare(channel, self.from(route), arguments).await
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
