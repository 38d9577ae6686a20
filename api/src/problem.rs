//! What is answered when something is not: what, why, and how to mend it.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use common::{queue::QueueError, stop::Unchanged, store::StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoResponses, ToSchema};

use crate::queries::QueryError;

/// A refusal or a failure, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    error: ProblemDetails,
}

/// The body of every answer that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    pub error: ProblemDetails,
}

/// What went wrong. For people: programs go by the status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// What was not done.
    pub what: String,
    pub why: String,
    /// What to do about it.
    pub mend: String,
}

/// What any route may answer instead, for the description.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro that describes it")]
pub(crate) enum Refusals {
    /// What is asked cannot be read.
    #[response(status = 400)]
    BadRequest(Refusal),
    /// There is no token, or it is not accepted.
    #[response(status = 401)]
    Unauthorized(Refusal),
    /// The right is missing.
    #[response(status = 403)]
    Forbidden(Refusal),
    /// The store or the apiserver is out of reach, or too much is asked at once.
    #[response(status = 503)]
    Unavailable(Refusal),
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { status, error: ProblemDetails { what: what.into(), why: why.into(), mend: mend.into() } }
    }

    /// What is asked cannot be read.
    pub(crate) fn unreadable(why: impl Into<String>) -> Self {
        let mend = "see /api/openapi.json for what can be asked";
        Self::new(StatusCode::BAD_REQUEST, "the request is not understood", why, mend)
    }

    pub(crate) fn no_such_route() -> Self {
        let mend = "see /api/openapi.json for what there is";
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this address", "no route has this path", mend)
    }

    pub(crate) fn no_such_method() -> Self {
        let mend = "see /api/openapi.json for what can be asked";
        let why = "the route is asked with another method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "the request is not understood", why, mend)
    }

    pub(crate) fn too_busy() -> Self {
        let why = "too many requests are being answered";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the request was not handled", why, "ask again in a while")
    }

    pub(crate) fn too_late(seconds: u64) -> Self {
        let why = format!("it took longer than {seconds} s");
        let mend = "ask again; a control is safe to repeat";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the request was not answered in time", why, mend)
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        let mend = "see whether the queue is well; until then whatever happened is noticed later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "it was not handed on", error.to_string(), mend)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, mend) = match &error {
            StoreError::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "see whether the store is well"),
            StoreError::Damaged { .. } | StoreError::Refused { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "check the store")
            }
        };
        Self::new(status, "the store gave no answer", error.to_string(), mend)
    }
}

impl From<QueryError> for Problem {
    fn from(unanswered: QueryError) -> Self {
        match unanswered {
            QueryError::NotFound(why) => {
                let mend = "`GET /api/v1/namespaces?all=true` lists those with a history";
                Self::new(StatusCode::NOT_FOUND, "there is no such namespace", why, mend)
            }
            QueryError::Store(error) => error.into(),
            QueryError::Cluster(error) => {
                let mend = "see whether the apiserver is well";
                let what = "the apiserver gave no answer";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, what, error.to_string(), mend)
            }
        }
    }
}

impl From<Unchanged> for Problem {
    fn from(unchanged: Unchanged) -> Self {
        let mend = "ask again, it is safe to repeat; see whether the store and the apiserver are well";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the control was not recorded", unchanged.to_string(), mend)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Refusal { error: self.error })).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }
}
