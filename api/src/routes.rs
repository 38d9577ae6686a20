//! Every route, and what it needs.

mod controls;
mod health;
mod records;
mod status;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use common::{config::Readable, exposition::Format};
use lifecycle::pipeline::CiSystem;
use tracing::{Instrument as _, info_span};

pub use self::controls::{Approved, Because};
pub(crate) use self::{controls::*, health::*, records::*, status::*, webhooks::*};
use crate::{
    Api,
    access::{Access, Need, admit},
    limits::{MAX_BODY, MAX_WEBHOOK_BODY, Room, limit, limit_hook},
    metrics,
    problem::Problem,
};

const RECORDS: Option<Readable> = Some(Readable::Records);
const STATUS: Option<Readable> = Some(Readable::Status);
const METRICS: Option<Readable> = Some(Readable::Metrics);

/// The routes that are guarded: path, what it needs, and what answers.
fn guarded() -> [(&'static str, Need, MethodRouter<Api>); 10] {
    let control = right("update", "controls", None);
    [
        ("/api/metrics", right("get", "metrics", METRICS), get(metrics_of)),
        ("/api/openapi.json", Need::Token, get(page)),
        ("/api/v1/namespaces", right("list", "records", RECORDS), get(namespaces)),
        ("/api/v1/namespaces/{namespace}", right("get", "records", RECORDS), get(namespace)),
        ("/api/v1/namespaces/{namespace}/history", right("get", "records", RECORDS), get(history)),
        ("/api/v1/status", right("get", "status", STATUS), get(status)),
        ("/api/v1/workers", right("list", "status", STATUS), get(workers)),
        ("/api/v1/stop", control, post(stop)),
        ("/api/v1/resume", control, post(resume)),
        ("/api/v1/approve", control, post(approve)),
    ]
}

const fn right(verb: &'static str, resource: &'static str, open: Option<Readable>) -> Need {
    Need::Right { verb, resource, open }
}

/// Every route.
pub fn router(api: Api) -> Router {
    let (access, room) = (Arc::new(Access::default()), Room::default());
    // A readiness probe is asked for no token, and waits for nobody.
    let readiness = get(ready)
        .layer(from_fn_with_state((api.clone(), access.clone(), right("get", "status", STATUS)), admit_verbose))
        .layer(from_fn_with_state(room.clone(), limit_verbose));
    let mut routes = Router::new();
    for (path, need, answer) in guarded() {
        let guard = from_fn_with_state((api.clone(), access.clone(), need), admit);
        routes = routes.route(path, answer.fallback(async || Problem::no_such_method()).layer(guard));
    }
    routes
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(room, limit))
        .merge(hooks(&api))
        .route("/livez", get(live))
        .route("/readyz", readiness)
        .fallback(async || Problem::no_such_route())
        .method_not_allowed_fallback(async || Problem::no_such_method())
        .layer(map_response(closed))
        .layer(from_fn(traced))
        .with_state(api)
}

/// What CI systems tell us. Each shows a secret of its own, and no token.
fn hooks(api: &Api) -> Router<Api> {
    let room = Room::of_hooks();
    let hook = |system, answer: MethodRouter<Api>| {
        let counts = from_fn_with_state((api.hooks.clone(), system), counted);
        answer
            .fallback(async || Problem::no_such_method())
            .layer(from_fn_with_state(room.clone(), limit_hook))
            .layer(counts)
    };
    Router::new()
        .route("/hooks/gitlab", hook(CiSystem::Gitlab, post(gitlab)))
        .route("/hooks/github", hook(CiSystem::Github, post(github)))
        .layer(DefaultBodyLimit::max(MAX_WEBHOOK_BODY))
}

/// The status of every managed namespace, and of the whole, for Prometheus: OpenMetrics where `Accept` asks for it.
#[utoipa::path(get, path = "/api/metrics", tag = "metrics", security(("token" = [])), responses(
    (status = 200, content((String = "text/plain"), (String = "application/openmetrics-text"))),
    crate::problem::Refusals,
))]
async fn metrics_of(State(api): State<Api>, format: Format) -> Result<Response, Problem> {
    let settings = api.settings.borrow().clone();
    let text = metrics::text(&*api.store, &settings, format, api.clock.now()).await?;
    Ok(format.answer(text))
}

/// This page.
#[utoipa::path(get, path = "/api/openapi.json", tag = "page", security(("token" = [])), responses(
    (status = 200, body = Object),
    crate::problem::Refusals,
))]
async fn page(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], api.page.to_string()).into_response()
}

/// What is logged for the sake of a request names it.
async fn traced(request: Request, next: Next) -> Response {
    let span = info_span!("request", http.request.method = %request.method(), url.path = request.uri().path());
    next.run(request).instrument(span).await
}

/// No proxy may cache an answer, and no client may guess its content type.
async fn closed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
