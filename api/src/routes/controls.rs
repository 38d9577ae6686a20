//! Stop, resume, approve.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
};
use common::{
    config::Settings,
    stop::{EmergencyStop, gone},
};
use lifecycle::{Actor, duration::PositiveDuration};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use tracing::info;
use utoipa::ToSchema;

use crate::{
    Api,
    access::Caller,
    problem::{Problem, Refusals},
    queries::controls::{self, StopState},
};

/// The longest reason, in characters.
const MAX_REASON_LENGTH: usize = 1_000;

/// How long an approval holds unless something else is asked for.
const AN_HOUR: PositiveDuration = PositiveDuration::from_secs(3_600);

/// Why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Because {
    /// Reason, shown in the history.
    #[schema(max_length = 1_000)]
    pub reason: Option<String>,
}

/// What is approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Approved {
    /// For how long deletions that were not announced may exceed their limit (`budget.unannounced`), such as `2h`. Default: `1h`.
    #[serde(rename = "for")]
    pub period: Option<String>,
    /// Instead, trust this store, though namespaces carry record markers it does not know.
    pub store: bool,
}

/// Stop all deletions, at once.
///
/// It is answered when no deletion will be accepted any more, but for those named in `not_fenced`. Safe to repeat.
#[utoipa::path(post, path = "/api/v1/stop", tag = "controls", request_body = Because, security(("token" = [])), responses(
    (status = 200, body = StopState),
    Refusals,
))]
pub(crate) async fn stop(
    State(api): State<Api>,
    Extension(asker): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<StopState>, Problem> {
    let Because { reason } = because(body)?;
    let (settings, actor) = (api.settings.borrow().clone(), asker.actor());
    let recorded = controls::stop(&board(&api, &settings, &actor), reason).await?;
    Ok(told(recorded))
}

/// Let deletions go on after a stop.
#[utoipa::path(post, path = "/api/v1/resume", tag = "controls", request_body = Because, security(("token" = [])), responses(
    (status = 200, body = StopState),
    Refusals,
))]
pub(crate) async fn resume(
    State(api): State<Api>,
    Extension(asker): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<StopState>, Problem> {
    let Because { reason } = because(body)?;
    let (settings, actor) = (api.settings.borrow().clone(), asker.actor());
    let recorded = controls::resume(&board(&api, &settings, &actor), reason).await?;
    Ok(told(recorded))
}

/// Let unannounced deletions exceed their limit for some time, or say that the store is the right one.
#[utoipa::path(post, path = "/api/v1/approve", tag = "controls", request_body = Approved, security(("token" = [])), responses(
    (status = 200, body = StopState),
    Refusals,
))]
pub(crate) async fn approve(
    State(api): State<Api>,
    Extension(asker): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<StopState>, Problem> {
    let Approved { period, store } = read(body)?;
    let (actor, now) = (asker.actor(), api.clock.now());
    let recorded = match (period, store) {
        (Some(_), true) => return Err(Problem::unreadable("`for` and `store` are two things; ask for one")),
        (None, true) => controls::trust_store(&*api.store, &actor, now).await?,
        (period, false) => {
            let period = period.map_or(Ok(AN_HOUR), |text| PositiveDuration::parse(&text));
            let period = period.map_err(|error| Problem::unreadable(format!("`for`: {error}")))?;
            controls::approve(&*api.store, &actor, period.get(), now).await?
        }
    };
    Ok(told(recorded))
}

fn board<'a>(api: &'a Api, settings: &'a Arc<Settings>, actor: &'a Actor) -> EmergencyStop<'a> {
    EmergencyStop {
        store: gone(Ok(api.store.clone())),
        cluster: gone(Ok(api.cluster.clone())),
        keys: &settings.policies.keys,
        policy: settings.guard.stop_policy.as_deref(),
        actor,
        clock: &api.clock,
        switched: CancellationToken::new(),
    }
}

fn told(recorded: StopState) -> Json<StopState> {
    info!(control = ?recorded.control, by = %recorded.by, "control recorded");
    Json(recorded)
}

fn because(body: Result<Bytes, BytesRejection>) -> Result<Because, Problem> {
    let because: Because = read(body)?;
    match &because.reason {
        Some(reason) if reason.chars().count() > MAX_REASON_LENGTH => {
            Err(Problem::unreadable(format!("`reason` is longer than {MAX_REASON_LENGTH} characters")))
        }
        // It is shown at terminals.
        Some(reason) if reason.chars().any(char::is_control) => {
            Err(Problem::unreadable("`reason` has control characters"))
        }
        _ => Ok(because),
    }
}

/// Reads a body; none at all asks for the defaults.
fn read<T: DeserializeOwned + Default>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|rejection| Problem::unreadable(rejection.body_text()))?;
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|error| Problem::unreadable(error.to_string()))
}
