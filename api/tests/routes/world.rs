//! An API on a store with one namespace in it.

use std::{fs, sync::Arc};

use api::Api;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use common::{
    clock::Clock,
    config::Source,
    context::Context,
    http_client::HttpClient,
    liveness::Liveness,
    queue::{self, SharedQueue},
    store::{self, SharedStore},
};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use lifecycle::{Entry, Record, Uid};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::{apiserver::Apiserver, page};

pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) queue: SharedQueue,
    pub(crate) apiserver: Apiserver,
    pub(crate) liveness: Liveness,
    router: Router,
    directory: TempDir,
}

pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
}

impl World {
    /// With the namespace `ci-42`, uid `u1`, adopted and then stale.
    pub(crate) async fn new(config: &str) -> Self {
        let world = Self::empty(config).await;
        world.tell("ci-42", "u1").await;
        world
    }

    /// In `config`, `DIRECTORY` is the one that [`World::write`] writes to.
    pub(crate) async fn empty(config: &str) -> Self {
        Self::on("memory:", config).await
    }

    pub(crate) async fn on(queue: &str, config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = config.replace("DIRECTORY", directory.path().to_str().unwrap());
        let path = directory.path().join("nsm.yaml");
        fs::write(&path, format!("{config}\npolicies: [{{name: ci, match: {{names: [\"ci-.*\"]}}, ttl: 4h, checks: {{pipeline: off}}}}]\n"))
            .unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let settings = Source::new(Some(path), [("NSM__STORE__URL".to_owned(), url.clone())]).load().unwrap();
        let (store, apiserver) = (store::open(&url).await.unwrap(), Apiserver::default());
        let (queue, liveness) = (queue::open(queue).await.unwrap(), Liveness::default());
        let clock = Clock::from_fn(now);
        // The sender may go: what it said last stays.
        let (_, settings) = watch::channel(Arc::new(settings));
        let context = Context {
            store: store.clone(),
            queue: queue.clone(),
            cluster: apiserver.cluster(),
            clock,
            http: HttpClient::system(),
            liveness: liveness.clone(),
            settings,
            instance: "a".to_owned(),
        };
        let router = api::router(Api::from(&context));
        Self { store, queue, apiserver, liveness, router, directory }
    }

    /// Writes a file that the configuration may name.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        now()
    }

    /// Writes a history of two entries and its snapshot.
    pub(crate) async fn tell(&self, name: &str, uid: &str) {
        let at = "2026-08-17T08:00:00Z";
        let adopted = json!({
            "policy": "ci", "policy_hash": "h", "mode": "enforce", "created": at, "ci": [],
            "deadline": {"at": "2026-08-17T12:00:00Z", "by": {"source": "ttl", "text": "4h"}},
        });
        let stale = json!({
            "from": "unknown", "to": "stale", "reason": "it is old", "finalize_at": null,
            "evidence": [{"truth": "true", "reason": "it is old", "observed_at": at}],
        });
        let entry = |seq: u64, kind: &str, data: Value| -> Entry {
            let token = format!("t{seq}");
            let entry = json!({"uid": uid, "seq": seq, "at": at, "actor": "collector/a", "name": name, "token": token,
                "kind": kind, "data": data});
            serde_json::from_value(entry).unwrap()
        };
        let history = [entry(1, "Adopted", adopted), entry(2, "StatusChanged", stale)];
        for entry in &history {
            self.store.append(entry).await.unwrap();
        }
        self.store.put_snapshot(&Record::of(Uid::new(uid), &history)).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answered {
        self.ask(Method::GET, path, Some(token), "").await
    }

    /// Asks, and holds the answer to the page.
    pub(crate) async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> Answered {
        let bearer = token.map(|token| ("authorization", format!("Bearer {token}")));
        let headers: Vec<_> = bearer.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.send(method, path, &headers, Body::from(body.to_owned())).await
    }

    /// Sends a request with these headers, and holds the answer to the page.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answered {
        let mut request = Request::builder().method(&method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        let answered = Answered { status, headers, body };
        page::holds(&method, path, &answered);
        answered
    }
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn now() -> Timestamp {
    "2026-08-17T13:00:00Z".parse().unwrap()
}
