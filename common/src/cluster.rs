//! The cluster: a client that tries once, knows the apiserver's time, and never waits for ever.

mod api_error;
mod auth;
mod binding;
mod fence;
mod kubeconfig;
mod login;
mod metadata;
mod namespaces;
mod timeout;
mod watch_error;
mod watching;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use axum::body::{Bytes, HttpBody};
use http::{Request, Response};
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::{
    Api, Client,
    client::{Body, ClientBuilder},
};
use tokio::{task::spawn_blocking, time::timeout};
use tower::{BoxError, Service, layer::layer_fn, service_fn, util::MapResponseLayer};

pub use api_error::{ApiError, ApiOutcome, told, within};
pub use auth::{GROUP, bearer, may};
pub use binding::{bind, unbind};
pub use fence::{Fenced, fence};
pub use metadata::{NamespaceMeta, trimmed};
pub use namespaces::{facts, facts_of, look, patch_annotations};
pub use watching::watch;

use self::{kubeconfig::Found, login::Login, timeout::WithTimeout};
pub use crate::timings::REQUEST_TIMEOUT;
use crate::{
    clock::{ApiClock, Clock},
    proxies::Proxies,
    timings::Timings,
};

/// How long it may take to reach the apiserver.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The name under which the apiserver keeps what we wrote, and which its audit log shows.
pub const FIELD_MANAGER: &str = "namespace-manager";

/// One cluster.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
    /// What the apiserver thinks the time is, from every answer it gives.
    pub clock: ApiClock,
    /// How long a watch lasts before it is resumed, for [`watch`].
    pub watch_timeout: Duration,
}

impl Cluster {
    /// Connects to the cluster of a kubeconfig, or as `kubectl` would: `KUBECONFIG`, `~/.kube/config`, the pod's own.
    ///
    /// Nothing is sent yet, but where the kubeconfig names a plugin, it logs in.
    ///
    /// # Errors
    /// When there is no kubeconfig, or it names what does not exist, or its plugin fails or takes more than 10 s.
    pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Self> {
        Self::connect_to(kubeconfig, context, false).await
    }

    /// The same, where a plugin that logs in may ask the person at the terminal, if there is one.
    ///
    /// # Errors
    /// As those of [`Cluster::connect`].
    pub async fn connect_for_person(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Self> {
        Self::connect_to(kubeconfig, context, true).await
    }

    async fn connect_to(kubeconfig: Option<&Path>, context: Option<&str>, is_attended: bool) -> anyhow::Result<Self> {
        let (path, name) = (kubeconfig.map(Path::to_owned), context.map(str::to_owned));
        // A home may be on a disk that does not answer.
        let found = spawn_blocking(move || kubeconfig::find(path.as_deref(), name.as_deref(), &Proxies::system()));
        let found = timeout(REQUEST_TIMEOUT, found).await;
        let late = || format!("the kubeconfig could not be read within {} s", REQUEST_TIMEOUT.as_secs());
        let Found { config, plugin } = found.with_context(late)???;
        match plugin {
            None => Self::new(config),
            Some(plugin) => {
                let (clock, namespace) = (ApiClock::default(), config.default_namespace.clone());
                let login = Login::start(config, plugin, is_attended, (Clock::system(), clock.clone())).await?;
                let service = service_fn(move |request| login.clone().send(request));
                Ok(Self::of(ClientBuilder::new(service, namespace).build(), clock))
            }
        }
    }

    /// Connects with a configuration that was read already.
    ///
    /// # Errors
    /// When its certificates cannot be used.
    pub fn new(config: kube::Config) -> anyhow::Result<Self> {
        let clock = ApiClock::default();
        Ok(Self::of(client(config, &clock)?, clock))
    }

    /// Reaches a cluster through a service, which may be anything that answers.
    pub fn through<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let clock = ApiClock::default();
        Self::of(built(ClientBuilder::new(service, "default"), &clock), clock)
    }

    fn of(client: Client, clock: ApiClock) -> Self {
        Self { client, clock, watch_timeout: Timings::default().watch_timeout }
    }

    /// The same cluster, with watches that last for so long.
    #[must_use]
    pub fn with_watch_timeout(self, watch_timeout: Duration) -> Self {
        Self { watch_timeout, ..self }
    }

    /// The namespaces of the cluster.
    #[must_use]
    pub fn namespaces(&self) -> Api<KubeNamespace> {
        Api::all(self.client.clone())
    }

    /// The namespaces of the cluster, of which is kept what is read here.
    #[must_use]
    pub fn lean_namespaces(&self) -> Api<NamespaceMeta> {
        Api::all(self.client.clone())
    }

    /// Asks the apiserver for the time: by any cheap answer, for its `Date`.
    ///
    /// # Errors
    /// When it did not answer within [`REQUEST_TIMEOUT`].
    pub async fn ask_time(&self) -> Result<(), ApiError> {
        api_error::within("ask the apiserver for the time", self.client.apiserver_version()).await.map(|_| ())
    }
}

/// A client that tries once.
fn client(mut config: kube::Config, clock: &ApiClock) -> anyhow::Result<Client> {
    // kube repeats requests on 429, 503 and 504 unless told otherwise. A repeated DELETE could outlive the fence
    // of its intent (docs/design/protocol.md section 2, step 7).
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let builder =
        ClientBuilder::try_from(config).context("cannot use the certificates, keys or token of the kubeconfig")?;
    Ok(built(builder, clock))
}

/// A client that notices the time, and never waits for ever.
fn built<S, B>(builder: ClientBuilder<S>, clock: &ApiClock) -> Client
where
    S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let clock = clock.clone();
    let sees = MapResponseLayer::new(move |response: Response<B>| {
        clock.see(response.headers());
        response
    });
    builder.with_layer(&sees).with_layer(&layer_fn(WithTimeout)).build()
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("clock", &self.clock).finish_non_exhaustive()
    }
}
