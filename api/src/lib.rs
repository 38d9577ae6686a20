//! HTTP over the record store: health, and the metrics that lifecycle.md section 7 promises.
//!
//! It reads the store and nothing else, so that it shows what is on record and not what a process happens to know.

mod metrics;

use std::{future::Future, io};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use common::store::SharedStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The media type of the metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every route.
pub fn router(store: SharedStore) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/api/metrics", get(metrics_of))
        .with_state(store)
}

/// Serves until cancelled; requests under way are answered.
///
/// # Errors
/// When the socket fails.
pub fn serve(
    listener: TcpListener,
    store: SharedStore,
    cancel: CancellationToken,
) -> impl Future<Output = io::Result<()>> {
    let served = axum::serve(listener, router(store)).with_graceful_shutdown(cancel.cancelled_owned());
    async { served.await }
}

/// Whether the store answers.
async fn ready(State(store): State<SharedStore>) -> Response {
    match store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn metrics_of(State(store): State<SharedStore>) -> Response {
    match metrics::text(&*store).await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
