//! What a real apiserver says, case by case, so that the product reads it right: every answer that
//! `common::cluster::Answer` tells apart is brought about here. The simulated apiserver answers in the same words.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use common::cluster::{ApiOutcome, Cluster, Fenced, fence, patch_annotations};
use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams, Preconditions};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use lifecycle::{Action, Keys, Mode, Status, Uid, event::ActionIntended, event::NoticeState};
use serde_json::{Value, json};
use testbed::{Admission, ControlPlane, HANG, User, eventually, temp_namespace};

/// A uid that no object has.
const NOBODY: &str = "0d15ea5e-0000-4000-8000-000000000000";

/// How the administrator asks the shared apiserver. What is refused for now is not asked for again: nor does the product's client.
async fn config() -> Result<Config> {
    let kubeconfig = Kubeconfig::read_from(ControlPlane::shared().await?.kubeconfig(User::ADMIN)?)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(config)
}

/// Checks how a refusal is read, and by which status.
#[track_caller]
fn assert_answer<T: std::fmt::Debug>(answer: kube::Result<T>, code: u16, expected: ApiOutcome) {
    match answer {
        Err(error) => {
            if let kube::Error::Api(status) = &error {
                assert_eq!(status.code, code, "{status:?}");
            }
            assert_eq!(ApiOutcome::of(&error), expected, "{error:?}");
        }
        Ok(answer) => panic!("not refused: {answer:?}"),
    }
}

fn annotate(uid: Option<&str>, version: Option<&str>) -> Patch<Value> {
    let mut metadata = json!({"annotations": {"note": "new"}});
    if let Some(uid) = uid {
        metadata["uid"] = json!(uid);
    }
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(version);
    }
    Patch::Merge(json!({"metadata": metadata}))
}

fn with(uid: Option<&str>, version: Option<&str>) -> DeleteParams {
    let (uid, resource_version) = (uid.map(str::to_owned), version.map(str::to_owned));
    DeleteParams::default().preconditions(Preconditions { uid, resource_version })
}

#[tokio::test]
async fn what_is_not_there_is_not_found() -> Result<()> {
    let client = Client::try_from(config().await?)?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let name = format!("none-{:08x}", rand::random::<u32>());
    assert_answer(namespaces.get(&name).await, 404, ApiOutcome::NotFound);
    assert_answer(namespaces.delete(&name, &with(Some(NOBODY), None)).await, 404, ApiOutcome::NotFound);
    let params = PatchParams::default();
    assert_answer(namespaces.patch(&name, &params, &annotate(Some(NOBODY), None)).await, 404, ApiOutcome::NotFound);
    // A path that does not exist says nothing of an object.
    let request = Request::get("/apis/none.example.org/v1/things/a").body(Vec::new())?;
    assert_answer(client.request_text(request).await, 404, ApiOutcome::Unclear);
    Ok(())
}

/// A DELETE has preconditions, which conflict; to a PATCH the uid is a field that cannot be changed.
#[tokio::test]
async fn another_uid_is_a_conflict_to_a_delete_and_invalid_in_a_patch() -> Result<()> {
    let config = config().await?;
    let client = Client::try_from(config.clone())?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = temp_namespace(&client, &[], &[]).await?;
    let name = namespace.name_any();
    assert_answer(namespaces.delete(&name, &with(Some(NOBODY), None)).await, 409, ApiOutcome::OtherUid);
    let params = PatchParams::default();
    let patched = namespaces.patch(&name, &params, &annotate(Some(NOBODY), None)).await;
    if let Err(kube::Error::Api(status)) = &patched {
        let causes = status.details.as_ref().context("the refusal has details")?.causes.iter();
        let fields: BTreeSet<_> = causes.map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, BTreeSet::from(["metadata.uid"]), "{status:?}");
    }
    assert_answer(patched, 422, ApiOutcome::OtherUid);
    assert_answer(
        namespaces.patch_metadata(&name, &params, &annotate(Some(NOBODY), None)).await,
        422,
        ApiOutcome::OtherUid,
    );

    // The product's own requests.
    let cluster = Cluster::new(config)?;
    let (other, keys) = (Uid::new(NOBODY), Keys::default());
    let annotations = [("note".to_owned(), Some("new".to_owned()))].into();
    let trouble = patch_annotations(&cluster, &name, &other, &annotations).await.unwrap_err();
    assert_eq!(trouble.answer, ApiOutcome::OtherUid, "{trouble}");
    let intended = intended(&namespace);
    assert_eq!(fence(&cluster, &name, &other, &keys, 3, &intended).await?, Fenced::Gone);
    let uid = Uid::new(&namespace.uid().context("it has a uid")?);
    assert_eq!(fence(&cluster, &name, &uid, &keys, 3, &intended).await?, Fenced::Dead);
    // The fence moved it, so the request of that intent is refused for ever.
    let request = with(Some(uid.as_str()), Some(&intended.resource_version));
    assert_answer(namespaces.delete(&name, &request).await, 409, ApiOutcome::Moved);
    Ok(())
}

/// An intent that was decided on a namespace as it was created.
fn intended(namespace: &Namespace) -> ActionIntended {
    let at = Timestamp::UNIX_EPOCH;
    ActionIntended {
        action: Action::Delete,
        cause_seq: 2,
        attempt: 1,
        holder: "action/a".to_owned(),
        until: at,
        resource_version: namespace.resource_version().unwrap_or_default(),
        cause: Status::Stale,
        decision: String::new(),
        evidence: Vec::new(),
        evidence_at: at,
        slot: String::new(),
        unannounced: None,
        config: String::new(),
        mode: Mode::Enforce,
        notice: NoticeState::NoChannel,
    }
}

#[tokio::test]
async fn an_object_that_moved_conflicts() -> Result<()> {
    let client = Client::try_from(config().await?)?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = temp_namespace(&client, &[], &[]).await?;
    let (name, uid) = (namespace.name_any(), namespace.uid());
    assert_answer(namespaces.delete(&name, &with(uid.as_deref(), Some("1"))).await, 409, ApiOutcome::Moved);
    // The words of a PATCH do not say that nothing was done, and no request of ours relies on them.
    let patched = namespaces.patch(&name, &PatchParams::default(), &annotate(None, Some("1"))).await;
    assert_answer(patched, 409, ApiOutcome::Unclear);
    let again =
        Namespace { metadata: kube::api::ObjectMeta { name: Some(name), ..Default::default() }, ..Default::default() };
    assert_answer(namespaces.create(&PostParams::default(), &again).await, 409, ApiOutcome::Unclear);
    Ok(())
}

#[tokio::test]
async fn who_may_not_and_what_is_invalid_is_refused() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut unknown = config().await?;
    let client = Client::try_from(unknown.clone())?;
    let name = temp_namespace(&client, &[], &[]).await?.name_any();

    let stranger: Api<Namespace> = Api::all(plane.client("stranger").await?);
    assert_answer(stranger.delete(&name, &with(Some(NOBODY), None)).await, 403, ApiOutcome::Refused);
    unknown.auth_info.token = Some("nobody-has-this-token".to_owned().into());
    let unknown: Api<Namespace> = Api::all(Client::try_from(unknown)?);
    assert_answer(unknown.get(&name).await, 401, ApiOutcome::Refused);
    let namespaces: Api<Namespace> = Api::all(client);
    let labels = Patch::Merge(json!({"metadata": {"labels": {"team": "no label value!"}}}));
    assert_answer(namespaces.patch(&name, &PatchParams::default(), &labels).await, 422, ApiOutcome::Refused);
    Ok(())
}

/// An admission policy may answer 422 and speak of a uid: what counts is the cause's field, which it cannot set.
#[tokio::test]
async fn an_admission_policy_that_answers_422_refuses_whatever_it_says() -> Result<()> {
    let client = Client::try_from(config().await?)?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let name = temp_namespace(&client, &[], &[]).await?.name_any();
    let admission = Admission {
        name: &name,
        operation: "UPDATE",
        lets_through: format!("object.metadata.name != '{name}'"),
        message: "metadata.uid: Invalid value: field is immutable",
        reason: Some("Invalid"),
    };
    admission.install(&client).await?;
    let refused = eventually("the policy is in force", HANG, async || {
        match namespaces.patch(&name, &PatchParams::default(), &annotate(None, None)).await {
            Ok(_) => anyhow::bail!("the policy refuses nothing yet"),
            refused => Ok(refused),
        }
    })
    .await?;
    assert!(format!("{refused:?}").contains("metadata.uid"), "{refused:?}");
    assert_answer(refused, 422, ApiOutcome::Refused);
    Ok(())
}

/// An eviction that a disruption budget holds back: the one 429 that an apiserver gives without being under load.
#[tokio::test]
async fn too_many_requests_are_told_by_their_status() -> Result<()> {
    let client = Client::try_from(config().await?)?;
    let name = temp_namespace(&client, &[], &[]).await?.name_any();
    let post = PostParams::default();
    let account = serde_json::from_value(json!({"metadata": {"name": "web"}}))?;
    Api::<ServiceAccount>::namespaced(client.clone(), &name).create(&post, &account).await?;
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "serviceAccountName": "web", "automountServiceAccountToken": false,
            "containers": [{"name": "web", "image": "example.org/web:1"}],
        },
    }))?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &name);
    pods.create(&post, &pod).await?;
    // A pod that does not run yet may always be evicted.
    let running = Patch::Merge(json!({"status": {"phase": "Running"}}));
    pods.patch_status("web", &PatchParams::default(), &running).await?;
    let budget = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    }))?;
    Api::<PodDisruptionBudget>::namespaced(client, &name).create(&post, &budget).await?;
    let dry_run = EvictParams { delete_options: Some(DeleteParams::default().dry_run()), ..EvictParams::default() };
    let refused = eventually("the disruption budget holds the pod", HANG, async || {
        let refused = pods.evict("web", &dry_run).await;
        ensure!(refused.is_err(), "the pod may still be evicted");
        Ok(refused)
    })
    .await?;
    assert_answer(refused, 429, ApiOutcome::TooManyRequests);
    Ok(())
}
