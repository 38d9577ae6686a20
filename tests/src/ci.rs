//! A CI system on loopback that answers as its documentation says, or as wrong as it is told.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A CI system with projects that are public, and pipelines that are not. It answers until it is dropped.
///
/// Unless more is told of them ([`CiServer::tell`]), each pipeline is of a branch of its own, and was created when the server
/// started; each job is of a pipeline of its own, is called `deploy`, and never says when it began.
#[derive(Debug)]
pub struct CiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

/// What a CI system tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Pipeline,
    Request,
    Job,
}

/// The commit of every job.
const COMMIT: &str = "a91957a858320c0e17f3a0eca7cfacbff50ea29a";

/// What a list is asked for.
type Parameters = BTreeMap<String, String>;

/// What is wrong with a CI system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer of this status, as JSON.
    Status(u16),
    /// 429, and the value of `Retry-After`.
    TooMany(String),
    /// 403, for what is allowed in an hour is used up; the seconds until the next begins.
    UsedUp(i64),
    /// It takes the request, and says nothing.
    Stall,
    /// A page for people of this status, as a proxy or a login gives.
    Page(u16),
    /// Half of the answer.
    Half,
    /// The answer about another pipeline.
    Other,
    /// An answer of 3 MiB.
    Huge,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    /// It was asked whether anything changed.
    pub is_conditional: bool,
    /// What was answered; none: nothing.
    pub status: Option<u16>,
}

#[derive(Debug)]
struct Shared {
    kind: Kind,
    token: String,
    /// When it started.
    since: String,
    known: Mutex<Known>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Gitlab,
    Github,
}

#[derive(Debug, Default)]
struct Known {
    projects: BTreeSet<String>,
    /// Projects whose pipelines the token may not see.
    closed: BTreeSet<String>,
    /// The status of each pipeline, by project and id.
    pipelines: BTreeMap<(String, u64), String>,
    /// The state of each merge request, likewise.
    requests: BTreeMap<(String, u64), String>,
    /// What each job ran for, likewise: a branch, or `refs/merge-requests/IID/head`.
    jobs: BTreeMap<(String, u64), String>,
    /// What else is answered of each of them.
    more: BTreeMap<(What, String, u64), Map<String, Value>>,
    fault: Option<Fault>,
    asked: Vec<Asked>,
}

impl CiServer {
    /// Starts a GitLab that takes this token. Its projects are numbers.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn gitlab(token: &str) -> Result<Self> {
        Self::start(Kind::Gitlab, token).await
    }

    /// Starts a GitHub that takes this token. Its projects are repositories, `owner/name`, and its pipelines runs, whose
    /// status is their conclusion where they have one.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn github(token: &str) -> Result<Self> {
        Self::start(Kind::Github, token).await
    }

    async fn start(kind: Kind, token: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on a port")?;
        let address = listener.local_addr()?;
        let since = jiff::Timestamp::now().to_string();
        let shared = Arc::new(Shared { kind, token: token.to_owned(), since, known: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // It ends when it is dropped, and not before.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, _serving: serving })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A pipeline of a project has this status from now on.
    pub fn set(&self, project: &str, pipeline: u64, status: &str) {
        let mut known = self.known();
        known.projects.insert(project.to_owned());
        known.pipelines.insert((project.to_owned(), pipeline), status.to_owned());
    }

    /// A merge request of a project has this state from now on: `opened` (or `open`), `merged`, `closed`.
    pub fn set_request(&self, project: &str, number: u64, state: &str) {
        let mut known = self.known();
        known.projects.insert(project.to_owned());
        known.requests.insert((project.to_owned(), number), state.to_owned());
    }

    /// A job of a project (of GitHub a run) ran for this branch.
    pub fn set_job(&self, project: &str, job: u64, branch: &str) {
        let mut known = self.known();
        known.projects.insert(project.to_owned());
        known.jobs.insert((project.to_owned(), job), branch.to_owned());
    }

    /// These fields of what is answered of something are so from now on, in its lists too: as the documentation of the CI
    /// system calls them.
    ///
    /// # Panics
    /// `more` is no object.
    pub fn tell(&self, what: What, project: &str, id: u64, more: &Value) {
        let more = more.as_object().expect("fields are told by an object").clone();
        self.known().more.entry((what, project.to_owned(), id)).or_default().extend(more);
    }

    /// A job is deleted.
    pub fn remove_job(&self, project: &str, job: u64) {
        self.known().jobs.remove(&(project.to_owned(), job));
    }

    /// A pipeline is deleted.
    pub fn remove(&self, project: &str, pipeline: u64) {
        self.known().pipelines.remove(&(project.to_owned(), pipeline));
    }

    /// A project is deleted, with all its pipelines.
    pub fn remove_project(&self, project: &str) {
        let mut known = self.known();
        known.projects.remove(project);
        known.pipelines.retain(|(of, _), _| of != project);
        known.requests.retain(|(of, _), _| of != project);
        known.jobs.retain(|(of, _), _| of != project);
    }

    /// Whether the token may see the pipelines of a project.
    pub fn close(&self, project: &str, is_closed: bool) {
        if is_closed {
            self.known().closed.insert(project.to_owned());
        } else {
            self.known().closed.remove(project);
        }
    }

    /// Whatever is asked goes wrong so from now on; `None`: nothing does.
    pub fn fail(&self, fault: Option<Fault>) {
        self.known().fault = fault;
    }

    /// Every request so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.known().asked.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.known()
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the documented API answers.
    fn documented(&self, path: &str, query: &Parameters, headers: &HeaderMap) -> (StatusCode, Value) {
        match self.kind {
            Kind::Gitlab => self.as_gitlab(path, query, headers),
            Kind::Github => self.as_github(path, query, headers),
        }
    }

    fn as_github(&self, path: &str, query: &Parameters, headers: &HeaderMap) -> (StatusCode, Value) {
        let refused = |status: StatusCode, what: &str| {
            (status, json!({"message": what, "documentation_url": "https://docs.github.com/rest"}))
        };
        let token = headers.get(header::AUTHORIZATION).and_then(|token| token.to_str().ok()?.strip_prefix("Bearer "));
        if token != Some(self.token.as_str()) {
            return refused(StatusCode::UNAUTHORIZED, "Bad credentials");
        }
        let known = self.known();
        let parts: Vec<_> = path.trim_start_matches("/repos/").split('/').collect();
        let (repository, rest) = match parts[..] {
            [owner, name, ref rest @ ..] => (format!("{owner}/{name}"), rest),
            _ => return refused(StatusCode::NOT_FOUND, "Not Found"),
        };
        let of = json!({"id": 1_296_269, "full_name": repository});
        match rest {
            _ if !known.projects.contains(&repository) => refused(StatusCode::NOT_FOUND, "Not Found"),
            [] => (StatusCode::OK, of),
            ["actions", "runs", _] if known.closed.contains(&repository) => {
                refused(StatusCode::FORBIDDEN, "Resource not accessible by personal access token")
            }
            ["pulls", number] => {
                let number = number.parse().unwrap_or_default();
                let Some(state) = known.requests.get(&(repository.clone(), number)) else {
                    return refused(StatusCode::NOT_FOUND, "Not Found");
                };
                let (state, merged) = if state == "merged" { ("closed", true) } else { (state.as_str(), false) };
                let head = json!({"ref": format!("feature/{number}"), "repo": of});
                let pull =
                    json!({"number": number, "state": state, "merged": merged, "base": {"repo": of}, "head": head});
                (StatusCode::OK, known.with_more(What::Request, &repository, number, pull))
            }
            ["actions", "workflows", workflow, "runs"] => {
                let all = known.pipelines.keys().filter(|(of, _)| *of == repository);
                let all = all.map(|(_, id)| self.run(&known, &repository, *id, &of));
                let is_asked = |run: &Value| {
                    run["workflow_id"].as_u64() == workflow.parse().ok()
                        && query.get("branch").is_none_or(|branch| run["head_branch"] == **branch)
                };
                let mut all: Vec<_> = all.flatten().filter(is_asked).collect();
                all.sort_by_key(|run| std::cmp::Reverse(run["id"].as_u64()));
                (StatusCode::OK, json!({"total_count": all.len(), "workflow_runs": all}))
            }
            ["actions", "runs", id] => {
                let id = id.parse().unwrap_or_default();
                match self.run(&known, &repository, id, &of) {
                    Some(run) => (StatusCode::OK, run),
                    None => refused(StatusCode::NOT_FOUND, "Not Found"),
                }
            }
            _ => refused(StatusCode::NOT_FOUND, "Not Found"),
        }
    }

    /// A workflow run, which is a job too; `None`: there is none.
    fn run(&self, known: &Known, repository: &str, id: u64, of: &Value) -> Option<Value> {
        let key = (repository.to_owned(), id);
        let branch = known.jobs.get(&key);
        let ran = "success".to_owned();
        let status = known.pipelines.get(&key).or(branch.map(|_| &ran))?;
        let is_over = !["queued", "in_progress", "waiting"].contains(&status.as_str());
        let conclusion = is_over.then_some(status);
        let status = if is_over { "completed" } else { status };
        let own = format!("feature/{id}");
        let run = json!({
            "id": id, "status": status, "conclusion": conclusion, "repository": of, "head_repository": of,
            "head_branch": branch.unwrap_or(&own), "head_sha": COMMIT, "pull_requests": [], "workflow_id": 159_038,
            "created_at": self.since, "run_started_at": self.since, "updated_at": self.since, "event": "push",
        });
        Some(known.with_more(What::Pipeline, repository, id, run))
    }

    /// A pipeline of GitLab; `None`: there is none.
    fn pipeline(&self, known: &Known, project: &str, id: u64) -> Option<Value> {
        let status = known.pipelines.get(&(project.to_owned(), id))?;
        let page = format!("http://gitlab.example.org/group/app-{project}/-/pipelines/{id}");
        let of: u64 = project.parse().unwrap_or_default();
        let pipeline = json!({
            "id": id, "iid": 1, "project_id": of, "status": status, "web_url": page, "ref": format!("feature/{id}"),
            "tag": false, "source": "push", "created_at": self.since, "updated_at": self.since,
        });
        Some(known.with_more(What::Pipeline, project, id, pipeline))
    }

    /// The pipelines of a project of which this is so, the newest first.
    fn pipelines(&self, known: &Known, project: &str, is_asked: impl Fn(&Value) -> bool) -> Value {
        let all = known.pipelines.keys().rev().filter(|(of, _)| of == project);
        all.filter_map(|(_, id)| self.pipeline(known, project, *id)).filter(is_asked).take(100).collect()
    }

    fn as_gitlab(&self, path: &str, query: &Parameters, headers: &HeaderMap) -> (StatusCode, Value) {
        let refused =
            |status: StatusCode, what: &str| (status, json!({"message": format!("{} {what}", status.as_u16())}));
        let token = headers.get("private-token").map(|token| token.to_str().unwrap_or("?"));
        let is_known = match token {
            // Nobody in particular, who sees what is public.
            None | Some("") => false,
            Some(token) if token == self.token => true,
            Some(_) => return refused(StatusCode::UNAUTHORIZED, "Unauthorized"),
        };
        let known = self.known();
        let parts: Vec<_> = path.trim_start_matches("/api/v4/projects/").split('/').collect();
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        match parts[..] {
            [project, ..] if !known.projects.contains(project) => refused(StatusCode::NOT_FOUND, "Project Not Found"),
            [project] => {
                let path = format!("group/app-{project}");
                (StatusCode::OK, json!({"id": number(project), "path_with_namespace": path, "visibility": "public"}))
            }
            [_, "pipelines" | "jobs", _] if !is_known => refused(StatusCode::NOT_FOUND, "Not found"),
            [project, "pipelines" | "jobs", _] if known.closed.contains(project) => {
                refused(StatusCode::FORBIDDEN, "Forbidden")
            }
            [_, "pipelines"] | [_, "merge_requests", _, "pipelines"] if !is_known => {
                refused(StatusCode::NOT_FOUND, "Not found")
            }
            [project, "pipelines"] => {
                let is_asked = |pipeline: &Value| {
                    let is_child = pipeline["source"] == "parent_pipeline";
                    query.get("ref").is_none_or(|wanted| pipeline["ref"] == **wanted)
                        && query.get("source").map_or(!is_child, |source| pipeline["source"] == **source)
                };
                (StatusCode::OK, self.pipelines(&known, project, is_asked))
            }
            [project, "merge_requests", iid, "pipelines"] => {
                let of = format!("refs/merge-requests/{iid}/");
                let is_asked = |pipeline: &Value| pipeline["ref"].as_str().is_some_and(|name| name.starts_with(&of));
                (StatusCode::OK, self.pipelines(&known, project, is_asked))
            }
            [project, "pipelines", id] => match self.pipeline(&known, project, number(id)) {
                None => refused(StatusCode::NOT_FOUND, "Not found"),
                Some(pipeline) => (StatusCode::OK, pipeline),
            },
            [project, "jobs", id] => match known.jobs.get(&(project.to_owned(), number(id))) {
                None => refused(StatusCode::NOT_FOUND, "Not found"),
                Some(branch) => {
                    let page = format!("http://gitlab.example.org/group/app-{project}/-/jobs/{id}");
                    let (id, of) = (number(id), number(project));
                    let pipeline =
                        json!({"id": 1_000 + id, "project_id": of, "ref": branch, "sha": COMMIT, "source": "push"});
                    let job = json!({
                        "id": id, "name": "deploy", "status": "success", "ref": branch, "tag": false,
                        "commit": {"id": COMMIT}, "pipeline": pipeline, "web_url": page, "started_at": null,
                    });
                    (StatusCode::OK, known.with_more(What::Job, project, id, job))
                }
            },
            [project, "merge_requests", iid] => match known.requests.get(&(project.to_owned(), number(iid))) {
                None => refused(StatusCode::NOT_FOUND, "Not found"),
                Some(state) => {
                    let page = format!("http://gitlab.example.org/group/app-{project}/-/merge_requests/{iid}");
                    let (iid, of) = (number(iid), number(project));
                    let request = json!({
                        "id": 9, "iid": iid, "project_id": of, "state": state, "web_url": page,
                        "source_branch": format!("feature/{iid}"), "source_project_id": of,
                    });
                    (StatusCode::OK, known.with_more(What::Request, project, iid, request))
                }
            },
            _ => refused(StatusCode::NOT_FOUND, "Not Found"),
        }
    }
}

impl Known {
    /// An answer, with what else was told of it.
    fn with_more(&self, what: What, project: &str, id: u64, mut answer: Value) -> Value {
        if let (Some(more), Some(answer)) = (self.more.get(&(what, project.to_owned(), id)), answer.as_object_mut()) {
            answer.extend(more.clone());
        }
        answer
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let query = Query::<Parameters>::try_from_uri(request.uri()).map(|Query(all)| all).unwrap_or_default();
    let fault = shared.known().fault.clone();
    let tag = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let asked = Asked { path: path.clone(), is_conditional: tag.is_some(), status: None };
    if fault == Some(Fault::Stall) {
        shared.known().asked.push(asked);
        return std::future::pending().await;
    }
    let (status, body) = shared.documented(&path, &query, &headers);
    let response = respond(fault, status, &body, tag.as_deref());
    shared.known().asked.push(Asked { status: Some(response.status().as_u16()), ..asked });
    response
}

fn respond(fault: Option<Fault>, status: StatusCode, body: &Value, tag: Option<&str>) -> Response {
    let code = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [(header::CONTENT_TYPE, "application/json")];
    match fault {
        Some(Fault::Status(status)) => {
            (code(status), kind, json!({"message": "it is ill"}).to_string()).into_response()
        }
        Some(Fault::TooMany(after)) => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after)], "Retry later\n").into_response()
        }
        Some(Fault::UsedUp(seconds)) => {
            let now = jiff::Timestamp::now();
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
            let reset = (now.as_second() + seconds).to_string();
            let headers = [("date", date), ("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset)];
            (StatusCode::FORBIDDEN, headers, json!({"message": "API rate limit exceeded"}).to_string()).into_response()
        }
        Some(Fault::Page(status)) => (code(status), Html("<html>Sign in</html>")).into_response(),
        Some(Fault::Half) => {
            let body = body.to_string();
            (status, kind, body[..body.len() / 2].to_owned()).into_response()
        }
        Some(Fault::Other) => {
            let mut other = body.clone();
            if let Some(other) = other.as_object_mut() {
                other.insert("id".to_owned(), json!(1));
            }
            (status, kind, other.to_string()).into_response()
        }
        Some(Fault::Huge) => (status, kind, " ".repeat(3 << 20)).into_response(),
        Some(Fault::Stall) | None => {
            let mut hasher = DefaultHasher::new();
            body.to_string().hash(&mut hasher);
            let own = format!("W/\"{:x}\"", hasher.finish());
            let tagged = [(header::ETAG, own.clone())];
            if status == StatusCode::OK && tag == Some(own.as_str()) {
                return (StatusCode::NOT_MODIFIED, tagged).into_response();
            }
            (status, tagged, kind, body.to_string()).into_response()
        }
    }
}
