//! Carries out tasks, one after another, by the deletion protocol of docs/design/protocol.md section 2.
//!
//! A worker takes a task's id from the queue and nothing else: it loads the record, asks [`lifecycle::plan`] whether
//! that task is still due, checks the namespace again, and only then writes an intent and sends the request that
//! the intent allows. Whatever happens to it in between, the next worker finds a history that says how far it came.
//!
//! Absent on purpose: a retry of a DELETE, a decision on a list, and any use of what the message said.

mod admission_probe;
mod apply;
mod consumer;
mod delete;
mod dispatch;
#[cfg(test)]
mod fixture;
mod fresh_evidence;
mod notify;
mod outcome;
mod permit;
mod preflight;
pub mod program;
mod switches;
mod webhook;
mod worker;

use std::time::Duration;

use common::{
    config::WORKER_LIFE,
    context::Context,
    heartbeat::{self, BUSY, Publisher},
};
use lifecycle::Task;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{consumer::TaskConsumer, worker::Worker};

/// Interval within which the worker ticks, for liveness. A heartbeat comes at least as often.
const TICK_INTERVAL: Duration = Duration::from_secs(30);

/// How long a worker rests after a task that could not be carried out for want of the store or the cluster.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// Works through the task queue until it was empty for the configured time and this worker is not one of those that are
/// to wait, until the worker's life is over, or `cancel` says to end.
///
/// An attempt that was begun is brought to its end before a cancellation counts: all its steps have deadlines.
///
/// # Errors
/// None so far: whatever is out of reach is waited for.
pub async fn run(context: Context, cancel: CancellationToken) -> anyhow::Result<()> {
    let turns = context.liveness.watch("worker", TICK_INTERVAL);
    let worker = Worker::new(context);
    let mut publisher = Publisher::new(heartbeat::WORKER, &worker.context);
    // A worker that sends heartbeats is not stalled: each step of a task has a deadline.
    let body = || {
        turns.tick();
        worker.body()
    };
    work(&worker, &mut publisher, &cancel, body).await;
    publisher.end(&worker.context).await;
    Ok(())
}

async fn work(worker: &Worker, publisher: &mut Publisher, cancel: &CancellationToken, body: impl Fn() -> Value) {
    let over = Instant::now() + WORKER_LIFE;
    let mut tasks = TaskConsumer::new();
    let context = &worker.context;
    let heartbeat_interval = context.timings().heartbeat_interval;
    loop {
        let idle_for = context.settings().workers.idle_for;
        publisher.every(heartbeat_interval);
        // In this order, so that a run can be repeated.
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = sleep_until(over) => {
                debug!("this worker has lived for {WORKER_LIFE:?}, so it ends");
                return;
            }
            next = publisher.while_running(context, &body, tasks.next(context, idle_for)) => next,
        };
        let Some(delivery) = next else {
            if worker.is_to_wait(publisher.started()).await {
                continue;
            }
            debug!("no task came for {idle_for:?}, so this worker ends");
            return;
        };
        let Some(task) = delivery.message().and_then(|message| Task::from_id(&message.about)) else {
            warn!("a message on the task queue is not a task; it goes to the dead letters");
            tasks.settled(delivery.reject()).await;
            continue;
        };
        worker.begin(&task);
        publisher.every(BUSY.min(heartbeat_interval));
        // Whatever came of it, the planner offers again what is still due: a failure must not bring the message back
        // at once.
        let outcome = publisher.while_running(context, &body, dispatch::carry_out(worker, &task)).await;
        worker.end(outcome.is_ok());
        tasks.settled(delivery.ack()).await;
        if let Err(error) = outcome {
            warn!(task = %task.id(), "task `{}` was not carried out and will be offered again: {error:#}", task.id());
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(RETRY_BACKOFF) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::queue::{Message, Route};

    use super::*;
    use crate::fixture::Scene;

    /// What is no task goes out of the way, and what comes after it is carried out.
    #[tokio::test(start_paused = true)]
    async fn what_is_no_task_has_no_effect() {
        let scene = Scene::stale().await;
        let queue = &scene.worker.context.queue;
        let uid = fixture::UID;
        for about in ["", uid, &format!("{uid}/sleep/2"), &format!("{uid}/delete/7"), &format!("{uid}/delete/2")] {
            queue.publish(Route::Tasks, &Message::about(about)).await.unwrap();
        }
        let mut publisher = Publisher::new(heartbeat::WORKER, &scene.worker.context);
        // It ends by itself when nothing came for a while.
        work(&scene.worker, &mut publisher, &CancellationToken::new(), || Value::Null).await;
        assert_eq!(scene.written().await, "intended done");
        assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 0);
        let body = scene.worker.body();
        assert_eq!((&body["done"], &body["failed"]), (&Value::from(2), &Value::from(0)));
    }
}
