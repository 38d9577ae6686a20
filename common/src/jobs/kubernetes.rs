//! Jobs as pods: Jobs and CronJobs of the cluster, in the manager's own namespace.
//!
//! What is known of them comes by one watch on each kind, so that at rest nothing is requested. A Job is created under a name
//! that follows from what it is for: a second start finds the first. Kubernetes starts its pod once and
//! clears it away when it ended; that it is tried again, and when, is for the caller to say.
//!
//! The rights it needs in its namespace: `create`, `list`, `watch`, `delete` on `jobs`; `create`, `update`, `list`,
//! `watch`, `delete` on `cronjobs` for who has schedules; `list` on `pods` and `events`, to tell why one does not start.

mod job_cache;
mod pod_failure;
mod render;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use k8s_openapi::api::{
    batch::v1::{CronJob, Job as KubeJob},
    core::v1::{Event, Pod},
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
};
use serde::de::DeserializeOwned;
use tokio::{sync::Notify, task::JoinSet, time::timeout};

use self::{
    job_cache::{CachedJob, JobCache, Kept as _, Scheduled, follow},
    pod_failure::PodFailures,
    render::Render,
};
use super::{Job, JobError, JobKind, JobRunner, JobSpec, JobState, Result, Schedule, Started, check_name};
use crate::{
    cluster::{ApiError, ApiOutcome, FIELD_MANAGER, REQUEST_TIMEOUT},
    timings::Timings,
};

/// Where jobs are run, and for whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// The manager's own namespace.
    pub namespace: String,
    /// The name of the installation: begins the name of each job, and tells its jobs from those of others.
    pub installation: String,
    /// The directory with the pods' templates: `collector.yaml`, `action.yaml`, a `PodTemplateSpec` each.
    pub templates: PathBuf,
}

/// Runs jobs in a cluster. Dropped, it watches no more; what runs goes on.
pub struct KubernetesJobs {
    jobs: Api<KubeJob>,
    cron_jobs: Api<CronJob>,
    render: Render,
    seen: Arc<JobCache<CachedJob>>,
    scheduled: Arc<JobCache<Scheduled>>,
    changed: Arc<Notify>,
    failures: PodFailures,
    /// What fills the boards.
    _following: JoinSet<()>,
}

impl KubernetesJobs {
    /// A runner of jobs in this place. It begins to watch; so it is made within a runtime.
    #[must_use]
    pub fn new(client: &Client, place: Place, timings: &Timings) -> Self {
        let jobs: Api<KubeJob> = Api::namespaced(client.clone(), &place.namespace);
        let cron_jobs: Api<CronJob> = Api::namespaced(client.clone(), &place.namespace);
        let pods: Api<Pod> = Api::namespaced(client.clone(), &place.namespace);
        let events: Api<Event> = Api::namespaced(client.clone(), &place.namespace);
        let changed = Arc::new(Notify::new());
        let seen = Arc::new(JobCache::new("jobs", Arc::clone(&changed)));
        let scheduled = Arc::new(JobCache::new("cron jobs", Arc::clone(&changed)));
        let render = Render::new(place.installation, place.templates);
        let mut following = JoinSet::new();
        following.spawn(follow(jobs.clone(), render.selector(), Arc::clone(&seen), timings.watch_timeout));
        following.spawn(follow(cron_jobs.clone(), render.selector(), Arc::clone(&scheduled), timings.watch_timeout));
        let failures = PodFailures::new(pods, events, timings.pod_start_grace);
        Self { jobs, cron_jobs, render, seen, scheduled, changed, failures, _following: following }
    }

    /// The outcome of the start of a job whose name is taken.
    async fn existing(&self, spec: &JobSpec, name: &str) -> Result<Started> {
        let doing = format!("start job `{}`", spec.name);
        // A list of one, for which the watch needs the right already.
        let of = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = ask(&doing, self.jobs.list(&of)).await.map_err(job_error)?.items.pop();
        let Some(found) = found else {
            return Err(JobError { doing, why: format!("the Job `{name}` that was in its way is gone") });
        };
        let seen = CachedJob::of(found).filter(|(_, seen)| seen.installation == self.render.installation());
        let Some((_, seen)) = seen else {
            return Err(JobError { doing, why: format!("a Job `{name}` exists that is none of this installation's") });
        };
        self.seen.put(name, seen.clone());
        Ok(Started::Exists(self.state_of(name, &seen).await))
    }

    /// How a job is, with what it said last.
    async fn state_of(&self, name: &str, seen: &CachedJob) -> JobState {
        match &seen.state {
            JobState::Failed(why) => JobState::Failed(self.failures.last_words(name, seen, why).await),
            state @ (JobState::Running | JobState::Complete) => state.clone(),
        }
    }

    async fn put_schedule(&self, schedule: &Schedule, known: Option<&Scheduled>) -> Result<()> {
        let doing = format!("schedule `{}`", schedule.name);
        let template = self.render.template(schedule.kind).await?;
        let (mut object, hash) = self.render.cron_job(schedule, template);
        if known.is_some_and(|known| known.hash == hash) {
            return Ok(());
        }
        let name = self.render.full(&schedule.name);
        let written = match known {
            None => ask(&doing, self.cron_jobs.create(&params(), &object)).await,
            Some(known) => {
                object.metadata.resource_version = Some(known.version.to_string());
                ask(&doing, self.cron_jobs.replace(&name, &params(), &object)).await
            }
        };
        if let Some((_, scheduled)) = Scheduled::of(written.map_err(job_error)?) {
            self.scheduled.put(&name, scheduled);
        }
        Ok(())
    }
}

#[async_trait]
impl JobRunner for KubernetesJobs {
    async fn start(&self, spec: &JobSpec) -> Result<Started> {
        check_name(&spec.name)?;
        let name = self.render.full(&spec.name);
        if let Some(seen) = self.seen.get(&name) {
            return Ok(Started::Exists(self.state_of(&name, &seen).await));
        }
        let job = self.render.job(spec, self.render.template(spec.kind).await?);
        let doing = format!("start job `{}`", spec.name);
        match timeout(REQUEST_TIMEOUT, self.jobs.create(&params(), &job)).await {
            Ok(Ok(created)) => {
                if let Some((name, seen)) = CachedJob::of(created) {
                    self.seen.put(&name, seen);
                }
                Ok(Started::Now)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 && status.reason == "AlreadyExists" => {
                self.existing(spec, &name).await
            }
            Ok(Err(error)) => {
                let error = ApiError::of(doing, &error);
                match error.answer {
                    ApiOutcome::Refused | ApiOutcome::TooManyRequests => Ok(Started::Refused(error.why)),
                    ApiOutcome::NotFound | ApiOutcome::OtherUid | ApiOutcome::Moved | ApiOutcome::Unclear => {
                        Err(job_error(error))
                    }
                }
            }
            Err(_) => Err(job_error(ApiError::timed_out(doing))),
        }
    }

    async fn state(&self, name: &str) -> Result<Option<JobState>> {
        self.seen.listed().await?;
        let name = self.render.full(name);
        match self.seen.get(&name) {
            Some(seen) => Ok(Some(self.state_of(&name, &seen).await)),
            None => Ok(None),
        }
    }

    async fn jobs(&self, kind: JobKind) -> Result<Vec<Job>> {
        self.seen.listed().await?;
        let all = self.seen.all();
        self.failures.retain(&all);
        let mut jobs = Vec::new();
        for (full, seen) in all.iter().filter(|(_, seen)| seen.kind == kind) {
            let Some(name) = self.render.short(full) else { continue };
            let (has_begun, trouble) = match seen.state {
                JobState::Running if !seen.is_ready => self.failures.check(full, seen).await,
                JobState::Running | JobState::Complete | JobState::Failed(_) => (true, None),
            };
            let state = self.state_of(full, seen).await;
            jobs.push(Job { name: name.to_owned(), args: seen.args.clone(), state, has_begun, trouble });
        }
        Ok(jobs)
    }

    async fn changed(&self, wait: Duration) {
        timeout(wait, self.changed.notified()).await.ok();
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.seen.listed().await?;
        let full = self.render.full(name);
        let Some(seen) = self.seen.get(&full) else { return Ok(()) };
        remove(&format!("stop job `{name}`"), &self.jobs, &full, &seen.uid).await?;
        self.seen.remove(&full);
        Ok(())
    }

    async fn schedule(&self, schedules: &[Schedule]) -> Result<()> {
        self.scheduled.listed().await?;
        let known: BTreeMap<String, Scheduled> = self.scheduled.all().into_iter().collect();
        for schedule in schedules {
            check_name(&schedule.name)?;
            self.put_schedule(schedule, known.get(&self.render.full(&schedule.name))).await?;
        }
        for (full, scheduled) in &known {
            if !schedules.iter().any(|schedule| self.render.full(&schedule.name) == *full) {
                remove(&format!("end schedule `{full}`"), &self.cron_jobs, full, &scheduled.uid).await?;
                self.scheduled.remove(full);
            }
        }
        Ok(())
    }

    fn hands_over(&self) -> bool {
        true
    }
}

impl fmt::Debug for KubernetesJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesJobs").field("render", &self.render).finish_non_exhaustive()
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// Removes the object of this uid and no other of its name, and what it made.
async fn remove<K>(doing: &str, api: &Api<K>, name: &str, uid: &str) -> Result<()>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug,
{
    let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::background() };
    #[expect(clippy::disallowed_methods, reason = "it carries the uid, and is about our own Jobs alone")]
    let removed = ask(doing, api.delete(name, &params)).await;
    match removed {
        Ok(_) => Ok(()),
        // Another one has its name now.
        Err(error) if matches!(error.answer, ApiOutcome::NotFound | ApiOutcome::OtherUid) => Ok(()),
        Err(error) => Err(job_error(error)),
    }
}

/// One request, within its deadline.
async fn ask<T>(
    doing: &str,
    request: impl Future<Output = std::result::Result<T, kube::Error>>,
) -> std::result::Result<T, ApiError> {
    crate::cluster::within(doing, request).await
}

fn job_error(error: ApiError) -> JobError {
    JobError { doing: error.doing, why: error.why }
}
