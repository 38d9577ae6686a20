//! The configuration as it is written: its sections, each with what is written in it, what that is once checked, and the way
//! from the one to the other in a file of its own. Documentation, example and JSON schema are generated from the doc comments.

use lifecycle::{Mode, policy::RawPolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::{
    admin::RawAdmin,
    annotations::RawAnnotations,
    api::{RawApi, RawTls, Readable},
    budget::RawBudget,
    ci::RawCi,
    github::RawGithub,
    gitlab::RawGitlab,
    guard::RawGuard,
    health::RawHealth,
    jobs::{RawJobs, Sweep},
    leadership::RawLeadership,
    notices::{RawNotices, RawWebhook},
    owners::RawOwners,
    prometheus::RawPrometheus,
    queue::RawQueue,
    store::RawStore,
    telemetry::{LogFormat, RawTelemetry},
    workers::RawWorkers,
};

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
