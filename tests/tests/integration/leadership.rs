//! Two replicas of a controller as processes, on a real apiserver: whatever happens to the one that leads, another leads, and the former
//! one has ended.
//!
//! How soon that is, is told on paused time in `common/src/leadership`, and measured by `make bench`. On a machine that has no time for a
//! process a leader loses its lease without anybody's doing, so every story is about whichever leads.
//!
//! How little rests on it is told elsewhere: `program/process.rs` runs two of everything on one store.

mod crowd;
mod world;

use std::time::Instant;

use anyhow::{Result, ensure};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use testbed::HANG;
use testbed::relay::Relay;

use crate::leadership::world::{Replica, Replicas, World, story, story_on};

/// The controllers, each of which is elected alike.
const COLLECT: &str = "collect-controller";
const ACTION: &str = "action-controller";

#[tokio::test]
async fn the_other_collect_controller_leads_after_the_leader_was_killed() {
    story(COLLECT, killed).await;
}

#[tokio::test]
async fn the_other_action_controller_leads_after_the_leader_was_killed() {
    story(ACTION, killed).await;
}

async fn killed(world: &World) -> Result<()> {
    let mut replicas = Replicas::start(world, 2).await?;
    let kill = |leader: &mut Replica| {
        leader.process.kill();
        Ok(())
    };
    let former = replicas.disturb(kill).await?;
    another_leads(world, &mut replicas, &former).await
}

/// Waits until somebody else leads, and works.
async fn another_leads(world: &World, replicas: &mut Replicas<'_>, former: &Replica) -> Result<()> {
    let began = Instant::now();
    let leader = replicas.leader().await?;
    eprintln!("{}: another is at work {:?} after that", world.role, began.elapsed());
    world.epochs_are_of(&former.instance, &leader)
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
    let mut replicas = Replicas::start(world, 2).await?;
    let mut former = replicas.disturb(|leader| leader.process.freeze()).await?;
    another_leads(world, &mut replicas, &former).await?;
    former.process.thaw()?;
    former.ends_badly().await?;
    ensure!(world.holder().await?.as_ref() != Some(&former.instance), "the former leader took the lease again");
    another_leads(world, &mut replicas, &former).await
}

#[tokio::test]
async fn a_leader_whose_packets_vanish_ends_and_the_other_leads() {
    story(COLLECT, async |world| partitioned(world, Relay::freeze).await).await;
}

#[tokio::test]
async fn a_leader_whose_connections_break_ends_and_the_other_leads() {
    story(COLLECT, async |world| partitioned(world, Relay::cut).await).await;
}

async fn partitioned(world: &World, part: fn(&Relay)) -> Result<()> {
    let mut replicas = Replicas::start(world, 2).await?;
    let part = |leader: &mut Replica| {
        part(&leader.relay);
        Ok(())
    };
    let mut former = replicas.disturb(part).await?;
    another_leads(world, &mut replicas, &former).await?;
    former.ends_badly().await
}

#[tokio::test]
async fn while_the_apiserver_stands_still_nobody_leads_and_after_it_somebody_does() {
    story_on(world::own().await, COLLECT, async |world| {
        let mut replicas = Replicas::start(world, 2).await?;
        let mut former = replicas.disturb(|_| world.plane.freeze_apiserver()).await?;
        let ended = former.ends_badly().await;
        let leading = replicas.leading();
        world.plane.thaw_apiserver()?;
        ended?;
        ensure!(leading?.is_empty(), "somebody leads without an apiserver");
        another_leads(world, &mut replicas, &former).await
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
    let mut replicas = Replicas::start(world, 2).await?;
    replicas.leader().await?;
    spoil().await?;
    // It names nobody before it is mended.
    replicas.leader().await?;
    Ok(())
}

#[tokio::test]
async fn a_lease_that_a_clock_far_ahead_left_behind_is_freed() {
    story(COLLECT, async |world| {
        let ahead = "2999-01-01T00:00:00.000000Z";
        world.patch_lease(json!({"spec": {"holderIdentity": "gone", "acquireTime": ahead, "renewTime": ahead, "leaseDurationSeconds": 6, "leaseTransitions": 1}})).await?;
        Replicas::start(world, 1).await?.leader().await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn replaced_one_by_one_each_leaves_the_lease_to_the_next() {
    story(COLLECT, replaced).await;
}

#[tokio::test]
async fn action_controllers_replaced_one_by_one_leave_the_lease_to_the_next() {
    story(ACTION, replaced).await;
}

async fn replaced(world: &World) -> Result<()> {
    let mut replicas = Replicas::start(world, 2).await?;
    for _ in 0..2 {
        replicas.add().await?;
        let mut old = replicas.disturb(|leader| leader.process.ask_to_end()).await?;
        let status = old.process.wait(HANG).await?;
        ensure!(
            status.success() || old.has_lost_its_lease(),
            "asked to end, it did with {status}\n{}",
            old.process.log_tail()
        );
        let holder = world.holder().await?;
        ensure!(
            holder.as_ref() != Some(&old.instance) || old.says("could not be released"),
            "it left the lease behind"
        );
        another_leads(world, &mut replicas, &old).await?;
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
