//! What owners write on their namespaces, and what others change there.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use lifecycle::time::human_text;
use serde_json::json;
use testbed::eventually;

use crate::program::harness::{Demo, SOON, World, key_of, plain, story};

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

/// Who means to keep or to protect, and misses the key by little, is understood and told; a ttl that misses is told alone.
#[tokio::test]
async fn a_key_that_is_nearly_right_counts_for_its_namespace_and_its_owner_is_told() {
    story(plain, async |world| {
        let kept = world.namespace(&[("ttl", "2s"), ("keep-until", "2999-01-01")]).await?;
        let protected = world.namespace(&[("ttl", "2s"), ("Protected", "false")]).await?;
        let late = world.namespace(&[("ttl", "1h")]).await?;
        let missed = world.namespace(&[("ttl", "2s"), ("TTL", "4h")]).await?;
        let _nsm = world.start().await?;
        late.shows("status", "ok").await?;
        late.annotate(&[("protection", Some(""))]).await?;
        late.records("Protected", |_| true).await?;
        late.expire().await?;
        missed.is_deleted().await?;
        for (demo, nearly, right) in [
            (&kept, "keep-until", "keep_until"),
            (&protected, "Protected", "protect"),
            (&late, "protection", "protect"),
        ] {
            is_warned(world, demo, nearly).await?;
            demo.shows("status", "stale").await?;
            let malformed = malformed(world, demo).await?;
            let is_told = malformed.contains(&key_of(nearly)) && malformed.contains(&format!("`{}`", key_of(right)));
            ensure!(is_told, "{malformed}");
        }
        world.witness().await?;
        for demo in [&kept, &protected, &late] {
            demo.lives().await?;
        }
        world.nsm_ok(&["unkeep", &kept.name]).await?;
        kept.is_deleted().await?;
        for demo in [&protected, &late] {
            world.nsm_ok(&["unprotect", &demo.name]).await?;
            demo.is_deleted().await?;
        }
        Ok(())
    })
    .await;
}

/// What is asked with the command stands for what was written before, under whatever key.
#[tokio::test]
async fn a_keep_by_command_takes_the_place_of_one_under_a_key_that_is_nearly_right() {
    story(plain, async |world| {
        let demo = world.namespace(&[("ttl", "1h"), ("keep-until", "Friday")]).await?;
        let _nsm = world.start().await?;
        demo.records("Kept", |entry| entry.text("requested") == Some("Friday")).await?;
        let said = world.nsm_ok(&["keep", &demo.name, "--for", "4h"]).await?;
        ensure!(said.contains("is kept for 4 hours"), "{said}");
        let ours = demo.ours().await?;
        ensure!(ours.contains_key("keep_until") && !ours.contains_key("keep-until"), "{ours:?}");
        ensure!(malformed(world, &demo).await? == "[]");
        Ok(())
    })
    .await;
}

/// Without a `max_ttl` it counts as `max_keep` from when it was first seen, whoever sees it again, and however often it is
/// written anew.
#[tokio::test]
async fn an_end_that_cannot_be_read_is_told_by_date_and_does_not_slide() {
    let policy = |config: &mut serde_json::Value| {
        config["policies"][0]["ttl"] = json!("10s");
        config["policies"][0]["max_keep"] = json!("2h");
    };
    story(policy, async |world| {
        let demo = world.namespace(&[("expires_at", "2999-13-01")]).await?;
        let rival = world.namespace(&[]).await?;
        let mut nsm = world.start().await?;
        is_warned(world, &demo, "2999-13-01").await?;
        let ours = demo.shows("status", "ok").await?;
        let end = ours.get("status_finalize_at").context("an end")?;
        rival.is_deleted().await?;
        demo.lives().await?;
        nsm.process().terminate(SOON).await?;

        let _nsm = world.start().await?;
        demo.annotate(&[("expires_at", Some("next spring"))]).await?;
        is_warned(world, &demo, "next spring").await?;
        let moved = demo.records("DeadlineMoved", |_| true).await?;
        ensure!(demo.ours().await?.get("status_finalize_at") == Some(end), "{moved:?}");
        let end = human_text(end.parse()?);
        let malformed = malformed(world, &demo).await?;
        ensure!(malformed.contains("next spring") && malformed.contains(&end), "{end}: {malformed}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_date_alone_is_an_end_and_no_mistake() {
    story(plain, async |world| {
        let demo = world
            .namespace(&[("expires_at", "2998-12-31"), ("keep_until", "1998-12-31 23:59:60.123456789012z")])
            .await?;
        let over = world.namespace(&[("ttl", "4h"), ("expires_at", "2000-01-01")]).await?;
        let _nsm = world.start().await?;
        demo.shows("status_finalize_at", "2999-01-01T00:00:00Z").await?;
        ensure!(malformed(world, &demo).await? == "[]");
        over.is_deleted().await
    })
    .await;
}

/// Something makes it again as soon as it is gone.
#[tokio::test]
async fn a_name_that_is_deleted_three_times_within_an_hour_and_comes_back_is_told_of() {
    story(plain, async |world| {
        let name = format!("story-{}-again", world.name);
        let born = async |ttl| world.namespace_named(&name, &[world.label()], &[("ttl", ttl)]).await;
        let _nsm = world.start().await?;
        for _ in 0..3 {
            let demo = born("1s").await?;
            demo.is_deleted().await?;
            demo.finish().await?;
        }
        let demo = born("4h").await?;
        demo.shows("status", "ok").await?;
        let comes_back = "it was deleted 3 times under this name within an hour, and comes back";
        is_warned(world, &demo, comes_back).await?;
        for arguments in [&["why", name.as_str()][..], &["ls"]] {
            let told = world.nsm_ok(arguments).await?;
            ensure!(told.contains(comes_back), "{told}");
        }
        let why: serde_json::Value = serde_json::from_str(&world.nsm_ok(&["why", &name, "-o", "json"]).await?)?;
        ensure!(why["deleted_before"] == 3, "{why}");
        let all = world.nsm_ok(&["ls", "--all"]).await?;
        let lives: Vec<_> = all.lines().filter(|line| line.starts_with(&name)).collect();
        let began = human_text(demo.created().await?);
        ensure!(lives.len() == 4 && lives.iter().any(|line| line.contains(&began)), "{all}");
        Ok(())
    })
    .await;
}

/// What `nsm why` tells of what its owner wrote, as JSON.
async fn malformed(world: &World, demo: &Demo) -> Result<String> {
    let why: serde_json::Value = serde_json::from_str(&world.nsm_ok(&["why", &demo.name, "-o", "json"]).await?)?;
    Ok(why["malformed"].to_string())
}

/// Waits for a Warning about an override, where its owner looks.
async fn is_warned(world: &World, demo: &Demo, text: &str) -> Result<()> {
    let events = Api::<Event>::namespaced(world.client.clone(), &demo.name);
    eventually("its owner is warned", SOON, async || {
        let seen = events.list(&ListParams::default()).await?.items;
        let mut warnings = seen.iter().filter(|event| event.type_.as_deref() == Some("Warning"));
        let is_told = warnings.any(|event| event.note.as_deref().is_some_and(|note| note.contains(text)));
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
            forged.annotate(&[("status", Some("stale")), ("status_finalize_at", Some("2020-01-01T00:00:00Z"))]).await?;
            bare.annotate(&[("status", None), ("managed", None)]).await?;

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
            demo.annotate(&[("status", Some("forged"))]).await?;
            demo.shows("status", "ok").await?;
            demo.annotate(&[("status", Some("forged again"))]).await?;
            world.witness().await?;
            let ours = demo.ours().await?;
            assert_eq!(ours.get("status").context("a status")?, "forged again");
            Ok(())
        },
    )
    .await;
}
