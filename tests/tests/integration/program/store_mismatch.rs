//! Marks on namespaces that this store did not leave there.

use anyhow::{Result, ensure};
use testbed::eventually;

use crate::program::harness::{Demo, LATER, SOON, plain, story};

/// Otherwise whoever may annotate any namespace could stop everything, and two installations could not share a cluster.
#[tokio::test]
async fn a_mark_on_what_no_policy_matches_raises_no_mismatch() {
    story(plain, async |world| -> Result<()> {
        let foreign = [("record", "1.5"), ("managed", "true")];
        let foreign = world.namespace_named(&format!("foreign-{}", world.name), &[], &foreign).await?;
        let nsm = world.start().await?;
        world.witness().await?;
        assert_eq!(foreign.kinds(), [""; 0]);
        assert_eq!(foreign.ours().await?["record"], "1.5");
        assert!(!nsm.log().contains("may not be the right one"), "{}", nsm.log());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_copy_brings_a_mark_along_that_proves_nothing() {
    story(plain, async |world| -> Result<()> {
        let nsm = world.start().await?;
        let original = world.namespace(&[("ttl", "1h")]).await?;
        let ours = original.shows("status", "ok").await?;
        let carried: Vec<_> = ours.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let copy = world.namespace(&carried).await?;
        eventually("the copy carries a mark of its own", SOON, async || {
            let own = copy.ours().await?["record"].clone();
            ensure!(own.ends_with(&copy.uid), "it carries {own}");
            Ok(())
        })
        .await?;
        eventually("the log tells of it", SOON, async || {
            ensure!(nsm.log().contains("carried the marker of another namespace"), "{}", nsm.log());
            Ok(())
        })
        .await?;
        let mismatch = world.nsm_ok(&["status", "-o", "json"]).await?;
        ensure!(serde_json::from_str::<serde_json::Value>(&mismatch)?["mismatch"].is_null(), "{mismatch}");
        for demo in [&original, &copy] {
            demo.expire().await?;
        }
        world.are_deleted(&[original, copy], LATER).await
    })
    .await;
}

#[tokio::test]
async fn a_forged_mark_holds_back_its_namespace_and_no_other() {
    story(plain, async |world| -> Result<()> {
        let _nsm = world.start().await?;
        let forged = world.namespace(&[("ttl", "1h")]).await?;
        let record = forged.shows("status", "ok").await?["record"].clone();
        let (epoch, _) = record.split_once('.').unwrap_or_default();
        let marker = format!("{epoch}.999.{}", forged.uid);
        forged.annotate(&[("record", Some(&marker))]).await?;
        forged.records("RecordMarkerMismatched", |_| true).await?;
        forged.expire().await?;
        world.witness().await?;
        forged.lives().await?;
        ensure!(forged.ours().await?["record"] == marker, "the evidence is gone");
        let why = world.nsm(&["why", &forged.name]).await?;
        ensure!(why.out.contains("nsm approve --store"), "{}", why.out);
        let answered = world.nsm_ok(&["approve", "--store"]).await?;
        ensure!(answered.contains(&forged.name), "{answered}");
        forged.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn a_mark_that_cannot_be_read_holds_back_its_namespace_and_is_recorded_once() {
    story(plain, async |world| -> Result<()> {
        let _nsm = world.start().await?;
        let mut damaged = Vec::new();
        for marker in ["garbage", "1.", "1.2."] {
            let demo = world.namespace(&[("ttl", "1h")]).await?;
            demo.shows("status", "ok").await?;
            demo.annotate(&[("record", Some(marker))]).await?;
            demo.records("RecordMarkerMismatched", |_| true).await?;
            demo.expire().await?;
            damaged.push((demo, marker));
        }
        world.witness().await?;
        let whole = world.nsm_ok(&["status", "-o", "json"]).await?;
        let whole: serde_json::Value = serde_json::from_str(&whole)?;
        ensure!(whole["mismatch"].is_null() && whole["marker_mismatches"] == 3, "{whole:#}");
        for (demo, marker) in &damaged {
            demo.lives().await?;
            ensure!(demo.ours().await?["record"] == *marker, "the evidence is gone");
            let times = demo.kinds().iter().filter(|kind| **kind == "RecordMarkerMismatched").count();
            ensure!(times == 1, "{:?}", demo.kinds());
            let why = world.nsm(&["why", &demo.name]).await?;
            ensure!(why.out.contains("nsm approve --store"), "{}", why.out);
        }
        world.nsm_ok(&["approve", "--store"]).await?;
        world.are_deleted(&damaged.into_iter().map(|(demo, _)| demo).collect::<Vec<_>>(), LATER).await
    })
    .await;
}

/// An upgrade must not hide a lost store, and must not take its own former marks for a stranger's.
#[tokio::test]
async fn a_mark_of_the_former_form_is_rewritten_when_it_is_in_order_and_counts_when_it_is_not() {
    story(plain, async |world| -> Result<()> {
        let _nsm = world.start().await?;
        let [sound, lost] = [world.namespace(&[("ttl", "1h")]).await?, world.namespace(&[("ttl", "1h")]).await?];
        for (demo, number) in [(&sound, 1), (&lost, 999)] {
            let record = demo.shows("status", "ok").await?["record"].clone();
            let (epoch, _) = record.split_once('.').unwrap_or_default();
            demo.annotate(&[("record", Some(&format!("{epoch}.{number}")))]).await?;
        }
        lost.records("RecordMarkerMismatched", |_| true).await?;
        let own = format!("{}.{}.{}", epoch_of(&sound).await?, sound.kinds().len(), sound.uid);
        sound.shows("record", &own).await?;
        for demo in [&sound, &lost] {
            demo.expire().await?;
        }
        sound.is_deleted().await?;
        lost.lives().await
    })
    .await;
}

async fn epoch_of(demo: &Demo) -> Result<String> {
    let record = demo.ours().await?["record"].clone();
    Ok(record.split('.').next().unwrap_or_default().to_owned())
}
