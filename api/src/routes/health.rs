//! Health, which can always be asked for, and its detail, for callers who may read the status.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use common::{heartbeat::Outage, status};

use crate::{
    Api,
    access::{Access, Need, admit},
    limits::{Room, limit},
};

/// What is asked for with the detail.
const VERBOSE: &str = "verbose";

/// Whether it runs.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Whether the store answers; in detail also which sources of evidence cannot be read, since when and why.
///
/// It is ready all the same while a source cannot be read. The detail is for callers who may read the status.
#[utoipa::path(get, path = "/readyz", tag = "health", security((), ("token" = [])),
    params(("verbose" = Option<String>, Query, description = "In detail, whatever the value")),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 401, body = crate::Refusal, description = "In detail: there is no token, or it is not accepted"),
        (status = 403, body = crate::Refusal, description = "In detail: the right is missing"),
        (status = 503, content((String = "text/plain"), (crate::Refusal = "application/json")),
            description = "The store does not answer; in detail, the apiserver does not, or too much is asked at once"),
    ))]
pub(crate) async fn ready(State(api): State<Api>, request: Request) -> Response {
    // It is asked without a token, so it does not say why.
    let not = || (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response();
    match api.store.ping().await {
        Ok(()) if is_verbose(&request) => match status::outages(&*api.store, api.clock.now()).await {
            Ok(outages) => detail(&outages).into_response(),
            Err(_) => not(),
        },
        Ok(()) => "ok\n".into_response(),
        Err(_) => not(),
    }
}

/// As [`admit`], where the detail is asked for.
pub(crate) async fn admit_verbose(guard: State<(Api, Arc<Access>, Need)>, request: Request, next: Next) -> Response {
    if is_verbose(&request) { admit(guard, request, next).await } else { next.run(request).await }
}

/// As [`limit`], where the detail is asked for.
pub(crate) async fn limit_verbose(room: State<Room>, request: Request, next: Next) -> Response {
    if is_verbose(&request) { limit(room, request, next).await } else { next.run(request).await }
}

fn is_verbose(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair.split('=').next() == Some(VERBOSE))
}

/// One line each, the first as in short.
fn detail(outages: &[Outage]) -> String {
    let mut text = "ok\nthe store answers\n".to_owned();
    for Outage { source, since, why } in outages {
        // What a source answered is not ours.
        let why = why.replace(char::is_control, " ");
        let _ = writeln!(text, "{source} tells nothing since {since}: {why}");
    }
    if outages.is_empty() {
        text.push_str("no collector tells of a source that it cannot read\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn the_detail_is_asked_for_by_its_name_alone() {
        for (query, expected) in [
            ("", false),
            ("?verbose", true),
            ("?verbose=", true),
            ("?a=b&verbose=1", true),
            ("?verbosely", false),
            ("?a=verbose", false),
        ] {
            let request = Request::get(format!("/readyz{query}")).body(Body::empty()).unwrap();
            assert_eq!(is_verbose(&request), expected, "{query}");
        }
    }
}
