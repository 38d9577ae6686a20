//! The tasks of a process: none is meant to end before it is asked to.

use std::{future::Future, time::Duration};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Tasks that are to last as long as the process. Dropped, they are cut off.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Asks all of them to end.
    pub cancel: CancellationToken,
    set: JoinSet<Ended>,
    names: Vec<&'static str>,
}

/// A task that ended.
#[derive(Debug)]
pub struct Ended {
    pub task: &'static str,
    pub outcome: anyhow::Result<()>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&mut self, task: &'static str, future: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.names.push(task);
        self.set.spawn(async move { Ended { task, outcome: future.await } });
    }

    /// Waits until one ends. Without any it waits for ever.
    pub async fn next(&mut self) -> Ended {
        match self.set.join_next().await {
            Some(Ok(ended)) => {
                self.names.retain(|name| *name != ended.task);
                ended
            }
            Some(Err(error)) => Ended { task: "task", outcome: Err(anyhow::anyhow!("it panicked: {error}")) },
            None => std::future::pending().await,
        }
    }

    /// Asks all to end and waits for that, so long at most. Returns those that were cut off.
    pub async fn end(&mut self, grace: Duration) -> Vec<&'static str> {
        self.cancel.cancel();
        let ending = async {
            while !self.set.is_empty() {
                let Ended { task, outcome } = self.next().await;
                if let Err(error) = outcome {
                    warn!("the {task} did not end well: {error:#}");
                }
            }
        };
        let _ = timeout(grace, ending).await;
        self.set.abort_all();
        std::mem::take(&mut self.names)
    }
}

impl Ended {
    /// What is to be said of a task that was not asked to end.
    #[must_use]
    pub fn by_itself(self) -> anyhow::Error {
        let Self { task, outcome } = self;
        match outcome {
            Ok(()) => anyhow::anyhow!("the {task} ended without being asked to"),
            Err(error) => error.context(format!("the {task} failed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn one_that_ends_by_itself_is_told_of() {
        let check = async |outcome: anyhow::Result<()>, said: &str| {
            let mut tasks = Tasks::default();
            tasks.spawn("other", std::future::pending());
            tasks.spawn("planner", async { outcome });
            assert_eq!(format!("{:#}", tasks.next().await.by_itself()), said);
        };
        check(Ok(()), "the planner ended without being asked to").await;
        check(Err(anyhow::anyhow!("no queue")), "the planner failed: no queue").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_of_one_ends_the_wait() {
        let mut tasks = Tasks::default();
        tasks.spawn("other", std::future::pending());
        tasks.spawn("planner", async { panic!("on purpose") });
        assert!(tasks.next().await.outcome.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_do_not_end_when_asked_are_cut_off_and_named() {
        let mut tasks = Tasks::default();
        let cancel = tasks.cancel.clone();
        tasks.spawn("polite", async move {
            cancel.cancelled().await;
            Ok(())
        });
        tasks.spawn("deaf", std::future::pending());
        let asked = tokio::time::Instant::now();
        assert_eq!(tasks.end(GRACE).await, ["deaf"]);
        let took = asked.elapsed();
        assert!((GRACE..=GRACE + Duration::from_millis(1)).contains(&took), "{took:?}");
    }
}
