//! How much may be asked, and for how long.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// The largest body that is read, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// How many requests are answered at the same time; health excepted.
const MAX_CONCURRENT_REQUESTS: usize = 128;

/// Timeout of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Timeout of a control: a stop fences each deletion under way, with a request of at most 10 s.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest body of a webhook that is read, in bytes: the pipeline of a thousand jobs has less than half of it.
pub(crate) const MAX_WEBHOOK_BODY: usize = 2 * 1024 * 1024;

/// Maximum number of webhooks answered at the same time, so that a flood of them does not block other requests.
const MAX_CONCURRENT_WEBHOOKS: usize = 16;

/// How long a webhook may take. Both systems wait no longer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How many more may be answered now.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// For webhooks.
    pub(crate) fn of_hooks() -> Self {
        Self(Arc::new(Semaphore::new(MAX_CONCURRENT_WEBHOOKS)))
    }
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_CONCURRENT_REQUESTS)))
    }
}

/// Answers in time, or says that it does not.
pub(crate) async fn limit(State(room): State<Room>, request: Request, next: Next) -> Response {
    let time = if request.method() == Method::POST { CONTROL_TIMEOUT } else { READ_TIMEOUT };
    within(&room, time, request, next).await
}

/// As [`limit`], for webhooks.
pub(crate) async fn limit_hook(State(room): State<Room>, request: Request, next: Next) -> Response {
    within(&room, WEBHOOK_TIMEOUT, request, next).await
}

async fn within(room: &Room, time: Duration, request: Request, next: Next) -> Response {
    let Ok(_place) = room.0.try_acquire() else {
        return Problem::too_busy().into_response();
    };
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::too_late(time.as_secs()).into_response(),
    }
}
