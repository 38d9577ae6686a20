//! A deletion that is on its way for as long as somebody likes.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use testbed::{AuditEvent, Installation, eventually};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::system::actors::Actor;
use crate::system::stage::{SOON, Stage};

/// A deletion that a worker has asked for, and to which it has no answer: an admission webhook has none.
pub(crate) struct Hold {
    /// Of the apiserver, which waits.
    _connection: TcpStream,
}

impl Hold {
    pub(crate) const NAME: &str = "holds-deletions";

    /// Brings a namespace of this name to where its deletion is held.
    pub(crate) async fn of(stage: &Stage, name: &str) -> Result<(Actor, Self)> {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let worker = Installation::user("action");
        let webhook = json!({
            "metadata": {"name": Self::NAME},
            "webhooks": [{
                "name": "holds.example.org",
                "clientConfig": {"url": format!("https://127.0.0.1:{}", silent.local_addr()?.port())},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["namespaces"], "operations": ["DELETE"]},
                ],
                "matchConditions": [{
                    "name": "this-one",
                    "expression": format!("request.userInfo.username == '{worker}' && request.name == '{name}'"),
                }],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "timeoutSeconds": 30,
                "admissionReviewVersions": ["v1"],
            }],
        });
        let webhook = serde_json::from_value(webhook)?;
        Self::webhooks(stage).create(&PostParams::default(), &webhook).await?;
        // The apiserver knows it while the namespace has yet to live.
        let actor = Actor::enter(stage, name, &[("ttl", "5s")]).await?;
        let asked = timeout(SOON, silent.accept()).await.context("its deletion was not asked for")?;
        Ok((actor, Self { _connection: asked?.0 }))
    }

    /// Ends when the worker has an answer or has given up on one. It does so after ten seconds, which is also how long
    /// the apiserver waits for a webhook's handshake; then it reads the namespace again, and finds it fenced.
    pub(crate) async fn end(self, stage: &Stage, held: &Actor) -> Result<()> {
        let worker = Installation::user("action");
        eventually("its deletion is under way no longer", SOON, async || {
            let requests = stage.requests().await?;
            let mut deletes = requests.iter().filter(|event| event.verb == "delete" && event.user.username == worker);
            let is_held = |event: &AuditEvent| {
                event.object_ref.as_ref().is_some_and(|object| object.name.as_ref() == Some(&held.name))
            };
            ensure!(deletes.any(is_held), "the apiserver still holds the request");
            Ok(())
        })
        .await?;
        Self::webhooks(stage).delete(Self::NAME, &DeleteParams::default()).await?;
        Ok(())
    }

    fn webhooks(stage: &Stage) -> Api<ValidatingWebhookConfiguration> {
        Api::all(stage.client.clone())
    }
}
