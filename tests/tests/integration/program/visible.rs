//! A deletion waits until its status was seen on the namespace, whatever others do to our annotations.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{Admission, eventually};

use crate::program::harness::{SOON, World, key_of, story};

/// Has the apiserver refuse to write that any namespace of the story is stale, from now on. Returns the policy's name.
async fn refuse(world: &World) -> Result<String> {
    let name = format!("no-status-{}", world.name);
    let key = key_of("status");
    let is_stale = format!(
        "has(object.metadata.annotations) && '{key}' in object.metadata.annotations && \
         object.metadata.annotations['{key}'] == 'stale'"
    );
    let is_ours = format!(
        "has(object.metadata.labels) && object.metadata.labels.exists(k, object.metadata.labels[k] == '{}')",
        world.name
    );
    let admission = Admission {
        name: &name,
        operation: "UPDATE",
        lets_through: format!("!({is_ours} && {is_stale})"),
        message: "no statuses here",
        reason: None,
    };
    admission.install(&world.client).await?;
    let probe = world.namespace(&[("protect", "yes")]).await?;
    eventually("the policy is in force", SOON, async || {
        let written = probe.annotate(&[("status", Some("stale"))]).await;
        ensure!(written.is_err(), "it was not refused");
        Ok(())
    })
    .await?;
    Ok(name)
}

fn visible_for_a_second(config: &mut Value) {
    config["policies"][0]["visible_for"] = json!("1s");
}

#[tokio::test]
async fn a_status_that_cannot_be_written_deletes_nothing_until_it_can() {
    story(visible_for_a_second, async |world| -> Result<()> {
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        demo.shows("status", "ok").await?;
        let refused = refuse(world).await?;
        demo.expire().await?;
        let not_shown = demo.records("StatusNotShown", |_| true).await?;
        ensure!(not_shown.text("why").is_some_and(|why| why.contains("no statuses here")), "{not_shown:?}");
        let why = world.nsm_ok(&["why", &demo.name]).await?;
        ensure!(why.contains("could not be written on the namespace"), "{why}");
        demo.lives().await?;
        Admission::remove(&world.client, &refused).await?;
        demo.is_deleted().await?;
        let shown = demo.records("StatusShown", |_| true).await?;
        ensure!(shown.seq > not_shown.seq, "{:?}", demo.kinds());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn where_nobody_need_have_read_it_nothing_waits() {
    let configure = |config: &mut Value| {
        visible_for_a_second(config);
        config["policies"][0]["on"] = json!({"stale": {"require_visible": false}});
    };
    story(configure, async |world| -> Result<()> {
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        demo.shows("status", "ok").await?;
        let refused = refuse(world).await?;
        demo.expire().await?;
        demo.is_deleted().await?;
        ensure!(!demo.kinds().contains(&"StatusShown".to_owned()), "{:?}", demo.kinds());
        Admission::remove(&world.client, &refused).await
    })
    .await;
}

/// GitOps would keep it for ever.
#[tokio::test]
async fn a_status_that_is_taken_off_again_was_seen() {
    let configure = |config: &mut Value| config["policies"][0]["visible_for"] = json!("3s");
    story(configure, async |world| -> Result<()> {
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        demo.shows("status", "ok").await?;
        demo.expire().await?;
        let shown = demo.records("StatusShown", |_| true).await?;
        if !demo.is_deleted_now().await? {
            // Refused where its deletion was accepted meanwhile.
            let _ = demo.annotate(&[("status", None), ("status_timestamp", None)]).await;
        }
        demo.is_deleted().await?;
        let intended = demo.records("ActionIntended", |_| true).await?;
        ensure!(intended.at >= shown.at + jiff::SignedDuration::from_secs(3), "{intended:?}, {shown:?}");
        Ok(())
    })
    .await;
}
