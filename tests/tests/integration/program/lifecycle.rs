//! What happens to a namespace under a policy, and to one that is under none.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use serde_json::{Value, json};
use testbed::{AuditEvent, accepted_namespace_deletes};

use crate::program::harness::{Demo, World, key_of, plain, story};

#[tokio::test]
async fn what_outlives_its_policys_ttl_is_deleted_and_its_status_was_readable_before() {
    let policy = |config: &mut serde_json::Value| {
        config["policies"][0]["ttl"] = json!("10s");
        config["policies"][0]["visible_for"] = json!("1s");
    };
    story(policy, async |world| {
        let _nsm = world.start().await?;
        let demo = world.namespace(&[]).await?;
        let created = demo.created().await?;
        demo.is_deleted().await?;

        let shown = shown_before_the_deletion(world, &demo).await?;
        let [ok, stale] = ["ok", "stale"].map(|status| shown.iter().find(|ours| ours["status"] == status));
        let ok = ok.with_context(|| format!("it never was ok: {shown:?}"))?;
        assert_eq!(ok["managed"], "true");
        assert_eq!(ok["namespace"], demo.name);
        assert_eq!(ok["status_timeframe"], "10 seconds");
        assert_eq!(ok["status_finalize_at"], format!("{:.0}", created + SignedDuration::from_secs(10)));
        stale.with_context(|| format!("it was deleted before it was stale: {shown:?}"))?;

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

/// What the annotations were, one change after the other, until a deletion was accepted: as the apiserver logged the patches. Somebody
/// who looks may come too late.
async fn shown_before_the_deletion(world: &World, demo: &Demo) -> Result<Vec<BTreeMap<String, Value>>> {
    world.log_is_complete().await?;
    let requests = world.requests()?;
    let deletes = accepted_namespace_deletes(&requests);
    let delete = deletes.iter().find(|delete| delete.uid.as_ref() == Some(&demo.uid)).context("its deletion")?;
    let is_patch = |event: &&AuditEvent| {
        let name = event.object_ref.as_ref().and_then(|object| object.name.as_ref());
        event.verb == "patch" && name == Some(&demo.name) && event.code() == Some(200)
    };
    let patches = requests.iter().filter(is_patch).filter(|patch| patch.answered_at <= delete.received_at);
    let (mut ours, mut shown) = (BTreeMap::new(), Vec::new());
    for patch in patches {
        let annotations = patch.request_object.as_ref().and_then(|body| body["metadata"]["annotations"].as_object());
        for (key, value) in annotations.into_iter().flatten() {
            if let Some(key) = key.strip_prefix(&key_of("")) {
                ours.insert(key.to_owned(), value.clone());
            }
        }
        if ours.contains_key("status") {
            shown.push(ours.clone());
        }
    }
    Ok(shown)
}

#[tokio::test]
async fn its_owners_ttl_counts_and_not_the_policys() {
    let ttl = |ttl: &'static str| move |config: &mut Value| config["policies"][0]["ttl"] = json!(ttl);
    story(ttl("2h"), async |world| {
        let shorter = world.namespace(&[("ttl", "2s")]).await?;
        let longer = world.namespace(&[("ttl", "1h")]).await?;
        let policys = world.namespace(&[]).await?;
        let _nsm = world.start().await?;
        shorter.is_deleted().await?;
        policys.shows("status_timeframe", "2 hours").await?;
        policys.lives().await?;
        world.configure(ttl("10s"))?;
        policys.is_deleted().await?;
        longer.shows("status_timeframe", "1 hour").await?;
        longer.lives().await
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_or_protected_outlives_its_ttl_until_the_request_is_withdrawn() {
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

        kept.annotate(&[("keep_until", None)]).await?;
        kept.is_deleted().await?;
        protected.lives().await?;
        protected.annotate(&[("protect", None)]).await?;
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
                later.records("DryRun", |_| true).await?;
                drop(nsm);
                later.lives().await?;
            }
            assert_eq!(demo.history()?.of_kind("DryRun").count(), 1, "{:?}", demo.kinds());
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
        observed.records("DryRun", |_| true).await?;
        world.witness().await?;
        observed.lives().await
    })
    .await;
}
