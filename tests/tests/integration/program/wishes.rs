//! What owners write on their namespaces, and what others change there.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use testbed::eventually;

use crate::program::harness::{Demo, SOON, World, plain, story};

#[tokio::test]
async fn a_ttl_that_cannot_be_read_counts_as_the_longest_and_its_owner_is_told() {
    let policy = |config: &mut serde_json::Value| {
        config["policies"][0]["ttl"] = json!("10s");
        config["policies"][0]["max_ttl"] = json!("2h");
    };
    story(policy, async |world| {
        let demo = world.namespace(&[("ttl", "banana")]).await?;
        let rival = world.namespace(&[]).await?;
        let _nsm = world.start().await?;
        is_warned(world, &demo, "banana").await?;
        demo.shows("status_timeframe", "2 hours").await?;
        rival.is_deleted().await?;
        demo.lives().await
    })
    .await;
}

#[tokio::test]
async fn a_keep_that_cannot_be_read_keeps_and_its_owner_is_told() {
    story(plain, async |world| {
        let demo = world.namespace(&[("ttl", "2s"), ("keep_until", "tomorrow")]).await?;
        let _nsm = world.start().await?;
        is_warned(world, &demo, "tomorrow").await?;
        demo.shows("status", "stale").await?;
        world.witness().await?;
        demo.lives().await
    })
    .await;
}

/// Waits for a Warning about a wish, where its owner looks.
async fn is_warned(world: &World, demo: &Demo, wish: &str) -> Result<()> {
    let events = Api::<Event>::namespaced(world.client.clone(), &demo.name);
    eventually("its owner is warned", SOON, async || {
        let seen = events.list(&ListParams::default()).await?.items;
        let mut warnings = seen.iter().filter(|event| event.type_.as_deref() == Some("Warning"));
        let is_told = warnings.any(|event| event.note.as_deref().is_some_and(|note| note.contains(wish)));
        ensure!(is_told, "{seen:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn annotations_that_somebody_changed_are_put_right() {
    story(
        |config| config["policies"][0]["ttl"] = json!("1h"),
        async |world| {
            let [forged, bare] = [world.namespace(&[]).await?, world.namespace(&[]).await?];
            let _nsm = world.start().await?;
            let right = forged.shows("status", "ok").await?;
            bare.shows("status", "ok").await?;
            forged.wish(&[("status", Some("stale")), ("status_finalize_at", Some("2020-01-01T00:00:00Z"))]).await?;
            bare.wish(&[("status", None), ("managed", None)]).await?;

            bare.shows("managed", "true").await?;
            bare.shows("status", "ok").await?;
            forged.shows("status", "ok").await?;
            assert_eq!(forged.ours().await?, right);
            assert_eq!(forged.history()?.of_kind("StatusChanged").count(), 1, "{:?}", forged.kinds());
            Ok(())
        },
    )
    .await;
}

/// A repair of each of two rivals' every change would never end.
#[tokio::test]
async fn annotations_are_put_right_once_in_ten_minutes_and_not_for_ever() {
    story(
        |config| config["policies"][0]["ttl"] = json!("1h"),
        async |world| {
            let demo = world.namespace(&[]).await?;
            let _nsm = world.start().await?;
            demo.shows("status", "ok").await?;
            demo.wish(&[("status", Some("forged"))]).await?;
            demo.shows("status", "ok").await?;
            demo.wish(&[("status", Some("forged again"))]).await?;
            world.witness().await?;
            let ours = demo.ours().await?;
            assert_eq!(ours.get("status").context("a status")?, "forged again");
            Ok(())
        },
    )
    .await;
}
