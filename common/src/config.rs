//! The configuration: one YAML schema for all roles, read from files, environment and options, checked as a whole.
//!
//! Each layer is laid over the one before it, from the second on by the crate `config` (maps merge, everything else replaces,
//! null leaves what is there):
//!
//! 1. the defaults of the types in [`raw`];
//! 2. one file, or every `*.yml` and `*.yaml` of a directory in alphabetical order (`--config`, else `CONFIG_PATH`);
//! 3. environment variables `NSM__SECTION__KEY`;
//! 4. options of the command line.
//!
//! Each section has a file of its own: what is written in it, what that is once checked, and the way from the one to the other.
//! Whatever is wrong refuses the whole, and says where and how to mend it: see [`Refused`].

mod admin;
mod annotations;
mod api;
mod budget;
mod check;
mod ci;
mod github;
mod gitlab;
mod guard;
mod health;
mod jobs;
mod layers;
mod leadership;
mod mistake;
mod notices;
mod owners;
mod place;
mod prometheus;
mod queue;
pub mod raw;
mod read;
pub mod reference;
mod settings;
mod source;
mod store;
pub mod suggest;
mod telemetry;
mod watch;
mod workers;
mod yaml;
mod yaml11;

#[cfg(test)]
mod tests;

pub use crate::environment::variable;
pub use admin::AdminSettings;
pub use api::{ApiSettings, Readable, TlsSettings};
pub use budget::RateLimit;
pub use ci::{CiSettings, Gone, RawGone};
pub use github::RawGithub;
pub use gitlab::RawGitlab;
pub use guard::GuardSettings;
pub use health::HealthSettings;
pub use jobs::{JobSettings, Sweep};
pub use leadership::LeadershipSettings;
pub use mistake::{Mistake, Refused};
pub use notices::{ChannelSettings, NoticeSettings, WebhookSettings};
pub use place::Origin;
pub use prometheus::{Content, Header, Login, PrometheusSettings, RawPrometheus, Trust};
pub use queue::QueueSettings;
pub use settings::Settings;
pub use source::{Source, former_default_store, is_default_store};
pub use store::StoreSettings;
pub use telemetry::{LogFormat, TelemetrySettings};
pub use watch::watch;
pub use workers::{WORKER_LIFE, WorkerSettings};
