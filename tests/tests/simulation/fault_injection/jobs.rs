//! The way to jobs that are pods: a start fails, is not answered, or comes late.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common::jobs::{Job, JobError, JobKind, JobRunner, JobSpec, JobState, LocalJobs, Result, Schedule, Started};
use tokio::time::sleep;

use super::{Edge, Error, Fate};
use crate::scenario::Way;

/// How long a client waits for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct JobsEdge {
    pub(crate) edge: Edge,
    pub(crate) inner: Arc<LocalJobs>,
}

impl JobsEdge {
    /// What becomes of a change; `None`: it was refused. It is made once it is polled.
    async fn change<T: Send>(&self, doing: &str, made: impl Future<Output = Result<T>> + Send) -> Result<Option<T>> {
        let (fate, number) = self.edge.set_out(Way::Apiserver, doing, true).await;
        let unknown = || JobError { doing: doing.to_owned(), why: "the story wants it so".to_owned() };
        let changed = match fate {
            Fate::Fine => made.await.map(Some),
            Fate::Answered(Error::Forbidden) => Ok(None),
            Fate::Refused | Fate::Answered(_) => Err(unknown()),
            Fate::Lost | Fate::Garbled => made.await.and(Err(unknown())),
            Fate::Hangs | Fate::Late(_) => {
                sleep(DEADLINE).await;
                Err(unknown())
            }
        };
        self.edge.came_back(number).await;
        changed
    }
}

#[async_trait]
impl JobRunner for JobsEdge {
    async fn start(&self, spec: &JobSpec) -> Result<Started> {
        let started = self.change("start a job", self.inner.start(spec)).await?;
        Ok(started.unwrap_or_else(|| {
            self.edge.world.count("pods: a job was refused");
            Started::Refused("exceeded quota".to_owned())
        }))
    }

    async fn state(&self, name: &str) -> Result<Option<JobState>> {
        self.edge.live().await;
        self.inner.state(name).await
    }

    async fn jobs(&self, kind: JobKind) -> Result<Vec<Job>> {
        self.edge.live().await;
        self.inner.jobs(kind).await
    }

    async fn changed(&self, wait: Duration) {
        self.inner.changed(wait).await;
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.change("end a job", self.inner.stop(name)).await.map(drop)
    }

    async fn schedule(&self, schedules: &[Schedule]) -> Result<()> {
        self.change("schedule jobs", self.inner.schedule(schedules)).await.map(drop)
    }

    fn hands_over(&self) -> bool {
        true
    }
}
