//! Tasks from the queue, as long as there is one: out of reach, it is asked for again, and nobody fails over it.

use std::time::Duration;

use common::{
    context::Context,
    queue::{Consumer, Delivery, QueueError, Result, Route},
};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

/// How long the queue is left alone after an error, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

#[derive(Debug)]
pub(crate) struct TaskConsumer {
    consumer: Option<Box<dyn Consumer>>,
    backoff: Duration,
}

impl TaskConsumer {
    pub(crate) const fn new() -> Self {
        Self { consumer: None, backoff: BACKOFF.0 }
    }

    /// The next task; `None`: none came within `wait`, or the queue was out of reach. Safe to cancel.
    pub(crate) async fn next(&mut self, context: &Context, wait: Duration) -> Option<Box<dyn Delivery>> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.take(context, left).await {
                Ok(next) => {
                    self.backoff = BACKOFF.0;
                    return next;
                }
                Err(error) => self.lost("no tasks come from the queue", &error),
            }
            let rest = self.backoff;
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
            timeout_at(until, sleep(rest)).await.ok()?;
        }
    }

    /// Settles a message. Where the queue does not learn of it, it hands the message out again, which does no harm.
    pub(crate) async fn settled(&mut self, settling: impl Future<Output = Result<()>>) {
        if let Err(error) = settling.await {
            self.lost("a task that was looked after comes once more", &error);
        }
    }

    /// Whatever was open on a broken link is of no use.
    fn lost(&mut self, what: &str, error: &QueueError) {
        self.consumer = None;
        warn!("{what}: {error}");
    }

    async fn take(&mut self, context: &Context, wait: Duration) -> Result<Option<Box<dyn Delivery>>> {
        let consumer = match &mut self.consumer {
            Some(consumer) => consumer,
            none => none.insert(context.queue.consume(Route::Tasks).await?),
        };
        consumer.next(wait).await
    }
}
