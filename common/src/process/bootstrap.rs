//! Whatever a role needs, in the order in which it can be had.

use std::{
    fmt::Display,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{Failure, Running, Tasks};
use crate::{
    admin::{self, StoreOnceOpen},
    clock::Clock,
    cluster::Cluster,
    config::{self, Settings, Source, variable},
    context::Context,
    history,
    http_client::HttpClient,
    identity,
    jobs::{KubernetesJobs, Place, SharedJobs},
    liveness::Liveness,
    queue,
    store::{self, OpenError, SharedStore},
};

/// How long a store that is out of reach is left alone, at first and at most.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Makes a role's context, and starts what serves it: the admin server first, so that a pod that waits is seen to.
pub(super) async fn bootstrap((source, settings): (Source, Settings), tasks: &mut Tasks) -> Result<Context, Failure> {
    let (liveness, opened) = <(Liveness, StoreOnceOpen)>::default();
    if let Some(address) = settings.admin.listen {
        let served = admin::serve(address, liveness.clone(), opened.clone(), tasks.cancel.clone()).await?;
        tasks.spawn("admin server", async { served.await.context("cannot serve") });
    }
    let cluster = Cluster::connect(None, None).await.map_err(configuration)?;
    let cluster = cluster.with_watch_timeout(settings.timings.watch_timeout);
    let queue = queue::open_with(&settings.queue).await.map_err(configuration)?;
    liveness.register(|registry| queue.register(registry));
    let store = open(&settings).await?;
    let store = OnceLock::get_or_init(&opened, || store).clone();
    let settings = tasks.follow(source, settings);
    let (clock, web) = (Clock::system(), HttpClient::system());
    Ok(Context { store, queue, cluster, clock, http: web, settings, liveness, instance: instance() })
}

/// Opens the store, and waits for it where it is out of reach.
async fn open(settings: &Settings) -> Result<SharedStore, Failure> {
    let mut rest = RETRY_BACKOFF.0;
    let mut waited = false;
    loop {
        match store::open_with(&settings.store.url, &settings.store.access).await {
            Ok(store) => {
                if waited {
                    info!("the store answers");
                }
                return Ok(store);
            }
            Err(OpenError::Store(error)) if error.is_worth_another_try() => {
                if !std::mem::replace(&mut waited, true) {
                    warn!("nothing begins before the store answers: {error}");
                }
            }
            Err(error @ (OpenError::Unsupported { .. } | OpenError::Malformed)) => return Err(configuration(error)),
            Err(error @ (OpenError::Foreign { .. } | OpenError::Store(_))) => {
                return Err(anyhow::Error::from(error).context("cannot open the store").into());
            }
        }
        sleep(rest).await;
        rest = (rest * 2).min(RETRY_BACKOFF.1);
    }
}

impl Tasks {
    /// Follows the configuration, as one of the tasks: until it is asked to end, also where nobody reads it any more. A
    /// role that is through gives it back before it is known to be through.
    pub fn follow(&mut self, source: Source, first: Settings) -> tokio::sync::watch::Receiver<Arc<Settings>> {
        let (settings, follow) = config::watch(source, first);
        let cancel = self.cancel.clone();
        self.spawn("configuration", async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = follow => cancel.cancelled().await,
            }
            Ok(())
        });
        settings
    }
}

/// Tells this process from every other, in the history and as a leader: the pod and its uid, for names of pods come
/// again; outside of a pod the machine, the process and something random, for in containers both come again.
#[must_use]
pub fn instance() -> String {
    static CHANCE: OnceLock<String> = OnceLock::new();
    if let (Some(name), Some(uid)) = (variable("POD_NAME"), variable("POD_UID")) {
        return format!("{name}.{uid}");
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "localhost" } else { host };
    let chance = CHANCE.get_or_init(|| history::token().chars().take(6).collect());
    format!("{host}-{}-{chance}", std::process::id())
}

/// The namespace that this process belongs to: its pod's, else that of the kubeconfig.
#[must_use]
pub fn namespace(cluster: &Cluster) -> String {
    variable("POD_NAMESPACE").unwrap_or_else(|| cluster.client.default_namespace().to_owned())
}

/// What tells this installation from every other that may use the same database: its namespace, and the name that its
/// controllers are elected by. Where it runs no pods, it is this process and nothing else: whose kubeconfig names the
/// namespace of an installation is not that one.
#[must_use]
pub fn installation(context: &Context) -> String {
    let settings = context.settings();
    if settings.jobs.templates.is_none() {
        return context.instance.clone();
    }
    format!("{}/{}", namespace(&context.cluster), settings.leadership.name)
}

/// Holds a role to the cluster that its store knows, before it does anything.
///
/// # Errors
/// When the store knows another one.
pub async fn belongs(role: &str, running: &Running) -> anyhow::Result<()> {
    let Context { store, cluster, clock, .. } = &running.context;
    let actor = running.context.actor(role);
    identity::belong_together(&**store, cluster, &actor, clock, &running.cancel).await
}

/// The runner of jobs in the cluster, in the namespace of this process. It watches from now on.
///
/// # Errors
/// When the configuration does not say what a job's pod looks like.
pub fn jobs(context: &Context) -> anyhow::Result<SharedJobs> {
    let settings = context.settings();
    let templates = settings.jobs.templates.clone().context("no pod can be started: set `jobs.templates`")?;
    let place =
        Place { namespace: namespace(&context.cluster), installation: settings.leadership.name.clone(), templates };
    Ok(Arc::new(KubernetesJobs::new(&context.cluster.client, place, &settings.timings)))
}

fn configuration(error: impl Display) -> Failure {
    Failure::Configuration(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LATER: Duration = Duration::from_secs(60);

    /// A worker that has no more to do drops its context first and is known to be through afterwards. Did the
    /// configuration end in between, the pod of a job that did all it should would count as failed.
    #[tokio::test(start_paused = true)]
    async fn a_configuration_that_nobody_reads_any_more_does_not_end_by_itself() {
        let source = Source::new(None, [("HOME".to_owned(), "/home/someone".to_owned())]);
        let settings = source.load().unwrap();
        let mut tasks = Tasks::default();
        drop(tasks.follow(source, settings));
        assert!(timeout(LATER, tasks.next()).await.is_err());
        assert!(tasks.end(LATER).await.is_empty());
    }
}
