//! Publishing messages to others. One that is lost costs latency, so nobody waits for one or fails over one.

use lifecycle::{Record, Task, record::Phase};
use tracing::debug;

use crate::queue::{Message, Queue, Result, Route};

/// Something was written about this namespace. Others may listen to the status they wait for.
pub async fn event(queue: &dyn Queue, record: &Record) {
    let topic = match record.phase {
        Phase::New | Phase::Managed => record.status.as_str(),
        Phase::Released => "released",
        Phase::Gone => "gone",
    };
    let about = record.uid.as_str();
    taken(about, queue.publish_event(topic, &Message::about(about)).await);
}

/// This is to be done. Returns whether the queue took it.
pub async fn task(queue: &dyn Queue, task: &Task) -> bool {
    let about = task.id();
    taken(&about, queue.publish(Route::Tasks, &Message::about(&about)).await)
}

fn taken(about: &str, published: Result<()>) -> bool {
    match published {
        Ok(()) => true,
        Err(error) => {
            debug!(error = &error as &dyn std::error::Error, "a message about `{about}` is lost");
            false
        }
    }
}
