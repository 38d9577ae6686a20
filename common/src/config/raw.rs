//! The configuration as it is written. Its documentation, example and JSON schema are generated from here.
//!
//! A section is a struct with a default, and a field of [`Raw`]; what it means once checked is in `settings.rs`.

mod jobs;
mod owners;

use std::fmt;

use lifecycle::{
    Mode,
    duration::PositiveDuration,
    keys::{DEFAULT_CI_PREFIX, DEFAULT_PREFIX},
    policy::{OnUndeliverable, RawPolicy},
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};

pub use self::{
    jobs::{RawJobs, Sweep},
    owners::RawOwners,
};
use super::{github::RawGithub, gitlab::RawGitlab, prometheus::RawPrometheus};

/// What the names at a broker begin with unless something else is said.
pub(super) const DEFAULT_QUEUE_PREFIX: &str = "nsm";

/// Everything that can be configured, for all roles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    /// Whether namespaces are deleted. `observe` judges, annotates and records what would have been done; `enforce`
    /// does it. Default: `observe`. Variable: `NSM__MODE`.
    pub mode: Mode,
    /// Where the histories of all namespaces are kept.
    pub store: RawStore,
    /// How the roles wake each other.
    pub queue: RawQueue,
    /// The annotations written on namespaces, and read from them.
    pub annotations: RawAnnotations,
    /// The labels that CI systems write on namespaces.
    pub ci: RawCi,
    /// Where the owner of a namespace is found, for people to know whom to ask.
    pub owners: RawOwners,
    /// Names that are never managed, on top of the built-in system namespaces: regular expressions that must match
    /// the whole name. Default: none. Variable: `NSM__EXCLUDE`.
    pub exclude: Vec<String>,
    /// What should happen to which namespaces. Default: none, so that nothing is managed. Variable: `NSM__POLICIES`.
    pub policies: Vec<RawPolicy>,
    /// How the health of namespaces is looked at, where policies ask for it.
    pub health: RawHealth,
    /// The Prometheus whose alerts say which namespaces are failing. Default: none, and then nothing counts as failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<RawPrometheus>,
    /// The GitLab whose pipelines make namespaces. Default: none, and then nothing is cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab: Option<RawGitlab>,
    /// The GitHub whose workflow runs make namespaces. Default: none, and then nothing is cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: Option<RawGithub>,
    /// How many deletions are allowed in 10 minutes: the larger of its two numbers.
    pub budget: RawBudget,
    /// How many deletions that nobody could foresee are allowed in 10 minutes without an approval (`nsm approve`):
    /// the larger of its two numbers.
    pub waves: RawWaves,
    /// How owners are told what is about to happen. Default: no channel, so that nobody is told and nothing waits.
    pub notices: RawNotices,
    /// The jobs that watch and judge namespaces, and keep house.
    pub jobs: RawJobs,
    /// The workers that carry out what is due.
    pub workers: RawWorkers,
    /// HTTP over the record store, for people and programs.
    pub api: RawApi,
    /// What else keeps deletions back, in the apiserver itself. Default: nothing.
    pub guard: RawGuard,
    /// Health and metrics of each process in a cluster: `/livez`, `/readyz`, `/metrics`.
    pub admin: RawAdmin,
    /// How the controllers of a cluster agree on who leads.
    pub leadership: RawLeadership,
    /// What the program tells about itself.
    pub telemetry: RawTelemetry,
}

/// Where the histories of all namespaces are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    /// `sqlite:` and the path of a file, for one machine, or `mongodb://HOST:PORT/DATABASE?tls=true` (also
    /// `mongodb+srv://…`) for many. Consistency and deadlines are the program's, whatever the URL says of them.
    /// Default: `sqlite:$XDG_STATE_HOME/namespace-manager/nsm-CONTEXT.db`, by the context of the kubeconfig (`nsm.db` where
    /// there is none), under `~/.local/state` where `XDG_STATE_HOME` is not set. Takes hold at the next start. Variable: `NSM__STORE__URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file with the name of the server's user. When it changes, as the two others, it is taken in while running.
    /// Users are looked up in `admin` unless the URL says `authSource=…`. Default: none, the URL's. Variable:
    /// `NSM__STORE__USERNAME_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_file: Option<String>,
    /// A file with the user's password. Default: none, the URL's. Variable: `NSM__STORE__PASSWORD_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file with the authorities, in PEM, that may have signed the server's certificate; with it the connection is
    /// always by TLS. Default: none, those of the web. Variable: `NSM__STORE__CA_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// How the roles wake each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQueue {
    /// `memory:`, within one process, or a broker's `amqp://HOST:PORT/VHOST` or `amqps://…` (RabbitMQ). Default:
    /// `memory:`. Takes hold at the next start. Variable: `NSM__QUEUE__URL`.
    pub url: String,
    /// What the names of all exchanges and queues at the broker begin with: letters, digits, dashes, underscores.
    /// Default: `nsm`. Takes hold at the next start. Variable: `NSM__QUEUE__PREFIX`.
    pub prefix: String,
    /// A file with the user's name at the broker; read again for each connection, as the other two. Default: none, so
    /// that the URL's counts. Takes hold at the next start. Variable: `NSM__QUEUE__USERNAME_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_file: Option<String>,
    /// A file with the user's password. Default: none. Takes hold at the next start. Variable:
    /// `NSM__QUEUE__PASSWORD_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file with the certificates, in PEM, of those that may have signed the broker's. `amqps://…` needs it; the
    /// system's are in `/etc/ssl/certs/ca-certificates.crt` on most. Default: none. Takes hold at the next start.
    /// Variable: `NSM__QUEUE__CA_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// The annotations written on namespaces, and read from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAnnotations {
    /// What begins each key: a DNS name and `/`. Default: `manager.cicd.skao.int/`. Variable:
    /// `NSM__ANNOTATIONS__PREFIX`.
    pub prefix: String,
    /// Prefixes used before, under which `protect` and `keep_until` are honoured still. Default: none. Variable:
    /// `NSM__ANNOTATIONS__FORMER_PREFIXES`.
    pub former_prefixes: Vec<String>,
}

/// The labels that CI systems write on namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCi {
    /// What begins each key: a DNS name and `/`. Default: `cicd.skao.int/`. Variable: `NSM__CI__PREFIX`.
    pub prefix: String,
}

/// How the health of namespaces is looked at, where policies ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawHealth {
    /// How often is looked, for all namespaces at once; at least `1s`. With `jobs.sweep: cron` no more often than that
    /// sweeps. Default: `30s`. Variable: `NSM__HEALTH__CHECK_EVERY`.
    pub check_every: PositiveDuration,
    /// Whether the workloads in the cluster may be read for it: what should be ready and is not, in all namespaces. With
    /// `false`, `checks.health: auto` reads the alerts of Prometheus alone, and the chart grants no right to read workloads.
    /// Default: true. Variable: `NSM__HEALTH__KUBERNETES`.
    pub kubernetes: bool,
}

/// How many deletions are allowed in 10 minutes: the larger of its two numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawBudget {
    /// A number of namespaces. Default: 20. Variable: `NSM__BUDGET__AT_LEAST`.
    pub at_least: u64,
    /// A share of all namespaces that are managed, from 0 to 1. Default: 0.25. Variable: `NSM__BUDGET__SHARE`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// How many deletions that nobody could foresee are allowed in 10 minutes without an approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWaves {
    /// A number of namespaces. Default: 10. Variable: `NSM__WAVES__AT_LEAST`.
    pub at_least: u64,
    /// A share of all namespaces that are managed, from 0 to 1. Default: 0.1. Variable: `NSM__WAVES__SHARE`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// How owners are told what is about to happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawNotices {
    /// A POST of JSON for every notice. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<RawWebhook>,
    /// How long a notice is tried that does not arrive, while its deletion waits. Default: `1h`. Variable:
    /// `NSM__NOTICES__UNDELIVERABLE_AFTER`.
    pub undeliverable_after: PositiveDuration,
    /// What follows then, and where the receiver refuses a notice for good: `proceed` deletes the namespace as one whose
    /// deletion nobody could foresee, so that `waves` limits it; `wait` goes on trying, and deletes nothing before the
    /// notice was delivered. Default: `proceed`. Variable: `NSM__NOTICES__ON_UNDELIVERABLE`.
    pub on_undeliverable: OnUndeliverable,
}

/// A POST of JSON for every notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWebhook {
    /// Where to: `https://…` or `http://…`. Variable: `NSM__NOTICES__WEBHOOK__URL`.
    pub url: String,
    /// A file with the secret that signs each message; read again for each notice. One that begins with `whsec_` is
    /// decoded as Standard Webhooks say. Default: none, so that nothing is signed. Variable: `NSM__NOTICES__WEBHOOK__SECRET_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
}

/// HTTP over the record store, for people and programs. Health can always be asked for; the rest needs a token of the
/// cluster, unless it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawApi {
    /// The address and port to listen on, such as `127.0.0.1:9180`. Default: none, nobody listens. Takes hold at the
    /// next start. Variable: `NSM__API__LISTEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The certificate to answer with. Default: none, so that tokens and answers can be read on the way. Takes hold at
    /// the next start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<RawTls>,
    /// For whom a token must have been made (`kubectl create token NAME --audience …`). Default: `namespace-manager`.
    /// Variable: `NSM__API__AUDIENCE`.
    pub audience: String,
    /// What may be read without a token: `metrics`, `records` (namespaces and their histories), `status` (status and
    /// workers). Default: none. Variable: `NSM__API__OPEN`.
    pub open: Vec<Readable>,
}

/// The certificate to answer with. Both files are looked at again every few seconds, and taken in when they changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// The certificate and those that lead to its authority, in PEM. Variable: `NSM__API__TLS__CERT_FILE`.
    pub cert_file: String,
    /// Its private key, in PEM. Variable: `NSM__API__TLS__KEY_FILE`.
    pub key_file: String,
}

/// What can be read without a token where the configuration says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readable {
    /// The metrics of all namespaces.
    Metrics,
    /// Namespaces and their histories.
    Records,
    /// The status, and the workers.
    Status,
}

/// What else keeps deletions back, in the apiserver itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawGuard {
    /// The ValidatingAdmissionPolicy that refuses every deletion of the workers. `nsm stop` puts it in force by a
    /// binding of the same name, and `nsm resume` takes that away. Default: none, a stop is in the store alone.
    /// Variable: `NSM__GUARD__STOP_POLICY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_policy: Option<String>,
    /// The ValidatingAdmissionPolicy that refuses what is not to be deleted. A worker deletes nothing before it saw
    /// that policy refuse the deletion of its own namespace (`POD_NAMESPACE`), tried without effect (`dryRun`) at its
    /// start and every 10 minutes. Default: none, nothing is tried. Variable: `NSM__GUARD__MARK_POLICY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark_policy: Option<String>,
}

/// Health and metrics of each process in a cluster: `/livez`, `/readyz`, `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAdmin {
    /// The address and port to listen on, such as `0.0.0.0:9181`. Default: none, nobody listens. Takes hold at the
    /// next start. Variable: `NSM__ADMIN__LISTEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

/// How the controllers of a cluster agree on who leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLeadership {
    /// How long a leader that is not heard of stays the leader, from `3s` to `5m`, in whole seconds: after twice this
    /// time another leads. Default: `10s`. Takes hold at the next start. Variable: `NSM__LEADERSHIP__LEASE`.
    pub lease: PositiveDuration,
    /// What begins the names of the leases, and tells this installation from others in its namespace: at most 32 small
    /// letters, digits and dashes. Default: `namespace-manager`. Takes hold at the next start. Variable:
    /// `NSM__LEADERSHIP__NAME`.
    pub name: String,
}

/// The workers that carry out what is due. Each ends after 30 minutes, at the end of what it does then, so that a new
/// image and a new machine come into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWorkers {
    /// How many wait for work when there is none. Without one, what falls due waits until a worker has started: a few
    /// seconds in a cluster. Default: 0. Variable: `NSM__WORKERS__MIN`.
    pub min: u32,
    /// How many work at the same time, at least 1 and at least `min`. Default: 4. Variable: `NSM__WORKERS__MAX`.
    #[schemars(range(min = 1))]
    pub max: u32,
    /// How long one waits for work before it ends, where more than `min` are there. Default: `30s`. Variable: `NSM__WORKERS__IDLE_FOR`.
    pub idle_for: PositiveDuration,
}

/// What the program tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTelemetry {
    /// What is logged: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or directives such as `info,kube=debug`.
    /// Default: `info`. Takes hold at the next start. Variable: `NSM__TELEMETRY__LOG`.
    #[serde(deserialize_with = "directives")]
    pub log: String,
    /// How it is written: `compact` for people, `json` for machines, `auto` for `compact` on a terminal and `json`
    /// elsewhere. Default: `auto`. Takes hold at the next start. Variable: `NSM__TELEMETRY__FORMAT`.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `compact` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// One line for people.
    Compact,
    /// One JSON object per line.
    Json,
}

/// Directives of a log. The level `off` without quotes is `false` in YAML 1.1.
fn directives<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Directives;

    impl Visitor<'_> for Directives {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a level, such as `info`, or directives")
        }

        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
            if value { Err(E::invalid_type(Unexpected::Bool(value), &self)) } else { Ok("off".to_owned()) }
        }
    }

    deserializer.deserialize_any(Directives)
}

impl Default for RawQueue {
    fn default() -> Self {
        Self {
            url: "memory:".to_owned(),
            prefix: DEFAULT_QUEUE_PREFIX.to_owned(),
            username_file: None,
            password_file: None,
            ca_file: None,
        }
    }
}

impl Default for RawAnnotations {
    fn default() -> Self {
        Self { prefix: DEFAULT_PREFIX.to_owned(), former_prefixes: Vec::new() }
    }
}

impl Default for RawCi {
    fn default() -> Self {
        Self { prefix: DEFAULT_CI_PREFIX.to_owned() }
    }
}

impl Default for RawHealth {
    fn default() -> Self {
        Self { check_every: PositiveDuration::from_secs(30), kubernetes: true }
    }
}

// docs/design/protocol.md S6.
impl Default for RawBudget {
    fn default() -> Self {
        Self { at_least: 20, share: 0.25 }
    }
}

// docs/design/protocol.md S7.
impl Default for RawWaves {
    fn default() -> Self {
        Self { at_least: 10, share: 0.1 }
    }
}

impl Default for RawNotices {
    fn default() -> Self {
        let on_undeliverable = OnUndeliverable::Proceed;
        Self { webhook: None, undeliverable_after: PositiveDuration::from_secs(3_600), on_undeliverable }
    }
}

impl Default for RawApi {
    fn default() -> Self {
        Self { listen: None, tls: None, audience: "namespace-manager".to_owned(), open: Vec::new() }
    }
}

impl Default for RawLeadership {
    fn default() -> Self {
        Self { lease: PositiveDuration::from_secs(10), name: "namespace-manager".to_owned() }
    }
}

impl Default for RawWorkers {
    fn default() -> Self {
        Self { min: 0, max: 4, idle_for: PositiveDuration::from_secs(30) }
    }
}

impl Default for RawTelemetry {
    fn default() -> Self {
        Self { log: "info".to_owned(), format: LogFormat::Auto }
    }
}
