//! Owners who act at the very moment of the deletion.

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use testbed::eventually;

use crate::program::harness::{Demo, LATER, Nsm, SOON, World, now, plain, story, until};

/// How long the namespaces of a race live.
const TTL: (&str, SignedDuration) = ("4s", SignedDuration::from_secs(4));

/// How long those live that the program is to know before it is frozen: longer each time, where that was too short.
const TTLS: [i64; 4] = [6, 20, 60, 200];

#[tokio::test]
async fn whoever_protects_a_namespace_before_its_deletion_is_accepted_saves_it() {
    story(plain, async |world| {
        let _nsm = world.start().await?;
        let crowd = world.crowd(40, &[("ttl", TTL.0)]).await?;
        let protect = async |demo: &Demo| -> Result<bool> {
            around_its_end(demo, -200..1_200).await?;
            match demo.annotate(&[("protect", Some("yes"))]).await {
                Ok(answered) => Ok(answered.metadata.deletion_timestamp.is_none()),
                Err(_) if demo.is_deleted_now().await? => Ok(false),
                Err(error) => Err(error),
            }
        };
        let saved = try_join_all(crowd.iter().map(protect)).await?;
        world.witness().await?;

        let split = |is_saved| crowd.iter().zip(&saved).filter(move |(_, saved)| **saved == is_saved);
        for (demo, _) in split(true) {
            demo.lives().await.context("it carried `protect` before it was deleted")?;
        }
        let lost: Vec<_> = split(false).map(|(demo, _)| demo.clone()).collect();
        world.are_deleted(&lost, SOON).await?;
        eprintln!("{} of {} were saved", crowd.len() - lost.len(), crowd.len());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_protected_or_made_anew_while_the_program_is_frozen_lives() {
    story(plain, async |world| {
        let mut nsm = world.start().await?;
        let (crowd, due) = frozen_before_they_are_due(world, &mut nsm).await?;
        let mut alive = Vec::new();
        for (number, demo) in crowd.iter().enumerate() {
            if number % 2 == 0 {
                demo.annotate(&[("protect", Some("yes"))]).await?;
                alive.push(demo.clone());
            } else {
                alive.push(made_anew(world, demo).await?);
            }
        }
        // All of them are due when it wakes, and nothing told it of what happened.
        until(due).await?;
        nsm.process().thaw()?;

        world.witness().await?;
        for demo in &alive {
            demo.lives().await?;
            demo.records("Adopted", |_| true).await?;
        }
        Ok(())
    })
    .await;
}

/// Freezes the program once it knows some namespaces, and before the first of them is due. Returns them, and when the last one is.
async fn frozen_before_they_are_due(world: &World, nsm: &mut Nsm) -> Result<(Vec<Demo>, Timestamp)> {
    for ttl in TTLS {
        let text = format!("{ttl}s");
        let crowd = world.crowd(12, &[("ttl", &text)]).await?;
        let of = |demo: Timestamp| demo + SignedDuration::from_secs(ttl);
        let (first, last) = (crowd.first().context("a crowd")?, crowd.last().context("a crowd")?);
        let (first, last) = (of(first.created().await?), of(last.created().await?));
        for demo in &crowd {
            demo.records("StatusChanged", |_| true).await?;
        }
        nsm.process().freeze()?;
        if now() < first {
            return Ok((crowd, last));
        }
        nsm.process().thaw()?;
    }
    bail!("it was not to be frozen in time")
}

#[tokio::test]
async fn a_namespace_made_anew_at_the_end_of_its_predecessor_lives() {
    story(plain, async |world| {
        let _nsm = world.start().await?;
        let crowd = world.crowd(20, &[("ttl", TTL.0)]).await?;
        let anew = async |demo: &Demo| -> Result<Demo> {
            around_its_end(demo, -200..800).await?;
            made_anew(world, demo).await
        };
        let successors = try_join_all(crowd.iter().map(anew)).await?;
        for demo in &successors {
            demo.records("Adopted", |_| true).await?;
        }
        world.witness().await?;
        for demo in &successors {
            demo.lives().await?;
        }
        for demo in &crowd {
            demo.records("Gone", |_| true).await?;
        }
        let own = crowd.iter().filter(|demo| demo.kinds().contains(&"ActionDone".to_owned())).count();
        eprintln!("{own} of {} were deleted by nsm, the others by their owner", crowd.len());
        Ok(())
    })
    .await;
}

/// Deletes a namespace as its owner, and makes another of its name, which nothing ends.
async fn made_anew(world: &World, demo: &Demo) -> Result<Demo> {
    eventually("its name is free", LATER, async || {
        demo.delete().await?;
        demo.finish().await?;
        anyhow::ensure!(demo.now().await?.is_none(), "it is there");
        Ok(())
    })
    .await?;
    world.namespace_named(&demo.name, &[world.label()], &[]).await
}

/// Waits until a random moment around the end of a namespace's life.
async fn around_its_end(demo: &Demo, millis: std::ops::Range<i64>) -> Result<()> {
    let offset = SignedDuration::from_millis(rand::random_range(millis));
    until(demo.created().await? + TTL.1 + offset).await
}
