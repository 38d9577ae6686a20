//! What should happen to namespaces: policies as they are configured, and as they are used.

mod ci;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use crate::model::mode::Mode;
use crate::{
    Keys, Namespace, Status,
    duration::{NonNegativeDuration, PositiveDuration},
    exclusions::Exclusions,
    keys,
    matching::{Match, RawMatch, Require},
    model::ci::{CiSystem, PipelineSource},
    model::owner,
    patterns::full_match,
    supersession::SupersedeRules,
};

pub use self::ci::{Confirm, RawSuperseded};

/// How long something may take that nothing stands before (docs/design/protocol.md L3).
pub const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The shortest ttl a policy may set, or cap an owner's at. Below it, nobody could have been told.
pub const MIN_TTL: PositiveDuration = PositiveDuration::from_secs(10);

/// One policy as written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPolicy {
    /// How records and messages call it; unique.
    pub name: String,
    /// Which namespaces it applies to. The highest score of all policies wins, ties go to the first.
    #[serde(rename = "match")]
    pub applies_to: RawMatch,
    /// `any-part` (default): each part of `match` alone is enough. `all-parts`: every part given must match.
    #[serde(default)]
    pub require: Require,
    /// `observe` holds this policy back while the rest enforces. It cannot enforce more than the global `mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How long a namespace may live after its creation. Without it only the owner's annotations `ttl` and
    /// `expires_at` set an end. At least 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<PositiveDuration>,
    /// The longest life an owner's `ttl` or `expires_at` can ask for. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<PositiveDuration>,
    /// The longest that `keep_until` can hold, counted from the moment the request was first seen.
    #[serde(default = "default_max_keep")]
    pub max_keep: PositiveDuration,
    /// How long a status that leads to a deletion stands on the namespace before the deletion, from when it was seen there; may be
    /// 0.
    #[serde(default = "default_visible_for")]
    pub visible_for: NonNegativeDuration,
    /// How long before the deadline the owner is told; never more than half the ttl.
    #[serde(default = "default_warn_before")]
    pub warn_before: PositiveDuration,
    /// What is checked besides the age.
    #[serde(default, skip_serializing_if = "RawChecks::is_default")]
    pub checks: RawChecks,
    /// What follows from a status.
    #[serde(default)]
    pub on: BTreeMap<Status, RawOnStatus>,
}

/// What is checked besides the age of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawChecks {
    /// Where it is read whether something fails. `auto`: wherever it can be, and nowhere where no source is configured.
    pub health: HealthSource,
    /// How long a namespace is `unstable` before it is `failing`; may be 0. Time in which nothing was known does not
    /// count, here and below.
    pub settling_period: NonNegativeDuration,
    /// How long a workload may be not ready, from its latest rollout on, before it counts as failing; may be 0. Default: as long as
    /// it has by itself, which is a Deployment's progress deadline, else 10 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready_after: Option<NonNegativeDuration>,
    /// How long it is `failing` before it has `failed`; may be 0.
    pub grace_period: NonNegativeDuration,
    /// After how many checks in a row that find something failing it is `unstable`; at least 1. Default: 1.
    #[schemars(range(min = 1))]
    pub fail_after: u32,
    /// After how many checks in a row that find nothing failing it is `ok` again, from `failing` or `failed`; at least 1.
    /// Default: 2.
    #[schemars(range(min = 1))]
    pub recover_after: u32,
    /// Whether a newer deployment of the same merge request or branch replaces it, which is then deleted. Default: not
    /// checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded: Option<RawSuperseded>,
    /// The CI system queried to learn whether the pipeline that made it was cancelled, so that it is deleted with it. `auto`: wherever it
    /// can be, and nowhere where no CI system is configured. Default: `auto`.
    #[serde(skip_serializing_if = "PipelineSource::is_auto")]
    pub pipeline: PipelineSource,
    /// Whether it is cancelled, too, when the merge request (pull request) that its label `mrId` names was merged or closed.
    /// Default: `false`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
}

/// Where the health of namespaces is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthSource {
    /// The alerts of Prometheus; its workloads where no Prometheus is configured, and while it is not known what it says.
    #[default]
    Auto,
    /// The alerts of Prometheus alone.
    Prometheus,
    /// The workloads in the namespace alone: what should be ready and is not.
    Kubernetes,
    /// Nowhere: nothing counts as failing.
    Off,
}

/// What follows from a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOnStatus {
    /// Whether the namespace is deleted.
    #[serde(default = "yes")]
    pub delete: bool,
    /// The least time between the notice and the deletion; may be 0. Default of `stale`: 0 where the ttl is at most an
    /// hour, else 10m; of `failed`: 10m; of `cancelled` and `superseded`: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<NonNegativeDuration>,
    /// Whether the deletion waits until the status was seen on the namespace, from when on `visible_for` counts. `false`: it
    /// counts from when the status was recorded, also where others refuse our annotations. Default: `true`.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub require_visible: bool,
}

/// What follows where an owner cannot be told of a deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnUndeliverable {
    /// The namespace is deleted, as one whose deletion nobody could foresee.
    #[default]
    Proceed,
    /// The deletion waits until the notice was delivered, for ever if need be.
    Wait,
}

/// For how long a notice is tried, and what follows then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Undeliverable {
    pub after: SignedDuration,
    pub then: OnUndeliverable,
}

impl Default for Undeliverable {
    fn default() -> Self {
        Self { after: SignedDuration::from_hours(1), then: OnUndeliverable::Proceed }
    }
}

/// What holds for every policy, as written in the configuration.
#[derive(Clone, Debug)]
pub struct Common<'a> {
    pub mode: Mode,
    pub keys: Keys,
    /// Names that are never managed, on top of the built-in list; regexes that must match the whole name.
    pub exclude: &'a [String],
    /// Whether there is a channel by which owners are told.
    pub has_channel: bool,
    pub sources: HealthSources,
    /// The CI systems that are configured, each once.
    pub ci: &'a [CiSystem],
    /// Time from what an owner was promised to the deletion: [`crate::guards::PROMISE_MARGIN`].
    pub promise_margin: SignedDuration,
}

/// Which sources of health there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSources {
    /// A Prometheus is configured.
    pub prometheus: bool,
    /// The workloads in the cluster may be read.
    pub kubernetes: bool,
    /// Interval of the checks.
    pub every: SignedDuration,
}

/// By which rules the health of a namespace is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HealthRules {
    /// Where it is read; never [`HealthSource::Off`].
    pub source: HealthSource,
    /// How long it is unstable before it is failing.
    pub settling: SignedDuration,
    /// How long it is failing before it has failed.
    pub grace: SignedDuration,
    /// Checks in a row, at least 1.
    pub fail_after: u32,
    /// Checks in a row, at least 1.
    pub recover_after: u32,
    /// How long a workload may be not ready before it fails; `None`: as long as it has by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready_after: Option<SignedDuration>,
    /// Interval of the checks.
    pub every: SignedDuration,
}

/// How an owner is told of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// How long before the deadline.
    before: SignedDuration,
    /// The least time between the notice and the deletion of what is stale.
    grace: SignedDuration,
    /// The same of what has failed.
    failed_grace: SignedDuration,
    /// The same of what is superseded.
    superseded_grace: SignedDuration,
    /// The same of what was cancelled.
    cancelled_grace: SignedDuration,
    /// What follows where the owner cannot be told.
    pub undeliverable: Undeliverable,
}

/// One policy, checked.
#[derive(Clone, Debug)]
pub struct Policy {
    pub name: String,
    /// Changes with anything that can change what the policy decides, [`Mode`] included.
    pub hash: String,
    pub mode: Mode,
    pub applies_to: Match,
    pub ttl: Option<SignedDuration>,
    pub max_ttl: Option<SignedDuration>,
    pub max_keep: SignedDuration,
    pub visible_for: SignedDuration,
    /// `None`: no channel is configured, so nobody is told and nothing waits for it.
    pub warning: Option<Warning>,
    /// Time from what an owner was promised to the deletion.
    pub promise_margin: SignedDuration,
    /// Time from a deletion's acceptance to when it counts as stalled: [`STALLED_AFTER`].
    pub stalled_after: SignedDuration,
    /// `None`: its health is not checked.
    pub health: Option<HealthRules>,
    /// `None`: newer deployments replace nothing.
    pub superseded: Option<SupersedeRules>,
    /// The CI system queried for the pipeline that made it; `None`: none.
    pub pipeline: Option<CiSystem>,
    /// The CI system queried for its merge request; `None`: none.
    pub merged: Option<CiSystem>,
    deletes: Vec<Status>,
    /// Statuses whose deletion does not wait until they were seen on the namespace.
    unseen: Vec<Status>,
    pub keys: Keys,
}

/// All policies of a configuration, in their order.
#[derive(Clone, Debug)]
pub struct Policies {
    list: Vec<Policy>,
    out_of_bounds: Exclusions,
    pub keys: Keys,
}

/// One thing that is wrong in a configuration: the key it stands at, and why with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {why}")]
pub struct Invalid {
    pub key: String,
    pub why: String,
}

const fn default_max_keep() -> PositiveDuration {
    PositiveDuration::from_secs(30 * 86_400)
}

const fn default_warn_before() -> PositiveDuration {
    PositiveDuration::from_secs(3_600)
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_yes(it: &bool) -> bool {
    *it
}

const fn default_visible_for() -> NonNegativeDuration {
    NonNegativeDuration::from_secs(5)
}

/// The least time between a notice and the deletion unless the configuration says otherwise, of all but short lives.
const DEFAULT_GRACE: SignedDuration = SignedDuration::from_mins(10);

impl Default for RawChecks {
    fn default() -> Self {
        Self {
            health: HealthSource::Auto,
            settling_period: NonNegativeDuration::from_secs(300),
            grace_period: NonNegativeDuration::from_secs(3_600),
            fail_after: 1,
            recover_after: 2,
            not_ready_after: None,
            superseded: None,
            pipeline: PipelineSource::Auto,
            merged: false,
        }
    }
}

impl RawChecks {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl HealthSources {
    /// None at all.
    pub const NONE: Self = Self { prometheus: false, kubernetes: false, every: SignedDuration::MAX };
}

impl Warning {
    /// How long before the end of a life of this length the owner is told.
    #[must_use]
    pub fn before(&self, lifetime: SignedDuration) -> SignedDuration {
        self.before.min(lifetime / 2).max(SignedDuration::ZERO)
    }
}

impl Policy {
    /// The least time between a notice about this status and the deletion it announces; zero where nobody is told.
    #[must_use]
    pub fn grace(&self, about: Status) -> SignedDuration {
        self.warning.map_or(SignedDuration::ZERO, |warning| match about {
            Status::Failed => warning.failed_grace,
            Status::Superseded => warning.superseded_grace,
            Status::Cancelled => warning.cancelled_grace,
            Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Stale => warning.grace,
        })
    }

    /// Whether a CI system is queried for anything.
    #[must_use]
    pub const fn asks_ci(&self) -> bool {
        self.pipeline.is_some() || self.merged.is_some()
    }

    /// Whether a namespace in this status is deleted.
    #[must_use]
    pub fn deletes(&self, status: Status) -> bool {
        self.deletes.contains(&status)
    }

    /// Whether the deletion for this status waits until the status was seen on the namespace.
    #[must_use]
    pub fn requires_visible(&self, status: Status) -> bool {
        self.deletes(status) && self.visible_for > SignedDuration::ZERO && !self.unseen.contains(&status)
    }
}

#[cfg(test)]
impl Policy {
    /// The same, which deletes what is in these statuses and no other.
    pub(crate) fn deleting(&self, deletes: &[Status]) -> Self {
        Self { deletes: deletes.to_vec(), ..self.clone() }
    }
}

impl Policies {
    /// Checks policies all at once, so that one run shows every mistake.
    ///
    /// # Errors
    /// One [`Invalid`] per mistake, its key as a path into the configuration.
    pub fn new(all: &[RawPolicy], common: &Common<'_>) -> Result<Self, Vec<Invalid>> {
        let mut errors = prefix_errors(&common.keys);
        let mut exclude = Vec::new();
        for (at, pattern) in common.exclude.iter().enumerate() {
            match full_match(pattern) {
                Ok(regex) => exclude.push(regex),
                Err(why) => errors.push(Invalid { key: format!("exclude[{at}]"), why }),
            }
        }
        let mut list: Vec<Policy> = Vec::new();
        for (at, raw) in all.iter().enumerate() {
            let key = format!("policies[{at}]");
            if all[..at].iter().any(|other| other.name == raw.name) {
                let why = format!("two policies are called `{}`; rename one", raw.name);
                errors.push(Invalid { key: format!("{key}.name"), why });
            }
            match check(raw, common, &key) {
                Ok(policy) => list.push(policy),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() {
            Ok(Self { list, out_of_bounds: Exclusions::with(exclude), keys: common.keys.clone() })
        } else {
            Err(errors)
        }
    }

    /// The same policies where owners that cannot be told are treated so. The hash of a policy that tells nobody, or that
    /// says what is the default, stays.
    #[must_use]
    pub fn with_undeliverable(mut self, terms: Undeliverable) -> Self {
        for policy in &mut self.list {
            let Some(warning) = &mut policy.warning else { continue };
            if warning.undeliverable != terms {
                warning.undeliverable = terms;
                policy.hash = hash(&(&policy.hash, terms));
            }
        }
        self
    }

    /// The same policies where a deletion counts as stalled so long after its acceptance. Nothing is decided on that.
    #[must_use]
    pub fn with_stalled_after(mut self, stalled_after: SignedDuration) -> Self {
        self.list.iter_mut().for_each(|policy| policy.stalled_after = stalled_after);
        self
    }

    /// The policy a namespace falls under: the highest score, ties to the first; `None` is not managed.
    #[must_use]
    pub fn for_namespace(&self, namespace: &Namespace) -> Option<&Policy> {
        if self.out_of_bounds.holds(&namespace.name) {
            return None;
        }
        let mut best: Option<(u8, &Policy)> = None;
        for policy in &self.list {
            let score = policy.applies_to.score(namespace);
            if score > best.map_or(0, |(score, _)| score) {
                best = Some((score, policy));
            }
        }
        best.map(|(_, policy)| policy)
    }

    /// The policy of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Policy> {
        self.list.iter().find(|policy| policy.name == name)
    }

    /// Whether the health of any namespace is read there.
    #[must_use]
    pub fn read_health_of(&self, source: HealthSource) -> bool {
        self.list.iter().filter_map(|policy| policy.health).any(|terms| match terms.source {
            HealthSource::Auto => true,
            other => other == source,
        })
    }

    /// Every policy, in the configuration's order.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.list.iter()
    }

    /// Whether this name may never be managed.
    #[must_use]
    pub fn is_out_of_bounds(&self, name: &str) -> bool {
        self.out_of_bounds.holds(name)
    }

    /// Whether anything is decided on this label, so that it must be kept in memory.
    #[must_use]
    pub fn reads_label(&self, key: &str) -> bool {
        key.strip_prefix(&self.keys.ci).is_some_and(|rest| keys::CI_LABELS.contains(&rest))
            || self.keys.is_ours(key)
            || self.list.iter().any(|policy| policy.applies_to.looks_at().0.any(|known| known == key))
    }

    /// Whether anything is decided on this annotation or an owner found in it, so that it must be kept in memory.
    #[must_use]
    pub fn reads_annotation(&self, key: &str) -> bool {
        self.compares_annotation(key) || self.keys.names_owner(key)
    }

    /// Cuts the value of an annotation to what anybody reads of it: how much strangers write must not fill our memory.
    pub fn cut_annotation(&self, key: &str, value: &mut String) {
        if !self.compares_annotation(key) {
            owner::cut(value);
        }
    }

    fn compares_annotation(&self, key: &str) -> bool {
        self.keys.is_ours(key)
            || self.list.iter().any(|policy| policy.applies_to.looks_at().1.any(|known| known == key))
    }
}

fn check(raw: &RawPolicy, common: &Common<'_>, key: &str) -> Result<Policy, Vec<Invalid>> {
    let mut errors = Vec::new();
    let mut refuse = |at: &str, why: String| errors.push(Invalid { key: format!("{key}{at}"), why });
    if raw.name.trim().is_empty() {
        refuse(".name", "it is empty; give the policy a name".to_owned());
    }
    if let Some(ttl) = raw.ttl.filter(|ttl| *ttl < MIN_TTL) {
        refuse(".ttl", format!("`{ttl}` is below the floor; use at least {MIN_TTL}"));
    }
    if let Some(max) = raw.max_ttl.filter(|max| *max < MIN_TTL) {
        refuse(".max_ttl", format!("`{max}` is below the floor; use at least {MIN_TTL}"));
    } else if let (Some(ttl), Some(max)) = (raw.ttl, raw.max_ttl)
        && max < ttl
    {
        refuse(".max_ttl", format!("`{max}` is shorter than this policy's ttl `{ttl}`; raise it or leave it out"));
    }
    let health = health(&raw.checks, common, &mut refuse);
    let pipeline = ci::pipeline(&raw.checks, common, &mut refuse);
    let merged = ci::merged(&raw.checks, pipeline, common, &mut refuse);
    let superseded = ci::superseded(&raw.checks, pipeline, common, &mut refuse);
    let deletable = [
        Some(Status::Stale),
        health.map(|_| Status::Failed),
        superseded.as_ref().map(|_| Status::Superseded),
        pipeline.or(merged).map(|_| Status::Cancelled),
    ];
    let deletable: Vec<_> = deletable.into_iter().flatten().collect();
    for status in raw.on.keys().filter(|status| !deletable.contains(status)) {
        let reachable = deletable.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
        let why = match (health, status) {
            (Some(_), Status::Ok | Status::Unstable | Status::Failing) => {
                format!("what is `{status}` is never deleted; remove it (possible: {reachable})")
            }
            _ => format!("nothing this policy checks leads to `{status}`; remove it (reachable: {reachable})"),
        };
        refuse(&format!(".on.{status}"), why);
    }
    let applies_to = Match::new(&raw.applies_to, raw.require, &common.keys)
        .map_err(|found| {
            for (at, why) in found {
                let dot = if at.is_empty() { "" } else { "." };
                refuse(&format!(".match{dot}{at}"), why);
            }
        })
        .ok();
    let Some(applies_to) = applies_to.filter(|_| errors.is_empty()) else {
        return Err(errors);
    };
    let mode = match (common.mode, raw.mode) {
        (Mode::Enforce, None | Some(Mode::Enforce)) => Mode::Enforce,
        (Mode::Observe, _) | (Mode::Enforce, Some(Mode::Observe)) => Mode::Observe,
    };
    let stale = raw.on.get(&Status::Stale);
    let short_lived = raw.ttl.is_some_and(|ttl| ttl <= PositiveDuration::from_secs(3_600));
    let warning = common.has_channel.then(|| Warning {
        before: raw.warn_before.get(),
        grace: match stale.and_then(|on| on.grace) {
            Some(grace) => grace.get(),
            None if short_lived => SignedDuration::ZERO,
            None => DEFAULT_GRACE,
        },
        failed_grace: grace_on(raw, Status::Failed).unwrap_or(DEFAULT_GRACE),
        superseded_grace: grace_on(raw, Status::Superseded).unwrap_or(SignedDuration::ZERO),
        cancelled_grace: grace_on(raw, Status::Cancelled).unwrap_or(DEFAULT_GRACE),
        undeliverable: Undeliverable::default(),
    });
    let is_deleted = |status: &Status| raw.on.get(status).is_none_or(|on| on.delete);
    let confirm = superseded.as_ref().and_then(|superseded| superseded.confirm);
    Ok(Policy {
        name: raw.name.clone(),
        hash: hash(&Basis {
            version: 1,
            policy: raw,
            mode,
            warning,
            prefix: &common.keys.prefix,
            former: &common.keys.former,
            health,
            pipeline,
            merged,
            confirm,
        }),
        mode,
        applies_to,
        ttl: raw.ttl.map(PositiveDuration::get),
        max_ttl: raw.max_ttl.map(PositiveDuration::get),
        max_keep: raw.max_keep.get(),
        visible_for: raw.visible_for.get(),
        warning,
        promise_margin: common.promise_margin,
        stalled_after: STALLED_AFTER,
        health,
        superseded,
        pipeline,
        merged,
        deletes: deletable.into_iter().filter(is_deleted).collect(),
        unseen: raw.on.iter().filter(|(_, on)| !on.require_visible).map(|(status, _)| *status).collect(),
        keys: common.keys.clone(),
    })
}

/// What a policy's hash is made of: what decides, and nothing that is not there, so that a check of a later version changes
/// the hash of those policies alone that use it.
#[derive(Serialize)]
struct Basis<'a> {
    version: u32,
    policy: &'a RawPolicy,
    mode: Mode,
    warning: Option<Warning>,
    prefix: &'a str,
    former: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthRules>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<CiSystem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<CiSystem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<CiSystem>,
}

fn grace_on(raw: &RawPolicy, status: Status) -> Option<SignedDuration> {
    raw.on.get(&status).and_then(|on| on.grace).map(NonNegativeDuration::get)
}

/// By which rules health is judged; `None`: it is not.
fn health(raw: &RawChecks, common: &Common<'_>, refuse: &mut impl FnMut(&str, String)) -> Option<HealthRules> {
    for (key, count, found) in [
        ("fail_after", raw.fail_after, "that find something failing it is `unstable`"),
        ("recover_after", raw.recover_after, "that find nothing failing it is `ok` again"),
    ] {
        if count == 0 {
            refuse(&format!(".checks.{key}"), format!("write 1 or more: after how many looks in a row {found}"));
        }
    }
    let sources = common.sources;
    let reads_workloads = sources.kubernetes && matches!(raw.health, HealthSource::Auto | HealthSource::Kubernetes);
    if raw.not_ready_after.is_some() && !reads_workloads {
        let why = "workloads alone are asked for that, and this policy reads none; leave it out, or choose `auto` or \
                   `kubernetes` in `checks.health`, with `health.kubernetes`";
        refuse(".checks.not_ready_after", why.to_owned());
    }
    let why = match raw.health {
        HealthSource::Off => return None,
        HealthSource::Auto if !sources.prometheus && !sources.kubernetes => return None,
        HealthSource::Prometheus if !sources.prometheus => {
            Some("no Prometheus is configured; give `prometheus.url`, or choose `auto` or `off`")
        }
        HealthSource::Kubernetes if !sources.kubernetes => {
            Some("`health.kubernetes` is off; leave that out, or choose `auto` or `off` here")
        }
        HealthSource::Auto | HealthSource::Prometheus | HealthSource::Kubernetes => None,
    };
    if let Some(why) = why {
        refuse(".checks.health", why.to_owned());
        return None;
    }
    Some(HealthRules {
        source: raw.health,
        settling: raw.settling_period.get(),
        grace: raw.grace_period.get(),
        fail_after: raw.fail_after,
        recover_after: raw.recover_after,
        not_ready_after: raw.not_ready_after.map(NonNegativeDuration::get),
        every: sources.every,
    })
}

fn prefix_errors(keys: &Keys) -> Vec<Invalid> {
    let named = std::iter::once(("annotations.prefix".to_owned(), &keys.prefix))
        .chain(
            keys.former.iter().enumerate().map(|(at, former)| (format!("annotations.former_prefixes[{at}]"), former)),
        )
        .chain(std::iter::once(("ci.prefix".to_owned(), &keys.ci)));
    let mut errors: Vec<_> = named
        .filter(|(_, prefix)| !is_prefix(prefix))
        .map(|(key, prefix)| Invalid {
            key,
            why: format!("`{prefix}` is not a prefix of keys; write a DNS name and one `/` at the end, `example.org/`"),
        })
        .collect();
    if errors.is_empty() && keys.ci == keys.prefix {
        let why = format!("`{}` is the prefix of our own annotations; what CI writes needs another", keys.ci);
        errors.push(Invalid { key: "ci.prefix".to_owned(), why });
    }
    errors
}

/// Whether an apiserver takes keys with this prefix: a DNS subdomain (RFC 1123) and a slash.
fn is_prefix(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_plain) && label.ends_with(is_plain) && label.chars().all(|c| is_plain(c) || c == '-')
    };
    text.strip_suffix('/').is_some_and(|name| name.len() <= 253 && name.split('.').all(is_label))
}

/// A short name for a value's content: the first 16 hexadecimal digits of the SHA-256 of its JSON.
pub fn hash(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("plain data serializes");
    Sha256::digest(json).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
