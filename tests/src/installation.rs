//! The whole program as its users install it: the chart by helm on a real node, the image in real pods, RabbitMQ, and a
//! store that speaks MongoDB's protocol, the one behind a password, the other behind a password and TLS.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use mongodb::Database;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit_checker::Ledger;
use crate::image::Image;
use crate::product::Timings;
use crate::shared::{self, Part, Shared};
use crate::{
    AuditEvent, Broker, BrokerOptions, Cluster, MongoOptions, MongoServer, Options, broker, cluster, eventually,
    family, mongo,
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/namespace-manager");
const DATABASE: &str = "nsm";
const STORE_PASSWORD: &str = "store: p@ss/word";
/// How long others may use a shared installation, one test after the other.
const TURN: Duration = Duration::from_secs(3_600);
/// Lines of the audit log that are told of a failure.
const AUDIT_LINES: usize = 200;

/// A cluster with everything that a release needs, and the release once it is installed.
#[derive(Debug)]
pub struct Installation {
    pub cluster: Arc<Cluster>,
    pub broker: Broker,
    pub store: MongoServer,
    /// The image, as a pod names it.
    image: String,
    /// For what is kept beside it: what several tests tell each other.
    directory: PathBuf,
    /// `None`: the servers are another process's.
    own: Option<TempDir>,
}

/// How an installation is reached: what another process needs to use it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Place<Layout = broker::Layout> {
    cluster: cluster::Place,
    broker: Layout,
    store: mongo::Place,
    image: String,
    directory: PathBuf,
}

/// A server that a release cannot work without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    Broker,
    Store,
}

/// What can be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// It does not execute any more, and its connections stay open (SIGSTOP).
    Freeze,
    /// It goes on (SIGCONT).
    Thaw,
    /// It ends on the spot (SIGKILL).
    Kill,
    /// It is started again after it was killed, with its data.
    Restart,
}

/// As long as this is there, a shared installation is one test's.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "closing it gives the turn back")] File);

impl Installation {
    /// The namespace of the release.
    pub const HOME: &str = "nsm-system";
    /// The release, and what the names of its objects begin with.
    pub const RELEASE: &str = "namespace-manager";

    /// The installation of all tests of a run, prepared at first use, on the node that they share. A test begins with [`Installation::turn`].
    ///
    /// # Errors
    /// As [`Cluster::start`]; or the programs are not built. This is tried once.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: Shared<Installation> = Shared::new();
        let start = async || Self::prepare_on(Arc::clone(Cluster::of_this_process().await?)).await;
        SHARED.find(Part::Installation, Self::attach, start).await
    }

    /// Starts a cluster, a broker and a store, and brings in this image: about half a minute.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn prepare_with(image: &Image) -> Result<Self> {
        let cluster = Cluster::start(Options::default()).await?;
        cluster.import(image).await?;
        Self::furnish(Arc::new(cluster), image.name.clone()).await
    }

    /// The same on a node that runs, with the image that tests are made with.
    pub(crate) async fn prepare_on(cluster: Arc<Cluster>) -> Result<Self> {
        let image = cluster.product(Timings::Short).await?;
        cluster.product(Timings::Real).await?;
        Self::furnish(cluster, image).await
    }

    /// The installation of another process.
    fn attach(place: Place) -> Result<Self> {
        let Place { cluster, broker, store, image, directory } = place;
        Ok(Self {
            cluster: Arc::new(Cluster::attach(cluster)?),
            broker: Broker::attach(broker),
            store: MongoServer::attach(store),
            image,
            directory,
            own: None,
        })
    }

    /// How another process reaches it.
    pub(crate) fn place(&self) -> Place<&broker::Layout> {
        Place {
            cluster: self.cluster.place(),
            broker: self.broker.place(),
            store: self.store.place().clone(),
            image: self.image.clone(),
            directory: self.directory.clone(),
        }
    }

    /// What an installation finds: its servers, its namespace, where pods are restricted, its Secrets.
    async fn furnish(cluster: Arc<Cluster>, image: String) -> Result<Self> {
        let store = MongoServer::start(MongoOptions {
            listen: Ipv4Addr::UNSPECIFIED.into(),
            user: Some(("nsm".to_owned(), STORE_PASSWORD.to_owned())),
            tls: true,
            names: vec!["store".to_owned()],
        });
        let broker = Broker::start(BrokerOptions { listen: Ipv4Addr::UNSPECIFIED.into(), ..BrokerOptions::default() });
        let (store, broker) = tokio::try_join!(store, broker)?;
        let own = family::directory("installation")?;
        let directory = own.path().to_owned();

        let client = cluster.client().await?;
        let restricted = [("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())];
        let home = Namespace {
            metadata: ObjectMeta {
                name: Some(Self::HOME.to_owned()),
                labels: Some(restricted.into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::all(client.clone()).create(&PostParams::default(), &home).await?;
        let authority = std::fs::read_to_string(store.authority().context("it speaks TLS")?)?;
        secret(&client, "store", &[("username", "nsm"), ("password", STORE_PASSWORD), ("ca.crt", &authority)]).await?;
        secret(&client, "queue", &[("username", Broker::USER), ("password", Broker::PASSWORD)]).await?;
        cluster.expose("store", Self::HOME, store.port()).await?;
        cluster.expose("queue", Self::HOME, broker.port()).await?;
        Ok(Self { cluster, broker, store, image, directory, own: Some(own) })
    }

    /// Waits until no other test uses it.
    ///
    /// # Errors
    /// Others use it for an hour.
    pub async fn turn(&self) -> Result<Turn> {
        let file = File::create(self.directory.join("turn"))?;
        eventually("the installation is free", TURN, async || Ok(file.try_lock()?)).await?;
        Ok(Turn(file))
    }

    /// A directory for what tests tell those that come after them.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Disturbs a server of it.
    ///
    /// # Errors
    /// It cannot be done as the server is now.
    pub async fn disturb(&self, server: Server, how: Disturbance) -> Result<()> {
        if self.own.is_none() {
            let done: Option<bool> = shared::part(Part::Disturb(server, how)).await?;
            return done.map(drop).context("nobody keeps the servers of the installation");
        }
        match (server, how) {
            (Server::Broker, Disturbance::Freeze) => self.broker.freeze(),
            (Server::Broker, Disturbance::Thaw) => self.broker.thaw(),
            (Server::Broker, Disturbance::Kill) => {
                self.broker.kill();
                Ok(())
            }
            (Server::Broker, Disturbance::Restart) => self.broker.restart().await,
            (Server::Store, Disturbance::Freeze) => self.store.freeze(),
            (Server::Store, Disturbance::Thaw) => self.store.thaw(),
            (Server::Store, Disturbance::Kill) => {
                self.store.kill();
                Ok(())
            }
            (Server::Store, Disturbance::Restart) => self.store.restart().await,
        }
    }

    /// What the servers need in the values of a release.
    ///
    /// # Errors
    /// The image has no tag.
    pub fn values(&self) -> Result<Value> {
        let mut values = json!({
            "secrets": {
                "store": {"name": "store", "ca": "ca.crt"},
                "queue": {"name": "queue"},
            },
            "config": {
                "store": {
                    "url": format!("mongodb://store:{}/{DATABASE}?directConnection=true&tls=true", self.store.port()),
                },
                "queue": {"url": format!("amqp://queue:{}", self.broker.port())},
            },
            // Nobody is there: the apiserver, the store and the queue are reached without it, whatever it excepts.
            "proxy": {"url": "http://proxy.invalid:3128", "except": []},
        });
        Self::name_image(&mut values, &self.image)?;
        Ok(values)
    }

    /// Has a release run another image.
    ///
    /// # Errors
    /// It has no tag.
    pub fn name_image(values: &mut Value, image: &str) -> Result<()> {
        let (repository, tag) = image.rsplit_once(':').context("an image has a tag")?;
        values["image"] = json!({"repository": repository, "tag": tag});
        Ok(())
    }

    /// `helm upgrade --install` with these values. Waits until the pods are ready.
    ///
    /// # Errors
    /// helm complains, or the pods do not become ready.
    pub async fn release(&self, values: &Value) -> Result<String> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, values.to_string())?;
        let path = file.path().to_str().context("a path in UTF-8")?;
        let command = ["upgrade", Self::RELEASE, CHART, "--install", "--namespace", Self::HOME];
        self.cluster.helm(command.iter().chain(&["--values", path, "--wait", "--timeout", "4m"])).await
    }

    /// The image, as a pod names it.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.image
    }

    /// The chart's directory.
    #[must_use]
    pub fn chart(&self) -> &'static Path {
        Path::new(CHART)
    }

    /// Runs `nsm` in a pod of the API, as `kubectl exec` does.
    ///
    /// # Errors
    /// It fails; then the error tells what it complained of.
    pub async fn nsm(&self, arguments: &[&str]) -> Result<String> {
        let pod = format!("deploy/{}-api", Self::RELEASE);
        let command = ["exec", "--namespace", Self::HOME, &pod, "--", "nsm"];
        self.cluster.kubectl(command.iter().chain(arguments)).await
    }

    /// The database of the release.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn database(&self) -> Result<Database> {
        self.store.database(DATABASE).await
    }

    /// What the store says now.
    ///
    /// # Errors
    /// The store does not answer, or holds what is no entry.
    pub async fn ledger(&self) -> Result<Ledger> {
        Ledger::read_in(&self.database().await?).await
    }

    /// As whom the pods of a part ask the apiserver.
    #[must_use]
    pub fn user(component: &str) -> String {
        format!("system:serviceaccount:{}:{}-{component}", Self::HOME, Self::RELEASE)
    }

    /// What somebody would look at who wants to know why: pods, Jobs, events, logs, `nsm status`, and the last requests of the release.
    pub async fn dump(&self) -> String {
        let status = self.nsm(&["status"]).await.unwrap_or_else(|error| format!("{error:#}"));
        let requests = self.last_requests().unwrap_or_else(|error| format!("{error:#}"));
        let pods = self.cluster.dump(Self::HOME).await;
        format!("{pods}\n--- nsm status\n{status}\n--- the last {AUDIT_LINES} requests of the release\n{requests}")
    }

    fn last_requests(&self) -> Result<String> {
        let ours = Self::user("");
        let events = self.cluster.plane().audit()?;
        let events: Vec<_> = events.iter().filter(|event| event.user.username.starts_with(&ours)).collect();
        let line = |event: &&AuditEvent| {
            let part = event.user.username.trim_start_matches(&ours);
            let code = event.code().map_or_else(|| "-".to_owned(), |code| code.to_string());
            format!("{} {part} {} {} {code}\n", event.received_at, event.verb, event.request_uri)
        };
        Ok(events[events.len().saturating_sub(AUDIT_LINES)..].iter().map(line).collect())
    }
}

async fn secret(client: &Client, name: &str, data: &[(&str, &str)]) -> Result<()> {
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        string_data: Some(data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()),
        ..Secret::default()
    };
    Api::<Secret>::namespaced(client.clone(), Installation::HOME).create(&PostParams::default(), &secret).await?;
    Ok(())
}
