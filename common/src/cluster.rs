//! The cluster: a client that tries once, knows the apiserver's time, and never waits for ever.

mod answer;
mod binding;
mod fence;
mod metadata;
mod namespaces;
mod patience;
mod refusal;
mod review;
mod watching;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use axum::body::{Bytes, HttpBody};
use http::{Request, Response};
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::{
    Api, Client,
    client::{Body, ClientBuilder},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{BoxError, Service, layer::layer_fn, util::MapResponseLayer};

pub use answer::within;
pub use answer::{Answer, Trouble};
pub use binding::{bind, unbind};
pub use fence::{Fenced, fence};
pub use metadata::{NamespaceMeta, lean};
pub use namespaces::{facts, look, patch_annotations};
pub use review::{GROUP, bearer, may};
pub use watching::watch;

use crate::{clock::ApiClock, timings::Timings};
use patience::Patient;

/// How long an answer may take, and each further piece of it; a watch may take longer for what follows.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When there is no kubeconfig, or it names what does not exist.
    pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Self> {
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = match (kubeconfig, context) {
            (Some(path), _) => {
                let from = || format!("cannot use the kubeconfig `{}`", path.display());
                let file = Kubeconfig::read_from(path).with_context(from)?;
                kube::Config::from_custom_kubeconfig(file, &options).await.with_context(from)?
            }
            (None, Some(context)) => kube::Config::from_kubeconfig(&options)
                .await
                .with_context(|| format!("cannot use context `{context}` of the kubeconfig"))?,
            (None, None) => kube::Config::infer()
                .await
                .context("no cluster is configured; give `--kubeconfig`, or set KUBECONFIG as for kubectl")?,
        };
        Self::new(config)
    }

    /// Connects with a configuration that was read already.
    ///
    /// # Errors
    /// When its certificates cannot be used.
    pub fn new(mut config: kube::Config) -> anyhow::Result<Self> {
        // kube repeats requests on 429, 503 and 504 unless told otherwise. A repeated DELETE could outlive the fence
        // of its intent (safety.md section 2, step 7).
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let builder =
            ClientBuilder::try_from(config).context("cannot use the certificates or keys of the kubeconfig")?;
        Ok(Self::over(builder))
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
        Self::over(ClientBuilder::new(service, "default"))
    }

    fn over<S, B>(builder: ClientBuilder<S>) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let clock = ApiClock::default();
        let sees = MapResponseLayer::new({
            let clock = clock.clone();
            move |response: Response<B>| {
                clock.see(response.headers());
                response
            }
        });
        let client = builder.with_layer(&sees).with_layer(&layer_fn(Patient)).build();
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

    /// The metadata of the namespaces of the cluster: requests through it bring nothing else.
    #[must_use]
    pub fn metadata(&self) -> Api<NamespaceMeta> {
        Api::all(self.client.clone())
    }

    /// Asks the apiserver for the time: by any cheap answer, for its `Date`.
    ///
    /// # Errors
    /// When it did not answer within [`REQUEST_TIMEOUT`].
    pub async fn ask_time(&self) -> Result<(), Trouble> {
        answer::within("ask the apiserver for the time", self.client.apiserver_version()).await.map(|_| ())
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("clock", &self.clock).finish_non_exhaustive()
    }
}
