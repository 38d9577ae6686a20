//! Webhooks of CI systems: CI events that say that something happened to a pipeline, a merge request or a job.
//!
//! A body names what is to be asked for again, and nothing in it is believed: a caller who knows the secret can have the CI system
//! asked earlier, within its budget, and no more. What is named goes through the queue to every collector.

use axum::{
    body::Bytes,
    extract::{Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::Response,
};
use common::queue::{Message, Route};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lifecycle::pipeline::{CiObjectKind, CiObjectRef, CiSystem};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    Api,
    metrics::Hooks,
    problem::{Problem, Refusal},
};

/// What could not be done.
const WHAT: &str = "the webhook is not taken in";

/// What may be answered instead, for the description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the macro that describes it")]
enum Refusals {
    /// The body cannot be read.
    #[response(status = 400)]
    BadRequest(Refusal),
    /// It does not show the secret.
    #[response(status = 403)]
    Forbidden(Refusal),
    /// No secret is configured, so none is taken in.
    #[response(status = 404)]
    NotFound(Refusal),
    /// The body is larger than 2 MiB.
    #[response(status = 413)]
    TooLarge(Refusal),
    /// The secret cannot be read, the queue is out of reach, or too many come at once.
    #[response(status = 503)]
    Unavailable(Refusal),
}

/// GitLab tells that something happened to a pipeline, a job or a merge request.
///
/// It is asked for that again at once, if a namespace goes with it. Nothing else in the body counts.
#[utoipa::path(post, path = "/hooks/gitlab", tag = "hooks", request_body = Object, security(("gitlab" = [])), responses(
    (status = 202, description = "The collectors were told"),
    (status = 204, description = "It is about nothing that could be asked for"),
    Refusals,
))]
pub(crate) async fn gitlab(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let secret = secret(&api, CiSystem::Gitlab).await?;
    let shown = headers.get("x-gitlab-token").map_or(&b""[..], |token| token.as_bytes());
    // By their hashes, so that the time says nothing of the length either.
    if !bool::from(Sha256::digest(shown).ct_eq(&Sha256::digest(&secret))) {
        return Err(unproven(CiSystem::Gitlab, "`X-Gitlab-Token` is not the secret"));
    }
    tell(&api, by_gitlab(&whole(body)?)?).await
}

/// GitHub tells that something happened to a workflow run, one of its jobs or a pull request.
///
/// It is asked for that again at once, if a namespace goes with it. Nothing else in the body counts.
#[utoipa::path(post, path = "/hooks/github", tag = "hooks", request_body = Object, security(("github" = [])), responses(
    (status = 202, description = "The collectors were told"),
    (status = 204, description = "It is about nothing that could be asked for"),
    Refusals,
))]
pub(crate) async fn github(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let (secret, body) = (secret(&api, CiSystem::Github).await?, whole(body)?);
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("HMAC takes a key of any length");
    mac.update(&body);
    let shown = headers.get("x-hub-signature-256").and_then(|signature| signature_in(signature.as_bytes()));
    if shown.is_none_or(|shown| mac.verify_slice(&shown).is_err()) {
        return Err(unproven(CiSystem::Github, "`X-Hub-Signature-256` is not the body's signature with the secret"));
    }
    let event = headers.get("x-github-event").map_or(&b""[..], |event| event.as_bytes());
    tell(&api, by_github(event, &body)?).await
}

/// Counts how a webhook was answered.
pub(crate) async fn counted(
    State((hooks, system)): State<(Hooks, CiSystem)>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    hooks.answered(system, response.status());
    response
}

/// Which of its events GitLab tells of.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitlabKind {
    object_kind: String,
}

/// An event about a pipeline or a merge request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitlabObject {
    object_attributes: GitlabAttributes,
    project: GitlabProject,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitlabAttributes {
    id: Option<u64>,
    iid: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitlabProject {
    id: Option<u64>,
}

/// An event about a job.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitlabJob {
    build_id: Option<u64>,
    pipeline_id: Option<u64>,
    project_id: Option<u64>,
}

/// An event of GitHub, which has one of these parts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GithubEvent {
    repository: GithubRepository,
    workflow_run: GithubRun,
    workflow_job: GithubJob,
    pull_request: GithubRequest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GithubRepository {
    full_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GithubRun {
    id: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GithubJob {
    run_id: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GithubRequest {
    number: Option<u64>,
}

/// What is to be asked for again (docs.gitlab.com, webhook events).
fn by_gitlab(body: &[u8]) -> Result<Vec<CiObjectRef>, Problem> {
    let GitlabKind { object_kind } = read(body)?;
    let (project, ids) = match object_kind.as_str() {
        "pipeline" => {
            let GitlabObject { object_attributes, project } = read(body)?;
            (project.id, vec![(CiObjectKind::Pipeline, object_attributes.id)])
        }
        "merge_request" => {
            let GitlabObject { object_attributes, project } = read(body)?;
            (project.id, vec![(CiObjectKind::MergeRequest, object_attributes.iid)])
        }
        "build" => {
            let GitlabJob { build_id, pipeline_id, project_id } = read(body)?;
            (project_id, vec![(CiObjectKind::Pipeline, pipeline_id), (CiObjectKind::Job, build_id)])
        }
        _ => (None, Vec::new()),
    };
    let project = project.unwrap_or_default().to_string();
    Ok(ids.into_iter().filter_map(|(kind, id)| CiObjectRef::told(CiSystem::Gitlab, &project, kind, id?)).collect())
}

/// What is to be asked for again (docs.github.com, webhook events and payloads). By a namespace's labels, the job that
/// deployed it is the run, too.
fn by_github(event: &[u8], body: &[u8]) -> Result<Vec<CiObjectRef>, Problem> {
    let GithubEvent { repository, workflow_run, workflow_job, pull_request } = match event {
        b"workflow_run" | b"workflow_job" | b"pull_request" => read(body)?,
        // A first one, `ping`, shows whether bodies can be read.
        _ => read::<IgnoredAny>(body).map(|_| GithubEvent::default())?,
    };
    let run = workflow_run.id.or(workflow_job.run_id);
    let ids =
        [(CiObjectKind::Pipeline, run), (CiObjectKind::Job, run), (CiObjectKind::MergeRequest, pull_request.number)];
    let told =
        |(kind, id): (CiObjectKind, Option<u64>)| CiObjectRef::told(CiSystem::Github, &repository.full_name, kind, id?);
    Ok(ids.into_iter().filter_map(told).collect())
}

/// The secret as it is now: read for each webhook, so that it can be exchanged while we run.
async fn secret(api: &Api, system: CiSystem) -> Result<Vec<u8>, Problem> {
    let key = format!("{}.webhook_secret_file", system.as_str());
    let file = api.settings.borrow().ci.get(&system).and_then(|ci| ci.webhook_secret_file.clone());
    let Some(file) = file else {
        let why = format!("`{key}` is not set, so nobody can be known");
        return Err(Problem::new(StatusCode::NOT_FOUND, WHAT, why, format!("set `{key}`")));
    };
    let why = match tokio::fs::read(&file).await {
        Ok(secret) if !secret.trim_ascii().is_empty() => return Ok(secret.trim_ascii().to_vec()),
        Ok(_) => "it is empty".to_owned(),
        Err(error) => error.to_string(),
    };
    // The caller may be anybody, so the answer does not say where it is.
    let (why, mend) = (format!("the secret cannot be read: {why}"), format!("see to the file that `{key}` names"));
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, WHAT, why, mend))
}

/// The bytes of `sha256=` and as many hexadecimal digits as there are in a SHA-256.
fn signature_in(header: &[u8]) -> Option<[u8; 32]> {
    let digits = header.strip_prefix(b"sha256=").filter(|digits| digits.len() == 64)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Not 401: that would have to name an authentication scheme of HTTP, and this is none.
fn unproven(system: CiSystem, why: &str) -> Problem {
    let mend =
        format!("give {} the secret in the file that `{}.webhook_secret_file` names", system.name(), system.as_str());
    Problem::new(StatusCode::FORBIDDEN, WHAT, why, mend)
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| {
        let mend = "send the body of an event, which is no larger than 2 MiB";
        Problem::new(rejection.status(), WHAT, rejection.body_text(), mend)
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mend = "send events as `application/json`";
    serde_json::from_slice(body).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, WHAT, error.to_string(), mend))
}

/// Hands on what is to be asked for again.
async fn tell(api: &Api, origins: Vec<CiObjectRef>) -> Result<StatusCode, Problem> {
    for origin in &origins {
        api.queue.publish(Route::CiEvents, &Message::about(origin.key())).await?;
    }
    Ok(if origins.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED })
}
