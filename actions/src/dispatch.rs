//! Which action a task is of, and what carries it out.

use lifecycle::{Action, Task};
use tracing::instrument;

use crate::{delete, notify, worker::Worker};

/// Carries out a task.
///
/// # Errors
/// When the store or the cluster is out of reach: the task is offered again.
#[instrument(name = "task", skip_all, fields(task.id = %task.id(), namespace.uid = %task.uid, namespace.name))]
pub(crate) async fn carry_out(worker: &Worker, task: &Task) -> anyhow::Result<()> {
    match task.action {
        Action::Delete => delete::carry_out(worker, task).await,
        Action::Notify => notify::carry_out(worker, task).await,
    }
}
