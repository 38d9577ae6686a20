//! What people control with `nsm`, beside the one that runs.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail, ensure};
use common::store;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testbed::{accepted_namespace_deletes, eventually};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::program::harness::{Demo, LATER, SOON, World, key_of, now, plain, story};

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

/// What runs may use another one, such as that of before a change.
#[tokio::test]
async fn a_stop_in_a_store_that_nobody_works_on_says_so() {
    story(plain, async |world| {
        let _nsm = world.start().await?;
        world.configure(|config| {
            config["store"]["url"] = json!(format!("sqlite:{}", world.path("other.db").display()));
        })?;
        drop(store::open(&format!("sqlite:{}", world.path("other.db").display())).await?);
        let stopped = world.nsm(&["stop"]).await?;
        ensure!(stopped.code == Some(0) && stopped.err.contains("nobody who works on this store"), "{stopped:?}");
        Ok(())
    })
    .await;
}

/// A change of the configuration that is refused leaves the last good one in force for whoever runs.
#[tokio::test]
async fn a_stop_needs_no_configuration_that_is_right() {
    story(plain, async |world| {
        let _nsm = world.start().await?;
        world.configure(|config| config["budget"] = json!("a lot"))?;
        let stopped = world.nsm(&["stop"]).await?;
        ensure!(stopped.code == Some(0) && stopped.err.contains("`budget`"), "{stopped:?}");
        ensure!(!stopped.err.contains("nobody who works on this store"), "{stopped:?}");
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        demo.is_skipped("stopped").await?;
        let resumed = world.nsm(&["resume"]).await?;
        ensure!(resumed.code == Some(0) && resumed.err.contains("`budget`"), "{resumed:?}");
        world.are_deleted(&[demo], LATER).await?;

        world.configure(|config| config["guard"] = json!({"stop_policy": []}))?;
        let half = world.nsm(&["stop"]).await?;
        ensure!(half.code == Some(1) && half.err.contains("the stop holds, but:"), "{half:?}");
        ensure!(half.err.contains("`guard` of the configuration is wrong"), "{half:?}");

        // A stop in a store that was made for it would stop nothing.
        world.configure(|config| config["stroe"] = config["store"].take())?;
        let unsure = world.nsm(&["stop"]).await?;
        ensure!(!unsure.err.contains("are stopped"), "{unsure:?}");
        ensure!(unsure.code == Some(6) && unsure.err.contains("CONFIG_PATH= NSM__STORE__URL"), "{unsure:?}");
        Ok(())
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

        // What could not be cut off any more is named.
        let mut left = world.left_of(&crowd).await?;
        left.retain(|demo| !answer.err.contains(&demo.name));
        eprintln!("{} of {} are left", left.len(), crowd.len());
        let late = world.namespace(&[("ttl", "1s")]).await?;
        late.is_skipped("stopped").await?;
        for demo in left {
            demo.lives().await?;
        }
        world.log_is_complete().await?;
        let mut late = accepted_namespace_deletes(&world.requests()?);
        late.retain(|delete| delete.received_at > acknowledged && !answer.err.contains(&delete.namespace));
        assert!(late.is_empty(), "deleted after the stop: {late:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn overrides_by_command_hold_and_are_told_by_why_history_and_ls() {
    story(plain, async |world| {
        let [kept, protected] = [world.namespace(&[("ttl", "1h")]).await?, world.namespace(&[("ttl", "1h")]).await?];
        let _nsm = world.start().await?;
        for demo in [&kept, &protected] {
            demo.shows("status", "ok").await?;
        }
        let said = world.nsm_ok(&["keep", &kept.name, "--for", "4h", "--reason", "a demo on Monday"]).await?;
        let begins = format!("`{}` is kept for 4 hours, until ", kept.name);
        ensure!(said.starts_with(&begins) && said.lines().count() == 1, "{said}");
        world.nsm_ok(&["protect", &protected.name]).await?;
        for demo in [&kept, &protected] {
            demo.expire().await?;
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
async fn a_request_for_what_is_not_there_or_is_going_is_refused() {
    story(plain, async |world| {
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        let _nsm = world.start().await?;
        demo.is_deleted().await?;
        for request in [&["keep", &demo.name, "--for", "1h"][..], &["protect", &demo.name]] {
            let answer = world.nsm(request).await?;
            assert_eq!(answer.code, Some(4), "{answer:?}");
        }
        let nobody = world.nsm(&["protect", "nobody-of-this-name"]).await?;
        assert_eq!(nobody.code, Some(3), "{nobody:?}");
        assert!(nobody.err.contains("nobody-of-this-name"), "{nobody:?}");
        Ok(())
    })
    .await;
}

/// Between the look at a namespace and the write to it, its deletion may be accepted. Then the request comes too late, though it is
/// written.
#[tokio::test]
async fn a_request_that_is_written_after_the_deletion_was_accepted_is_refused() {
    story(plain, async |world| {
        let demo = world.namespace(&[]).await?;
        let _nsm = world.start().await?;
        demo.shows("status", "ok").await?;
        let hold = Hold::of(world, &demo).await?;
        let deletion = async {
            let asked = timeout(SOON, hold.silent.accept()).await.context("it was not held back")?;
            demo.delete().await?;
            ensure!(demo.is_deleted_now().await?, "it lives");
            drop(asked?);
            hold.end().await
        };
        let keep = ["keep", &demo.name, "--for", "1h"];
        let (answer, deleted) = tokio::join!(world.nsm(&keep), deletion);
        deleted?;
        let answer = answer?;
        ensure!(answer.code == Some(4) && answer.err.contains("is already being deleted"), "{answer:?}");
        ensure!(demo.ours().await?.contains_key("keep_until"), "it was not written: {:?}", demo.ours().await?);
        demo.finish().await
    })
    .await;
}

/// Holds back whatever writes a `keep_until` to a namespace: the apiserver asks an admission webhook, which does not answer.
struct Hold {
    silent: TcpListener,
    webhooks: Api<ValidatingWebhookConfiguration>,
    name: String,
}

impl Hold {
    async fn of(world: &World, demo: &Demo) -> Result<Self> {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (key, name) = (key_of("keep_until"), format!("holds-{}", demo.name));
        let keeps = format!("has(object.metadata.annotations) && '{key}' in object.metadata.annotations");
        let webhook = json!({
            "metadata": {"name": name},
            "webhooks": [{
                "name": "holds.example.org",
                "clientConfig": {"url": format!("https://127.0.0.1:{}", silent.local_addr()?.port())},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["namespaces"], "operations": ["UPDATE"]},
                ],
                "matchConditions": [
                    {"name": "this-one", "expression": format!("request.name == '{}'", demo.name)},
                    {"name": "keeps", "expression": keeps},
                ],
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "timeoutSeconds": 30,
                "admissionReviewVersions": ["v1"],
            }],
        });
        let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(world.namespaces().into_client());
        webhooks.create(&PostParams::default(), &serde_json::from_value(webhook)?).await?;
        let hold = Self { silent, webhooks, name };
        // The apiserver has yet to hear of it itself.
        let (namespaces, dry_run) = (world.namespaces(), PatchParams { dry_run: true, ..PatchParams::default() });
        let keep = Patch::Merge(json!({"metadata": {"annotations": {key: "2999-01-01T00:00:00Z"}}}));
        eventually("writes are held back", SOON, async || {
            tokio::select! {
                asked = hold.silent.accept() => asked?,
                written = namespaces.patch(&demo.name, &dry_run, &keep) => bail!("one went through: {:?}", written?.metadata),
            };
            Ok(())
        })
        .await?;
        Ok(hold)
    }

    /// Lets it through, for an apiserver that finds nobody to ask asks nobody.
    async fn end(self) -> Result<()> {
        drop(self.silent);
        self.webhooks.delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }
}

#[tokio::test]
async fn whose_it_is_is_told_by_the_first_key_that_can_be_read_and_remembered_after_its_end() {
    let configure = |config: &mut Value| {
        let order = ["notificationAddress", "creator", "author", "team"];
        config["owners"] = json!({"order": order, "creator_annotation": "admission.example.org/creator"});
    };
    story(configure, async |world| {
        let name = format!("story-{}-owned", world.name);
        let labels = [world.label(), ("cicd.skao.int/author", "anna"), ("cicd.skao.int/team", "blue")];
        let demo = world.namespace_named(&name, &labels, &[("ttl", "4h")]).await?;
        let _nsm = world.start().await?;
        demo.shows("status", "ok").await?;
        is_owned(world, &demo, "anna", &json!({"from": "author", "key": "cicd.skao.int/author", "live": true})).await?;
        let line = world.nsm_ok(&["ls"]).await?;
        ensure!(line.contains("anna"), "{line}");

        // `Anna Example::U04ABCDEF`.
        let packed = "QW5uYSBFeGFtcGxlOjpVMDRBQkNERUY=";
        let creator = "system:serviceaccount:ci:runner";
        write(world, &demo, packed, creator).await?;
        let key = "cicd.skao.int/notificationAddress";
        let found = json!({"from": "notificationAddress", "key": key, "live": true, "slack": "U04ABCDEF"});
        let why = is_owned(world, &demo, "Anna Example", &found).await?;
        ensure!(why["malformed"] == json!([]), "{why}");
        let text = world.nsm_ok(&["why", &demo.name]).await?;
        ensure!(text.contains(&format!("Anna Example (Slack U04ABCDEF), by the annotation `{key}`")), "{text}");

        write(world, &demo, "\u{1b}[2J no base64", creator).await?;
        let found = json!({"from": "creator", "key": "admission.example.org/creator", "live": true});
        let why = is_owned(world, &demo, creator, &found).await?;
        let [malformed] = why["malformed"].as_array().map(Vec::as_slice).unwrap_or_default() else {
            anyhow::bail!("{why}");
        };
        ensure!(malformed.as_str().is_some_and(|it| it.contains(key) && !it.contains('\u{1b}')), "{malformed}");

        demo.delete().await?;
        demo.finish().await?;
        demo.records("Gone", |_| true).await?;
        is_owned(world, &demo, "anna", &json!({"from": "author", "key": "cicd.skao.int/author", "live": false}))
            .await?;
        Ok(())
    })
    .await;
}

/// What a CI system and admission write on a namespace.
async fn write(world: &World, demo: &Demo, address: &str, creator: &str) -> Result<()> {
    let annotations = json!({"cicd.skao.int/notificationAddress": address, "admission.example.org/creator": creator});
    let patch = Patch::Merge(json!({"metadata": {"uid": demo.uid, "annotations": annotations}}));
    world.namespaces().patch(&demo.name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Checks whose `nsm why` says it is, and how that was found.
async fn is_owned(world: &World, demo: &Demo, name: &str, found: &Value) -> Result<Value> {
    let why: Value = serde_json::from_str(&world.nsm_ok(&["why", &demo.name, "-o", "json"]).await?)?;
    let mut expected = json!({"email": null, "slack": null});
    expected.as_object_mut().into_iter().for_each(|it| it.extend(found.as_object().cloned().unwrap_or_default()));
    ensure!(why["owner"] == name && why["ownership"] == expected, "{why:#}");
    Ok(why)
}
