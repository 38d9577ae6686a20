//! What stories are told with.

mod command;
mod fleet;
mod namespace;
mod plane;
mod roles;
mod verdict;
mod world;

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use testbed::{HANG, eventually};

pub(crate) use command::{Answer, Nsm};
pub(crate) use fleet::{Fleet, fleet, fleet_on};
pub(crate) use namespace::{Demo, key_of};
pub(crate) use plane::{NO_DELETE, NO_PATCH, NO_WATCH, NO_WORKLOADS, Plane, WORKER};
pub(crate) use roles::Roles;
pub(crate) use world::World;

/// A guard against a hang, for what follows at once.
pub(crate) const SOON: Duration = HANG;
/// A guard against a hang, for what waits for a deadline of the program, such as that of an intent, and for what a crowd of namespaces
/// goes through.
pub(crate) const LATER: Duration = Duration::from_secs(600);

/// The configuration that stories begin with.
pub(crate) fn plain(_: &mut Value) {}

/// What a clock on the wall says.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Waits until it is so late.
pub(crate) async fn until(at: Timestamp) -> Result<()> {
    eventually(&format!("it is {at}"), LATER, async || {
        ensure!(now() >= at, "it is {}", now());
        Ok(())
    })
    .await
}

/// Tells a story on the shared control plane. `configure` changes the configuration it begins with, which deletes what
/// is older than its owner's `ttl`, at once and without limits.
pub(crate) async fn story(configure: impl FnOnce(&mut Value), tell: impl AsyncFnOnce(&World) -> Result<()>) {
    story_on(Plane::shared().await, configure, tell).await;
}

/// Tells a story on this control plane, and brings it before the audit checker.
///
/// # Panics
/// It did not go as told, or broke a rule. Then the logs of its processes are shown.
pub(crate) async fn story_on(
    plane: Result<Plane>,
    configure: impl FnOnce(&mut Value),
    tell: impl AsyncFnOnce(&World) -> Result<()>,
) {
    let world = World::new(plane.expect("the control plane starts"), configure).await.expect("a world can be made");
    let told = tell(&world).await;
    let judged = world.verdict().await;
    let wrong: Vec<_> = [told, judged].into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), world.logs());
}
