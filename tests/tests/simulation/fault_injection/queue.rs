//! The way to the queue: messages are lost, come thrice, or are not taken.

use std::time::Duration;

use async_trait::async_trait;
use common::queue::{Consumer, Message, Queue, QueueError, Result, Route, SharedQueue};

use super::{Edge, Fate};
use crate::scenario::{QueueWay, Way};

#[derive(Debug)]
pub(crate) struct QueueEdge {
    pub(crate) edge: Edge,
    pub(crate) inner: SharedQueue,
}

#[async_trait]
impl Queue for QueueEdge {
    async fn publish(&self, route: Route, message: &Message) -> Result<()> {
        let (fate, number) = self.edge.set_out(Way::Queue, "publish", true).await;
        let world = &self.edge.world;
        let copies = match (fate, world.scenario.queue) {
            (Fate::Refused | Fate::Answered(_) | Fate::Hangs | Fate::Late(_), _) => 0,
            (Fate::Fine | Fate::Lost | Fate::Garbled, QueueWay::LosesAll) if !world.is_calm() => {
                world.count("fault: message lost");
                0
            }
            (_, QueueWay::Triples) if !world.is_calm() => {
                world.count("fault: message tripled");
                3
            }
            (Fate::Fine | Fate::Lost | Fate::Garbled, _) => 1,
        };
        for copy in 0..copies {
            // The queue itself takes equal messages for one while they wait; so the copies come one after another.
            if copy > 0 {
                let (inner, message) = (self.inner.clone(), message.clone());
                world.tasks.spawn(async move {
                    tokio::time::sleep(Duration::from_secs(copy)).await;
                    let _ = inner.publish(route, &message).await;
                });
            } else {
                self.inner.publish(route, message).await?;
            }
        }
        self.edge.came_back(number).await;
        if fate == Fate::Fine {
            return Ok(());
        }
        Err(QueueError::Unavailable { doing: "publish".to_owned(), why: "the story wants it so".to_owned() })
    }

    async fn consume(&self, route: Route) -> Result<Box<dyn Consumer>> {
        self.edge.live().await;
        self.inner.consume(route).await
    }

    async fn backlog(&self, route: Route) -> Result<usize> {
        self.edge.live().await;
        self.inner.backlog(route).await
    }
}
