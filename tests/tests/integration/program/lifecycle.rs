//! What happens to a namespace under a policy, and to one that is under none.

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use kube::ResourceExt;
use serde_json::json;
use testbed::eventually;

use crate::program::harness::{Demo, SOON, plain, story};

#[tokio::test]
async fn what_outlives_its_policys_ttl_is_deleted_and_its_status_was_readable_before() {
    let policy = |config: &mut serde_json::Value| {
        config["policies"][0]["ttl"] = json!("10s");
        config["policies"][0]["visible_for"] = json!("1s");
    };
    story(policy, async |world| {
        let demo = world.namespace(&[]).await?;
        let created = demo.created().await?;
        let _nsm = world.start().await?;

        let ours = demo.shows("status", "ok").await?;
        assert_eq!(ours["managed"], "true");
        assert_eq!(ours["namespace"], demo.name);
        assert_eq!(ours["status_timeframe"], "10 seconds");
        assert_eq!(ours["status_finalize_at"], format!("{:.0}", created + SignedDuration::from_secs(10)));

        stale_before_it_is_deleted(&demo).await?;
        demo.is_deleted().await?;
        let stale = demo.records("StatusChanged", |entry| entry.text("to") == Some("stale")).await?;
        let intended = demo.records("ActionIntended", |_| true).await?;
        assert!(stale.at >= created + SignedDuration::from_secs(10), "{stale:?}");
        assert!(intended.at >= stale.at + SignedDuration::from_secs(1), "{intended:?}");

        demo.finish().await?;
        demo.records("Gone", |_| true).await?;
        Ok(())
    })
    .await;
}

async fn stale_before_it_is_deleted(demo: &Demo) -> Result<()> {
    eventually("it is stale and lives", SOON, async || {
        let Some(namespace) = demo.now().await? else { return Ok(Err("it went unseen")) };
        let is_stale = demo.ours().await?.get("status").is_some_and(|status| status == "stale");
        ensure!(is_stale, "{:?}", namespace.annotations());
        Ok(if namespace.metadata.deletion_timestamp.is_none() { Ok(()) } else { Err("it went before it was stale") })
    })
    .await?
    .map_err(anyhow::Error::msg)
}

#[tokio::test]
async fn its_owners_ttl_counts_and_not_the_policys() {
    story(
        |config| config["policies"][0]["ttl"] = json!("10s"),
        async |world| {
            let shorter = world.namespace(&[("ttl", "2s")]).await?;
            let longer = world.namespace(&[("ttl", "1h")]).await?;
            let policys = world.namespace(&[]).await?;
            let _nsm = world.start().await?;
            shorter.is_deleted().await?;
            policys.lives().await?;
            policys.is_deleted().await?;
            longer.shows("status_timeframe", "1 hour").await?;
            longer.lives().await
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_kept_or_protected_outlives_its_ttl_until_the_wish_is_withdrawn() {
    story(plain, async |world| {
        let kept = world.namespace(&[("ttl", "2s"), ("keep_until", "2999-01-01T00:00:00Z")]).await?;
        let protected = world.namespace(&[("ttl", "2s"), ("protect", "please")]).await?;
        let _nsm = world.start().await?;
        for demo in [&kept, &protected] {
            demo.shows("status", "stale").await?;
        }
        world.witness().await?;
        kept.lives().await?;
        protected.lives().await?;

        kept.wish(&[("keep_until", None)]).await?;
        kept.is_deleted().await?;
        protected.lives().await?;
        protected.wish(&[("protect", None)]).await?;
        protected.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn what_no_policy_matches_and_what_is_out_of_bounds_is_left_alone() {
    story(
        |config| config["exclude"] = json!(["mine-.*"]),
        async |world| {
            let due = [("ttl", "1s")];
            let name = |kind: &str| format!("{kind}-{}", world.name);
            let strangers = [
                world.namespace_named(&name("other"), &[], &due).await?,
                world.namespace_named(&name("other-story"), &[(world.label().0, "another")], &due).await?,
                world.namespace_named(&name("kube"), &[world.label()], &due).await?,
                world.namespace_named(&name("openshift"), &[world.label()], &due).await?,
                world.namespace_named(&name("mine"), &[world.label()], &due).await?,
            ];
            let _nsm = world.start().await?;
            world.witness().await?;
            for stranger in &strangers {
                stranger.lives().await?;
                assert_eq!(stranger.kinds(), [""; 0], "`{}` has a history", stranger.name);
                let ours = stranger.ours().await?;
                assert!(ours.len() == 1 && ours["ttl"] == "1s", "`{}` carries {ours:?}", stranger.name);
            }
            Ok(())
        },
    )
    .await;
}

#[tokio::test]
async fn while_observing_what_would_be_done_is_recorded_once_and_not_done() {
    story(
        |config| config["mode"] = json!("observe"),
        async |world| {
            let demo = world.namespace(&[("ttl", "1s")]).await?;
            for _ in 0..2 {
                let nsm = world.start().await?;
                let later = world.namespace(&[("ttl", "1s")]).await?;
                later.records("WouldHave", |_| true).await?;
                drop(nsm);
                later.lives().await?;
            }
            assert_eq!(demo.history()?.of_kind("WouldHave").count(), 1, "{:?}", demo.kinds());
            assert_eq!(demo.history()?.of_kind("ActionIntended").count(), 0, "{:?}", demo.kinds());
            demo.shows("status", "stale").await?;
            demo.lives().await
        },
    )
    .await;
}

#[tokio::test]
async fn one_policy_observes_while_another_enforces() {
    let policies = |config: &mut serde_json::Value| {
        let mut observed = config["policies"][0].clone();
        observed["name"] = json!("observed");
        observed["match"]["all"][0]["labels"]["kind"] = json!("observed");
        observed["match"]["names"] = json!(["observed-.*"]);
        observed["mode"] = json!("observe");
        config["policies"].as_array_mut().unwrap().push(observed);
    };
    story(policies, async |world| {
        let labels = [world.label(), ("kind", "observed")];
        let observed = world.namespace_named(&format!("observed-{}", world.name), &labels, &[("ttl", "1s")]).await?;
        let _nsm = world.start().await?;
        observed.records("WouldHave", |_| true).await?;
        world.witness().await?;
        observed.lives().await
    })
    .await;
}
