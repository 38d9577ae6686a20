//! An apiserver that freezes, dies, or refuses.

use std::time::Duration;

use anyhow::{Result, ensure};

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
        for demo in busy.iter().chain(&later) {
            demo.records("ActionDone", |_| true).await?;
        }
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
        // An apiserver that is just starting refuses the watch, for it knows no roles yet; it is asked again within half
        // a minute, and what says nothing at all is given up on within about one.
        let witness = [world.namespace(&[("ttl", "1s")]).await?];
        world.are_deleted(&witness, LATER).await?;
        for demo in busy.iter().chain(&later) {
            demo.records("ActionDone", |_| true).await?;
        }
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
            assert_eq!(requests(world, demo, "delete")?, 1, "`{}`: {:?}", demo.name, demo.kinds());
            demo.lives().await?;
        }
        Ok(())
    })
    .await;
}

async fn is_refused(demo: &Demo) -> Result<()> {
    let failed = demo.records("ActionFailed", |entry| entry.text("why") == Some("refused")).await?;
    let detail = failed.text("detail").unwrap_or_default();
    ensure!(detail.contains("cannot delete resource"), "{failed:?}");
    let wait = failed.instant("not_before").map(|until| until.duration_since(failed.at).as_secs());
    ensure!(wait.is_some_and(|wait| (59..=61).contains(&wait)), "{failed:?}");
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
        let patches = requests(world, &demo, "patch")?;
        ensure!((1..=4).contains(&patches), "{patches} patches: {:?}", demo.kinds());
        demo.lives().await
    })
    .await;
}

/// How often nsm asked for this.
fn requests(world: &World, demo: &Demo, verb: &str) -> Result<usize> {
    let is_it = |event: &testbed::AuditEvent| {
        event.verb == verb
            && event.user.username != testbed::User::ADMIN
            && event.object_ref.as_ref().is_some_and(|object| object.name.as_ref() == Some(&demo.name))
    };
    Ok(world.requests()?.iter().filter(|event| is_it(event)).count())
}
