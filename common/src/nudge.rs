//! Telling others where to look. A nudge that is lost costs latency, so nobody waits for one or fails over one.

use lifecycle::{Task, Uid};
use tracing::debug;

use crate::queue::{Message, Queue, Route};

/// Something was written about this namespace.
pub async fn event(queue: &dyn Queue, uid: &Uid) {
    send(queue, Route::Events, uid.as_str()).await;
}

/// This is to be done. Returns whether the queue took it.
pub async fn task(queue: &dyn Queue, task: &Task) -> bool {
    send(queue, Route::Tasks, &task.id()).await
}

async fn send(queue: &dyn Queue, route: Route, about: &str) -> bool {
    match queue.publish(route, &Message::about(about)).await {
        Ok(()) => true,
        Err(error) => {
            debug!(error = &error as &dyn std::error::Error, "a nudge about `{about}` was lost");
            false
        }
    }
}
