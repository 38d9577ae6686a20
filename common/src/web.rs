//! HTTP to services that are not ours: chat, mail gateways, whatever takes a webhook.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{Request, StatusCode};
use reqwest::{Client, redirect::Policy};

/// How long one request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What sends a request, once: the status of the answer, or why none came, without the address, which may hold a
/// secret.
type Send = dyn Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<StatusCode, String>> + std::marker::Send + Sync;

/// Where a role sends its requests to others.
#[derive(Clone)]
pub struct Web(Arc<Send>);

impl Web {
    /// The network. Redirects are not followed, and nothing is sent twice.
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
            .user_agent("namespace-manager")
            .build()
            .expect("a client without certificates of its own can be built");
        Self(Arc::new(move |request| {
            let client = client.clone();
            Box::pin(async move {
                let request = reqwest::Request::try_from(request).map_err(|error| error.without_url().to_string())?;
                let answer = client.execute(request).await;
                answer.map(|answer| answer.status()).map_err(|error| error.without_url().to_string())
            })
        }))
    }

    /// One that is told what comes of a request, for tests.
    #[must_use]
    pub fn told(
        send: impl Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<StatusCode, String>>
        + std::marker::Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(send))
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// Why no answer came within [`TIMEOUT`]: it may have arrived all the same.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<StatusCode, String> {
        (self.0)(request).await
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}
