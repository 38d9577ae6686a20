//! Namespaces and their histories.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
};
use lifecycle::{Status, Uid};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    Api,
    problem::{Problem, Refusals},
    queries::{
        history::{self, Page},
        listing::{self, ListQuery, Listing},
        why::{self, Why},
    },
};

/// The longest name or uid that is searched for, in bytes.
const MAX_NAME_LENGTH: usize = 253;

/// Which namespaces, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichNamespaces {
    /// Only those in this status.
    status: Option<Status>,
    /// Only those whose name holds this text.
    #[param(max_length = 253)]
    name: Option<String>,
    /// Also those that are gone or no longer managed.
    #[serde(default)]
    all: bool,
    /// Where the page begins: `next` of the one before.
    #[param(max_length = 253)]
    after: Option<String>,
    /// How many, from 1 to 1,000. Default: 500.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

/// Which entries, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichEntries {
    /// Where the page begins: `next` of the one before.
    after: Option<u64>,
    /// How many, from 1 to 1,000. Default: 500.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

/// Namespaces, and what happens next to each.
///
/// They are ordered by uid. A page may hold fewer than were asked for; what counts is `next`.
#[utoipa::path(get, path = "/api/v1/namespaces", tag = "records", params(WhichNamespaces), security(("token" = [])), responses(
    (status = 200, body = Listing),
    Refusals,
))]
pub(crate) async fn namespaces(
    State(api): State<Api>,
    query: Result<Query<WhichNamespaces>, QueryRejection>,
) -> Result<Json<Listing>, Problem> {
    let Query(WhichNamespaces { status, name, all, after, limit }) = query.map_err(unreadable_query)?;
    let limit = limit_of(limit, listing::MAX_ITEMS)?;
    let [name, after] = [name, after].map(|text| text.map(bounded).transpose());
    let (asked, after) = (ListQuery { status, name: name?, all }, after?.map(Uid::new));
    let settings = api.settings.borrow().clone();
    let now = api.clock.now();
    Ok(Json(listing::listing(&*api.store, &settings, &asked, after.as_ref(), limit, now).await?))
}

/// Why a namespace is as it is, and what stands before its deletion.
#[utoipa::path(get, path = "/api/v1/namespaces/{namespace}", tag = "records", security(("token" = [])),
    params(("namespace" = String, Path, description = "Its name, then the last that bore it is meant; or its uid", max_length = 253)),
    responses(
        (status = 200, body = Why),
        (status = 404, body = crate::Refusal, description = "Nothing is known of it"),
        Refusals,
    ))]
pub(crate) async fn namespace(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Why>, Problem> {
    let namespace = name_in(path)?;
    let settings = api.settings.borrow().clone();
    Ok(Json(why::why(&*api.store, &settings, Ok(&api.cluster), &namespace, api.clock.now()).await?))
}

/// Everything that ever happened to a namespace, also after it is gone.
#[utoipa::path(get, path = "/api/v1/namespaces/{namespace}/history", tag = "records", security(("token" = [])),
    params(
        ("namespace" = String, Path, description = "Its name, then the last that bore it is meant; or its uid", max_length = 253),
        WhichEntries,
    ),
    responses(
        (status = 200, body = Page),
        (status = 404, body = crate::Refusal, description = "Nothing is recorded of it"),
        Refusals,
    ))]
pub(crate) async fn history(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<WhichEntries>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let namespace = name_in(path)?;
    let Query(WhichEntries { after, limit }) = query.map_err(unreadable_query)?;
    let limit = limit_of(limit, history::MAX_ENTRIES)?;
    Ok(Json(history::history(&*api.store, &namespace, after.unwrap_or_default(), limit).await?))
}

/// How many are asked for.
fn limit_of(asked: Option<usize>, most: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(500);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::unreadable(format!("`limit` is {limit}, and goes from 1 to {most}")))
    }
}

fn name_in(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    bounded(path.map_err(|rejection| Problem::unreadable(rejection.body_text()))?.0)
}

fn bounded(text: String) -> Result<String, Problem> {
    if text.len() <= MAX_NAME_LENGTH && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(Problem::unreadable(format!(
            "no name or uid is longer than {MAX_NAME_LENGTH} bytes, or has control characters"
        )))
    }
}

fn unreadable_query(rejection: QueryRejection) -> Problem {
    Problem::unreadable(rejection.body_text())
}
