//! What is known of our Jobs and CronJobs, by a watch.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use k8s_openapi::api::batch::v1::{CronJob, Job as KubeJob};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use tokio::{sync::Notify, time::timeout};
use tracing::{info, warn};

use super::{
    super::{JobError, JobKind, JobState, Result},
    render,
};
use crate::cluster::{REQUEST_TIMEOUT, told, watch};

/// What is kept of an object.
pub(super) trait Kept: Clone + Debug + PartialEq + Send + 'static {
    type Of: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static;

    /// Its name, and what is kept.
    fn of(object: Self::Of) -> Option<(String, Self)>;
    fn version(&self) -> u64;
    /// Whether somebody who waits wants to know this outcome.
    fn is_news(&self, former: &Self) -> bool;
}

/// A Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CachedJob {
    pub(super) uid: String,
    version: u64,
    pub(super) installation: String,
    pub(super) kind: JobKind,
    pub(super) args: Vec<String>,
    pub(super) state: JobState,
    /// Its pod is ready.
    pub(super) is_ready: bool,
    /// It failed for what its program did, and may have said.
    pub(super) by_itself: bool,
}

/// A CronJob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scheduled {
    pub(super) uid: String,
    pub(super) version: u64,
    pub(super) hash: String,
}

/// Everything known of one kind of object.
#[derive(Debug)]
pub(super) struct JobCache<T> {
    /// For messages.
    what: &'static str,
    known: Mutex<Known<T>>,
    /// Somebody may wait for what changed.
    changed: Arc<Notify>,
    /// A list came through.
    listed: Notify,
}

#[derive(Debug)]
struct Known<T> {
    objects: BTreeMap<String, T>,
    /// What a list that is under way brought.
    listing: BTreeMap<String, T>,
    is_listed: bool,
    /// The newest version the watch told of.
    version: u64,
    broken: Option<String>,
}

impl<T: Kept> JobCache<T> {
    pub(super) fn new(what: &'static str, changed: Arc<Notify>) -> Self {
        let known =
            Known { objects: BTreeMap::new(), listing: BTreeMap::new(), is_listed: false, version: 0, broken: None };
        Self { what, known: Mutex::new(known), changed, listed: Notify::new() }
    }

    pub(super) fn get(&self, name: &str) -> Option<T> {
        self.known().objects.get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<(String, T)> {
        self.known().objects.iter().map(|(name, object)| (name.clone(), object.clone())).collect()
    }

    /// Takes in the answer to a request of ours, ahead of the watch. What the watch has passed already is older than what
    /// is known: the object may be gone since.
    pub(super) fn put(&self, name: &str, object: T) {
        let mut known = self.known();
        if object.version() > known.version {
            known.objects.insert(name.to_owned(), object);
        }
    }

    /// It was removed by us.
    pub(super) fn remove(&self, name: &str) {
        self.known().objects.remove(name);
    }

    /// Waits until everything is known that is there.
    pub(super) async fn listed(&self) -> Result<()> {
        let listed = async {
            loop {
                let mut listed = pin!(self.listed.notified());
                listed.as_mut().enable();
                if self.known().is_listed {
                    return;
                }
                listed.await;
            }
        };
        if timeout(REQUEST_TIMEOUT, listed).await.is_ok() {
            return Ok(());
        }
        let why = self.known().broken.clone();
        let why = why.unwrap_or_else(|| format!("the apiserver did not answer within {} s", REQUEST_TIMEOUT.as_secs()));
        Err(JobError { doing: format!("list {}", self.what), why })
    }

    fn take_in(&self, event: watcher::Result<Event<T::Of>>) {
        let mut known = self.known();
        match event {
            Ok(event) => {
                if known.broken.take().is_some() {
                    info!("the watch on {} goes on", self.what);
                }
                if known.take_in(event) {
                    self.changed.notify_waiters();
                }
                if known.is_listed {
                    self.listed.notify_waiters();
                }
            }
            Err(error) => {
                let why = told(&error);
                if known.broken.replace(why.clone()).is_none() {
                    warn!("the watch on {} broke and is begun again: {why}", self.what);
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Kept> Known<T> {
    /// Returns whether anybody who waits wants to know.
    fn take_in(&mut self, event: Event<T::Of>) -> bool {
        match event {
            Event::Init => {
                self.listing.clear();
                false
            }
            Event::InitApply(object) => {
                self.listing.extend(T::of(object));
                false
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listing);
                self.version = listed.values().map(T::version).fold(self.version, u64::max);
                self.objects = listed;
                self.is_listed = true;
                true
            }
            Event::Apply(object) => {
                let Some((name, object)) = T::of(object) else { return false };
                self.version = self.version.max(object.version());
                let former = self.objects.get(&name);
                if former.is_some_and(|former| former.version() > object.version()) {
                    return false;
                }
                let is_news = former.is_some_and(|former| object.is_news(former));
                self.objects.insert(name, object);
                is_news
            }
            Event::Delete(object) => {
                let Some((name, object)) = T::of(object) else { return false };
                self.version = self.version.max(object.version());
                self.objects.remove(&name).is_some()
            }
        }
    }
}

/// Keeps a board current, for ever.
pub(super) async fn follow<T: Kept>(
    api: Api<T::Of>,
    selector: String,
    board: Arc<JobCache<T>>,
    watch_timeout: Duration,
) {
    let mut events = pin!(watch(api, watcher::Config::default().labels(&selector), watch_timeout));
    while let Some(event) = events.next().await {
        board.take_in(event);
    }
}

impl Kept for CachedJob {
    type Of = KubeJob;

    fn of(object: KubeJob) -> Option<(String, Self)> {
        let metadata = object.metadata;
        let labels = metadata.labels.unwrap_or_default();
        let kind = match labels.get(render::COMPONENT)?.as_str() {
            "collector" => JobKind::Collector,
            "action" => JobKind::Action,
            _ => return None,
        };
        let status = object.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let holds = |wanted: &str| conditions.iter().find(|it| it.type_ == wanted && it.status == "True");
        let (state, by_itself) = if holds("Complete").is_some() {
            (JobState::Complete, false)
        } else if let Some(failed) = holds("Failed") {
            let why = failed.message.clone().or_else(|| failed.reason.clone());
            let why = why.unwrap_or_else(|| "it failed".to_owned());
            (JobState::Failed(why), failed.reason.as_deref() == Some("BackoffLimitExceeded"))
        } else if metadata.deletion_timestamp.is_some() {
            (JobState::Failed("it is being removed".to_owned()), false)
        } else {
            (JobState::Running, false)
        };
        let container = object.spec?.template.spec?.containers.into_iter().next()?;
        let seen = Self {
            uid: metadata.uid?,
            version: metadata.resource_version?.parse().ok()?,
            installation: labels.get(render::INSTALLATION)?.clone(),
            kind,
            args: container.args.unwrap_or_default(),
            state,
            is_ready: status.ready.is_some_and(|ready| ready > 0),
            by_itself,
        };
        Some((metadata.name?, seen))
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn is_news(&self, former: &Self) -> bool {
        (&self.state, self.is_ready) != (&former.state, former.is_ready)
    }
}

impl Kept for Scheduled {
    type Of = CronJob;

    fn of(object: CronJob) -> Option<(String, Self)> {
        let metadata = object.metadata;
        let hash = metadata.annotations.and_then(|mut all| all.remove(render::WRITTEN)).unwrap_or_default();
        let version = metadata.resource_version?.parse().ok()?;
        Some((metadata.name?, Self { uid: metadata.uid?, version, hash }))
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn is_news(&self, former: &Self) -> bool {
        self.hash != former.hash
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_refused_is_told_of_in_the_apiservers_words() {
        let board = JobCache::<Scheduled>::new("CronJobs", Arc::default());
        let message = "cronjobs.batch is forbidden: User \"manager\" cannot list resource".to_owned();
        let status =
            Status { code: 403, reason: "Forbidden".to_owned(), message: message.clone(), ..Status::default() };
        board.take_in(Err(watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()))));
        let error = board.listed().await.unwrap_err();
        assert_eq!(error.why, format!("the apiserver answered 403: {message}"));
    }
}
