//! Plain HTTP requests as a ServiceAccount: what our own code would never send, too.

use anyhow::{Context, Result};
use http::{Method, Request};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::Value;
use testbed::{ControlPlane, User};

use super::HOME;

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Caller(Client);

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) code: u16,
    /// The object, or the `Status` of a refusal.
    pub(crate) body: Value,
}

impl Caller {
    pub(crate) async fn admin(plane: &ControlPlane) -> Result<Self> {
        Ok(Self(plane.client(User::ADMIN).await?))
    }

    /// A ServiceAccount of the release's namespace, with a token of the kind its pods get.
    pub(crate) async fn account(plane: &ControlPlane, name: &str) -> Result<Self> {
        let accounts: Api<ServiceAccount> = Api::namespaced(plane.client(User::ADMIN).await?, HOME);
        let spec = TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let token = answer.with_context(|| format!("no token for ServiceAccount `{name}`"))?;
        let token = token.status.context("the answer holds no token")?.token;
        let mut file = Kubeconfig::read_from(plane.kubeconfig(User::ADMIN)?)?;
        for user in &mut file.auth_infos {
            if let Some(user) = &mut user.auth_info {
                user.token = Some(token.clone().into());
            }
        }
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(Self(Client::try_from(config)?))
    }

    /// As our own code asks.
    pub(crate) fn client(&self) -> Client {
        self.0.clone()
    }

    /// Sends a request with a body of JSON, `null` for none, and returns the answer whatever it says.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Answered> {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        self.send_as(kind, method, path, body).await
    }

    /// Server-side apply.
    pub(crate) async fn apply(&self, path: &str, body: &Value) -> Result<Answered> {
        let path = format!("{path}?fieldManager=test&force=true");
        self.send_as("application/apply-patch+yaml", Method::PATCH, &path, body).await
    }

    /// Asks for a deletion in the name of this user, with every right: what refuses it is admission.
    pub(crate) async fn delete_in_the_name_of(&self, user: &str, path: &str, body: &Value) -> Result<Answered> {
        let request = Request::delete(path).header("content-type", "application/json");
        let request = request.header("impersonate-user", user).header("impersonate-group", "system:masters");
        self.request(request.body(serde_json::to_vec(body)?)?).await
    }

    async fn send_as(&self, kind: &str, method: Method, path: &str, body: &Value) -> Result<Answered> {
        let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        self.request(Request::builder().method(method).uri(path).header("content-type", kind).body(bytes)?).await
    }

    async fn request(&self, request: Request<Vec<u8>>) -> Result<Answered> {
        match self.0.request::<Value>(request).await {
            Ok(body) => Ok(Answered { code: 200, body }),
            Err(kube::Error::Api(status)) => Ok(Answered { code: status.code, body: serde_json::to_value(&*status)? }),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answered> {
        self.send(Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answered> {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Answered> {
        self.send(Method::PATCH, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Result<Answered> {
        self.send(Method::DELETE, path, body).await
    }
}

impl Answered {
    pub(crate) const fn is_ok(&self) -> bool {
        self.code < 300
    }

    /// What the refusal says.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Whether the policy refused, in these words.
    pub(crate) fn is_refused_by(&self, policy: &str, words: &str) -> bool {
        self.code == 403
            && self.body["reason"] == "Forbidden"
            && self.message().contains(&format!("ValidatingAdmissionPolicy '{policy}'"))
            && self.message().contains(words)
    }

    /// # Panics
    /// It was not refused by this policy in these words.
    #[track_caller]
    pub(crate) fn refused_by(&self, policy: &str, words: &str) {
        assert!(
            self.is_refused_by(policy, words),
            "not refused by `{policy}` for `{words}`: {} {:#}",
            self.code,
            self.body
        );
    }

    /// # Panics
    /// It was not refused for want of rights.
    #[track_caller]
    pub(crate) fn refused_by_rbac(&self) {
        assert!(self.code == 403 && self.message().contains(" cannot "), "{} {:#}", self.code, self.body);
    }

    /// # Panics
    /// It was refused.
    #[track_caller]
    pub(crate) fn accepted(&self) -> &Value {
        assert!(self.is_ok(), "{} {:#}", self.code, self.body);
        &self.body
    }
}
