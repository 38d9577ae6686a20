//! Health and metrics of one process, for the kubelet and for Prometheus: one port, without secrets and without rights.
//!
//! It is served from the first moment on, also while the store is still waited for.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{store::SharedStore, vitals::Vitals};

/// The media type of metrics.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The store of a process, once it is open.
pub type StoreOnceOpen = Arc<OnceLock<SharedStore>>;

#[derive(Clone, Debug)]
struct Admin {
    vitals: Vitals,
    store: StoreOnceOpen,
}

/// The routes `/livez`, `/readyz` and `/metrics`.
pub fn router(vitals: Vitals, store: StoreOnceOpen) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Admin { vitals, store })
}

/// Listens, and serves until cancelled.
///
/// # Errors
/// When nobody can listen there; the future, when the socket fails.
pub async fn serve(
    address: SocketAddr,
    vitals: Vitals,
    store: StoreOnceOpen,
    cancel: CancellationToken,
) -> anyhow::Result<impl Future<Output = io::Result<()>>> {
    let cannot = || format!("cannot listen on `{address}` (`admin.listen`)");
    let listener = TcpListener::bind(address).await.with_context(cannot)?;
    let address = listener.local_addr().with_context(cannot)?;
    info!("health and metrics of this process are served on `{address}`");
    let served = axum::serve(listener, router(vitals, store));
    // Nobody waits for an answer from a process that ends, so none is waited for either.
    Ok(async move {
        tokio::select! {
            () = cancel.cancelled() => Ok(()),
            served = served.into_future() => served,
        }
    })
}

/// Whether every loop turns. If not, only a restart helps.
async fn live(State(admin): State<Admin>) -> Response {
    match admin.vitals.stuck() {
        None => "ok\n".into_response(),
        Some(stuck) => (StatusCode::SERVICE_UNAVAILABLE, format!("{stuck}\n")).into_response(),
    }
}

/// Whether the store answers. A restart does not help.
async fn ready(State(admin): State<Admin>) -> Response {
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    match admin.store.get() {
        None => not("the store is waited for\n".to_owned()),
        Some(store) => match store.ping().await {
            Ok(()) => "ok\n".into_response(),
            Err(error) => not(format!("{error}\n")),
        },
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], admin.vitals.metrics()).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(vitals: &Vitals, store: &StoreOnceOpen, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(vitals.clone(), Arc::clone(store)).oneshot(request).await.unwrap();
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_lives_as_long_as_its_loops_turn() {
        let (vitals, store) = <(Vitals, StoreOnceOpen)>::default();
        let turns = vitals.watch("planner", Duration::from_secs(10));
        assert_eq!(ask(&vitals, &store, "/livez").await, (200, "ok\n".to_owned()));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(ask(&vitals, &store, "/livez").await, (503, "the planner has not turned for 31 s\n".to_owned()));
        turns.turned();
        assert_eq!(ask(&vitals, &store, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn it_is_ready_when_the_store_answers() {
        let (vitals, store) = <(Vitals, StoreOnceOpen)>::default();
        assert_eq!(ask(&vitals, &store, "/readyz").await, (503, "the store is waited for\n".to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nsm.db");
        let opened = crate::store::open(&format!("sqlite:{}", path.display())).await.unwrap();
        store.set(opened).unwrap();
        assert_eq!(ask(&vitals, &store, "/readyz").await, (200, "ok\n".to_owned()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ask(&vitals, &store, "/readyz").await.0, 503);
        assert_eq!(ask(&vitals, &store, "/livez").await.0, 200, "a restart would not bring the store back");
    }

    #[tokio::test]
    async fn what_a_role_counts_is_shown() {
        let (vitals, store) = <(Vitals, StoreOnceOpen)>::default();
        let turns = Counter::<u64>::default();
        vitals.register(|registry| registry.register("turns", "Turns taken", turns.clone()));
        turns.inc();
        let (code, text) = ask(&vitals, &store, "/metrics").await;
        assert_eq!(code, 200);
        assert!(text.contains("turns_total 1\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
