//! CI events that come through the queue: which pipeline to ask for again, since something happened to it. Nothing rests on
//! them: whatever is lost is asked for later anyway.

use std::time::Duration;

use common::{
    context::Context,
    queue::{Consumer, Result, Route},
};
use lifecycle::pipeline::CiObjectRef;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use tracing::debug;

/// How many may wait for the loop; the next ones wait in the queue, which forgets the oldest.
const PREFETCH: usize = 64;

/// How long is waited for one at a time.
const WAIT: Duration = Duration::from_secs(60);

/// How long a queue that fails is left alone.
const RETRY_BACKOFF: Duration = Duration::from_secs(5);

/// The CI events for one collector, from its start to its end. It may take a while to begin to listen, and nobody waits for
/// that.
pub(crate) struct CiEvents {
    coming: mpsc::Receiver<CiObjectRef>,
    _listening: JoinSet<()>,
}

impl CiEvents {
    pub(crate) fn listen(context: &Context) -> Self {
        let (ci_events, coming) = mpsc::channel(PREFETCH);
        let (context, mut listening) = (context.clone(), JoinSet::new());
        listening.spawn(async move {
            loop {
                if let Err(error) = hear(&context, &ci_events).await {
                    debug!(error = &error as &dyn std::error::Error, "ci events are not received");
                }
                sleep(RETRY_BACKOFF).await;
            }
        });
        Self { coming, _listening: listening }
    }

    /// The next one. Nothing is lost where this is not waited for any longer.
    pub(crate) async fn next(&mut self) -> CiObjectRef {
        match self.coming.recv().await {
            Some(origin) => origin,
            None => std::future::pending().await,
        }
    }
}

/// Hands on whatever comes, for as long as the queue does not fail.
async fn hear(context: &Context, ci_events: &mpsc::Sender<CiObjectRef>) -> Result<()> {
    let mut consumer = context.queue.consume(Route::CiEvents).await?;
    loop {
        if let Some(origin) = one(&mut *consumer).await? {
            // It fails when the collector ends, and this with it.
            let _ = ci_events.send(origin).await;
        }
    }
}

/// The next one; `None`: none came for a while, or it was no CI event.
async fn one(consumer: &mut dyn Consumer) -> Result<Option<CiObjectRef>> {
    let Some(delivery) = consumer.next(WAIT).await? else { return Ok(None) };
    let origin = delivery.message().and_then(|message| message.about.parse().ok());
    // Where that fails it comes again, which does no harm.
    let _ = if origin.is_some() { delivery.ack().await } else { delivery.reject().await };
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use common::queue::{self, Message};

    use super::*;

    #[tokio::test]
    async fn a_ci_event_names_what_is_asked_for_and_whatever_else_comes_is_none() {
        let queue = queue::open("memory:").await.unwrap();
        let mut ci_events = queue.consume(Route::CiEvents).await.unwrap();
        for about in ["gitlab/7/pipeline/46", "46", "gitlab/7/pipeline/46/cancelled", "github/octo/a/job/4"] {
            queue.publish(Route::CiEvents, &Message::about(about)).await.unwrap();
        }
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(one(&mut *ci_events).await.unwrap().map(|origin| origin.key()));
        }
        let expected = [Some("gitlab/7/pipeline/46"), None, None, Some("github/octo/a/job/4")];
        assert_eq!(heard, expected.map(|key| key.map(str::to_owned)));
    }
}
