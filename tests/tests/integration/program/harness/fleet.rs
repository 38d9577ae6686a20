//! The roles as the processes of a cluster, with a broker between them.
//!
//! The story is the kubelet: the controllers make Jobs, which stay objects, and it starts their programs when it likes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, Result, ensure};
use common::config::Source;
use common::queue::{self, SharedQueue};
use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde_json::{Value, json};
use testbed::{Broker, Process, User, eventually};

use super::plane::WORKER;
use super::{SOON, World, plain, story};

/// A collector and both controllers that run. Who carries out what they hand out is the story's.
pub(crate) struct Fleet<'w> {
    pub(crate) world: &'w World,
    jobs: Api<Job>,
    /// The broker's URL.
    broker: String,
    workers: AtomicUsize,
    others: Mutex<[Process; 3]>,
}

/// Tells a story of a fleet. `configure` changes the configuration it begins with.
pub(crate) async fn fleet(configure: impl Fn(&mut Value), tell: impl AsyncFnOnce(&Fleet<'_>) -> Result<()>) {
    fleet_on(Broker::shared().await.expect("the broker starts"), configure, tell).await;
}

/// As [`fleet`], with a broker of the story's own.
pub(crate) async fn fleet_on(
    broker: &Broker,
    configure: impl Fn(&mut Value),
    tell: impl AsyncFnOnce(&Fleet<'_>) -> Result<()>,
) {
    story(plain, async |world| tell(&Fleet::start(world, broker, configure).await?).await).await;
}

impl<'w> Fleet<'w> {
    async fn start(world: &'w World, broker: &Broker, configure: impl Fn(&mut Value)) -> Result<Self> {
        let templates = world.path("pods");
        std::fs::create_dir(&templates)?;
        let pod = json!({
            "metadata": {},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": "local.test/none:v1"}]},
        });
        for kind in ["collector", "action"] {
            std::fs::write(templates.join(format!("{kind}.yaml")), pod.to_string())?;
        }
        world.configure(|config| {
            config["queue"] = json!({"url": broker.url_with_credentials(), "prefix": world.name});
            config["leadership"] = json!({"name": "nsm"});
            // Nobody starts the successor of a collector whose slot is over.
            config["jobs"] = json!({"templates": templates, "resident_for": "1d"});
            configure(config);
        })?;
        world.make_home().await?;
        let jobs = Api::namespaced(world.client.clone(), &world.home());
        let controller = |role| world.role(role, &[], role, User::ADMIN);
        let [collect, act] = [controller("collect-controller")?, controller("action-controller")?];
        let arguments = eventually("a collector is asked for", SOON, async || {
            let asked = asked_for(&jobs, "collector").await?;
            asked.into_iter().next().map(|(_, arguments)| arguments).context("there is no Job")
        })
        .await?;
        let collector = world.role("collector", &arguments, "collector", WORKER)?;
        let (broker, others) = (broker.url_with_credentials(), Mutex::new([collect, act, collector]));
        Ok(Self { world, jobs, broker, workers: AtomicUsize::new(0), others })
    }

    /// The collector and the controllers.
    pub(crate) fn others(&self) -> MutexGuard<'_, [Process; 3]> {
        self.others.lock().expect("nobody panics while holding it")
    }

    /// The names of the workers' Jobs, and their arguments.
    pub(crate) async fn asked_for(&self) -> Result<Vec<(String, Vec<String>)>> {
        asked_for(&self.jobs, "action").await
    }

    /// Starts a worker, once one is asked for. The second of a story is `worker-1`.
    pub(crate) async fn worker(&self) -> Result<Process> {
        let arguments = eventually("a worker is asked for", SOON, async || {
            let asked = self.asked_for().await?;
            asked.into_iter().next().map(|(_, arguments)| arguments).context("there is no Job")
        })
        .await?;
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        self.world.role("action", &arguments, &format!("worker-{number}"), WORKER)
    }

    /// The queue, as everybody in the cluster network could have it.
    pub(crate) async fn queue(&self) -> Result<SharedQueue> {
        let settings = Source::new(Some(self.world.config()), []).load()?;
        Ok(queue::open_with(&settings.queue).await?)
    }

    /// How many workers take tasks.
    pub(crate) async fn consumers(&self) -> Result<u32> {
        let connection = Connection::connect(&self.broker, ConnectionProperties::default()).await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = format!("{}.actions.v1", self.world.name);
        let channel = connection.create_channel().await?;
        Ok(channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?.consumer_count())
    }

    /// Waits until so many Jobs of workers are there, and no more.
    pub(crate) async fn asks_for(&self, count: usize) -> Result<()> {
        eventually(&format!("{count} workers are asked for"), SOON, async || {
            let asked = self.asked_for().await?;
            ensure!(asked.len() == count, "{asked:?}");
            Ok(())
        })
        .await
    }
}

async fn asked_for(jobs: &Api<Job>, component: &str) -> Result<Vec<(String, Vec<String>)>> {
    let params = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let arguments = |job: &Job| {
        let mut containers = job.spec.as_ref()?.template.spec.as_ref()?.containers.iter();
        Some((job.name_any(), containers.next()?.args.clone().unwrap_or_default()))
    };
    Ok(jobs.list(&params).await?.iter().filter_map(arguments).collect())
}
