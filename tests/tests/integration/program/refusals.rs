//! What the apiserver refuses is told where people look: by an Event in the namespace, once for each answer that is new.

use anyhow::{Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use testbed::{Admission, eventually};

use crate::program::harness::{Demo, LATER, NO_DELETE, SOON, World, plain, story};

/// The notes of the Events with this reason in a namespace.
async fn notes(world: &World, demo: &Demo, reason: &str) -> Result<Vec<String>> {
    let api: Api<Event> = Api::namespaced(world.client.clone(), &demo.name);
    let all = api.list(&ListParams::default()).await?;
    let about = all.items.into_iter().filter(|event| event.reason.as_deref() == Some(reason));
    let is_ours = |event: &Event| event.regarding.as_ref().is_some_and(|it| it.uid.as_ref() == Some(&demo.uid));
    Ok(about.filter(is_ours).filter_map(|event| event.note).collect())
}

async fn the_note(world: &World, demo: &Demo, reason: &str) -> Result<String> {
    eventually(&format!("an Event {reason}"), SOON, async || {
        let mut notes = notes(world, demo, reason).await?;
        ensure!(notes.len() == 1, "{notes:?}, {:?}", demo.kinds());
        Ok(notes.remove(0))
    })
    .await
}

fn says(note: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(note.contains(word), "no `{word}` in: {note}");
    }
    Ok(())
}

/// Waits until it was refused so often.
async fn is_refused(demo: &Demo, times: usize) -> Result<()> {
    eventually(&format!("it is refused {times} times"), LATER, async || {
        let history = demo.history()?;
        let refused = history.of_kind("ActionFailed").filter(|entry| entry.text("why") == Some("refused")).count();
        ensure!(refused >= times, "{:?}", demo.kinds());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deletion_that_admission_refuses_again_and_again_is_told_of_once() {
    story(plain, async |world| -> Result<()> {
        let name = format!("no-delete-{}", world.name);
        let admission = Admission {
            name: &name,
            operation: "DELETE",
            lets_through: format!("!oldObject.metadata.name.contains('{}')", world.name),
            message: "no deletions on Fridays",
            reason: None,
        };
        admission.install(&world.client).await?;
        let probe = world.namespace(&[("protect", "yes")]).await?;
        eventually("the policy is in force", SOON, async || {
            let params = kube::api::DeleteParams { dry_run: true, ..Default::default() };
            ensure!(world.namespaces().delete(&probe.name, &params).await.is_err(), "it was not refused");
            Ok(())
        })
        .await?;
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        is_refused(&demo, 2).await?;
        let note = the_note(world, &demo, "DeletionRefused").await?;
        says(&note, &["it is not deleted", "the apiserver answered 422: ", "no deletions on Fridays", "`nsm protect"])?;
        Admission::remove(&world.client, &name).await
    })
    .await;
}

#[tokio::test]
async fn a_deletion_for_which_the_right_is_missing_is_told_of() {
    story(plain, async |world| -> Result<()> {
        world.be(NO_DELETE);
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        is_refused(&demo, 1).await?;
        let note = the_note(world, &demo, "DeletionRefused").await?;
        says(&note, &["the apiserver answered 403: ", "cannot delete resource", "grants the rights"])
    })
    .await;
}

#[tokio::test]
async fn annotations_that_admission_refuses_are_told_of_whatever_the_status() {
    story(plain, async |world| -> Result<()> {
        let name = format!("no-status-{}", world.name);
        let key = crate::program::harness::key_of("status");
        let carries = format!("has(object.metadata.annotations) && '{key}' in object.metadata.annotations");
        let admission = Admission {
            name: &name,
            operation: "UPDATE",
            lets_through: format!("!(object.metadata.name.contains('{}') && {carries})", world.name),
            message: "no statuses here",
            reason: None,
        };
        admission.install(&world.client).await?;
        let probe = world.namespace(&[("protect", "yes")]).await?;
        eventually("the policy is in force", SOON, async || {
            ensure!(probe.annotate(&[("status", Some("ok"))]).await.is_err(), "it was not refused");
            Ok(())
        })
        .await?;
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        let note = the_note(world, &demo, "AnnotationsRefused").await?;
        says(&note, &["the apiserver answered 422: ", "no statuses here", "let the manager write its annotations"])?;
        Admission::remove(&world.client, &name).await
    })
    .await;
}
