//! Which policy a namespace falls under (docs/design/lifecycle.md section 2).

use std::collections::BTreeMap;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Keys, Namespace,
    patterns::{full_match, matches_system_alone},
};

/// What a policy applies to. At least one part must be given; each part that matches adds to the score.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMatch {
    /// Regular expressions for the namespace's name; each must match the whole name. Score 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Conditions of which one must hold. Score 2.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<RawSelector>,
    /// Conditions that must all hold. Score 4.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<RawSelector>,
}

/// Labels and annotations a namespace must carry, with exactly these values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSelector {
    /// Labels by key, each with the value it must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations by key, each with the value it must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Whether one matching part is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// Each part alone is enough.
    #[default]
    AnyPart,
    /// Every part that is given must match.
    AllParts,
}

/// A match that was checked.
#[derive(Clone, Debug)]
pub struct Match {
    names: Vec<Regex>,
    any: Vec<RawSelector>,
    all: Vec<RawSelector>,
    require: Require,
}

impl Match {
    /// Checks a match.
    ///
    /// # Errors
    /// As `(key, why)` pairs with keys relative to the match: it is empty in any of its forms, a regex does not
    /// compile, or it refers to what we write ourselves.
    pub fn new(raw: &RawMatch, require: Require, keys: &Keys) -> Result<Self, Vec<(String, String)>> {
        let mut errors = Vec::new();
        if raw.names.is_empty() && raw.any.is_empty() && raw.all.is_empty() {
            errors
                .push((String::new(), "it is empty and would match nothing; give `names`, `any` or `all`".to_owned()));
        }
        let mut names = Vec::new();
        for (at, pattern) in raw.names.iter().enumerate() {
            match full_match(pattern) {
                Ok(_) if matches_system_alone(pattern) => {
                    let why = format!("`{pattern}` matches only what is never managed, the namespaces of the system");
                    errors.push((format!("names[{at}]"), why));
                }
                Ok(regex) => names.push(regex),
                Err(why) => errors.push((format!("names[{at}]"), why)),
            }
        }
        for (part, selectors) in [("any", &raw.any), ("all", &raw.all)] {
            for (at, selector) in selectors.iter().enumerate() {
                errors.extend(selector.errors(keys).into_iter().map(|(key, why)| (format!("{part}[{at}]{key}"), why)));
            }
        }
        if errors.is_empty() {
            Ok(Self { names, any: raw.any.clone(), all: raw.all.clone(), require })
        } else {
            Err(errors)
        }
    }

    /// How well the namespace matches: names 1, any 2, all 4; 0 is not at all.
    #[must_use]
    pub fn score(&self, namespace: &Namespace) -> u8 {
        let parts = [
            (self.names.is_empty(), 1, self.names.iter().any(|name| name.is_match(&namespace.name))),
            (self.any.is_empty(), 2, self.any.iter().any(|selector| selector.holds(namespace))),
            (self.all.is_empty(), 4, !self.all.is_empty() && self.all.iter().all(|selector| selector.holds(namespace))),
        ];
        let missed = parts.iter().any(|(absent, _, matched)| !absent && !matched);
        if self.require == Require::AllParts && missed {
            return 0;
        }
        parts.iter().filter(|(_, _, matched)| *matched).map(|(_, score, _)| score).sum()
    }

    /// The label keys and the annotation keys this match reads.
    pub fn looks_at(&self) -> (impl Iterator<Item = &str>, impl Iterator<Item = &str>) {
        let selectors = || self.any.iter().chain(&self.all);
        (
            selectors().flat_map(|selector| selector.labels.keys().map(String::as_str)),
            selectors().flat_map(|selector| selector.annotations.keys().map(String::as_str)),
        )
    }
}

impl RawSelector {
    fn holds(&self, namespace: &Namespace) -> bool {
        let empty = self.labels.is_empty() && self.annotations.is_empty();
        !empty
            && self.labels.iter().all(|(key, value)| namespace.label(key) == Some(value))
            && self.annotations.iter().all(|(key, value)| namespace.annotation(key) == Some(value))
    }

    fn errors(&self, keys: &Keys) -> Vec<(String, String)> {
        if self.labels.is_empty() && self.annotations.is_empty() {
            let why = "it is empty and would match nothing; give `labels` or `annotations`".to_owned();
            return vec![(String::new(), why)];
        }
        let mut errors = Vec::new();
        for (part, pairs) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            for (key, value) in pairs {
                if value.is_empty() {
                    let why = "an empty value counts as absent and would match nothing".to_owned();
                    errors.push((format!(".{part}.{key}"), why));
                }
                if key == "true" || key == "false" {
                    let words = if key == "true" { "`on`, `yes` or `y`" } else { "`off`, `no` or `n`" };
                    let why = format!(
                        "it is what Helm (YAML 1.1) makes of a key {words}, so nobody knows which is meant; put the key \
                         in quotes where you wrote it"
                    );
                    errors.push((format!(".{part}.{key}"), why));
                }
                if keys.is_ours(key) {
                    let why = "a policy cannot match on what Namespace Manager writes itself".to_owned();
                    errors.push((format!(".{part}.{key}"), why));
                }
            }
        }
        errors
    }
}
