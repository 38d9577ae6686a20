//! The way to another cluster, of which the store knows nothing.

use std::time::Duration;

use axum::body::Body as Page;
use common::cluster::Cluster;
use futures::stream;
use http::{Method, Request, Response, Uri};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Edge,
    network::{Broken, plain, respond},
};

/// What an answer takes.
const LATENCY: Duration = Duration::from_millis(7);

/// The other cluster as this process reaches it. It answers at once, and has nothing in it but what each has.
pub(crate) fn cluster(edge: Edge) -> Cluster {
    Cluster::through(tower::service_fn(move |request: Request<Body>| {
        let edge = edge.clone();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        async move { carry(&edge, &method, &uri).await }
    }))
}

async fn carry(edge: &Edge, method: &Method, uri: &Uri) -> Result<Response<Page>, Broken> {
    edge.live().await;
    sleep(LATENCY).await;
    edge.live().await;
    let (world, path) = (&edge.world, uri.path());
    let is_watch = uri.query().is_some_and(|query| query.contains("watch="));
    let answer = match path {
        "/api/v1/namespaces" if is_watch => {
            let silence = Page::from_stream(stream::pending::<Result<String, Broken>>());
            return Ok(respond(world, 200, "application/json", silence));
        }
        "/api/v1/namespaces" => json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": { "resourceVersion": "1" }, "items": [system()],
        }),
        "/api/v1/namespaces/kube-system" => system(),
        _ => {
            if *method != Method::GET && path.starts_with("/api/v1/namespaces/") {
                world.judge().strayed(world, &format!("{method} {path}"));
            }
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
                "message": "not found",
            });
            return plain(world, 404, "application/json", status.to_string());
        }
    };
    plain(world, 200, "application/json", answer.to_string())
}

/// The namespace that stands for the cluster.
fn system() -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {
            "name": "kube-system", "uid": "00000000-0000-4000-8000-999999999999", "resourceVersion": "1",
            "creationTimestamp": "2025-01-01T00:00:00Z",
        },
    })
}
