//! A clock that is wrong: the roles in this process, told another time than the apiserver has.

use anyhow::{Result, ensure};
use jiff::SignedDuration;

use crate::program::harness::{Roles, now, plain, story};

#[tokio::test]
async fn a_clock_that_is_a_day_ahead_deletes_nothing_and_changes_no_status() {
    wrong_by(SignedDuration::from_hours(24)).await;
}

#[tokio::test]
async fn a_clock_that_is_a_day_behind_deletes_nothing_and_changes_no_status() {
    wrong_by(-SignedDuration::from_hours(24)).await;
}

async fn wrong_by(skew: SignedDuration) {
    story(plain, async |world| -> Result<()> {
        let nsm = world.start().await?;
        world.nsm_ok(&["stop"]).await?;
        let due = world.namespace(&[("ttl", "1s")]).await?;
        let young = world.namespace(&[("ttl", "1h")]).await?;
        due.is_skipped("stopped").await?;
        young.shows("status", "ok").await?;
        drop(nsm);
        world.nsm_ok(&["resume"]).await?;

        let before = [due.history()?, young.history()?];
        let roles = Roles::start(world, move || now() + skew).await?;
        // A day ahead, its worker comes to the deletion that is due, and refuses.
        if skew.is_positive() {
            let skipped = due.is_skipped("unverified").await?;
            let detail = skipped.text("detail").unwrap_or_default();
            ensure!(detail.contains("ahead of the apiserver's"), "{detail}");
        }
        // What needs no clock is recorded: it did take its turns.
        young.annotate(&[("protect", Some("yes"))]).await?;
        young.records("Protected", |_| true).await?;
        let unseen = world.namespace(&[("ttl", "1s")]).await?;
        young.annotate(&[("protect", None)]).await?;
        young.records("Protected", |entry| entry.data["on"] == false).await?;
        roles.end().await?;

        for (demo, before) in [&due, &young].into_iter().zip(before) {
            demo.lives().await?;
            let changes = |history: &testbed::audit_checker::History| history.of_kind("StatusChanged").count();
            assert_eq!(changes(&demo.history()?), changes(&before), "{:?}", demo.kinds());
        }
        unseen.lives().await?;
        assert_eq!(unseen.kinds(), [""; 0]);
        Ok(())
    })
    .await;
}
