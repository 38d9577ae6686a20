//! Webhooks: who is let in, what is told on, and what is not.

use std::{pin::pin, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode},
};
use common::{exposition::Format, queue::Route};
use futures::{StreamExt as _, future::join_all, poll, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{Answered, World};

const CONFIG: &str = "
gitlab: {url: 'https://gitlab.example.org', token_file: t, webhook_secret_file: DIRECTORY/gitlab}
github: {url: 'https://api.github.com', token_file: t, webhook_secret_file: DIRECTORY/github}";

const SECRET: &str = "open sesame";

/// An API that knows both systems by this secret.
async fn world() -> World {
    let world = World::empty(CONFIG).await;
    world.write("gitlab", &format!("{SECRET}\n"));
    world.write("github", &format!("{SECRET}\n"));
    world
}

async fn by_gitlab(world: &World, token: Option<&str>, body: impl Into<Body>) -> Answered {
    let headers = token.map(|token| ("X-Gitlab-Token", token));
    world.send(Method::POST, "/hooks/gitlab", headers.as_slice(), body.into()).await
}

async fn by_github(world: &World, event: &str, signature: &str, body: &str) -> Answered {
    let headers = [("X-GitHub-Event", event), ("X-Hub-Signature-256", signature)];
    world.send(Method::POST, "/hooks/github", &headers, body.to_owned().into()).await
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// What GitLab sends about a pipeline.
fn pipeline() -> String {
    json!({
        "object_kind": "pipeline",
        "object_attributes": {"id": 46, "iid": 3, "ref": "main", "status": "canceled", "finished_at": null},
        "project": {"id": 7, "path_with_namespace": "group/app"},
        "builds": [{"id": 380, "status": "canceled"}],
    })
    .to_string()
}

/// Has both systems tell this, and what the collectors hear of it.
async fn tells(event: Option<&str>, body: &Value, expected: &[&str]) {
    let world = world().await;
    let mut events = world.queue.consume(Route::CiEvents).await.unwrap();
    let body = body.to_string();
    let answer = match event {
        None => by_gitlab(&world, Some(SECRET), body.clone()).await,
        Some(event) => by_github(&world, event, &signature(SECRET, &body), &body).await,
    };
    let status = if expected.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
    assert_eq!(answer.status, status, "{body}: {}", answer.text());
    let mut heard = Vec::new();
    while let Some(delivery) = events.next(Duration::ZERO).await.unwrap() {
        heard.push(delivery.message().unwrap().about.clone());
        delivery.ack().await.unwrap();
    }
    assert_eq!(heard, expected, "{body}");
}

#[tokio::test]
async fn gitlab_names_pipelines_jobs_and_merge_requests() {
    tells(None, &serde_json::from_str(&pipeline()).unwrap(), &["gitlab/7/pipeline/46"]).await;
    let job =
        json!({"object_kind": "build", "build_id": 380, "pipeline_id": 46, "project_id": 7, "build_status": "success"});
    tells(None, &job, &["gitlab/7/pipeline/46", "gitlab/7/job/380"]).await;
    let request = json!({"object_kind": "merge_request", "object_attributes": {"id": 99, "iid": 3, "action": "merge"},
        "project": {"id": 7}});
    tells(None, &request, &["gitlab/7/merge_request/3"]).await;
}

#[tokio::test]
async fn github_names_runs_and_pull_requests() {
    let repository = json!({"id": 1, "full_name": "Octo-Org/Hello.World"});
    let run =
        json!({"action": "completed", "workflow_run": {"id": 46, "conclusion": "cancelled"}, "repository": repository});
    let both = ["github/octo-org/hello.world/pipeline/46", "github/octo-org/hello.world/job/46"];
    tells(Some("workflow_run"), &run, &both).await;
    let job = json!({"action": "completed", "workflow_job": {"id": 5, "run_id": 46}, "repository": repository});
    tells(Some("workflow_job"), &job, &both).await;
    let request = json!({"action": "closed", "number": 3, "pull_request": {"number": 3}, "repository": repository});
    tells(Some("pull_request"), &request, &["github/octo-org/hello.world/merge_request/3"]).await;
}

#[tokio::test]
async fn what_names_nothing_that_could_be_asked_for_is_ignored() {
    let project = json!({"id": 7});
    for event in [
        json!({}),
        json!({"object_kind": "push", "project": project, "object_attributes": {"id": "7"}}),
        json!({"object_kind": "pipeline", "project": project}),
        json!({"object_kind": "pipeline", "object_attributes": {"id": 46}}),
        json!({"object_kind": "pipeline", "object_attributes": {"id": null}, "project": project}),
        json!({"object_kind": "pipeline", "object_attributes": {"id": 0}, "project": project}),
        json!({"object_kind": "build", "project_id": 7}),
    ] {
        tells(None, &event, &[]).await;
    }
    let repository = json!({"full_name": "octo/a"});
    tells(Some("ping"), &json!({"zen": "Keep it logically awesome.", "hook_id": 1}), &[]).await;
    tells(Some("check_run"), &json!({"workflow_run": {"id": 46}, "repository": repository}), &[]).await;
    tells(Some("workflow_run"), &json!({"workflow_run": {"id": 46}}), &[]).await;
    tells(Some("workflow_run"), &json!({"workflow_run": {"id": 46}, "repository": {"full_name": "../../a"}}), &[])
        .await;
}

#[tokio::test]
async fn who_does_not_show_the_secret_tells_nothing() {
    let world = world().await;
    let mut events = world.queue.consume(Route::CiEvents).await.unwrap();
    for token in [None, Some(""), Some("open"), Some("open sesame!"), Some("Open sesame")] {
        assert_eq!(by_gitlab(&world, token, pipeline()).await.status, StatusCode::FORBIDDEN, "{token:?}");
    }
    let body = json!({"workflow_run": {"id": 46}, "repository": {"full_name": "octo/a"}}).to_string();
    let right = signature(SECRET, &body);
    let other = signature("somebody else's", &body);
    for wrong in
        ["", "sha256=", &right[7..], &right[..70], &format!("{right}0"), &right.replace("sha256", "sha1"), &other]
    {
        assert_eq!(by_github(&world, "workflow_run", wrong, &body).await.status, StatusCode::FORBIDDEN, "{wrong}");
    }
    let changed = body.replace("46", "47");
    assert_eq!(by_github(&world, "workflow_run", &right, &changed).await.status, StatusCode::FORBIDDEN);
    // What cannot be read is read no earlier than the secret.
    assert_eq!(by_gitlab(&world, Some("open"), "{").await.status, StatusCode::FORBIDDEN);
    assert!(events.next(Duration::ZERO).await.unwrap().is_none());
    assert_eq!(by_github(&world, "workflow_run", &right, &body).await.status, StatusCode::ACCEPTED);
    assert!(events.next(Duration::ZERO).await.unwrap().is_some());
}

#[tokio::test]
async fn a_secret_is_exchanged_while_it_runs_and_without_one_nobody_is_let_in() {
    let world = world().await;
    world.write("gitlab", "another\n");
    assert_eq!(by_gitlab(&world, Some(SECRET), pipeline()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(by_gitlab(&world, Some("another"), pipeline()).await.status, StatusCode::ACCEPTED);
    for empty in ["", " \n"] {
        world.write("gitlab", empty);
        for token in [None, Some(""), Some("another")] {
            let answer = by_gitlab(&world, token, pipeline()).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{token:?}");
            assert_eq!(answer.json()["error"]["why"], "the secret cannot be read: it is empty");
        }
    }
    let world = World::empty(CONFIG).await;
    let answer = by_gitlab(&world, Some(SECRET), pipeline()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "there is no file");
    let answer = by_gitlab(&World::empty("").await, Some(SECRET), pipeline()).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["mend"]),
        (StatusCode::NOT_FOUND, &json!("set `gitlab.webhook_secret_file`"))
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let world = world().await;
    for body in ["", "{", "payload=%7B%7D", r#"{"object_kind": "pipeline", "object_attributes": {"id": "46"}}"#] {
        assert_eq!(by_gitlab(&world, Some(SECRET), body).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let form = "payload=%7B%7D";
    assert_eq!(by_github(&world, "ping", &signature(SECRET, form), form).await.status, StatusCode::BAD_REQUEST);
    let long = |bytes: usize| format!(r#"{{"object_kind": "push", "a": "{}"}}"#, "a".repeat(bytes));
    assert_eq!(by_gitlab(&world, Some(SECRET), long(2_000_000)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(by_gitlab(&world, Some(SECRET), long(2_100_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn where_the_queue_is_out_of_reach_the_sender_is_told() {
    let world = World::on("amqp://127.0.0.1:1", CONFIG).await;
    world.write("gitlab", SECRET);
    let answer = by_gitlab(&world, Some(SECRET), pipeline()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    let ignored = by_gitlab(&world, Some(SECRET), r#"{"object_kind": "push"}"#).await;
    assert_eq!(ignored.status, StatusCode::NO_CONTENT, "it is not needed");
}

/// Sixteen that never end, as an attacker would send.
#[tokio::test(start_paused = true)]
async fn a_flood_keeps_nobody_else_from_asking_and_does_not_last() {
    let world = world().await;
    let endless = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>().boxed());
    let mut flood = pin!(join_all((0..16).map(|_| by_gitlab(&world, Some(SECRET), endless()))));
    assert!(poll!(&mut flood).is_pending());
    assert_eq!(by_gitlab(&world, Some(SECRET), pipeline()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.get("/api/v1/status", "reader").await.status, StatusCode::OK);
    let begun = tokio::time::Instant::now();
    let answers = flood.await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(by_gitlab(&world, Some(SECRET), pipeline()).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_came_of_them_is_counted() {
    let world = world().await;
    by_gitlab(&world, Some(SECRET), pipeline()).await;
    by_gitlab(&world, Some(SECRET), pipeline()).await;
    by_gitlab(&world, Some(SECRET), "{}").await;
    by_gitlab(&world, None, pipeline()).await;
    world.write("github", "");
    by_github(&world, "ping", "", "{}").await;
    let metrics = world.liveness.metrics(Format::Classic);
    for (system, outcome, count) in
        [("gitlab", "accepted", 2), ("gitlab", "ignored", 1), ("gitlab", "refused", 1), ("github", "failed", 1)]
    {
        let line = format!("namespace_manager_hooks_total{{system=\"{system}\",outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn no_answer_holds_a_secret() {
    let world = world().await;
    for body in [pipeline(), "{".to_owned()] {
        for token in [SECRET, "open"] {
            let answer = by_gitlab(&world, Some(token), body.clone()).await;
            assert!(!answer.text().contains(SECRET), "{}", answer.text());
        }
    }
}
