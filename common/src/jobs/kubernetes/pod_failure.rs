//! Why a Job's program does not begin, and what one that failed said last: asked of its pod and its Events, seldom.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Event, Pod, PodStatus};
use kube::{Api, api::ListParams};
use tokio::time::Instant;

use super::job_cache::CachedJob;
use crate::cluster::{ApiError, within};

/// Interval of the checks, at first and at most.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

/// The most that is kept of a reason, in characters.
const LAST_WORDS: usize = 1_000;

/// What was found out, by the uid of the Job.
pub(super) struct PodFailures {
    pods: Api<Pod>,
    events: Api<Event>,
    /// How long a pod may take to begin before anybody asks why.
    start_grace: Duration,
    found: Mutex<BTreeMap<String, Found>>,
}

#[derive(Clone, Debug, Default)]
struct Found {
    /// When to check again, and how long after that.
    again: Option<(Instant, Duration)>,
    has_begun: bool,
    why: Option<String>,
    last_words: Option<String>,
}

impl PodFailures {
    pub(super) const fn new(pods: Api<Pod>, events: Api<Event>, start_grace: Duration) -> Self {
        Self { pods, events, start_grace, found: Mutex::new(BTreeMap::new()) }
    }

    /// Forgets what is about none of these.
    pub(super) fn retain(&self, jobs: &[(String, CachedJob)]) {
        self.found().retain(|uid, _| jobs.iter().any(|(_, seen)| seen.uid == *uid));
    }

    /// Whether the program of a Job without a ready pod has begun, and why not.
    pub(super) async fn check(&self, name: &str, seen: &CachedJob) -> (bool, Option<String>) {
        let now = Instant::now();
        let mut found = self.found().get(&seen.uid).cloned().unwrap_or_default();
        let (due, wait) = found.again.unwrap_or((now + self.start_grace, RETRY_BACKOFF.0));
        if now >= due {
            found.again = Some((now + wait, (wait * 2).min(RETRY_BACKOFF.1)));
            match self.ask(name, seen).await {
                Ok(None) => (found.has_begun, found.why) = (true, None),
                Ok(Some(why)) => (found.has_begun, found.why) = (false, Some(cut(&why))),
                Err(error) => found.why = Some(format!("why is not known: {error}")),
            }
        } else {
            found.again = Some((due, wait));
        }
        self.found().insert(seen.uid.clone(), found.clone());
        (found.has_begun, found.why)
    }

    /// What a Job that failed said last; `why`: what Kubernetes says of it.
    pub(super) async fn last_words(&self, name: &str, seen: &CachedJob, why: &str) -> String {
        let known = self.found().get(&seen.uid).and_then(|found| found.last_words.clone());
        if let Some(known) = known {
            return known;
        }
        let said = if seen.by_itself { self.pod(name).await.ok().flatten().and_then(|pod| said(&pod)) } else { None };
        let words = cut(&said.unwrap_or_else(|| why.to_owned()));
        self.found().entry(seen.uid.clone()).or_default().last_words = Some(words.clone());
        words
    }

    /// Why the program of a Job has not begun; `None`: it has.
    async fn ask(&self, name: &str, seen: &CachedJob) -> Result<Option<String>, ApiError> {
        if let Some(status) = self.pod(name).await? {
            return Ok(if status.phase.as_deref() == Some("Pending") { Some(waits_for(&status)) } else { None });
        }
        let about = format!("involvedObject.uid={},type=Warning", seen.uid);
        let of = ListParams::default().fields(&about).limit(50);
        let events = within("list the Events of a Job", self.events.list(&of)).await?.items;
        let last = events.into_iter().max_by_key(|event| event.last_timestamp.as_ref().map(|at| at.0));
        Ok(Some(last.and_then(|event| event.message).unwrap_or_else(|| "no pod was made for it yet".to_owned())))
    }

    async fn pod(&self, name: &str) -> Result<Option<PodStatus>, ApiError> {
        let of = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}")).limit(10);
        let pods = within("list the pods of a Job", self.pods.list(&of)).await?;
        Ok(pods.items.into_iter().next().map(|pod| pod.status.unwrap_or_default()))
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<String, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What keeps a pod from running, in the words of the component that reports it.
fn waits_for(status: &PodStatus) -> String {
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let waiting = containers.filter_map(|it| it.state.as_ref()?.waiting.as_ref()).find_map(|waiting| {
        let reason = waiting.reason.as_deref().filter(|reason| *reason != "PodInitializing")?;
        Some(waiting.message.as_deref().map_or_else(|| reason.to_owned(), |message| format!("{reason}: {message}")))
    });
    let unscheduled = || {
        let conditions = status.conditions.iter().flatten();
        let mut refused = conditions.filter(|it| it.type_ == "PodScheduled" && it.status == "False");
        refused.find_map(|it| it.message.clone())
    };
    waiting.or_else(unscheduled).unwrap_or_else(|| "its pod is pending".to_owned())
}

/// What a container that ended said, or how it ended.
fn said(status: &PodStatus) -> Option<String> {
    let ended = status.container_statuses.iter().flatten().find_map(|it| it.state.as_ref()?.terminated.clone());
    let Some(ended) = ended else {
        return status.message.clone().or_else(|| status.reason.clone());
    };
    let how = format!("{} (exit code {})", ended.reason.as_deref().unwrap_or("it ended"), ended.exit_code);
    Some(ended.message.map_or(how.clone(), |message| format!("{how}: {}", message.trim())))
}

fn cut(text: &str) -> String {
    text.chars().take(LAST_WORDS).collect()
}
