//! Namespaces of a test's own.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

/// Creates a namespace with a name nobody else has, and the given labels and annotations. It needs no cleaning up: the control plane
/// is thrown away.
///
/// # Errors
/// The apiserver does not create it.
pub async fn temp_namespace(
    client: &Client,
    labels: &[(&str, &str)],
    annotations: &[(&str, &str)],
) -> Result<Namespace> {
    let map = |pairs: &[(&str, &str)]| Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(format!("test-{:08x}", rand::random::<u32>())),
            labels: map(labels),
            annotations: map(annotations),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.context("cannot create a namespace")
}
