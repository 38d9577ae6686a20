//! What every other suite relies on: the testbed does what its documentation says.

mod answers;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt};
use testbed::{
    AuditEvent, ControlPlane, HANG, Options, Process, User, accepted_namespace_deletes, eventually, temp_namespace,
};

fn preconditions(uid: Option<String>, resource_version: Option<String>) -> DeleteParams {
    DeleteParams::default().preconditions(Preconditions { uid, resource_version })
}

/// Checks that the apiserver refuses with 409 and these words.
#[track_caller]
fn assert_conflict<T: std::fmt::Debug>(answer: kube::Result<T>, words: &str) {
    match answer {
        Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 409, "{status:?}");
            assert!(status.message.contains(words), "{}", status.message);
        }
        other => panic!("no conflict: {other:?}"),
    }
}

#[tokio::test]
async fn users_may_do_what_rbac_says() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let admin: Api<Namespace> = Api::all(plane.client(User::ADMIN).await?);
    assert!(admin.list(&ListParams::default()).await?.items.len() >= 4);

    let stranger: Api<Namespace> = Api::all(plane.client("stranger").await?);
    match stranger.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 403);
            assert!(
                status.message.contains("User \"stranger\" cannot list resource \"namespaces\""),
                "{}",
                status.message
            );
        }
        other => panic!("not refused: {other:?}"),
    }

    let nobody = plane.kubeconfig("nobody").unwrap_err().to_string();
    assert!(nobody.contains("no user `nobody`"), "{nobody}");
    Ok(())
}

#[tokio::test]
async fn a_deleted_namespace_goes_away() -> Result<()> {
    let client = ControlPlane::shared().await?.client(User::ADMIN).await?;
    let namespace = temp_namespace(&client, &[("team", "a")], &[("note", "b")]).await?;
    assert_eq!(namespace.labels()["team"], "a");
    assert_eq!(namespace.annotations()["note"], "b");

    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&namespace.name_any(), &DeleteParams::default()).await?;
    eventually("the namespace is gone", HANG, async || {
        let seen = namespaces.get_opt(&namespace.name_any()).await?;
        ensure!(seen.is_none(), "{:?}", seen.and_then(|namespace| namespace.status));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn preconditions_are_kept_and_the_audit_log_tells() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let client = plane.client(User::ADMIN).await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = temp_namespace(&client, &[], &[]).await?;
    let mut log = plane.audit_of(&namespace.name_any())?;
    let (name, uid, version) = (namespace.name_any(), namespace.uid(), namespace.resource_version());

    let other_uid = preconditions(Some("0d15ea5e-0000-4000-8000-000000000000".into()), version.clone());
    assert_conflict(namespaces.delete(&name, &other_uid).await, "UID in precondition");
    let stale = preconditions(uid.clone(), Some("1".into()));
    assert_conflict(namespaces.delete(&name, &stale).await, "ResourceVersion in precondition");
    let right = preconditions(uid.clone(), version.clone());
    namespaces.delete(&name, &right.clone().dry_run()).await?;

    let answer = namespaces.delete(&name, &right).await?.left().context("the namespace, not a status")?;
    assert_eq!(answer.status.and_then(|status| status.phase).as_deref(), Some("Terminating"));
    assert_conflict(namespaces.delete(&name, &right).await, "ResourceVersion in precondition");

    // Five requests, of which one deleted something.
    let events = eventually("the audit log is complete", HANG, async || {
        let events = log.events()?.iter().filter(|event| event.verb == "delete" && is_on(event, &name));
        let events: Vec<_> = events.cloned().collect();
        ensure!(events.len() == 5, "{} deletions", events.len());
        Ok(events)
    })
    .await?;
    let deletes = accepted_namespace_deletes(&events);
    assert_eq!(deletes.len(), 1, "{deletes:?}");
    assert_eq!(deletes[0].user, User::ADMIN);
    assert_eq!((&deletes[0].uid, &deletes[0].resource_version), (&uid, &version));
    Ok(())
}

fn is_on(event: &AuditEvent, namespace: &str) -> bool {
    event.is_on_namespaces()
        && event.object_ref.as_ref().is_some_and(|object| object.name.as_deref() == Some(namespace))
}

#[tokio::test]
async fn a_frozen_apiserver_answers_after_the_thaw() -> Result<()> {
    let plane = bare_plane().await?;
    let namespaces: Api<Namespace> = Api::all(plane.client(User::ADMIN).await?);
    namespaces.get("default").await?;

    plane.freeze_apiserver()?;
    let mut answer = std::pin::pin!(namespaces.get("default"));
    let silence = tokio::time::timeout(Duration::from_millis(500), &mut answer).await;
    assert!(silence.is_err(), "a frozen apiserver answered");
    plane.thaw_apiserver()?;
    tokio::time::timeout(HANG, answer).await??;
    Ok(())
}

#[tokio::test]
async fn a_killed_apiserver_comes_back_with_its_data() -> Result<()> {
    let plane = bare_plane().await?;
    let client = plane.client(User::ADMIN).await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = temp_namespace(&client, &[], &[]).await?;

    plane.kill_apiserver();
    let refused = tokio::time::timeout(HANG, namespaces.get("default")).await?;
    assert!(!matches!(refused, Ok(_) | Err(kube::Error::Api(_))), "a dead apiserver answered: {refused:?}");
    plane.restart_apiserver().await?;

    assert_eq!(namespaces.get(&namespace.name_any()).await?.uid(), namespace.uid());
    let events = plane.audit()?;
    assert!(events.iter().any(|event| event.verb == "create" && event.is_on_namespaces()), "the audit log starts anew");
    Ok(())
}

/// A control plane of the test's own, to be broken.
async fn bare_plane() -> Result<ControlPlane> {
    ControlPlane::start(Options { controller_manager: false, ..Options::default() }).await
}

/// As after Ctrl-C, an abort, or a time limit of a CI system: no destructor runs.
#[tokio::test]
async fn nothing_is_left_of_a_killed_test() -> Result<()> {
    let mut test =
        Process::spawn("control-plane", &mut std::process::Command::new(env!("CARGO_BIN_EXE_control-plane")))?;
    let directory = eventually("a control plane runs in another process", HANG, async || {
        let log = test.log();
        let kubeconfig = log.lines().find_map(|line| line.strip_prefix("admin")?.split_once('='));
        let (_, kubeconfig) = kubeconfig.with_context(|| format!("no kubeconfig in its output: {log}"))?;
        Ok(Path::new(kubeconfig).ancestors().nth(2).context("a directory")?.to_owned())
    })
    .await?;
    let mut running = programs_using(&directory)?;
    running.sort();
    assert_eq!(running, ["etcd", "kube-apiserver", "kube-controller-manager", "sh"]);

    test.kill();
    let killed = Instant::now();
    eventually("all its servers and files are gone", HANG, async || {
        let running = programs_using(&directory)?;
        ensure!(
            running.is_empty() && !directory.exists(),
            "{running:?}, {} exists: {}",
            directory.display(),
            directory.exists()
        );
        Ok(())
    })
    .await?;
    println!("gone after {:?}", killed.elapsed());
    Ok(())
}

/// Names of the running programs that have `directory` in their arguments.
fn programs_using(directory: &Path) -> Result<Vec<String>> {
    let directory = directory.to_str().context("a path in UTF-8")?;
    let mut programs = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        // Not a process, or gone meanwhile, or already dead (it has no arguments then).
        let Ok(arguments) = std::fs::read(entry?.path().join("cmdline")) else { continue };
        let arguments = String::from_utf8_lossy(&arguments);
        if arguments.contains(directory) {
            let program = arguments.split('\0').next().unwrap_or_default();
            programs.push(program.rsplit('/').next().unwrap_or_default().to_owned());
        }
    }
    Ok(programs)
}
