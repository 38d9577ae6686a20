//! A watch that is refused.

use axum::body::{Body as Page, to_bytes};
use http::{Response, StatusCode, header};
use kube::core::Status;
use serde_json::json;

use super::api_error::first_line;

/// More than any apiserver says when it refuses something.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Makes of a refusal what a watch tells of all else that goes wrong: one event.
///
/// The client library reads every answer to a watch as events, one to a line, whatever its status. Of a refusal that an
/// apiserver writes over many lines, as it does while it starts and knows no roles yet, each line is an error, and after
/// each it waits twice as long as before: it was blind for minutes after the apiserver had come back. And it begins anew,
/// with a list, only where an *event* says that the version is expired (410).
pub(super) async fn refused(answer: Response<Page>) -> Response<Page> {
    let (mut parts, body) = answer.into_parts();
    let said = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let mut status = serde_json::from_slice(&said).unwrap_or_else(|_| {
        let page = first_line(&String::from_utf8_lossy(&said));
        Status::failure(&format!("it answered {}: {page}", parts.status), "")
    });
    status.code = parts.status.as_u16();
    parts.status = StatusCode::OK;
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Page::from(format!("{}\n", json!({ "type": "ERROR", "object": status }))))
}
