//! HTTP to services that are not ours: whatever takes a webhook, and the sources of evidence.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use reqwest::{Client, Response, Url, redirect::Policy};

use crate::proxies::Proxies;

/// How long one request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What comes of a request: the answer, or why none came, without the address, which may hold a secret.
type Told = dyn Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>> + Send + Sync;

/// Where a role sends its requests to others.
#[derive(Clone)]
pub struct Web(Way);

#[derive(Clone)]
enum Way {
    /// With the client of what is posted.
    Network(Client),
    Told(Arc<Told>),
}

impl Web {
    /// The network, by the proxies of the environment. Redirects are not followed, and nothing is sent twice.
    ///
    /// # Panics
    /// Never: a client without certificates of its own can be built.
    #[must_use]
    pub fn system() -> Self {
        // A provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .proxy(Proxies::system().for_clients())
            .user_agent("namespace-manager")
            .build()
            .expect("a client without certificates of its own can be built");
        Self(Way::Network(client))
    }

    /// One that is told what comes of a request, for tests.
    #[must_use]
    pub fn told(
        tell: impl Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Way::Told(Arc::new(tell)))
    }

    /// Sends a request, once. Returns the status of the answer.
    ///
    /// # Errors
    /// Why no answer came within [`TIMEOUT`]: it may have arrived all the same.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<StatusCode, String> {
        match &self.0 {
            Way::Network(client) => {
                let request = reqwest::Request::try_from(request).map_err(|error| error.without_url().to_string())?;
                let answer = client.execute(request).await;
                answer.map(|answer| answer.status()).map_err(|error| error.without_url().to_string())
            }
            Way::Told(tell) => tell(request).await.map(|answer| answer.status()),
        }
    }

    /// The answer to a GET of this address: that of the network, which whoever asks goes to in a way of its own, with
    /// its own certificates, login and deadline; or the one that is told, of whoever is asked under these conditions.
    ///
    /// # Errors
    /// Why none came.
    pub async fn get(
        &self,
        url: &Url,
        conditions: HeaderMap,
        network: impl Future<Output = Result<Response, String>>,
    ) -> Result<Response, String> {
        match &self.0 {
            Way::Network(_) => network.await,
            Way::Told(tell) => {
                let mut request = Request::get(url.as_str()).body(Vec::new()).map_err(|error| error.to_string())?;
                *request.headers_mut() = conditions;
                tell(request).await.map(Response::from)
            }
        }
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}
