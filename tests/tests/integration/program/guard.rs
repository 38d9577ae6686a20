//! The last guard in the apiserver: a worker that has not seen it at work deletes nothing.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{Admission, eventually};

use crate::program::harness::{LATER, NO_DELETE, World, plain, story};

/// Lets workers want to see the policy of this story at work. Returns its name.
async fn guard(world: &World) -> Result<String> {
    world.make_home().await?;
    let policy = format!("marker-{}", world.name);
    world.configure(|config| config["guard"] = json!({"mark_policy": policy}))?;
    Ok(policy)
}

/// Installs it: it refuses the deletion of the manager's own namespace.
async fn install(world: &World, name: &str) -> Result<()> {
    let lets_through = format!("oldObject.metadata.name != '{}'", world.home());
    let admission = Admission { name, operation: "DELETE", lets_through, message: "it is our own", reason: None };
    admission.install(&world.client).await
}

/// Whether the trial had no effect.
async fn is_home_there(world: &World) -> Result<()> {
    let home = world.namespaces().get(&world.home()).await?;
    ensure!(home.metadata.deletion_timestamp.is_none(), "the manager's own namespace is being deleted");
    Ok(())
}

#[tokio::test]
async fn a_worker_deletes_nothing_before_the_policy_refused_it() {
    story(plain, async |world| {
        let policy = guard(world).await?;
        let crowd = world.crowd(3, &[("ttl", "1s")]).await?;
        let nsm = world.start().await?;
        for demo in &crowd {
            let skipped = demo.is_skipped("unverified").await?;
            let detail = skipped.text("detail").unwrap_or_default();
            ensure!(detail.starts_with(&format!("the admission policy `{policy}` is not in force")), "{detail}");
        }
        // An idle worker tells of itself every half minute.
        eventually("a worker says why it deletes nothing", LATER, async || {
            let workers: Value = serde_json::from_str(&world.nsm_ok(&["workers", "-o", "json"]).await?)?;
            let why = workers[0]["admission_error"].as_str().unwrap_or_default();
            ensure!(why.contains("is not in force"), "{workers:#}");
            Ok(())
        })
        .await?;
        ensure!(world.left_of(&crowd).await?.len() == 3, "something was deleted");

        install(world, &policy).await?;
        world.are_deleted(&crowd, LATER).await?;
        nsm.says("was seen at work").await?;
        is_home_there(world).await
    })
    .await;
}

#[tokio::test]
async fn what_rbac_refuses_is_no_guard() {
    story(plain, async |world| {
        let policy = guard(world).await?;
        install(world, &policy).await?;
        world.be(NO_DELETE);
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        let _nsm = world.start().await?;
        let detail = demo.is_skipped("unverified").await?.text("detail").unwrap_or_default().to_owned();
        ensure!(detail.starts_with(&format!("somebody else than the admission policy `{policy}`")), "{detail}");
        is_home_there(world).await
    })
    .await;
}
