//! From the start of the process until everything is adopted and shown.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use serde::Serialize;
use tokio::time::timeout;

use super::requests::{Verbs, Window};
use super::scene::{MANAGER, Manager, Scene};
use super::{PREFIX, ledger, usage};
use crate::relay::Bytes;
use crate::{AuditEvent, User};

/// Far beyond what it has ever taken.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// What a start takes. Times are from the moment the process is started.
#[derive(Debug, Serialize)]
pub struct Start {
    /// Until the store holds the adoption of every namespace, durable.
    pub adopted_seconds: f64,
    /// Until it holds the first judgement of every namespace too.
    pub judged_seconds: f64,
    /// Until a watch of somebody else has brought every namespace with its status.
    pub mirrored_seconds: f64,
    /// Until then.
    pub cpu_seconds: f64,
    pub bytes: Bytes,
    pub requests: Verbs,
    #[serde(skip)]
    window: Window,
}

impl Start {
    pub(super) fn with_requests(mut self, audit: &[AuditEvent]) -> Self {
        self.requests = self.window.verbs(audit, Some(MANAGER));
        self
    }
}

/// Starts nsm before namespaces it does not know.
pub(super) async fn measure(scene: &Scene, count: usize) -> Result<(Manager, Start)> {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(scene.plane.client(User::ADMIN).await?);
    let mut events = watcher(api, watcher::Config::default()).boxed();
    list(&mut events).await?;

    let (from, bytes) = (Timestamp::now(), scene.manager_relay.bytes());
    let mut manager = scene.start()?;
    let began = manager.began;
    let recorded = async {
        ledger::wait_for(scene, &mut manager, "Adopted", from, count).await?;
        let adopted = began.elapsed();
        ledger::wait_for(scene, &mut manager, "StatusChanged", from, count).await?;
        anyhow::Ok((adopted, began.elapsed()))
    };
    let shown = async {
        timeout(START_TIMEOUT, watch(&mut events, count)).await.context("gave up waiting for the annotations")??;
        anyhow::Ok(began.elapsed())
    };
    let ((adopted, judged), mirrored) = futures::future::try_join(recorded, shown).await?;
    let start = Start {
        adopted_seconds: adopted.as_secs_f64(),
        judged_seconds: judged.as_secs_f64(),
        mirrored_seconds: mirrored.as_secs_f64(),
        cpu_seconds: usage::processor_time(manager.id())?.as_secs_f64(),
        bytes: scene.manager_relay.bytes().since(bytes),
        requests: Verbs::new(),
        window: Window::since(from),
    };
    Ok((manager, start))
}

type Seen = watcher::Result<Event<PartialObjectMeta<Namespace>>>;

/// Waits until the watch stands.
async fn list(events: &mut (impl Stream<Item = Seen> + Unpin)) -> Result<()> {
    while let Some(event) = events.next().await {
        if matches!(event?, Event::InitDone) {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended")
}

/// Waits until the watch has brought so many namespaces with a status.
async fn watch(events: &mut (impl Stream<Item = Seen> + Unpin), count: usize) -> Result<()> {
    let status = format!("{PREFIX}status");
    let mut shown = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event? {
            Event::Apply(object) => {
                if object.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(&status)) {
                    shown.insert(object.metadata.name);
                }
            }
            Event::Delete(_) => {}
            other => ensure!(false, "the watch was begun again: {other:?}"),
        }
        if shown.len() == count {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended")
}
