//! All roles in this process, on SQLite and an in-memory queue: the whole of Namespace Manager on a laptop.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use common::{
    clock::Clock,
    cluster::Cluster,
    config::{self, Settings, Source},
    context::Context,
    jobs::{LocalJobs, PerKind, SharedJobs},
    queue, store,
    web::Web,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How long everything may take to end after a signal. What is under way then is left to the next start.
const SHUTDOWN: Duration = Duration::from_secs(4);

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
    let cluster = Cluster::connect(cluster.kubeconfig.as_deref(), cluster.context.as_deref()).await?;
    let store = store::open(&settings.store.url).await.context("cannot open the store")?;
    let queue = queue::open(&settings.queue.url).await.context("cannot open the queue")?;
    let listener = match settings.api.listen {
        Some(address) => Some(
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on `{address}` (`api.listen`)"))?,
        ),
        None => None,
    };
    let (max_workers, mode) = (settings.workers.max as usize, settings.mode);
    let (settings, follow) = config::watch(source, settings);
    let context =
        Context { store, queue, cluster, clock: Clock::system(), web: Web::system(), settings, instance: instance() };
    info!(
        "managing namespaces in mode {mode:?}, store `{}`; the apiserver's admission policies are not installed by a \
         standalone process, so the deletion protocol is the only guard",
        context.settings().store.url
    );

    let cancel = CancellationToken::new();
    let local = Arc::new(jobs(&context, max_workers));
    let jobs: SharedJobs = local.clone();
    let mut roles = JoinSet::new();
    roles.spawn({
        let cancel = cancel.clone();
        async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = follow => {}
            }
            ("configuration", Ok(()))
        }
    });
    if let Some(listener) = listener {
        info!("health and metrics are served on `{}`", listener.local_addr()?);
        let served = api::serve(listener, context.store.clone(), cancel.clone());
        roles.spawn(async move { ("api", served.await.context("cannot serve")) });
    }
    let (collect, act) = (context.clone(), context);
    roles.spawn({
        let (jobs, cancel) = (jobs.clone(), cancel.clone());
        async move { ("collect-controller", collect_controller::run(collect, jobs, cancel).await) }
    });
    roles.spawn({
        let cancel = cancel.clone();
        async move { ("action-controller", action_controller::run(act, jobs, cancel).await) }
    });

    let outcome = tokio::select! {
        signal = asked_to_end() => {
            info!("{}: ending", signal?);
            Ok(())
        }
        Some(ended) = roles.join_next() => Err(ended_by_itself(ended)),
    };
    cancel.cancel();
    end(&local, &mut roles).await;
    outcome
}

/// What jobs this process can run.
fn jobs(context: &Context, max_workers: usize) -> LocalJobs {
    let (collect, act) = (context.clone(), context.clone());
    LocalJobs::new(
        PerKind { collector: 1, action: max_workers },
        PerKind {
            collector: Arc::new(move |_, cancel| Box::pin(collectors::run(collect.clone(), cancel))),
            action: Arc::new(move |_, cancel| Box::pin(actions::run(act.clone(), cancel))),
        },
    )
}

async fn end(jobs: &LocalJobs, roles: &mut JoinSet<(&'static str, anyhow::Result<()>)>) {
    while roles.join_next().await.is_some() {}
    let late = jobs.shutdown(SHUTDOWN).await;
    if !late.is_empty() {
        warn!("cut off after {} s: {}; the next start goes on from the history", SHUTDOWN.as_secs(), late.join(", "));
    }
}

/// If a long-lived task ends, the process ends: the next start finds everything in the history.
fn ended_by_itself(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Error {
    let why = match ended {
        Ok((role, Ok(()))) => anyhow::anyhow!("the {role} ended without being asked to"),
        Ok((role, Err(error))) => error.context(format!("the {role} failed")),
        Err(error) => anyhow::anyhow!("a role panicked: {error}"),
    };
    error!("{why:#}");
    why
}

async fn asked_to_end() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "Ctrl-C",
    })
}

/// Tells this process from every other in the history.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "localhost" } else { host };
    format!("{host}-{}", std::process::id())
}
