//! What a policy asks CI systems for: the pipeline, the merge request, and whether a newer deployment is one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Common, RawChecks};
use crate::{
    model::ci::{CiSystem, PipelineSource},
    supersession::{GroupBy, SupersedeRules, Trigger},
};

/// Whether a newer deployment replaces a namespace, by the labels that its pipeline wrote: `projectId`, `job`, `jobId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSuperseded {
    /// What both have to share besides the project and the job: `mr`, `branch`, `commit`; of several the first whose label
    /// the namespace has. Default: `mr`, then `branch`.
    pub by: Vec<GroupBy>,
    /// When the newer one replaces the older: `newer-ready` once all its namespaces are `ok`, `newer-exists` at once.
    pub when: Trigger,
    /// Whether the newer one counts only once the CI system says that its job ran for that merge request, branch or commit of
    /// that project: `ci`, or `off` to believe the labels. Default: `ci` where it is known which CI system to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
}

/// By what is known whether a newer deployment is what its labels say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confirm {
    /// The CI system says it.
    Ci,
    /// The labels are believed.
    Off,
}

impl Default for RawSuperseded {
    fn default() -> Self {
        Self { by: vec![GroupBy::Mr, GroupBy::Branch], when: Trigger::NewerReady, confirm: None }
    }
}

/// The CI system queried for the pipeline; `None`: none.
pub(super) fn pipeline(
    raw: &RawChecks,
    common: &Common<'_>,
    refuse: &mut impl FnMut(&str, String),
) -> Option<CiSystem> {
    let wanted = match (raw.pipeline, common.ci) {
        (PipelineSource::Off, _) => return None,
        (PipelineSource::Auto, []) => return None,
        (PipelineSource::Auto, [only]) => return Some(*only),
        (PipelineSource::Auto, [_, _, ..]) => {
            let why = "several CI systems are configured; write `gitlab`, `github` or `off`";
            refuse(".checks.pipeline", why.to_owned());
            return None;
        }
        (PipelineSource::Gitlab, _) => CiSystem::Gitlab,
        (PipelineSource::Github, _) => CiSystem::Github,
    };
    if common.ci.contains(&wanted) {
        return Some(wanted);
    }
    let (name, section) = (wanted.name(), wanted.as_str());
    refuse(".checks.pipeline", format!("no {name} is configured; give `{section}.url`, or choose `auto` or `off`"));
    None
}

/// Where the merge request is queried: where the pipeline is, or in the only place there is.
pub(super) fn merged(
    raw: &RawChecks,
    pipeline: Option<CiSystem>,
    common: &Common<'_>,
    refuse: &mut impl FnMut(&str, String),
) -> Option<CiSystem> {
    if !raw.merged || pipeline.is_some() {
        return pipeline.filter(|_| raw.merged);
    }
    if let [only] = common.ci {
        return Some(*only);
    }
    let why =
        "no CI system is configured, or several are; give `gitlab.url` or `github.url`, and say which by `pipeline`";
    refuse(".checks.merged", why.to_owned());
    None
}

/// By which rules newer deployments replace older ones, and where it is queried whether they are such: where the pipeline is, or
/// in the only place there is; `None`: they replace nothing.
pub(super) fn superseded(
    raw: &RawChecks,
    pipeline: Option<CiSystem>,
    common: &Common<'_>,
    refuse: &mut impl FnMut(&str, String),
) -> Option<SupersedeRules> {
    let superseded = raw.superseded.as_ref()?;
    if superseded.by.is_empty() {
        refuse(".checks.superseded.by", "it is empty; write for example `[mr, branch]`, or leave it out".to_owned());
    }
    let only = match common.ci {
        [only] => Some(*only),
        _ => None,
    };
    let confirm = match superseded.confirm {
        Some(Confirm::Off) => None,
        Some(Confirm::Ci) | None => pipeline.or(only),
    };
    if superseded.confirm == Some(Confirm::Ci) && confirm.is_none() {
        let why = "no CI system is configured, or several are; give `gitlab.url` or `github.url`, and say which by \
                   `checks.pipeline`; or choose `off`";
        refuse(".checks.superseded.confirm", why.to_owned());
    }
    Some(SupersedeRules { by: superseded.by.clone(), when: superseded.when, confirm })
}
