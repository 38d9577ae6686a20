//! The way to the apiserver: HTTP without a socket, as a service under the client that the product uses.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::body::{Body as Page, Bytes};
use common::cluster::Cluster;
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response, header};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{Edge, Error, Fate};
use crate::{
    apiserver::{Answer, No, no},
    chance::Dice,
    invariants::Sent,
    scenario::{Moment, Way, When},
    world::{Who, World},
};

/// Why no answer came.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// How many objects a page holds, whatever the client asks for: an apiserver may give fewer.
const PAGE: usize = 2;

/// A cluster as this process reaches it.
pub(crate) fn cluster(edge: Edge) -> Cluster {
    Cluster::through(tower::service_fn(move |request: Request<Body>| {
        let edge = edge.clone();
        async move { carry(&edge, request).await }
    }))
}

/// A request, taken apart.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Value,
}

async fn carry(edge: &Edge, request: Request<Body>) -> Result<Response<Page>, Broken> {
    let asked = take_apart(request).await?;
    let world = &edge.world;
    let is_delete = asked.method == Method::DELETE;
    let handed = Sent { who: edge.who, at: world.elapsed() };
    let changes = asked.method != Method::GET;
    let (fate, number) = edge.set_out(Way::Apiserver, &asked.what(), changes).await;
    if is_delete {
        world.count("DELETE sent");
    }
    let answer = match fate {
        Fate::Fine => answer(world, handed, &asked),
        Fate::Refused => Err("connection refused".into()),
        Fate::Answered(error) => refusal(world, error),
        Fate::Lost => answer(world, handed, &asked).and_then(|_| Err("connection cut".into())),
        Fate::Garbled => {
            answer(world, handed, &asked)?;
            plain(world, 504, "text/plain", "upstream timed out".to_owned())
        }
        Fate::Late(by) => {
            let (world, asked) = (world.clone(), asked.clone());
            edge.world.tasks.spawn(async move {
                sleep(by).await;
                drop(answer(&world, handed, &asked));
            });
            std::future::pending().await
        }
        Fate::Hangs => std::future::pending().await,
    };
    edge.came_back(number).await;
    if asked.is_watch() && fate == Fate::Fine { watch(edge, &asked, number) } else { answer }
}

async fn take_apart(request: Request<Body>) -> Result<Asked, Broken> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await?;
    let query = parts.uri.query().unwrap_or_default();
    let query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
    Ok(Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: query.collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn is_event(&self) -> bool {
        self.path.starts_with("/apis/events.k8s.io/")
    }

    fn is_watch(&self) -> bool {
        self.parameter("watch").is_some()
    }

    /// The namespace it is about.
    fn name(&self) -> Option<&str> {
        self.path.strip_prefix("/api/v1/namespaces/")
    }

    fn what(&self) -> String {
        let watch = if self.is_watch() { " (watch)" } else { "" };
        format!("{} {}{watch}", self.method, self.path)
    }

    /// The keys of the annotations a PATCH writes.
    fn annotates(&self, end: &str) -> bool {
        self.method == Method::PATCH
            && self.body["metadata"]["annotations"]
                .as_object()
                .is_some_and(|all| all.keys().any(|key| key.ends_with(end)))
    }
}

/// What a live apiserver does and says.
fn answer(world: &Arc<World>, sent: Sent, asked: &Asked) -> Result<Response<Page>, Broken> {
    let moment = match asked.method {
        Method::DELETE => Some(Moment::Delete),
        Method::PATCH if asked.annotates("/fence") => Some(Moment::Fence),
        Method::PATCH if asked.name().is_some() => Some(Moment::Annotate),
        Method::GET if asked.name().is_some() => Some(Moment::Look),
        _ => None,
    };
    let about = asked.name().unwrap_or_default();
    if let Some(moment) = moment {
        world.step(moment, about, When::Before);
    }
    let outcome = act(world, sent, asked);
    if let (Some(name), true) = (asked.name(), asked.method != Method::GET) {
        let said = match &outcome {
            Ok(_) => "200".to_owned(),
            Err(no) => format!("{} {}", no.code, no.message),
        };
        world.tell(&sent.who.name(), &format!("{} `{name}` {}: {said}", asked.method, asked.body));
    }
    world.changed.notify_waiters();
    if let Some(moment) = moment {
        world.step(moment, about, When::After);
    }
    match outcome {
        Ok(value) => plain(world, 200, "application/json", value.to_string()),
        Err(No { code, reason, message, field }) => {
            let mut status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
            });
            if let Some(field) = field {
                status["details"] =
                    json!({ "causes": [{ "reason": "FieldValueInvalid", "message": message, "field": field }] });
            }
            plain(world, code, "application/json", status.to_string())
        }
    }
}

fn act(world: &Arc<World>, sent: Sent, asked: &Asked) -> Answer<Value> {
    if asked.path == "/version" {
        return Ok(json!({
            "major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "", "gitTreeState": "", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        }));
    }
    if asked.is_event() {
        world.count("Event written");
        return Ok(asked.body.clone());
    }
    if asked.path == "/api/v1/namespaces" {
        return if asked.is_watch() { Ok(Value::Null) } else { list(world, asked) };
    }
    let name = asked.name().ok_or_else(|| no(404, "NotFound", "there is no such path".to_owned()))?;
    match asked.method {
        Method::GET => world.cluster().get(name).map(crate::apiserver::Object::json),
        Method::PATCH => {
            let patched = world.cluster().patch(name, &asked.body)?;
            world.judge().patched(world, &patched, &asked.body);
            Ok(patched.json())
        }
        Method::DELETE => delete(world, sent, name, &asked.body),
        _ => Err(no(405, "MethodNotAllowed", "this apiserver does no such thing".to_owned())),
    }
}

fn delete(world: &Arc<World>, sent: Sent, name: &str, body: &Value) -> Answer<Value> {
    let before = world.cluster().get(name).cloned();
    let preconditions = &body["preconditions"];
    let (uid, version) = (preconditions["uid"].as_str(), preconditions["resourceVersion"].as_str());
    let deleted = world.cluster().delete(name, uid, version, world.now())?;
    world.count("DELETE accepted");
    if let (Ok(before), Who::Machine(_)) = (before, sent.who) {
        world.judge().deletion(world, sent, &before, uid, version);
    }
    crate::users::finish_later(world, deleted.uid.clone());
    // Whatever else is asked for, a deletion is answered with the whole object: read as anything else, it would prove
    // nothing, and each would have to be fenced.
    let mut whole = deleted.json();
    (whole["apiVersion"], whole["kind"]) = (json!("v1"), json!("Namespace"));
    Ok(whole)
}

/// One page of a list, as of the version that its first page was read at.
fn list(world: &World, asked: &Asked) -> Answer<Value> {
    let cluster = world.cluster();
    let after = asked.parameter("continue");
    let (version, name) = match after.map(|token| token.split_once('.')) {
        None => (cluster.version(), ""),
        Some(Some((version, name))) => (version.parse().unwrap_or(0), name),
        Some(None) => return Err(no(400, "BadRequest", "continue key is not valid".to_owned())),
    };
    if version < cluster.compacted || version != cluster.version() && after.is_some() {
        // This apiserver keeps no older state than the newest: the client begins anew.
        return Err(no(410, "Expired", "The provided continue parameter is too old".to_owned()));
    }
    let rest: Vec<_> = cluster.all().filter(|object| object.name.as_str() > name).collect();
    let page: Vec<_> = rest.iter().take(PAGE).map(|object| object.json()).collect();
    let next = (rest.len() > PAGE).then(|| format!("{version}.{}", rest[PAGE - 1].name));
    Ok(json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadataList",
        "metadata": { "resourceVersion": version.to_string(), "continue": next },
        "items": page,
    }))
}

/// A watch: what happened since, and what happens, until it ends, is cut, or dies in silence.
fn watch(edge: &Edge, asked: &Asked, number: u64) -> Result<Response<Page>, Broken> {
    let world = edge.world.clone();
    let from: u64 = asked.parameter("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut dice = Dice::new(world.scenario.seed, ("watch", number));
    let lasts = asked.parameter("timeoutSeconds").and_then(|text| text.parse().ok());
    let lasts = Duration::from_secs(lasts.ok_or("a watch says how long it lasts")?);
    let rate = world.rate(Way::Apiserver);
    let cut_after = dice.happens(rate).then(|| dice.below(6));
    let silent_after = dice.happens(rate / 2).then(|| dice.below(6));
    let state = Watching {
        edge: edge.clone(),
        from,
        pending: VecDeque::new(),
        ends: Instant::now() + lasts,
        told: 0,
        cut_after,
        silent_after,
        over: false,
    };
    let lines = stream::unfold(state, |mut state| async move {
        let line = state.next().await?;
        Some((line.map(Bytes::from), state))
    });
    Ok(respond(&world, 200, "application/json", Page::from_stream(lines.boxed())))
}

struct Watching {
    edge: Edge,
    from: u64,
    pending: VecDeque<String>,
    ends: Instant,
    told: u64,
    cut_after: Option<u64>,
    silent_after: Option<u64>,
    over: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<Result<String, Broken>> {
        if self.over {
            return None;
        }
        let world = self.edge.world.clone();
        loop {
            self.edge.live().await;
            if self.silent_after == Some(self.told) && !world.is_calm() {
                world.count("fault: watch silent");
                std::future::pending::<()>().await;
            }
            if self.cut_after == Some(self.told) && !world.is_calm() {
                world.count("fault: watch cut");
                self.over = true;
                return Some(Err("the watch was cut".into()));
            }
            if let Some(line) = self.pending.pop_front() {
                self.told += 1;
                return Some(Ok(line));
            }
            if let Some(until) = world.lags_until() {
                sleep_until(until.min(self.ends)).await;
            }
            let news = {
                let cluster = world.cluster();
                if self.from < cluster.compacted {
                    world.count("fault: watch expired (410)");
                    self.over = true;
                    return Some(Ok(expired()));
                }
                let since = cluster.events.iter().filter(|event| event.version > self.from);
                let lines =
                    since.map(|event| format!("{}\n", json!({ "type": event.kind, "object": event.object.json() })));
                let lines: VecDeque<_> = lines.collect();
                self.from = cluster.version();
                lines
            };
            if news.is_empty() {
                let changed = world.changed.notified();
                if timeout_at(self.ends, changed).await.is_err() {
                    return None;
                }
                // News travel a little while.
                sleep(Duration::from_millis(5)).await;
            }
            self.pending = news;
        }
    }
}

fn expired() -> String {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
        "message": "too old resource version",
    });
    format!("{}\n", json!({ "type": "ERROR", "object": status }))
}

fn refusal(world: &World, error: Error) -> Result<Response<Page>, Broken> {
    let status = |code: u16, reason: &str| {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason,
        });
        plain(world, code, "application/json", status.to_string())
    };
    match error {
        Error::TooMany => plain(world, 429, "text/plain", "Too many requests, please try again later.".to_owned()),
        Error::Internal => status(500, "InternalError"),
        Error::Forbidden => status(403, "Forbidden"),
        Error::Page => plain(world, 404, "text/html", "<html>not here</html>".to_owned()),
        Error::Malformed => status(400, "BadRequest"),
    }
}

pub(super) fn plain(world: &World, code: u16, kind: &str, text: String) -> Result<Response<Page>, Broken> {
    Ok(respond(world, code, kind, Page::from(text)))
}

pub(super) fn respond(world: &World, code: u16, kind: &str, body: Page) -> Response<Page> {
    let date = world.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer =
        Response::builder().status(code).header(header::CONTENT_TYPE, kind).header(header::DATE, date).body(body);
    answer.expect("a status, two headers and a body are a response")
}
