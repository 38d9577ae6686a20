//! The queue at a real broker: the suite, what is declared there, and what its outages cost.

mod access;
mod outages;
mod topology;

use std::{path::Path, time::Duration};

use anyhow::ensure;
use common::{
    config::QueueSettings,
    queue::{self, Consumer, Message, Queue, Route, SharedQueue},
};
use lapin::{Channel, Connection, ConnectionProperties};
use testbed::{Broker, BrokerOptions, eventually};

use super::{Bench, about, suite};

suite!(contract, super::Amqp::new, tokio::test);

/// A guard against a hang, for what follows an outage, such as a start of the broker.
const LATER: Duration = Duration::from_secs(300);

/// What the port promises of every call. It is held against time that is paused once the broker cannot answer: what a call takes is then
/// what it waits for, and nothing of the machine.
const PROMISED: Duration = Duration::from_secs(5);

/// Queues of their own at the broker that all tests share.
pub(crate) struct Amqp {
    prefix: String,
}

impl Amqp {
    pub(crate) fn new() -> Self {
        Self { prefix: format!("test-{:016x}", rand::random::<u64>()) }
    }

    fn settings(&self, broker: &Broker) -> QueueSettings {
        QueueSettings { prefix: self.prefix.clone(), ..QueueSettings::at(&broker.url_with_credentials()) }
    }

    async fn open_at(&self, broker: &Broker) -> SharedQueue {
        queue::open_with(&self.settings(broker)).await.unwrap()
    }

    fn name(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }
}

impl Bench for Amqp {
    fn url(&self) -> String {
        unreachable!("a prefix is needed too")
    }

    async fn open(&self) -> SharedQueue {
        self.open_at(shared().await).await
    }
}

async fn shared() -> &'static Broker {
    Broker::shared().await.unwrap()
}

/// A broker to be disturbed.
async fn own() -> Broker {
    Broker::start(BrokerOptions::default()).await.unwrap()
}

/// A client of somebody else. Its connection ends when both are dropped.
async fn stranger(broker: &Broker) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.url_with_credentials(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Publishes until the queue takes it.
async fn publish_at_last(queue: &dyn Queue, what: &str) {
    let taken = eventually("the queue takes a message", LATER, async || {
        queue.publish(Route::Tasks, &Message::about(what)).await?;
        Ok(())
    });
    taken.await.unwrap();
}

/// Takes messages, and acknowledges them, until this one came.
async fn comes_at_last(consumer: &mut dyn Consumer, what: &str) {
    let came = eventually("a message comes", LATER, async || {
        let delivery = consumer.next(super::SHORT).await?;
        let found = delivery.as_ref().map(|delivery| about(&**delivery).to_owned());
        if let Some(delivery) = delivery {
            // Where that fails it comes again, which does no harm here.
            let _ = delivery.ack().await;
        }
        ensure!(found.as_deref() == Some(what), "{found:?} came");
        Ok(())
    });
    came.await.unwrap();
}

/// How long something took by the time of the runtime, and what came of it.
async fn timed<T>(what: impl Future<Output = T>) -> (T, Duration) {
    let begin = tokio::time::Instant::now();
    let outcome = what.await;
    (outcome, begin.elapsed())
}

/// A file in a directory.
fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
