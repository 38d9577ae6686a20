//! Events from the queue, as long as there is one: out of reach, it is asked for again, and nobody fails over it.

use std::time::Duration;

use common::{
    context::Context,
    queue::{Consumer, Result, Route},
};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

/// How long one wait for an event lasts at most.
const WAIT: Duration = Duration::from_secs(30);

/// How long the queue is left alone after an error, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

#[derive(Debug)]
pub(crate) struct Events {
    consumer: Option<Box<dyn Consumer>>,
    backoff: Duration,
    not_before: Instant,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { consumer: None, backoff: BACKOFF.0, not_before: Instant::now() }
    }

    /// What the next event is about; `None`: none came for a while. Safe to cancel.
    pub(crate) async fn next(&mut self, context: &Context) -> Option<String> {
        sleep_until(self.not_before).await;
        match self.take(context).await {
            Ok(about) => {
                if self.backoff > BACKOFF.0 {
                    info!("events come from the queue again");
                }
                self.backoff = BACKOFF.0;
                about
            }
            Err(error) => {
                if self.backoff == BACKOFF.0 {
                    warn!("no events come from the queue, so changes are found twice a minute: {error}");
                }
                self.consumer = None;
                self.not_before = Instant::now() + self.backoff;
                self.backoff = (self.backoff * 2).min(BACKOFF.1);
                None
            }
        }
    }

    async fn take(&mut self, context: &Context) -> Result<Option<String>> {
        let consumer = match &mut self.consumer {
            Some(consumer) => consumer,
            none => none.insert(context.queue.consume(Route::Events).await?),
        };
        let Some(delivery) = consumer.next(WAIT).await? else {
            return Ok(None);
        };
        let about = delivery.message().map(|message| message.about.clone());
        // The history tells as well: should we die now, the event is missed and nothing else is.
        delivery.ack().await?;
        Ok(about)
    }
}
