//! The configuration as it is used: checked once, so that nobody checks again.

mod jobs;
mod leadership;
mod owners;
mod queue;
mod store;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use jiff::SignedDuration;
use lifecycle::{
    Keys, Mode, Policies,
    duration::PositiveDuration,
    pipeline::CiSystem,
    policy::{self, Common, HealthSource, HealthSources, Invalid, Undeliverable},
};
use tracing_subscriber::EnvFilter;

use super::{
    ci::CiSettings,
    github::RawGithub,
    gitlab::RawGitlab,
    prometheus::{PrometheusSettings, RawPrometheus},
    raw::{LogFormat, Raw, RawApi, RawGuard, RawTelemetry, Readable, Sweep},
};

use crate::timings::{Timings, signed};

pub use self::{jobs::JobSettings, leadership::LeadershipSettings, queue::QueueSettings, store::StoreSettings};

/// How long a worker lives: then another takes its place, so that a new image comes into use within this time.
pub const WORKER_LIFE: Duration = Duration::from_secs(30 * 60);

/// Everything that is configured, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub mode: Mode,
    pub store: StoreSettings,
    pub queue: QueueSettings,
    pub policies: Policies,
    /// How often the health of all namespaces is looked at, where there is a source of it.
    pub check_every: Duration,
    pub prometheus: Option<PrometheusSettings>,
    /// The CI systems that are asked for pipelines.
    pub ci: BTreeMap<CiSystem, CiSettings>,
    /// Deletions per window (docs/design/protocol.md S6).
    pub budget: Ration,
    /// Deletions per window that were not foretold (docs/design/protocol.md S7).
    pub waves: Ration,
    pub notices: NoticeSettings,
    pub jobs: JobSettings,
    pub workers: WorkerSettings,
    pub api: ApiSettings,
    pub guard: GuardSettings,
    pub admin: AdminSettings,
    pub leadership: LeadershipSettings,
    pub telemetry: TelemetrySettings,
    /// Not configured: those of a release, but in tests.
    pub timings: Timings,
    /// Changes with anything that can change a decision: whoever acts names the configuration it acts under.
    pub hash: String,
    /// As it was written, defaults filled in.
    pub raw: Raw,
}

/// Where and how often the health of namespaces is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    pub prometheus: Option<PrometheusSettings>,
    /// From their workloads.
    pub kubernetes: bool,
    pub every: Duration,
}

/// How many of something are allowed: the larger of a number, and a share of the namespaces that are managed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ration {
    at_least: u64,
    /// From 0 to 1.
    share: f64,
}

/// The channels by which owners are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeSettings {
    pub webhook: Option<WebhookSettings>,
}

/// One channel, as what is known of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// As histories name it.
    pub name: &'static str,
    /// Tells its address from every other, without what may be secret in it.
    pub address: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Absolute, `http` or `https`.
    pub url: String,
    /// The file of the secret that signs each body.
    pub secret_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    pub listen: Option<SocketAddr>,
    pub tls: Option<TlsSettings>,
    /// For whom a token must have been made; not empty.
    pub audience: String,
    /// What may be read without a token.
    pub open: Vec<Readable>,
}

/// The files of a certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// What keeps deletions back in the apiserver itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSettings {
    /// The ValidatingAdmissionPolicy that a stop binds, and its binding's name.
    pub stop_policy: Option<String>,
    /// The ValidatingAdmissionPolicy that a worker wants to see at work before it deletes.
    pub mark_policy: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSettings {
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    pub min: u32,
    /// At least 1, and at least `min`.
    pub max: u32,
    pub idle_for: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Directives that [`EnvFilter`] takes.
    pub log: String,
    pub format: LogFormat,
}

impl Ration {
    /// How many are allowed where so many are managed.
    #[must_use]
    pub fn limit(self, managed: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0 to 1 of a number of namespaces, rounded down"
        )]
        let share = (managed as f64 * self.share) as u64;
        share.max(self.at_least)
    }
}

impl NoticeSettings {
    /// Every channel that is configured.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelSettings> {
        self.webhook.iter().map(WebhookSettings::channel).collect()
    }
}

impl WebhookSettings {
    /// This channel.
    #[must_use]
    pub fn channel(&self) -> ChannelSettings {
        ChannelSettings { name: "webhook", address: policy::hash(&self.url) }
    }
}

impl Settings {
    /// Checks a configuration. `store_url` is where the store is kept unless it says otherwise.
    pub(super) fn new(raw: Raw, store_url: Result<String, String>, timings: Timings) -> Result<Self, Vec<Invalid>> {
        let mut errors = Vec::new();
        let keys = Keys {
            prefix: raw.annotations.prefix.clone(),
            former: raw.annotations.former_prefixes.clone(),
            ci: raw.ci.prefix.clone(),
            owners: errors.take(owners::check(&raw.owners)).unwrap_or_default(),
        };
        let notices = errors.take(notices(&raw));
        let api = errors.take(api(&raw.api));
        let guard = errors.take(guard(&raw.guard));
        let admin = errors.take(listen("admin.listen", raw.admin.listen.as_deref()));
        let leadership = errors.take(leadership::check(&raw.leadership));
        let has_channel = raw.notices.webhook.is_some();
        let prometheus = errors.take(raw.prometheus.as_ref().map(RawPrometheus::check).transpose());
        let check_every = check_every(&raw).unwrap_or_else(|why| {
            errors.push(why);
            Duration::MAX
        });
        let sources = HealthSources {
            prometheus: raw.prometheus.is_some(),
            kubernetes: raw.health.kubernetes,
            every: SignedDuration::try_from(check_every).unwrap_or(SignedDuration::MAX),
        };
        let gitlab = errors.take(raw.gitlab.as_ref().map(RawGitlab::check).transpose());
        let github = errors.take(raw.github.as_ref().map(RawGithub::check).transpose());
        let systems = raw.gitlab.iter().map(|_| CiSystem::Gitlab).chain(raw.github.iter().map(|_| CiSystem::Github));
        let systems: Vec<_> = systems.collect();
        let common = Common {
            mode: raw.mode,
            keys,
            exclude: &raw.exclude,
            has_channel,
            sources,
            ci: &systems,
            promise_margin: signed(timings.promise_margin),
        };
        let undeliverable =
            Undeliverable { after: raw.notices.undeliverable_after.get(), then: raw.notices.on_undeliverable };
        let policies = errors.take(Policies::new(&raw.policies, &common));
        let policies = policies.map(|policies| {
            policies.with_undeliverable(undeliverable).with_stalled_after(signed(timings.stalled_after))
        });
        let store = errors.take(store::check(&raw.store, store_url));
        let queue = errors.take(queue::check(&raw.queue));
        let budget = errors.take(ration("budget", raw.budget.at_least, raw.budget.share));
        let waves = errors.take(ration("waves", raw.waves.at_least, raw.waves.share));
        if raw.budget.at_least == 0 && raw.budget.share == 0.0 {
            let why = "both of its numbers are 0, so nothing would ever be deleted; say so with `mode: observe`";
            errors.push(invalid("budget", why));
        }
        if raw.workers.max == 0 {
            errors.push(invalid("workers.max", "at least 1 is needed; to delete nothing, say `mode: observe`"));
        }
        if raw.workers.min > raw.workers.max {
            let why = format!("more than `workers.max`, which is {}, are never there", raw.workers.max);
            errors.push(invalid("workers.min", why));
        }
        let jobs = errors.take(jobs::jobs(&raw.jobs, timings.hand_over_overlap));
        let telemetry = errors.take(telemetry(&raw.telemetry));
        let processes = admin.zip(leadership).zip(telemetry).zip(queue).zip(prometheus.zip(gitlab).zip(github));
        let (
            Some(policies),
            Some(store),
            Some(budget),
            Some(waves),
            Some(notices),
            Some(api),
            Some(guard),
            Some(jobs),
            Some(((((admin, leadership), telemetry), queue), ((prometheus, gitlab), github))),
        ) = (policies, store, budget, waves, notices, api, guard, jobs, processes)
        else {
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            mode: raw.mode,
            store,
            queue,
            budget,
            waves,
            notices,
            jobs,
            api,
            guard,
            admin: AdminSettings { listen: admin },
            leadership,
            workers: WorkerSettings {
                min: raw.workers.min,
                max: raw.workers.max,
                idle_for: raw.workers.idle_for.get().unsigned_abs(),
            },
            telemetry,
            timings,
            hash: hash(&raw, &policies),
            policies,
            check_every,
            prometheus,
            ci: [(CiSystem::Gitlab, gitlab), (CiSystem::Github, github)]
                .into_iter()
                .filter_map(|(system, settings)| Some((system, settings?)))
                .collect(),
            raw,
        })
    }

    /// Where and how often the health of namespaces is to be read.
    #[must_use]
    pub fn health(&self) -> HealthSettings {
        let prometheus = self.prometheus.clone().filter(|_| self.policies.read_health_of(HealthSource::Prometheus));
        let kubernetes = self.raw.health.kubernetes && self.policies.read_health_of(HealthSource::Kubernetes);
        HealthSettings { prometheus, kubernetes, every: self.check_every }
    }

    /// The keys whose change takes hold at the next start alone.
    #[must_use]
    pub fn waiting_for_restart(&self, newer: &Self) -> Vec<&'static str> {
        let (old, new) = (&self.telemetry, &newer.telemetry);
        [
            ("store.url", self.store.url != newer.store.url),
            ("store.username_file", self.store.access.username_file != newer.store.access.username_file),
            ("store.password_file", self.store.access.password_file != newer.store.access.password_file),
            ("store.ca_file", self.store.access.ca_file != newer.store.access.ca_file),
            ("queue.url", self.queue.url != newer.queue.url),
            ("queue", self.queue.is_reached_otherwise(&newer.queue)),
            ("api.listen", self.api.listen != newer.api.listen),
            ("api.tls", self.api.tls != newer.api.tls),
            ("admin.listen", self.admin != newer.admin),
            ("leadership.lease", self.leadership.lease != newer.leadership.lease),
            ("leadership.name", self.leadership.name != newer.leadership.name),
            ("jobs.templates", self.jobs.templates != newer.jobs.templates),
            ("telemetry.log", old.log != new.log),
            ("telemetry.format", old.format != new.format),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }
}

/// Everything that can change a decision, and nothing else: where things are kept and logged does not.
fn hash(raw: &Raw, policies: &Policies) -> String {
    let Raw {
        mode,
        store: _,
        queue: _,
        annotations,
        ci,
        exclude,
        policies: written,
        budget,
        waves,
        prometheus,
        health,
        gitlab,
        github,
        ..
    } = raw;
    let checked: Vec<_> = policies.iter().map(|policy| &policy.hash).collect();
    let basis = (mode, annotations, ci, exclude, written, checked, budget, waves, health.kubernetes);
    let of_gitlab = match (prometheus, gitlab) {
        (None, None) => policy::hash(&basis),
        (Some(prometheus), None) => policy::hash(&(basis, prometheus)),
        (prometheus, Some(gitlab)) => policy::hash(&(basis, prometheus, gitlab)),
    };
    match github {
        None => of_gitlab,
        Some(github) => policy::hash(&(of_gitlab, github)),
    }
}

/// How often health is looked at: one that sweeps looks once in each sweep.
fn check_every(raw: &Raw) -> Result<Duration, Invalid> {
    const LEAST: Duration = Duration::from_secs(1);
    let every = |period: PositiveDuration| period.get().unsigned_abs();
    let asked = every(raw.health.check_every);
    if asked < LEAST {
        let why =
            format!("`{}` is too often for a source that serves others too; use at least 1s", raw.health.check_every);
        return Err(invalid("health.check_every", why));
    }
    Ok(match raw.jobs.sweep {
        Sweep::Resident => asked,
        Sweep::Cron => asked.max(every(raw.jobs.sweep_every)),
    })
}

fn ration(section: &str, at_least: u64, share: f64) -> Result<Ration, Vec<Invalid>> {
    if (0.0..=1.0).contains(&share) {
        Ok(Ration { at_least, share })
    } else {
        let why = format!("`{share}` is not a share; write a number from 0 to 1, such as `0.25` for a quarter");
        fail(&format!("{section}.share"), why)
    }
}

fn notices(raw: &Raw) -> Result<NoticeSettings, Vec<Invalid>> {
    let Some(webhook) = &raw.notices.webhook else {
        return Ok(NoticeSettings::default());
    };
    let absolute = webhook.url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if !absolute {
        // The address may hold a secret, so it is not repeated.
        let why = "it is not an address; write for example `https://example.org/hooks/namespaces`".to_owned();
        return fail("notices.webhook.url", why);
    }
    let secret_file = webhook.secret_file.as_ref().map(PathBuf::from);
    Ok(NoticeSettings { webhook: Some(WebhookSettings { url: webhook.url.clone(), secret_file }) })
}

fn api(raw: &RawApi) -> Result<ApiSettings, Vec<Invalid>> {
    let mut errors = Vec::new();
    let listen = errors.take(listen("api.listen", raw.listen.as_deref()));
    if raw.audience.trim().is_empty() {
        errors.push(invalid("api.audience", "it is empty, and would take tokens made for others; leave it out"));
    }
    let tls = raw.tls.as_ref().map(|tls| {
        for (key, file) in [("api.tls.cert_file", &tls.cert_file), ("api.tls.key_file", &tls.key_file)] {
            if file.trim().is_empty() {
                errors.push(invalid(key, "it is empty; write the path of a file in PEM"));
            }
        }
        TlsSettings { cert_file: PathBuf::from(&tls.cert_file), key_file: PathBuf::from(&tls.key_file) }
    });
    let mut open = raw.open.clone();
    open.sort_unstable();
    open.dedup();
    if errors.is_empty() {
        Ok(ApiSettings { listen: listen.flatten(), tls, audience: raw.audience.clone(), open })
    } else {
        Err(errors)
    }
}

fn listen(key: &str, text: Option<&str>) -> Result<Option<SocketAddr>, Vec<Invalid>> {
    match text.map(|text| (text, text.parse())) {
        None => Ok(None),
        Some((_, Ok(address))) => Ok(Some(address)),
        Some((text, Err(_))) => {
            fail(key, format!("`{text}` is not an address with a port; write for example `127.0.0.1:9180`"))
        }
    }
}

fn guard(raw: &RawGuard) -> Result<GuardSettings, Vec<Invalid>> {
    let keys = [("guard.stop_policy", &raw.stop_policy), ("guard.mark_policy", &raw.mark_policy)];
    for (key, name) in keys {
        if let Some(name) = name.as_ref().filter(|name| !is_object_name(name)) {
            let why = format!("`{name}` is not the name of an object; write that of a ValidatingAdmissionPolicy");
            return fail(key, why);
        }
    }
    Ok(GuardSettings { stop_policy: raw.stop_policy.clone(), mark_policy: raw.mark_policy.clone() })
}

/// Whether a text is a DNS subdomain name (RFC 1123), as objects of the cluster have.
fn is_object_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(inner) && label.ends_with(inner) && label.chars().all(|c| inner(c) || c == '-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn telemetry(raw: &RawTelemetry) -> Result<TelemetrySettings, Vec<Invalid>> {
    match EnvFilter::builder().parse(&raw.log) {
        Ok(_) if !raw.log.trim().is_empty() => Ok(TelemetrySettings { log: raw.log.clone(), format: raw.format }),
        Ok(_) => fail("telemetry.log", "it is empty; write a level such as `info`".to_owned()),
        Err(error) => {
            let why = format!("`{}` cannot be read: {error}; write a level such as `info`", raw.log);
            fail("telemetry.log", why)
        }
    }
}

fn invalid(key: &str, why: impl Into<String>) -> Invalid {
    Invalid { key: key.to_owned(), why: why.into() }
}

fn fail<T>(key: &str, why: String) -> Result<T, Vec<Invalid>> {
    Err(vec![invalid(key, why)])
}

/// Goes on after an error, so that one run shows them all.
trait Take {
    fn take<T>(&mut self, result: Result<T, Vec<Invalid>>) -> Option<T>;
}

impl Take for Vec<Invalid> {
    fn take<T>(&mut self, result: Result<T, Vec<Invalid>>) -> Option<T> {
        result.map_err(|found| self.extend(found)).ok()
    }
}
