//! An apiserver that freezes, dies, or refuses.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::{AuditEvent, User};

use crate::program::harness::{Demo, LATER, NO_DELETE, NO_PATCH, NO_WATCH, Plane, World, plain, story, story_on};

#[tokio::test]
async fn frozen_for_half_a_minute_while_namespaces_fall_due_it_is_waited_for() {
    story_on(Plane::own().await, plain, async |world| {
        let busy = world.crowd(60, &[("ttl", "1s")]).await?;
        let later = world.crowd(10, &[("ttl", "10s")]).await?;
        world.is_over(&busy, 1).await?;
        let nsm = world.start().await?;
        nsm.says("is deleted").await?;
        world.freeze_apiserver(Duration::from_secs(30)).await?;

        world.are_deleted(&busy, LATER).await?;
        world.are_deleted(&later, LATER).await?;
        world.are_done(&busy).await?;
        world.are_done(&later).await?;
        eprintln!("{} deletions were cut off and fenced", nsm.log().matches("so it is fenced").count());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn killed_and_started_again_it_is_found_again_and_all_that_is_due_is_deleted() {
    story_on(Plane::own().await, plain, async |world| {
        let busy = world.crowd(60, &[("ttl", "1s")]).await?;
        let later = world.crowd(5, &[("ttl", "6s")]).await?;
        world.is_over(&busy, 1).await?;
        let nsm = world.start().await?;
        nsm.says("is deleted").await?;
        world.kill_apiserver();
        nsm.says("the watch on namespaces broke").await?;
        world.plane.restart_apiserver().await?;
        world.are_deleted(&busy, LATER).await?;
        world.are_deleted(&later, LATER).await?;
        // An apiserver that is just starting refuses the watch, for it knows no roles yet.
        let witness = [world.namespace(&[("ttl", "1s")]).await?];
        world.are_deleted(&witness, LATER).await?;
        world.are_done(&busy).await?;
        world.are_done(&later).await?;
        Ok(())
    })
    .await;
}

/// The client library takes each line of a refusal for an error of its own, and waits twice as long after each: with a
/// refusal of a dozen lines it is blind for minutes after the right was given.
#[tokio::test]
async fn without_the_right_to_watch_it_says_so_and_watches_as_soon_as_it_may() {
    story_on(Plane::own().await, plain, async |world| {
        world.be(NO_WATCH);
        let nsm = world.start().await?;
        nsm.says("the watch on namespaces broke").await?;
        world.plane.promote(NO_WATCH).await?;
        let witness = [world.namespace(&[("ttl", "1s")]).await?];
        world.are_deleted(&witness, LATER).await?;
        nsm.says("cannot watch resource").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn without_the_right_to_delete_it_asks_once_and_waits() {
    story(plain, async |world| {
        world.be(NO_DELETE);
        let crowd = world.crowd(3, &[("ttl", "1s")]).await?;
        let _nsm = world.start().await?;
        for demo in &crowd {
            is_refused(demo).await?;
        }
        // By then there was time for more.
        is_refused(&world.namespace(&[("ttl", "1s")]).await?).await?;
        world.log_is_complete().await?;
        for demo in &crowd {
            asks_again_no_earlier_than_it_said(world, demo)?;
            demo.lives().await?;
        }
        Ok(())
    })
    .await;
}

/// How long it waits is told in `lifecycle/src/backoff.rs`.
async fn is_refused(demo: &Demo) -> Result<()> {
    let failed = demo.records("ActionFailed", |entry| entry.text("why") == Some("refused")).await?;
    let detail = failed.text("detail").unwrap_or_default();
    ensure!(detail.contains("cannot delete resource"), "{failed:?}");
    ensure!(failed.instant("not_before").is_some_and(|until| until > failed.at), "{failed:?}");
    Ok(())
}

/// Each request for a deletion was announced, and none came before the time until which the refusal before it was to be waited for.
fn asks_again_no_earlier_than_it_said(world: &World, demo: &Demo) -> Result<()> {
    let (history, asked) = (demo.history()?, requests(world, demo, "delete")?);
    let refusals: Vec<_> = history.of_kind("ActionFailed").collect();
    ensure!(!asked.is_empty() && asked.len() <= refusals.len() + 1, "{asked:#?} {:#?}", history.0);
    for (refusal, next) in refusals.iter().zip(asked.iter().skip(1)) {
        let until = refusal.instant("not_before").context("it is waited for")?;
        ensure!(next.received_at >= until, "asked again at {}: {refusal:?}", next.received_at);
    }
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_annotate_it_says_so_and_does_not_insist() {
    story(plain, async |world| {
        world.be(NO_PATCH);
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        let nsm = world.start().await?;
        nsm.says("are not current").await?;
        demo.records("StatusChanged", |entry| entry.text("to") == Some("ok")).await?;
        world.witness().await?;
        world.log_is_complete().await?;
        // Twice as long is waited after each, 2 s at first; what happens to the namespace meanwhile has it tried too.
        let patches = requests(world, &demo, "patch")?;
        let (first, last) = (patches.first().context("it is tried")?, patches.last().context("it is tried")?);
        let span = last.received_at.duration_since(first.received_at).as_secs_f64();
        let most = 2.0 + (span + 2.0).log2();
        ensure!(patches.len() as f64 <= most, "{} patches in {span} s: {:?}", patches.len(), demo.kinds());
        demo.lives().await
    })
    .await;
}

/// What nsm asked for with this verb.
fn requests(world: &World, demo: &Demo, verb: &str) -> Result<Vec<AuditEvent>> {
    let is_it = |event: &AuditEvent| {
        event.verb == verb
            && event.user.username != User::ADMIN
            && event.object_ref.as_ref().is_some_and(|object| object.name.as_ref() == Some(&demo.name))
    };
    Ok(world.requests()?.into_iter().filter(is_it).collect())
}
