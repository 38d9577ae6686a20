//! The configuration: one YAML schema for all roles, read from files, environment and options, checked as a whole.
//!
//! Each layer is laid over the one before it (maps merge, everything else replaces, null leaves what is there):
//!
//! 1. the defaults of the types in [`raw`];
//! 2. one file, or every `*.yml` and `*.yaml` of a directory in alphabetical order (`--config`, else `CONFIG_PATH`);
//! 3. environment variables `NSM__SECTION__KEY`;
//! 4. options of the command line.
//!
//! Whatever is wrong refuses the whole, and says where and how to mend it: see [`Refused`].

mod ci;
mod github;
mod gitlab;
mod layers;
mod mistake;
mod place;
mod prometheus;
pub mod raw;
mod read;
pub mod reference;
mod settings;
mod source;
pub mod suggest;
mod watch;
mod yaml;
mod yaml11;

#[cfg(test)]
mod tests;

pub use ci::{CiSettings, Gone, RawGone};
pub use github::RawGithub;
pub use gitlab::RawGitlab;
pub use mistake::{Mistake, Refused};
pub use place::Origin;
pub use prometheus::{Content, Header, Login, PrometheusSettings, RawPrometheus, Trust};
pub use raw::{LogFormat, Readable, Sweep};
pub use settings::{
    AdminSettings, ApiSettings, ChannelSettings, GuardSettings, HealthSettings, JobSettings, LeadershipSettings,
    NoticeSettings, QueueSettings, Ration, Settings, StoreSettings, TelemetrySettings, TlsSettings, WORKER_LIFE,
    WebhookSettings, WorkerSettings,
};
pub(crate) use source::kubeconfigs;
pub use source::{Source, former_default_store, is_default_store, variable};
pub use watch::watch;
