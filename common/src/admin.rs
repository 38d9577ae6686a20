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
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{exposition::Format, liveness::Liveness, store::SharedStore};

/// The store of a process, once it is open.
pub type StoreOnceOpen = Arc<OnceLock<SharedStore>>;

#[derive(Clone, Debug)]
struct Admin {
    liveness: Liveness,
    store: StoreOnceOpen,
}

/// The routes `/livez`, `/readyz` and `/metrics`.
pub fn router(liveness: Liveness, store: StoreOnceOpen) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Admin { liveness, store })
}

/// Listens, and serves until cancelled.
///
/// # Errors
/// When nobody can listen there; the future, when the socket fails.
pub async fn serve(
    address: SocketAddr,
    liveness: Liveness,
    store: StoreOnceOpen,
    cancel: CancellationToken,
) -> anyhow::Result<impl Future<Output = io::Result<()>>> {
    let cannot = || format!("cannot listen on `{address}` (`admin.listen`)");
    let listener = TcpListener::bind(address).await.with_context(cannot)?;
    let address = listener.local_addr().with_context(cannot)?;
    info!("health and metrics of this process are served on `{address}`");
    let served = axum::serve(listener, router(liveness, store));
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
    match admin.liveness.stuck() {
        None => "ok\n".into_response(),
        Some(stalled) => (StatusCode::SERVICE_UNAVAILABLE, format!("{stalled}\n")).into_response(),
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

async fn metrics(State(admin): State<Admin>, format: Format) -> Response {
    format.answer(admin.liveness.metrics(format))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{
        body::Body,
        http::{Request, header},
    };
    use http_body_util::BodyExt as _;
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(liveness: &Liveness, store: &StoreOnceOpen, path: &str) -> (u16, String) {
        let answer = answer(liveness, store, Request::get(path).body(Body::empty()).unwrap()).await;
        (answer.status().as_u16(), text(answer).await)
    }

    async fn answer(liveness: &Liveness, store: &StoreOnceOpen, request: Request<Body>) -> Response {
        router(liveness.clone(), Arc::clone(store)).oneshot(request).await.unwrap()
    }

    async fn text(answer: Response) -> String {
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_lives_as_long_as_its_loops_turn() {
        let (liveness, store) = <(Liveness, StoreOnceOpen)>::default();
        let turns = liveness.watch("planner", Duration::from_secs(10));
        assert_eq!(ask(&liveness, &store, "/livez").await, (200, "ok\n".to_owned()));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(ask(&liveness, &store, "/livez").await, (503, "the planner has not turned for 31 s\n".to_owned()));
        turns.tick();
        assert_eq!(ask(&liveness, &store, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn it_is_ready_when_the_store_answers() {
        let (liveness, store) = <(Liveness, StoreOnceOpen)>::default();
        assert_eq!(ask(&liveness, &store, "/readyz").await, (503, "the store is waited for\n".to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nsm.db");
        let opened = crate::store::open(&format!("sqlite:{}", path.display())).await.unwrap();
        store.set(opened).unwrap();
        assert_eq!(ask(&liveness, &store, "/readyz").await, (200, "ok\n".to_owned()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ask(&liveness, &store, "/readyz").await.0, 503);
        assert_eq!(ask(&liveness, &store, "/livez").await.0, 200, "a restart would not bring the store back");
    }

    #[tokio::test]
    async fn what_a_role_counts_is_shown() {
        let (liveness, store) = <(Liveness, StoreOnceOpen)>::default();
        let turns = Counter::<u64>::default();
        liveness.register(|registry| registry.register("turns", "Turns taken", turns.clone()));
        turns.inc();
        let classic = "# HELP turns_total Turns taken.\n# TYPE turns_total counter\nturns_total 1\n";
        assert_eq!(ask(&liveness, &store, "/metrics").await, (200, classic.to_owned()));

        let (wanted, open_metrics) = (Format::OpenMetrics.content_type(), liveness.metrics(Format::OpenMetrics));
        let request = Request::get("/metrics").header(header::ACCEPT, wanted).body(Body::empty()).unwrap();
        let answer = answer(&liveness, &store, request).await;
        let headers =
            [header::CONTENT_TYPE, header::VARY].map(|name| answer.headers()[name].to_str().unwrap().to_owned());
        assert_eq!(headers, [wanted, "accept"]);
        assert_eq!(text(answer).await, open_metrics);
    }
}
