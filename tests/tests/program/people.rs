//! What people decree with `nsm`, beside the one that runs.

use anyhow::{Result, ensure};
use serde_json::Value;
use testbed::accepted_namespace_deletes;

use crate::harness::{LATER, now, plain, story};

#[tokio::test]
async fn what_falls_due_after_a_stop_waits_and_is_deleted_after_resume() {
    story(plain, async |world| {
        let _nsm = world.start().await?;
        world.nsm_ok(&["stop", "--reason", "an audit"]).await?;
        let crowd = world.crowd(3, &[("ttl", "1s")]).await?;
        for demo in &crowd {
            let skipped = demo.is_skipped("stopped").await?;
            ensure!(skipped.text("detail").is_some_and(|detail| detail.contains("an audit")), "{skipped:?}");
            demo.lives().await?;
        }
        world.nsm_ok(&["resume"]).await?;
        world.are_deleted(&crowd, LATER).await
    })
    .await;
}

#[tokio::test]
async fn nothing_is_deleted_once_a_stop_is_acknowledged_though_many_were_under_way() {
    story(plain, async |world| {
        let crowd = world.crowd(40, &[("ttl", "1s")]).await?;
        world.is_over(&crowd, 1).await?;
        let nsm = world.start().await?;
        nsm.says("is deleted").await?;
        let answer = world.nsm(&["stop"]).await?;
        let acknowledged = now();
        // Where a deletion came first, it says so, and fails.
        ensure!(matches!(answer.code, Some(0 | 1)), "{answer:?}");

        let left = world.left_of(&crowd).await?;
        eprintln!("{} of {} are left", left.len(), crowd.len());
        let late = world.namespace(&[("ttl", "1s")]).await?;
        late.is_skipped("stopped").await?;
        for demo in left {
            demo.lives().await?;
        }
        let late = accepted_namespace_deletes(&world.requests()?);
        let late: Vec<_> = late.iter().filter(|delete| delete.received_at > acknowledged).collect();
        assert!(late.is_empty(), "deleted after the stop: {late:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn wishes_by_command_hold_and_are_told_by_why_history_and_ls() {
    story(plain, async |world| {
        let [kept, protected] = [world.namespace(&[("ttl", "3s")]).await?, world.namespace(&[("ttl", "3s")]).await?];
        let _nsm = world.start().await?;
        for demo in [&kept, &protected] {
            demo.shows("status", "ok").await?;
        }
        world.nsm_ok(&["keep", &kept.name, "--for", "4h", "--reason", "a demo on Monday"]).await?;
        world.nsm_ok(&["protect", &protected.name]).await?;
        for demo in [&kept, &protected] {
            demo.shows("status", "stale").await?;
        }
        world.witness().await?;
        kept.lives().await?;
        protected.lives().await?;

        let json = async |arguments: &[&str]| -> Result<Value> {
            let out = world.nsm_ok(&[arguments, &["-o", "json"]].concat()).await?;
            Ok(serde_json::from_str(&out)?)
        };
        let why = json(&["why", &kept.name]).await?.to_string();
        ensure!(why.contains("a demo on Monday"), "{why}");
        let history = json(&["history", &kept.name]).await?.to_string();
        ensure!(history.contains("a demo on Monday"), "{history}");
        let ls = json(&["ls"]).await?;
        let names: Vec<_> = ls.as_array().into_iter().flatten().filter_map(|line| line["name"].as_str()).collect();
        ensure!(names.contains(&kept.name.as_str()) && names.contains(&protected.name.as_str()), "{ls}");

        world.nsm_ok(&["unprotect", &protected.name]).await?;
        protected.is_deleted().await?;
        kept.lives().await?;
        world.nsm_ok(&["unkeep", &kept.name]).await?;
        kept.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn a_wish_for_what_is_not_there_or_is_going_is_refused() {
    story(plain, async |world| {
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        let _nsm = world.start().await?;
        demo.is_deleted().await?;
        for wish in [&["keep", &demo.name, "--for", "1h"][..], &["protect", &demo.name]] {
            let answer = world.nsm(wish).await?;
            assert_eq!(answer.code, Some(4), "{answer:?}");
        }
        let nobody = world.nsm(&["protect", "nobody-of-this-name"]).await?;
        assert_eq!(nobody.code, Some(3), "{nobody:?}");
        assert!(nobody.err.contains("nobody-of-this-name"), "{nobody:?}");
        Ok(())
    })
    .await;
}
