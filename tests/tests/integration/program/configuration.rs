//! Configurations that are refused, and those that change while the program runs.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::program::harness::{NO_DELETE, SOON, World, plain, story};

/// The exit code of a refused configuration.
const REFUSED: Option<i32> = Some(6);

/// Checks that nsm refuses to start with this configuration, and says where, at which key, and what to do.
async fn refuses(world: &World, key: &str, mend: &str) -> Result<()> {
    let mut nsm = world.spawn(&[])?;
    let (code, log) = nsm.ends().await?;
    ensure!(code == REFUSED, "{code:?}: {log}");
    let file = world.config().display().to_string();
    for said in [file.as_str(), &format!("`{key}`"), mend] {
        ensure!(log.contains(said), "`{said}` is not in: {log}");
    }
    ensure!(!world.store().exists(), "it made a store");
    let checked = world.nsm(&["config", "check"]).await?;
    ensure!(checked.code == REFUSED && checked.err.contains(&format!("`{key}`")), "{checked:?}");
    Ok(())
}

#[tokio::test]
async fn a_bad_configuration_is_refused_at_the_start_with_file_key_and_mend() {
    story(plain, async |world| {
        world.configure(|config| config["policies"][0]["ttl"] = json!("3s"))?;
        refuses(world, "policies[0].ttl", "use at least 10s").await?;
        world.configure(|config| config["policys"] = json!([]))?;
        refuses(world, "policys", "policies").await?;
        world.configure(|config| config["policies"][0]["match"] = json!({}))?;
        refuses(world, "policies[0].match", "give `names`, `any` or `all`").await
    })
    .await;
}

#[tokio::test]
async fn a_bad_change_keeps_the_last_good_configuration_and_a_good_one_counts() {
    let ttl = |ttl: &'static str| move |config: &mut Value| config["policies"][0]["ttl"] = json!(ttl);
    story(ttl("1h"), async |world| {
        let demo = world.namespace(&[]).await?;
        let mut nsm = world.start().await?;
        demo.shows("status_timeframe", "1 hour").await?;

        world.configure(ttl("1 fortnight"))?;
        let log = nsm.says("was not taken in, the last good one stays").await?;
        ensure!(log.contains("`policies[0].ttl`"), "{log}");
        world.witness().await?;
        demo.shows("status_timeframe", "1 hour").await?;
        demo.lives().await?;

        world.configure(ttl("10s"))?;
        demo.is_deleted().await?;
        ensure!(nsm.process().exited()?.is_none(), "it ended");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_no_policy_matches_any_more_is_released_and_bare_of_marks() {
    story(plain, async |world| {
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        let _nsm = world.start().await?;
        demo.shows("status", "ok").await?;
        world.configure(|config| {
            config["policies"][0]["match"] = json!({"names": [format!("elsewhere-{}.*", world.name)]});
        })?;
        demo.records("Released", |_| true).await?;
        demo.expire().await?;
        let elsewhere = format!("elsewhere-{}", world.name);
        world.namespace_named(&elsewhere, &[], &[("ttl", "1s")]).await?.is_deleted().await?;
        demo.lives().await?;
        let ours = demo.ours().await?;
        ensure!(ours.keys().eq(["ttl"]), "{ours:?}");
        Ok(())
    })
    .await;
}

/// One configuration is in force, the one of whoever leads. A collector with another one leaves alone what follows from it, or
/// two would take turns at every namespace and fill its history without an end.
#[tokio::test]
async fn a_collector_with_a_configuration_that_is_not_in_force_adopts_nothing_and_changes_no_policy() {
    story(plain, async |world| {
        let demo = world.namespace(&[]).await?;
        let mut nsm = world.start().await?;
        demo.shows("status", "ok").await?;
        nsm.process().terminate(SOON).await?;

        world.configure(|config| config["policies"][0]["ttl"] = json!("1h"))?;
        let new = world.namespace(&[]).await?;
        let log = world.sweep(NO_DELETE).await?;
        ensure!(demo.kinds() == ["Adopted", "StatusChanged"], "{:?}\n{log}", demo.kinds());
        ensure!(new.kinds().is_empty(), "{:?}\n{log}", new.kinds());

        let _nsm = world.start().await?;
        demo.records("PolicyChanged", |_| true).await?;
        new.shows("status_timeframe", "1 hour").await?;
        Ok(())
    })
    .await;
}
