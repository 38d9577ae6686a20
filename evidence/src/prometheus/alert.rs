//! An alert as it is kept: strangers wrote its labels, so everything about it is bounded.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

/// The longest value that is kept, in bytes: a name of Kubernetes has at most 253.
const MAX_TEXT_LENGTH: usize = 256;

/// The most labels that are kept. Alerts have about ten.
const MAX_LABELS: usize = 32;

/// Kept whatever else is: their readers need these.
const FIRST: [&str; 3] = ["alertname", "namespace", "severity"];

/// An alert that fires, as the annotation `failing_resources` tells it (docs/design/lifecycle.md section 1).
///
/// The order is that of the labels, so that the same alerts are always told in the same order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failing {
    /// The first 32, each value cut to 256 bytes.
    pub labels: BTreeMap<String, String>,
    /// Of its annotations `runbook_url` and `summary`, where they are not longer than 256 bytes.
    pub annotations: BTreeMap<String, String>,
}

impl Failing {
    pub(super) fn new(labels: &HashMap<String, String>, annotations: &HashMap<String, String>) -> Self {
        let mut names: Vec<_> = labels.keys().filter(|name| name.len() <= MAX_TEXT_LENGTH).collect();
        names.sort_unstable_by_key(|name| (!FIRST.contains(&name.as_str()), *name));
        names.truncate(MAX_LABELS);
        let short =
            |name: &&str| annotations.get(*name).is_some_and(|text| text.len() <= MAX_TEXT_LENGTH && !text.is_empty());
        // A cut address leads nowhere, and one that is no address of the web is none to click on.
        let is_safe = |name: &&str| {
            let is_web = |text: &String| text.starts_with("https://") || text.starts_with("http://");
            *name != "runbook_url" || annotations.get(*name).is_some_and(is_web)
        };
        let told = ["runbook_url", "summary"].into_iter().filter(short).filter(is_safe);
        Self {
            labels: names.into_iter().map(|name| (name.clone(), bounded(&labels[name]).to_owned())).collect(),
            annotations: told.map(|name| (name.to_owned(), annotations[name].clone())).collect(),
        }
    }

    /// What its rule is called.
    pub(super) fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }
}

/// A text cut to what is kept of it, at the end of a character.
pub(super) fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_LENGTH)]
}
