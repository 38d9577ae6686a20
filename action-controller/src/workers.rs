//! Enough workers for what is handed out.

use common::{
    context::Context,
    jobs::{JobKind, JobSpec, JobState, SharedJobs, Started},
    queue::Route,
};
use tracing::warn;

/// How many waiting tasks are worth one more worker.
const TASKS_PER_WORKER: usize = 8;

/// Starts as many workers as the backlog asks for, up to the configured number. They end by themselves.
///
/// # Errors
/// When jobs cannot be started or looked at.
pub(crate) async fn keep_enough(context: &Context, jobs: &SharedJobs) -> anyhow::Result<()> {
    let max = context.settings().workers.max as usize;
    let Ok(backlog) = context.queue.backlog(Route::Tasks).await else {
        return Ok(());
    };
    if backlog == 0 {
        return Ok(());
    }
    let wanted = backlog.div_ceil(TASKS_PER_WORKER).min(max);
    let mut running = jobs.running(JobKind::Action).await?.len();
    for number in 0..max {
        if running >= wanted {
            break;
        }
        let name = format!("action-{number}");
        let spec = JobSpec { name: name.clone(), kind: JobKind::Action, args: Vec::new(), deadline: None };
        match jobs.start(&spec).await? {
            Started::Now => running += 1,
            Started::Exists(JobState::Running) => {}
            Started::Exists(ended) => {
                if let JobState::Failed(why) = &ended {
                    warn!("worker `{name}` failed: {why}");
                }
                jobs.stop(&name).await?;
                if matches!(ended, JobState::Complete) && jobs.start(&spec).await? == Started::Now {
                    running += 1;
                }
            }
            Started::Refused(why) => {
                warn!("no worker was started: {why}");
                break;
            }
        }
    }
    Ok(())
}
