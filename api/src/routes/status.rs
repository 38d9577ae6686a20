//! The whole on one page, and the workers.

use axum::{Json, extract::State};
use common::status::{self, Overview, WorkerLine};

use crate::{
    Api,
    problem::{Problem, Refusals},
};

/// The whole on one page: what is in force, who is there, what is under way, what is stalled.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", security(("token" = [])), responses(
    (status = 200, body = Overview),
    Refusals,
))]
pub(crate) async fn status(State(api): State<Api>) -> Result<Json<Overview>, Problem> {
    let settings = api.settings.borrow().clone();
    Ok(Json(status::overview(&*api.store, &settings, api.clock.now()).await?))
}

/// Every action worker that told of itself within the last hour, the oldest first.
#[utoipa::path(get, path = "/api/v1/workers", tag = "status", security(("token" = [])), responses(
    (status = 200, body = Vec<WorkerLine>),
    Refusals,
))]
pub(crate) async fn workers(State(api): State<Api>) -> Result<Json<Vec<WorkerLine>>, Problem> {
    Ok(Json(status::workers(&*api.store, api.clock.now()).await?))
}
