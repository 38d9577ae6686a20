//! How many are deleted in ten minutes.

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::eventually;

use crate::program::harness::{Demo, LATER, World, story};

#[tokio::test]
async fn beyond_the_budget_nothing_is_deleted_and_what_waits_says_so() {
    let budget = |config: &mut serde_json::Value| {
        config["budget"] = json!({"at_least": 3, "share": 0.0, "unannounced": {"at_least": 1000, "share": 1.0}});
    };
    story(budget, async |world| {
        world.fresh_window().await?;
        let _nsm = world.start().await?;
        let crowd = world.crowd(6, &[("ttl", "2s")]).await?;
        wait_for(world, &crowd, 3, "budget").await?;
        for demo in world.left_of(&crowd).await? {
            let skipped = demo.is_skipped("budget").await?;
            ensure!(skipped.instant("not_before").is_some_and(|until| until > skipped.at), "{skipped:?}");
            let detail = skipped.text("detail").unwrap_or_default();
            ensure!(detail.starts_with("3 deletions were allowed in these "), "{detail}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_first_installation_deletes_some_of_what_is_old_and_the_rest_once_somebody_approves() {
    let unannounced = |config: &mut serde_json::Value| {
        config["budget"].as_object_mut().unwrap().remove("unannounced");
    };
    story(unannounced, async |world| {
        world.fresh_window().await?;
        let crowd = world.crowd(25, &[("ttl", "1s")]).await?;
        // Their time was over before anybody could have known.
        world.is_over(&crowd, 1).await?;
        let _nsm = world.start().await?;
        wait_for(world, &crowd, 15, "unannounced").await?;

        world.nsm_ok(&["approve", "--for", "5m"]).await?;
        world.are_deleted(&crowd, LATER).await
    })
    .await;
}

/// Waits until so many are left, all of which say that they wait, and why.
async fn wait_for(world: &World, crowd: &[Demo], waiting: usize, why: &str) -> Result<()> {
    eventually(&format!("{waiting} wait for the {why}"), LATER, async || {
        let left = world.left_of(crowd).await?;
        let says = |demo: &&&Demo| {
            demo.history()
                .is_ok_and(|history| history.of_kind("ActionSkipped").any(|entry| entry.text("why") == Some(why)))
        };
        let saying = left.iter().filter(says).count();
        ensure!(left.len() == waiting && saying == waiting, "{} are left, {saying} say so", left.len());
        Ok(())
    })
    .await
}
