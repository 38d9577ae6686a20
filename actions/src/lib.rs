//! Carries out tasks, one after another, by the deletion protocol of safety.md section 2.
//!
//! A worker takes a task's id from the queue and nothing else: it loads the record, asks [`lifecycle::plan`] whether
//! that task is still due, looks at the namespace again, and only then writes an intent and sends the request that
//! the intent allows. Whatever happens to it in between, the next worker finds a history that says how far it came.
//!
//! Absent on purpose: a retry of a DELETE, a decision on a list, and any use of what the message said.

mod close;
mod delete;
mod look;
mod notify;
mod permit;
mod send;
mod webhook;

use std::time::Duration;

use anyhow::Context as _;
use common::{context::Context, queue::Route, ration::Claims};
use lifecycle::{Action, Actor, Task};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long a worker rests after a task that could not be carried out for want of the store or the cluster.
const REST: Duration = Duration::from_secs(1);

/// One worker: what its attempts share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) context: Context,
    pub(crate) actor: Actor,
    pub(crate) claims: Claims,
}

/// Works through the task queue until it was empty for the configured time, or `cancel` says to end.
///
/// An attempt that was begun is brought to its end before a cancellation counts: all its steps have deadlines.
///
/// # Errors
/// When the queue cannot be used.
pub async fn run(context: Context, cancel: CancellationToken) -> anyhow::Result<()> {
    let idle_for = context.settings().workers.idle_for;
    let mut tasks = context.queue.consume(Route::Tasks).await.context("cannot consume tasks")?;
    let worker = Worker { actor: context.actor("action"), claims: Claims::default(), context };
    loop {
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            next = tasks.next(idle_for) => next.context("cannot take the next task")?,
        };
        let Some(delivery) = next else {
            debug!("no task came for {idle_for:?}, so this worker ends");
            return Ok(());
        };
        let Some(task) = delivery.message().and_then(|message| Task::from_id(&message.about)) else {
            warn!("a message on the task queue is not a task; it goes to the dead letters");
            delivery.reject().await.context("cannot reject a message")?;
            continue;
        };
        // Whatever came of it, the planner offers again what is still due: a failure must not bring the message back
        // at once.
        let outcome = worker.carry_out(&task).await;
        delivery.ack().await.context("cannot acknowledge a task")?;
        if let Err(error) = outcome {
            warn!(task = %task.id(), "task `{}` was not carried out and will be offered again: {error:#}", task.id());
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(REST) => {}
            }
        }
    }
}

impl Worker {
    async fn carry_out(&self, task: &Task) -> anyhow::Result<()> {
        match task.action {
            Action::Delete => delete::carry_out(self, task).await,
            Action::Notify => notify::carry_out(self, task).await,
        }
    }
}
