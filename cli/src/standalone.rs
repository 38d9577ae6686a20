//! All roles in this process, on SQLite and an in-memory queue: the whole of Namespace Manager on a laptop.

mod former;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use api::Api;
use common::{
    clock::Clock,
    cluster::Cluster,
    config::{Settings, Source, StoreSettings},
    context::Context,
    http_client::HttpClient,
    identity::{self, OtherCluster},
    jobs::{LocalJobs, PerKind, SharedJobs},
    liveness::Liveness,
    process::{Signals, Tasks, instance},
    queue::{self, SharedQueue},
    store::{self, SharedStore, hold::Hold},
};
use lifecycle::Actor;
use tokio::{net::TcpListener, sync::mpsc, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How long everything may take to end after a signal. What is under way then is left to the next start.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(4);

/// The cluster to manage.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClusterChoice {
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) context: Option<String>,
}

/// Runs every role until a signal comes or one of them ends.
///
/// # Errors
/// When the store, the queue or the kubeconfig cannot be used, or a role ended by itself.
pub(crate) async fn run(source: Source, settings: Settings, cluster: &ClusterChoice) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let clock = Clock::system();
    let edges = tokio::select! {
        edges = edges(&settings, cluster, &clock) => edges?,
        signal = signals.next() => {
            info!("{signal}: ending before anything began");
            return Ok(());
        }
    };
    let (_hold, store, queue, cluster, listener) = edges;
    let (max_workers, mode) = (settings.workers.max as usize, settings.mode);
    let mut tasks = Tasks::default();
    let cancel = tasks.cancel.clone();
    let settings = tasks.follow(source, settings);
    let (web, liveness) = (HttpClient::system(), Liveness::default());
    let context = Context { store, queue, cluster, clock, http: web, liveness, settings, instance: instance() };
    if context.settings().store.file().is_none() {
        // A file is locked; a database may be used by others, and no two processes are one installation there.
        let installation = format!("standalone/{}", context.instance);
        identity::is_alone(&context, collect_controller::ROLE, &installation).await?;
    }
    info!(
        "managing namespaces in mode {mode:?}, store `{}`; the apiserver's admission policies are not installed by a \
         standalone process, so the deletion protocol is the only guard",
        context.settings().store.shown()
    );

    let (moved, mut another) = mpsc::channel(1);
    let ends = cancel.clone();
    tasks.spawn("cluster", async move {
        tokio::select! {
            () = ends.cancelled() => Ok(()),
            Some(other) = another.recv() => Err(other),
        }
    });
    let local = Arc::new(jobs(&context, max_workers, moved));
    let jobs: SharedJobs = local.clone();
    if let Some(listener) = listener {
        info!("the API is served on `{}`", listener.local_addr()?);
        tasks.spawn("api", api::serve(listener, Api::from(&context), cancel.clone()));
    }
    tasks.spawn("collect-controller", collect_controller::run(context.clone(), jobs.clone(), cancel.clone()));
    tasks.spawn("action-controller", action_controller::run(context, jobs, cancel));

    let outcome = tokio::select! {
        signal = signals.next() => {
            info!("{signal}: ending");
            Ok(())
        }
        ended = tasks.next() => {
            let why = ended.by_itself();
            error!("{why:#}");
            Err(why)
        }
    };
    let (late, also) = tokio::join!(tasks.end(SHUTDOWN_TIMEOUT), local.shutdown(SHUTDOWN_TIMEOUT));
    let late: Vec<String> = late.into_iter().map(str::to_owned).chain(also).collect();
    if !late.is_empty() {
        warn!(
            "cut off after {} s: {}; the next start goes on from the history",
            SHUTDOWN_TIMEOUT.as_secs(),
            late.join(", ")
        );
    }
    outcome
}

/// What is needed before anything begins: a store that no other process uses, of the cluster that it is used against.
async fn edges(
    settings: &Settings,
    cluster: &ClusterChoice,
    clock: &Clock,
) -> anyhow::Result<(Option<Hold>, SharedStore, SharedQueue, Cluster, Option<TcpListener>)> {
    let hold = hold(&settings.store, clock).await?;
    let cluster = Cluster::connect(cluster.kubeconfig.as_deref(), cluster.context.as_deref()).await?;
    let cluster = cluster.with_watch_timeout(settings.timings.watch_timeout);
    if settings.store.is_default {
        former::take_over(&settings.store, &cluster, clock.now()).await?;
        former::is_first(&settings.store, &cluster).await?;
    }
    let StoreSettings { url, access, .. } = &settings.store;
    let store = store::open_with(url, access).await.context("cannot open the store")?;
    let (actor, never) = (Actor::role("standalone", &instance()), CancellationToken::new());
    identity::belong_together(&*store, &cluster, &actor, clock, &never).await?;
    let queue = queue::open_with(&settings.queue).await.context("cannot open the queue")?;
    let listener = match settings.api.listen {
        Some(address) => Some(
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on `{address}` (`api.listen`)"))?,
        ),
        None => None,
    };
    Ok((hold, store, queue, cluster, listener))
}

/// Holds the store's file, where it is one, for this process alone: two would take turns at its namespaces.
async fn hold(store: &StoreSettings, clock: &Clock) -> anyhow::Result<Option<Hold>> {
    let Some(file) = store.file().map(std::path::Path::to_owned) else { return Ok(None) };
    let now = clock.now();
    let held = spawn_blocking(move || store::hold::hold(&file, now)).await.context("cannot lock the store")?;
    Ok(Some(held?))
}

/// What jobs this process can run. A collector that another cluster answers tells `moved` so: the workers would look for their
/// namespaces there.
fn jobs(context: &Context, max_workers: usize, moved: mpsc::Sender<anyhow::Error>) -> LocalJobs {
    let (collect, act) = (context.clone(), context.clone());
    // Each worker signs with a number of its own: they work side by side, and tell of themselves apart.
    let worker = AtomicU64::new(0);
    LocalJobs::new(
        PerKind { collector: 1, action: max_workers },
        PerKind {
            collector: Arc::new(move |args, cancel| {
                let (context, moved) = (collect.clone(), moved.clone());
                Box::pin(async move {
                    let outcome = collectors::run_job(context, args, cancel).await;
                    if let Some(other) = outcome.as_ref().err().and_then(|error| error.downcast_ref::<OtherCluster>()) {
                        let _ = moved.try_send(other.clone().into());
                    }
                    outcome
                })
            }),
            action: Arc::new(move |_, cancel| {
                let instance = format!("{}.{}", act.instance, worker.fetch_add(1, Ordering::Relaxed));
                Box::pin(actions::run(Context { instance, ..act.clone() }, cancel))
            }),
        },
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn nothing_begins_on_a_store_that_another_process_holds() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("nsm.db");
        let url = format!("sqlite:{}", file.display());
        let settings = Source::new(None, [("NSM__STORE__URL".to_owned(), url)]).load().unwrap();
        let nowhere = ClusterChoice { kubeconfig: Some(directory.path().join("no-kubeconfig")), context: None };
        let ends = async || format!("{:#}", edges(&settings, &nowhere, &Clock::system()).await.err().unwrap());

        let since: Timestamp = "2026-08-17T09:00:00Z".parse().unwrap();
        let held = store::hold::hold(&file, since).unwrap();
        let why = ends().await;
        let holder = format!("process {} since {since}", std::process::id());
        assert!(why.contains(&holder) && why.contains("`store.url`"), "{why}");
        assert!(!file.exists(), "it was not even opened");
        drop(held);
        let why = ends().await;
        assert!(why.contains("no-kubeconfig"), "{why}");
    }
}
