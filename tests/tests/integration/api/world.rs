//! An installation: a configuration, a store, the `api` of it, and people.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{ControlPlane, HANG, Options, Process, User, eventually, program};
use tokio::sync::OnceCell;

/// As whom the API calls the apiserver.
const API: &str = "system:serviceaccount:nsm:api";
/// As whom workers do.
pub(crate) const WORKER: &str = "system:serviceaccount:nsm:action";

/// What the API may do, and nothing else.
const RIGHTS: &str = r#"[
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch"]}
]"#;

/// A control plane to be broken.
pub(crate) async fn plane() -> ControlPlane {
    let users = [API, WORKER].map(User::new).into();
    let plane = ControlPlane::start(Options { users, controller_manager: false }).await.unwrap();
    furnish(&plane).await.unwrap();
    plane
}

/// The control plane of all tests that do not break it.
pub(crate) async fn shared() -> &'static ControlPlane {
    static FURNISHED: OnceCell<()> = OnceCell::const_new();
    let plane = ControlPlane::shared_objects().await.unwrap();
    FURNISHED.get_or_try_init(async || furnish(plane).await).await.unwrap();
    plane
}

/// Gives the API's user and the workers' their rights, and people a namespace for their accounts, as they may be already.
async fn furnish(plane: &ControlPlane) -> Result<()> {
    let client = plane.client(User::ADMIN).await?;
    let rights: Value = serde_json::from_str(RIGHTS)?;
    grant(&client, "suite-api", &json!({"kind": "User", "name": API}), &rights).await?;
    let delete = json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "delete"]}]);
    grant(&client, "suite-api-worker", &json!({"kind": "User", "name": WORKER}), &delete).await?;
    let people = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "people"}});
    let params = PatchParams::apply("testbed").force();
    Api::<Namespace>::all(client).patch("people", &params, &Patch::Apply(people)).await?;
    Ok(())
}

pub(crate) struct World<'p> {
    pub(crate) plane: &'p ControlPlane,
    /// With all rights.
    pub(crate) client: Client,
    /// What tells it from every other; also the name of its policy.
    pub(crate) name: String,
    pub(crate) directory: TempDir,
    api: Process,
    /// `http://ADDRESS` or `https://ADDRESS`.
    pub(crate) url: String,
}

/// What `nsm` said.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl<'p> World<'p> {
    /// With an API on a port of its own, and a stop's policy of its own.
    pub(crate) async fn new(plane: &'p ControlPlane, configure: impl FnOnce(&mut Value, &TempDir)) -> Self {
        let client = plane.client(User::ADMIN).await.unwrap();
        let name = format!("nsm-{:08x}-stop", rand::random::<u32>());
        let directory = tempfile::tempdir().unwrap();
        let mut config = json!({
            "mode": "enforce",
            "store": {"url": format!("sqlite:{}", directory.path().join("nsm.db").display())},
            "api": {"listen": "127.0.0.1:0"},
            "guard": {"stop_policy": name},
            "telemetry": {"format": "compact"},
            "policies": [{"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "4h"}],
        });
        configure(&mut config, &directory);
        let configs = directory.path().join("config");
        std::fs::create_dir(&configs).unwrap();
        std::fs::write(configs.join("config.yaml"), config.to_string()).unwrap();
        install(&client, &name, &crowd(&name)).await.unwrap();
        let bindings = json!([
            {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingadmissionpolicybindings"],
             "resourceNames": [name], "verbs": ["create", "patch", "delete"]},
            {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingadmissionpolicies"],
             "resourceNames": [name], "verbs": ["get"]},
        ]);
        grant(&client, &name, &json!({"kind": "User", "name": API}), &bindings).await.unwrap();
        let mut command = program("api").unwrap();
        command.env("CONFIG_PATH", &configs).env("KUBECONFIG", plane.kubeconfig(API).unwrap()).env("NO_COLOR", "1");
        let api = Process::spawn("api", &mut command).unwrap();
        let said = "the records are served on `";
        let address = eventually("the api listens", HANG, async || {
            let log = api.log();
            let (_, rest) = log.split_once(said).with_context(|| log.clone())?;
            Ok(rest.split_once('`').context("cut")?.0.to_owned())
        });
        let scheme = if config["api"]["tls"].is_object() { "https" } else { "http" };
        let url = format!("{scheme}://{}", address.await.unwrap());
        Self { plane, client, name, directory, api, url }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        self.api.log()
    }

    pub(crate) fn api(&mut self) -> &mut Process {
        &mut self.api
    }

    /// The file of a token for a new ServiceAccount with these rights, made for this audience.
    pub(crate) async fn token(&self, verbs: &[(&str, &[&str])], audience: Option<&str>) -> PathBuf {
        let person = format!("person-{:08x}", rand::random::<u32>());
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), "people");
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": person}});
        accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
        let rule = |(resource, verbs): &(&str, &[&str])| json!({"apiGroups": ["namespace-manager.io"], "resources": [resource], "verbs": verbs});
        let rules: Value = verbs.iter().map(rule).collect();
        let subject = json!({"kind": "ServiceAccount", "name": person, "namespace": "people"});
        grant(&self.client, &person, &subject, &rules).await.unwrap();
        let spec = json!({"audiences": audience.map(|audience| vec![audience]).unwrap_or_default()});
        let request: TokenRequest = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        let request = accounts.create_token_request(&person, &PostParams::default(), &request).await.unwrap();
        let file = self.path(&format!("{person}.token"));
        std::fs::write(&file, request.status.unwrap().token).unwrap();
        file
    }

    pub(crate) async fn reader(&self) -> PathBuf {
        let read: &[&str] = &["get", "list"];
        self.token(&[("records", read), ("status", read), ("metrics", read)], Some("namespace-manager")).await
    }

    pub(crate) async fn operator(&self) -> PathBuf {
        let read: &[&str] = &["get", "list"];
        let rights: &[(&str, &[&str])] =
            &[("records", read), ("status", read), ("metrics", read), ("controls", &["update"])];
        self.token(rights, Some("namespace-manager")).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, token: Option<&PathBuf>) -> Result<Response> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(HANG).build()?;
        let mut request = client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", std::fs::read_to_string(token)?));
        }
        Ok(request.send().await?)
    }

    pub(crate) async fn status(&self, method: Method, path: &str, token: Option<&PathBuf>) -> u16 {
        self.ask(method, path, token).await.unwrap().status().as_u16()
    }

    /// Runs `nsm` beside the store.
    pub(crate) async fn while_running(&self, arguments: &[&str]) -> Said {
        let mut command = self.nsm(arguments);
        command.env("CONFIG_PATH", self.path("config")).env("KUBECONFIG", self.plane.kubeconfig(User::ADMIN).unwrap());
        self.run(command).await
    }

    /// Runs `nsm` through the API, away from configuration and cluster.
    pub(crate) async fn through(&self, arguments: &[&str], token: &PathBuf) -> Said {
        let mut command = self.nsm(arguments);
        command.arg("--api").arg(&self.url).env("NSM_TOKEN_FILE", token);
        self.run(command).await
    }

    fn nsm(&self, arguments: &[&str]) -> Command {
        let mut command = program("nsm").unwrap();
        command.args(arguments).env_clear().env("USER", "alice");
        command
    }

    pub(crate) async fn run(&self, mut command: Command) -> Said {
        command.stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
    }

    /// Whether a worker's deletion of a namespace, by a plain request, would be accepted: `None`, or who refuses.
    pub(crate) async fn refusal(&self, namespace: &str) -> Result<Option<String>> {
        let worker = self.plane.client(WORKER).await?;
        let body = serde_json::to_vec(&json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}))?;
        let request = http::Request::delete(format!("/api/v1/namespaces/{namespace}"))
            .header("content-type", "application/json")
            .body(body)?;
        match worker.request_text(request).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) => Ok(Some(format!("{}: {}", status.code, status.message))),
            Err(other) => Err(other.into()),
        }
    }

    /// Creates a namespace.
    pub(crate) async fn namespace(&self) -> String {
        let name = format!("{}{:08x}", crowd(&self.name), rand::random::<u32>());
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
        name
    }

    /// Waits until the apiserver refuses the workers' deletions by this world's policy, or no longer does.
    pub(crate) async fn is_refused(&self, namespace: &str, expected: bool) {
        eventually(&format!("deletions are refused: {expected}"), HANG, async || {
            let refusal = self.refusal(namespace).await?;
            let by_policy = refusal.as_ref().is_some_and(|why| why.contains(&self.name));
            ensure!(by_policy == expected && refusal.is_some() == expected, "{refusal:?}");
            Ok(())
        })
        .await
        .unwrap();
    }
}

/// What the names of a world's namespaces begin with.
fn crowd(world: &str) -> String {
    format!("ci-{}-", world.trim_start_matches("nsm-").trim_end_matches("-stop"))
}

/// Installs the policy that refuses every deletion, as the chart does, without binding: of the namespaces of one world, for others
/// share the apiserver.
async fn install(client: &Client, name: &str, crowd: &str) -> Result<()> {
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["namespaces"]},
            ]},
            "matchConditions": [
                {"name": "worker", "expression": format!("request.userInfo.username == '{WORKER}'")},
                {"name": "own", "expression": format!("request.name.startsWith('{crowd}')")},
            ],
            "validations": [{"expression": "false", "message": "all deletions are stopped", "reason": "Forbidden"}],
        },
    });
    apply(client, "admissionregistration.k8s.io", "ValidatingAdmissionPolicy", name, policy).await
}

/// Lets somebody do this.
async fn grant(client: &Client, name: &str, subject: &Value, rules: &Value) -> Result<()> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let mut subject = subject.clone();
    if subject["kind"] == "User" {
        subject["apiGroup"] = json!(GROUP);
    }
    let version = format!("{GROUP}/v1");
    let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
    apply(client, GROUP, "ClusterRole", name, role).await?;
    let binding = json!({
        "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": [subject],
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
    });
    apply(client, GROUP, "ClusterRoleBinding", name, binding).await
}

async fn apply(client: &Client, group: &str, kind: &str, name: &str, object: Value) -> Result<()> {
    let resource = match kind {
        "ValidatingAdmissionPolicy" => "validatingadmissionpolicies".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), &resource);
    let objects: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let params = PatchParams::apply("testbed").force();
    objects.patch(name, &params, &Patch::Apply(object)).await?;
    Ok(())
}
