//! A broker that takes every message and delivers none.

use anyhow::{Context, Result, ensure};
use lapin::options::{QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, Queue};
use serde_json::json;
use testbed::{Broker, eventually};

use crate::program::harness::{LATER, fleet};

/// Where messages go instead.
const HOLE: &str = "hole";

#[tokio::test]
async fn that_every_message_was_lost_costs_time_and_nothing_else() {
    let there_from_the_beginning = |config: &mut serde_json::Value| config["workers"] = json!({"min": 2, "max": 2});
    fleet(there_from_the_beginning, async |fleet| {
        let broker = Broker::shared().await?;
        let workers = [fleet.worker().await?, fleet.worker().await?];
        let first = fleet.world.namespace(&[("ttl", "1s")]).await?;
        fleet.world.are_deleted(std::slice::from_ref(&first), LATER).await?;

        let drain = Drain::open(broker, &fleet.world.name, workers.len()).await?;
        let crowd = fleet.world.crowd(20, &[("ttl", "1s")]).await?;
        for demo in &crowd {
            demo.records("StatusChanged", |entry| entry.text("to") == Some("stale")).await?;
        }
        eventually("all tasks are handed out, and lost", LATER, async || {
            let lost = drain.lost().await?;
            ensure!(lost >= crowd.len(), "{lost} of {} are", crowd.len());
            Ok(())
        })
        .await?;
        for demo in &crowd {
            demo.lives().await.context("nobody could be told of it")?;
        }
        drain.close().await?;
        fleet.world.are_deleted(&crowd, LATER).await?;
        super::workers::each_is_done_once(fleet, &crowd).await
    })
    .await;
}

/// Events and tasks of an installation that go where nobody listens: to their publisher all is well.
struct Drain {
    channel: Channel,
    _connection: Connection,
    prefix: String,
}

impl Drain {
    /// Begins once so many workers have connected and declared what they use: nobody puts it right behind our back.
    async fn open(broker: &Broker, prefix: &str, workers: usize) -> Result<Self> {
        let connection = Connection::connect(&broker.url_with_credentials(), ConnectionProperties::default()).await?;
        let drain =
            Self { channel: connection.create_channel().await?, _connection: connection, prefix: prefix.to_owned() };
        eventually("all workers take tasks", LATER, async || {
            let there = drain.state(&drain.name("actions.v1")).await?.consumer_count() as usize;
            ensure!(there == workers, "{there} of {workers} do");
            Ok(())
        })
        .await?;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        for (exchange, key, queue) in drain.ways() {
            let (hole, channel) = (drain.hole(exchange), &drain.channel);
            let mut table = FieldTable::default();
            table.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
            channel.queue_declare(hole.as_str().into(), options, table).await?;
            let bind = QueueBindOptions::default();
            let from = drain.name(exchange);
            channel
                .queue_bind(hole.as_str().into(), from.as_str().into(), key.into(), bind, FieldTable::default())
                .await?;
            let name = drain.name(queue);
            channel.queue_unbind(name.as_str().into(), from.as_str().into(), key.into(), FieldTable::default()).await?;
        }
        Ok(drain)
    }

    /// How many tasks went there.
    async fn lost(&self) -> Result<usize> {
        Ok(self.state(&self.hole("tasks")).await?.message_count() as usize)
    }

    async fn state(&self, queue: &str) -> Result<Queue> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        Ok(self.channel.queue_declare(queue.into(), options, FieldTable::default()).await?)
    }

    /// Lets them go where they belong. What is in the hole stays lost.
    async fn close(self) -> Result<()> {
        for (exchange, key, queue) in self.ways() {
            let (from, name, hole) = (self.name(exchange), self.name(queue), self.hole(exchange));
            let (bind, table) = (QueueBindOptions::default(), FieldTable::default());
            self.channel.queue_bind(name.as_str().into(), from.as_str().into(), key.into(), bind, table).await?;
            self.channel.queue_delete(hole.as_str().into(), QueueDeleteOptions::default()).await?;
        }
        Ok(())
    }

    /// Exchange, key and queue of everything that is sent.
    const fn ways(&self) -> [(&'static str, &'static str, &'static str); 2] {
        [("events", "namespace.*", "plan.v1"), ("tasks", "task", "actions.v1")]
    }

    fn hole(&self, exchange: &str) -> String {
        self.name(&format!("{exchange}.{HOLE}"))
    }

    fn name(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }
}
