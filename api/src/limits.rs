//! How much may be asked, and for how long.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// The largest body that is read, in bytes.
pub(crate) const BODY: usize = 64 * 1024;

/// How many requests are answered at the same time; health excepted.
const AT_ONCE: usize = 128;

/// How long an answer may take.
const READ: Duration = Duration::from_secs(30);

/// How long a decree may take: a stop fences whatever is under way, a request of 10 s each.
const DECREE: Duration = Duration::from_secs(60);

/// How many more may be answered now.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Answers in time, or says that it does not.
pub(crate) async fn limit(State(room): State<Room>, request: Request, next: Next) -> Response {
    let Ok(_place) = room.0.try_acquire() else {
        return Fault::too_busy().into_response();
    };
    let time = if request.method() == Method::POST { DECREE } else { READ };
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Fault::too_late(time.as_secs()).into_response(),
    }
}
