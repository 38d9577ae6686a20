//! Two replicas of a controller as processes, on a real apiserver: whatever happens to the one that leads, the other leads within
//! two lease lengths, and the former one has ended.
//!
//! How little rests on it is told elsewhere: `program/process.rs` runs two of everything on one store.

mod crowd;
mod world;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::leadership::world::{HANDOVER, SOON, World, story, story_on};

/// The controllers, each of which is elected alike.
const COLLECT: &str = "collect-controller";
const ACTION: &str = "action-controller";

/// How long nobody may lead while replicas are replaced one by one.
const GAP: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_other_collect_controller_leads_after_the_leader_was_killed() {
    story(COLLECT, killed).await;
}

#[tokio::test]
async fn the_other_action_controller_leads_after_the_leader_was_killed() {
    story(ACTION, killed).await;
}

async fn killed(world: &World) -> Result<()> {
    let mut one = world.replica("one").await?;
    one.leads(SOON).await?;
    let mut two = world.replica("two").await?;
    two.waits().await?;
    one.process.kill();
    two.leads(HANDOVER).await?;
    ensure!(two.runs()?, "{}", two.process.log_tail());
    world.epochs_are_of(&["one", "two"])
}

#[tokio::test]
async fn a_leader_that_stood_still_ends_when_it_comes_back() {
    story(COLLECT, stood_still).await;
}

#[tokio::test]
async fn a_leading_action_controller_that_stood_still_ends_when_it_comes_back() {
    story(ACTION, stood_still).await;
}

async fn stood_still(world: &World) -> Result<()> {
    let mut one = world.replica("one").await?;
    one.leads(SOON).await?;
    let mut two = world.replica("two").await?;
    two.waits().await?;
    one.process.freeze()?;
    two.leads(HANDOVER).await?;
    one.process.thaw()?;
    one.ends_badly(HANDOVER).await?;
    ensure!(two.runs()?, "{}", two.process.log_tail());
    ensure!(world.holder().await? == two.instance, "the former leader took the lease again");
    world.epochs_are_of(&["one", "two"])
}

#[tokio::test]
async fn a_leader_whose_packets_vanish_ends_and_the_other_leads() {
    story(COLLECT, async |world| partitioned(world, testbed::relay::Relay::freeze).await).await;
}

#[tokio::test]
async fn a_leader_whose_connections_break_ends_and_the_other_leads() {
    story(COLLECT, async |world| partitioned(world, testbed::relay::Relay::cut).await).await;
}

async fn partitioned(world: &World, part: fn(&testbed::relay::Relay)) -> Result<()> {
    let mut one = world.replica("one").await?;
    one.leads(SOON).await?;
    let mut two = world.replica("two").await?;
    two.waits().await?;
    part(&one.relay);
    two.leads(HANDOVER).await?;
    one.ends_badly(HANDOVER).await?;
    ensure!(two.runs()?, "{}", two.process.log_tail());
    world.epochs_are_of(&["one", "two"])
}

#[tokio::test]
async fn while_the_apiserver_stands_still_nobody_leads_and_after_it_somebody_does() {
    story_on(world::own().await, COLLECT, async |world| {
        let mut one = world.replica("one").await?;
        one.leads(SOON).await?;
        let mut two = world.replica("two").await?;
        two.waits().await?;
        world.plane.freeze_apiserver()?;
        let ended = one.ends_badly(HANDOVER).await;
        world.plane.thaw_apiserver()?;
        ended?;
        two.leads(HANDOVER).await?;
        world.epochs_are_of(&["one", "two"])
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_was_deleted_is_made_again() {
    story(COLLECT, async |world| {
        spoiled(world, async || {
            world.leases().delete(&world.lease(), &DeleteParams::default()).await?;
            Ok(())
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_was_emptied_is_filled_again() {
    story(COLLECT, async |world| spoiled(world, async || world.patch_lease(json!({"spec": null})).await).await).await;
}

#[tokio::test]
async fn a_lease_without_a_holder_is_taken() {
    let nobody = json!({"spec": {"holderIdentity": null, "leaseTransitions": null}});
    story(COLLECT, async |world| spoiled(world, async || world.patch_lease(nobody).await).await).await;
}

/// Somebody spoils the lease: whoever led before, one leads afterwards, and only one.
async fn spoiled(world: &World, spoil: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let mut one = world.replica("one").await?;
    one.leads(SOON).await?;
    let mut two = world.replica("two").await?;
    two.waits().await?;
    spoil().await?;
    world.one_leads(&mut [one, two], HANDOVER).await
}

#[tokio::test]
async fn a_lease_that_a_clock_far_ahead_left_behind_is_freed() {
    story(COLLECT, async |world| {
        let ahead = "2999-01-01T00:00:00.000000Z";
        world.patch_lease(json!({"spec": {"holderIdentity": "gone", "acquireTime": ahead, "renewTime": ahead, "leaseDurationSeconds": 6, "leaseTransitions": 1}})).await?;
        world.replica("one").await?.leads(SOON).await
    })
    .await;
}

#[tokio::test]
async fn replaced_one_by_one_they_leave_no_gap_and_each_leads_once() {
    story(COLLECT, replaced).await;
}

#[tokio::test]
async fn action_controllers_replaced_one_by_one_leave_no_gap() {
    story(ACTION, replaced).await;
}

async fn replaced(world: &World) -> Result<()> {
    let mut one = world.replica("one").await?;
    one.leads(SOON).await?;
    let mut two = world.replica("two").await?;
    two.waits().await?;
    let mut replicas = VecDeque::from([one, two]);
    for name in ["three", "four"] {
        let mut next = world.replica(name).await?;
        next.waits().await?;
        replicas.push_back(next);
        let mut old = replicas.pop_front().context("there are three")?;
        let asked = Instant::now();
        let status = old.process.terminate(SOON).await?;
        ensure!(status.success(), "asked to end, it did with {status}\n{}", old.process.log_tail());
        world.one_leads(replicas.make_contiguous(), GAP.saturating_sub(asked.elapsed())).await?;
        eprintln!("{}: {:?} from SIGTERM to the next leader at work", world.role, asked.elapsed());
    }
    Ok(())
}

/// The oldest race of all: many see one lease expire at the same moment.
#[tokio::test]
async fn of_fifty_candidates_on_one_expired_lease_one_leads() {
    crowd::contend().await.unwrap();
}

/// As somebody with `kubectl` would.
impl World {
    async fn patch_lease(&self, patch: serde_json::Value) -> Result<()> {
        let params = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        let leases = self.leases();
        if leases.get_opt(&self.lease()).await?.is_none() {
            let mut lease = patch;
            lease["metadata"] = json!({"name": self.lease()});
            leases.create(&kube::api::PostParams::default(), &serde_json::from_value(lease)?).await?;
        } else {
            leases.patch(&self.lease(), &params, &Patch::Merge(patch)).await?;
        }
        Ok(())
    }
}
