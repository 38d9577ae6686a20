//! The roles of nsm in this process, told the time.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use common::clock::Clock;
use common::cluster::Cluster;
use common::config::Source;
use common::context::Context;
use common::http_client::HttpClient;
use common::jobs::{LocalJobs, PerKind, SharedJobs};
use common::liveness::Liveness;
use common::{queue, store};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{SOON, World};

/// All that `nsm standalone` runs, but for signals and changes of the configuration.
#[derive(Debug)]
pub(crate) struct Roles {
    jobs: Arc<LocalJobs>,
    controllers: JoinSet<Result<()>>,
    cancel: CancellationToken,
}

impl Roles {
    /// Starts them on a world's configuration and store.
    pub(crate) async fn start(world: &World, tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Result<Self> {
        let settings = Source::new(Some(world.config()), []).load()?;
        let (_, settings) = watch::channel(Arc::new(settings));
        let user = world.told().user;
        let cluster = Cluster::connect(Some(world.plane.kubeconfig(user)?), None).await?;
        let (store, queue) = {
            let settings = settings.borrow().clone();
            (store::open(&settings.store.url).await?, queue::open_with(&settings.queue).await?)
        };
        let instance = "in-process".to_owned();
        let context = Context {
            store,
            queue,
            cluster,
            clock: Clock::from_fn(tell),
            http: HttpClient::system(),
            liveness: Liveness::default(),
            settings,
            instance,
        };

        let (collect, act) = (context.clone(), context.clone());
        let programs = PerKind {
            collector: program(move |args, cancel| Box::pin(collectors::run_job(collect.clone(), args, cancel))),
            action: program(move |_, cancel| Box::pin(actions::run(act.clone(), cancel))),
        };
        let jobs = Arc::new(LocalJobs::new(PerKind { collector: 1, action: 2 }, programs));
        let cancel = CancellationToken::new();
        let mut controllers = JoinSet::new();
        let shared: SharedJobs = jobs.clone();
        controllers.spawn(collect_controller::run(context.clone(), shared.clone(), cancel.clone()));
        controllers.spawn(action_controller::run(context, shared, cancel.clone()));
        Ok(Self { jobs, controllers, cancel })
    }

    /// Ends them, as they should end: when asked, and not before.
    pub(crate) async fn end(mut self) -> Result<()> {
        if let Some(ended) = self.controllers.try_join_next() {
            bail!("a controller ended by itself: {ended:?}");
        }
        self.cancel.cancel();
        while let Some(ended) = self.controllers.join_next().await {
            ended.context("a controller panicked")??;
        }
        let late = self.jobs.shutdown(SOON).await;
        anyhow::ensure!(late.is_empty(), "cut off: {late:?}");
        Ok(())
    }
}

fn program(
    run: impl Fn(Vec<String>, CancellationToken) -> futures::future::BoxFuture<'static, Result<()>> + Send + Sync + 'static,
) -> common::jobs::Program {
    Arc::new(run)
}
