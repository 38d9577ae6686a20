//! What the same servers take for the bare requests that nothing can do without.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde::Serialize;
use serde_json::json;

use super::expiry::Spread;
use super::scene::Scene;
use crate::relay::Bytes;

/// As kubectl lists (`--chunk-size`).
const PAGE: u32 = 500;
/// As nsm annotates.
const CONCURRENCY: usize = 16;
/// Of requests that are sent one after the other.
const ONE_BY_ONE: usize = 100;
/// The LIST that took the middle of the times is told.
const LISTS: usize = 3;

/// All floors.
#[derive(Debug, Serialize)]
pub struct Floors {
    pub list: List,
    pub patch: Patches,
    /// Bare DELETEs, one after the other.
    pub delete: Spread,
}

/// One LIST of the metadata of all namespaces, by pages; the answer is decoded and dropped.
#[derive(Debug, Serialize)]
pub struct List {
    pub seconds: f64,
    pub bytes: Bytes,
}

/// Bare PATCHes with a body like nsm's.
#[derive(Debug, Serialize)]
pub struct Patches {
    /// One after the other.
    pub each: Spread,
    /// One for each namespace, as many at a time as nsm sends.
    pub all_seconds: f64,
}

pub(super) async fn list(scene: &Scene) -> Result<List> {
    let api: Api<Namespace> = Api::all(scene.bare().await?);
    // The connection is made before.
    api.list_metadata(&ListParams::default().limit(1)).await?;
    let mut found = Vec::new();
    for _ in 0..LISTS {
        let (before, began) = (scene.bare_relay.bytes(), Instant::now());
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = api.list_metadata(&page).await?;
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
        found.push(List { seconds: began.elapsed().as_secs_f64(), bytes: scene.bare_relay.bytes().since(before) });
    }
    found.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    found.into_iter().nth(LISTS / 2).context("several were made")
}

pub(super) async fn patch(scene: &Scene, count: usize) -> Result<Patches> {
    let api: Api<Namespace> = Api::all(scene.bare().await?);
    let patch = async |number: usize, turn: &str| {
        let name = format!("crowd-{number}");
        let body = Patch::Merge(body(&name, turn));
        let began = Instant::now();
        api.patch_metadata(&name, &PatchParams::default(), &body).await?;
        anyhow::Ok(began.elapsed().as_secs_f64())
    };
    let mut each = Vec::new();
    for number in 0..ONE_BY_ONE {
        each.push(patch(number % count, &number.to_string()).await?);
    }
    let began = Instant::now();
    stream::iter(0..count)
        .map(|number| patch(number, "all"))
        .buffer_unordered(CONCURRENCY)
        .try_for_each(|_| futures::future::ready(Ok(())))
        .await?;
    Ok(Patches { each: Spread::of(each), all_seconds: began.elapsed().as_secs_f64() })
}

/// Deletes members of the crowd, which has served.
pub(super) async fn delete(scene: &Scene, count: usize) -> Result<Spread> {
    let api: Api<Namespace> = Api::all(scene.bare().await?);
    let mut each = Vec::new();
    for number in 0..count.min(ONE_BY_ONE) {
        let began = Instant::now();
        api.delete(&format!("crowd-{number}"), &DeleteParams::default()).await?;
        each.push(began.elapsed().as_secs_f64());
    }
    Ok(Spread::of(each))
}

/// As many annotations of the same size as nsm writes, under other keys.
fn body(name: &str, turn: &str) -> serde_json::Value {
    let key = |key: &str| format!("manager.example.org/{key}");
    let annotations = json!({
        key("managed"): "true",
        key("namespace"): name,
        key("status"): "ok",
        key("status_timestamp"): "2026-08-17T09:50:41.915000Z",
        key("status_timeframe"): "1 week",
        key("status_finalize_at"): "2026-08-24T09:50:41Z",
        key("record"): turn,
    });
    json!({"metadata": {"annotations": annotations}})
}
