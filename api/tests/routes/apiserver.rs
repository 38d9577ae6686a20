//! An apiserver that is told whose tokens are whose.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::http::{Request, Response, StatusCode};
use common::cluster::Cluster;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

#[derive(Clone, Debug, Default)]
pub(crate) struct Apiserver(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    away: AtomicBool,
    asked: AtomicUsize,
}

impl Apiserver {
    /// Whether it answers nothing but 503.
    pub(crate) fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    /// How many reviews it was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn cluster(&self) -> Cluster {
        let apiserver = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let apiserver = apiserver.clone();
            async move { Ok::<_, Infallible>(apiserver.answer(request).await) }
        });
        Cluster::through(service)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let review = path.ends_with("reviews");
        if review {
            self.0.asked.fetch_add(1, Ordering::SeqCst);
        }
        let failure = |code: u16, reason: &str| {
            (code, json!({"kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": code}))
        };
        let (code, answer) = match () {
            () if self.0.away.load(Ordering::SeqCst) => failure(503, "ServiceUnavailable"),
            () if path.ends_with("/tokenreviews") => (201, reviewed(asked, token)),
            () if path.ends_with("/subjectaccessreviews") => (201, reviewed(asked, access)),
            () => failure(404, "NotFound"),
        };
        Response::builder()
            .status(StatusCode::from_u16(code).unwrap())
            .body(Body::from(serde_json::to_vec(&answer).unwrap()))
            .unwrap()
    }
}

fn reviewed(mut review: Value, status: fn(&Value) -> Value) -> Value {
    review["status"] = status(&review["spec"]);
    review["metadata"] = json!({});
    review
}

fn token(spec: &Value) -> Value {
    assert_eq!(spec["audiences"].as_array().unwrap().len(), 1, "{spec}");
    let known = |name: &str, audience: &str| json!({"authenticated": true, "audiences": [audience], "user": {"username": name, "groups": ["people"]}});
    match spec["token"].as_str().unwrap() {
        "operator" => known("jane", "namespace-manager"),
        "reader" => known("bob", "namespace-manager"),
        "stranger" => known("eve", "namespace-manager"),
        // As an apiserver answers that knows nothing of audiences.
        "for-others" => known("bob", "somebody-else"),
        _ => json!({"authenticated": false, "error": "invalid bearer token"}),
    }
}

fn access(spec: &Value) -> Value {
    assert_eq!(spec["groups"], json!(["people"]));
    let asked = &spec["resourceAttributes"];
    assert_eq!(asked["group"], "namespace-manager.io");
    let allowed = match spec["user"].as_str().unwrap() {
        "jane" => true,
        "bob" => asked["resource"] != "controls",
        _ => false,
    };
    json!({"allowed": allowed})
}
