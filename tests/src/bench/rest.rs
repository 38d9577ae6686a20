//! What is asked and used while nothing happens.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::requests::{Verbs, Window};
use super::scene::{MANAGER, Manager, Scene};
use super::usage::{self, Memory};
use crate::AuditEvent;
use crate::relay::Bytes;

/// Nothing on the wire for so long is taken for rest.
const QUIET: Duration = Duration::from_secs(5);
const WAIT_TIMEOUT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is used at rest, per minute.
#[derive(Debug, Serialize)]
pub struct Rest {
    /// Requests of nsm by verb; nobody else has its user, so its idle baseline is nothing.
    pub requests: Verbs,
    /// Requests of everybody by verb, without nsm and with it.
    pub requests_of_all: [Verbs; 2],
    /// On the wire between nsm and the apiserver, TLS included.
    pub bytes: Bytes,
    pub cpu_seconds: f64,
    pub memory: Memory,
    #[serde(skip)]
    window: Window,
}

impl Rest {
    /// Counts requests, with a window in which nsm did not run to compare with.
    pub(super) fn with_requests(mut self, audit: &[AuditEvent], idle: &Window) -> Self {
        let per_minute = |window: &Window, user| {
            let mut verbs = window.verbs(audit, user);
            verbs.values_mut().for_each(|count| *count = rounded(*count, window.per_minute()));
            verbs
        };
        self.requests = per_minute(&self.window, Some(MANAGER));
        self.requests_of_all = [idle, &self.window].map(|window| per_minute(window, None));
        self
    }
}

/// Waits until nothing is on the wire, then measures for so long.
pub(super) async fn measure(scene: &Scene, manager: &mut Manager, length: Duration) -> Result<Rest> {
    quiet(scene).await?;
    let (from, began) = (Timestamp::now(), Instant::now());
    let (bytes, cpu) = (scene.manager_relay.bytes(), usage::processor_time(manager.id())?);
    sleep(length).await;
    manager.ensure_running()?;
    let bytes = scene.manager_relay.bytes().since(bytes);
    let cpu = usage::processor_time(manager.id())?.saturating_sub(cpu);
    let per_minute = 60.0 / began.elapsed().as_secs_f64();
    Ok(Rest {
        requests: Verbs::new(),
        requests_of_all: [Verbs::new(), Verbs::new()],
        bytes: Bytes { sent: rounded(bytes.sent, per_minute), received: rounded(bytes.received, per_minute) },
        cpu_seconds: cpu.as_secs_f64() * per_minute,
        memory: Memory::of(manager.id())?,
        window: Window::since(from),
    })
}

async fn quiet(scene: &Scene) -> Result<()> {
    let end = Instant::now() + WAIT_TIMEOUT;
    let (mut seen, mut since) = (0, Instant::now());
    while since.elapsed() < QUIET {
        ensure!(Instant::now() < end, "nsm does not come to rest");
        sleep(LOOK_EVERY).await;
        let now = scene.manager_relay.bytes().total();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// A whole number, so that a window of a minute and a few milliseconds shows what was counted.
fn rounded(count: u64, per_minute: f64) -> u64 {
    (count as f64 * per_minute).round() as u64
}
