//! An apiserver that knows one namespace, without TLS, and the kubeconfigs that lead there.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use axum::{
    Json, Router,
    http::{Method, StatusCode},
    routing::any,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::world::World;

/// Serves until it is dropped.
pub(crate) struct Apiserver {
    pub(crate) port: u16,
    _serving: JoinSet<()>,
}

impl Apiserver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let routes = Router::new().route("/api/v1/namespaces/ci-42", any(namespace)).fallback(async || {
            (StatusCode::NOT_FOUND, Json(json!({"kind": "Status", "code": 404, "reason": "NotFound"})))
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { port, _serving: serving }
    }

    /// Writes the kubeconfig of a world: the apiserver by this name, and more about the cluster and the user.
    pub(crate) fn kubeconfig(&self, world: &World, host: &str, mut cluster: Value, user: Value) -> PathBuf {
        cluster["server"] = format!("http://{host}:{}", self.port).into();
        let kubeconfig = json!({
            "clusters": [{"name": "a", "cluster": cluster}],
            "users": [{"name": "a", "user": user}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        });
        let path = world.path("kubeconfig");
        fs::write(&path, kubeconfig.to_string()).unwrap();
        path
    }
}

async fn namespace(method: Method, body: String) -> Json<Value> {
    let mut metadata = json!({
        "name": "ci-42", "uid": "u1", "resourceVersion": "5", "creationTimestamp": "2020-01-01T00:00:00Z",
        "labels": {"cicd.skao.int/projectId": "7", "cicd.skao.int/pipelineId": "300"},
    });
    if method == Method::PATCH {
        let patch: Value = serde_json::from_str(&body).unwrap();
        metadata["annotations"] = patch["metadata"]["annotations"].clone();
    }
    Json(json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}))
}
