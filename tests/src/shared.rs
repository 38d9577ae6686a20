//! The servers that all tests of a run share.
//!
//! Under a runner that gives each test a process of its own, a process cannot keep a server for the next test. So one process, the bin
//! `test-servers`, keeps them: it listens on a socket, starts a server when the first test asks for it, and tells each test how to
//! reach it. `dev/test-servers` starts it and puts the socket's path into [`SOCKET`]; without that variable (`cargo test` alone) each
//! test process starts its own servers.
//!
//! A request is the name of a part and a newline; the answer is one line of JSON, `{"Ok": …}` or `{"Err": "why"}`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::OnceCell;

use crate::installation::{Disturbance, Server};
use crate::{Broker, BrokerOptions, Cluster, ControlPlane, Installation, JavaMongo, MongoOptions, MongoServer};

/// The variable with the path of the socket.
const SOCKET: &str = "NSM_TEST_SERVERS";

/// What can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// A control plane with a controller manager.
    Plane,
    /// A control plane without one.
    Objects,
    Broker,
    Mongo,
    JavaMongo,
    /// A node.
    Cluster,
    /// A release on that node, with a broker and a store of its own.
    Installation,
    /// Does this to a server of the installation.
    Disturb(Server, Disturbance),
}

/// How the part of this run is reached; `None` where nobody keeps one for all tests.
///
/// # Errors
/// It could not be started.
pub(crate) async fn part<T: DeserializeOwned>(part: Part) -> Result<Option<T>> {
    let Some(socket) = std::env::var_os(SOCKET) else { return Ok(None) };
    let socket = PathBuf::from(socket);
    let asked = async {
        let mut stream = BufReader::new(UnixStream::connect(&socket).await?);
        stream.write_all(format!("{}\n", serde_json::to_string(&part)?).as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        anyhow::Ok(serde_json::from_str::<Result<Value, String>>(&answer)?)
    };
    let answer = asked.await.with_context(|| format!("`{}` (`{SOCKET}`) does not answer", socket.display()))?;
    let place = answer.map_err(|why| anyhow!("the {part:?} of this run could not be started: {why}"))?;
    Ok(Some(serde_json::from_value(place)?))
}

/// A server that this process uses or keeps, from its first use on. That it could not be started is remembered, too.
#[derive(Debug)]
pub(crate) struct Shared<T>(OnceCell<Result<T, String>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceCell::const_new())
    }

    /// The server, where need be started. The first who asks does that, the others wait for it.
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub(crate) async fn get(&self, start: impl AsyncFnOnce() -> Result<T>) -> Result<&T> {
        let start = async || start().await.map_err(|error| format!("{error:#}"));
        self.0.get_or_init(start).await.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// The same, but where all tests of the run share this part it is attached to, not started.
    ///
    /// # Errors
    /// As [`Shared::get`].
    pub(crate) async fn find<P: DeserializeOwned>(
        &self,
        wanted: Part,
        attach: impl FnOnce(P) -> Result<T>,
        start: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<&T> {
        let find = async || match part(wanted).await? {
            Some(place) => attach(place),
            None => start().await,
        };
        self.get(find).await
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The servers of a run. They end with the process.
#[derive(Debug, Default)]
pub struct Servers {
    plane: Shared<ControlPlane>,
    objects: Shared<ControlPlane>,
    broker: Shared<Broker>,
    mongo: Shared<MongoServer>,
    java_mongo: Shared<JavaMongo>,
    cluster: Shared<Arc<Cluster>>,
    installation: Shared<Installation>,
}

impl Servers {
    /// Answers tests on a socket at `path`, for ever.
    ///
    /// # Errors
    /// Nobody can listen there.
    pub async fn serve(&self, path: &Path) -> Result<()> {
        let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on `{}`", path.display()))?;
        let mut answers = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => answers.push(self.answer(accepted?.0)),
                // A test that was ended does not read its answer.
                Some(_) = answers.next() => {}
            }
        }
    }

    async fn answer(&self, stream: UnixStream) -> Result<()> {
        let mut stream = BufReader::new(stream);
        let mut part = String::new();
        stream.read_line(&mut part).await?;
        let answer = match serde_json::from_str(&part) {
            Ok(part) => self.place(part).await.map_err(|error| format!("{error:#}")),
            Err(error) => Err(error.to_string()),
        };
        stream.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await?;
        Ok(())
    }

    /// How a part is reached.
    async fn place(&self, part: Part) -> Result<Value> {
        let plane = async || ControlPlane::start(ControlPlane::shared_options(part)).await;
        let place = match part {
            Part::Plane => serde_json::to_value(self.plane.get(plane).await?.place()),
            Part::Objects => serde_json::to_value(self.objects.get(plane).await?.place()),
            Part::Broker => {
                let start = async || Broker::start(BrokerOptions::default()).await;
                serde_json::to_value(self.broker.get(start).await?.place())
            }
            Part::Mongo => {
                let start = async || MongoServer::start(MongoOptions::default()).await;
                serde_json::to_value(self.mongo.get(start).await?.place())
            }
            Part::JavaMongo => serde_json::to_value(self.java_mongo.get(JavaMongo::start).await?.port()),
            Part::Cluster => serde_json::to_value(self.cluster().await?.place()),
            Part::Installation => serde_json::to_value(self.installation().await?.place()),
            Part::Disturb(server, how) => {
                self.installation().await?.disturb(server, how).await?;
                Ok(Value::Bool(true))
            }
        };
        Ok(place?)
    }

    async fn cluster(&self) -> Result<&Arc<Cluster>> {
        self.cluster.get(async || Cluster::start_shared().await.map(Arc::new)).await
    }

    async fn installation(&self) -> Result<&Installation> {
        self.installation.get(async || Installation::prepare_on(Arc::clone(self.cluster().await?)).await).await
    }
}
