//! The section `owners`: where the owner of a namespace is found.

use lifecycle::{
    ownership::{Owners, Source},
    policy::Invalid,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{invalid, is_object_name};

/// The longest name of an annotation, after its prefix.
const MAX_NAME_LENGTH: usize = 63;

/// Where the owner of a namespace is found, for people to know whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawOwners {
    /// What names the owner: the first of these that is on the namespace and can be read. Default: `notificationAddress`,
    /// `authorEmail`, `author`, `mrAssignees`, `team`, `creator`. Variable: `NSM__OWNERS__ORDER`.
    pub order: Vec<Source>,
    /// The annotation in which an admission policy or webhook of yours names who made the namespace, with its prefix:
    /// what is found by `creator`. Default: none. Variable: `NSM__OWNERS__CREATOR_ANNOTATION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator_annotation: Option<String>,
}

impl Default for RawOwners {
    fn default() -> Self {
        Self { order: Source::ALL.to_vec(), creator_annotation: None }
    }
}

impl RawOwners {
    pub(super) fn check(&self) -> Result<Owners, Vec<Invalid>> {
        let RawOwners { order, creator_annotation: creator } = self;
        let mut errors = Vec::new();
        if order.is_empty() {
            let all = Source::ALL.map(Source::as_str).join(", ");
            errors.push(invalid("owners.order", format!("it is empty; write for example `[{all}]`, or leave it out")));
        }
        for (at, source) in order.iter().enumerate().filter(|(at, source)| order[..*at].contains(source)) {
            let why = format!("`{}` stands there twice; remove one of them", source.as_str());
            errors.push(invalid(&format!("owners.order[{at}]"), why));
        }
        if let Some(key) = creator {
            let key_of = "owners.creator_annotation";
            if !is_key(key) {
                let why = format!(
                    "`{key}` is not the key of an annotation; write for example `admission.example.org/creator`"
                );
                errors.push(invalid(key_of, why));
            }
            if !order.contains(&Source::Creator) {
                errors.push(invalid(key_of, "nobody reads it; add `creator` to `owners.order`, or leave it out"));
            }
        }
        if errors.is_empty() { Ok(Owners { order: order.clone(), creator: creator.clone() }) } else { Err(errors) }
    }
}

/// Whether an apiserver takes it as the key of an annotation: a name, and perhaps a DNS name and a slash before it.
fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let is_inner = |c: char| c.is_ascii_alphanumeric();
    let is_name = (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.starts_with(is_inner)
        && name.ends_with(is_inner)
        && name.chars().all(|c| is_inner(c) || matches!(c, '-' | '_' | '.'));
    is_name && prefix.is_none_or(is_object_name)
}
