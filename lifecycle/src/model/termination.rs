//! Why a namespace that is being deleted is still there: what it says of its end, and the pods that are left.
//!
//! Its content is deleted in order, pods first: while one is left, its conditions say that nothing is. So pods are told first.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Not every API group could be asked for what is left: no namespace comes to its end.
pub const DISCOVERY_FAILURE: &str = "NamespaceDeletionDiscoveryFailure";

/// The name of an API group and version cannot be read: no namespace comes to its end.
pub const GROUP_VERSION_FAILURE: &str = "NamespaceDeletionGroupVersionParsingFailure";

/// The conditions by which kube-controller-manager says why a namespace is still there, in its order (Kubernetes 1.34,
/// `status_condition_utils.go`).
const CONDITIONS: [&str; 5] = [
    DISCOVERY_FAILURE,
    GROUP_VERSION_FAILURE,
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
];

/// The finalizer that every namespace has, until its content is gone.
const OF_ALL: &str = "kubernetes";

/// The most that is kept of a message, in bytes: it may name every object that is left.
const MAX_MESSAGE: usize = 768;

/// The same of a reason, which is a word.
const MAX_REASON: usize = 100;

/// The most that is quoted of a message for people, in characters.
const MAX_QUOTED: usize = 300;

/// The most finalizers that are kept, and the most of each, in bytes: none has a longer name.
const MAX_FINALIZERS: (usize, usize) = (8, 320);

/// The most pods that are named.
pub const MAX_PODS_NAMED: usize = 5;

/// What comes before the API groups that cannot be asked, in the message of a [`DISCOVERY_FAILURE`].
const BEFORE_GROUPS: &str = "unable to retrieve the complete list of server APIs: ";

/// What comes before a name that cannot be read, in the message of a [`GROUP_VERSION_FAILURE`].
const BEFORE_NAME: &str = "unexpected GroupVersion string: ";

/// A condition of a namespace that is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminationCondition {
    /// Its type, such as `NamespaceContentRemaining`.
    pub condition: String,
    pub reason: String,
    pub message: String,
}

/// What a namespace that is being deleted says of its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Termination {
    /// Those that are true.
    pub conditions: Vec<TerminationCondition>,
    /// Those on the namespace itself, but for the one that every namespace has.
    pub finalizers: Vec<String>,
}

/// The pods that are left in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemainingPods {
    /// So many, by name the first of them.
    Counted { first: Vec<String>, in_all: u64 },
    /// They are not known; why, a sentence without full stop.
    Unknown(String),
}

/// Why a namespace is still there that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletionStalled {
    pub pods: RemainingPods,
    /// The conditions that are true; while a pod is left they say nothing of what else is.
    #[serde(default)]
    pub conditions: Vec<TerminationCondition>,
    /// The finalizers on the namespace itself, but for the one that every namespace has.
    #[serde(default)]
    pub finalizers: Vec<String>,
}

/// A reason that holds every namespace of a cluster, and not only the one that tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SharedCause {
    /// The condition's type.
    pub condition: String,
    /// The API group, where the message names one.
    pub group: Option<String>,
}

/// What tells one reason from another: not the messages, which count what is left.
pub(crate) type Key<'a> = (BTreeSet<(&'a str, &'a str)>, BTreeSet<SharedCause>, BTreeSet<&'a str>);

impl Termination {
    /// Of all true conditions of a namespace and all its finalizers, what is kept.
    #[must_use]
    pub fn new(
        conditions: impl IntoIterator<Item = TerminationCondition>,
        finalizers: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut conditions: Vec<_> = conditions
            .into_iter()
            .filter_map(|it| Some((CONDITIONS.iter().position(|known| *known == it.condition)?, cut_condition(it))))
            .collect();
        conditions.sort_by_key(|(place, _)| *place);
        let mut finalizers: Vec<_> = finalizers.into_iter().filter(|it| it != OF_ALL).map(cut_finalizer).collect();
        finalizers.sort();
        finalizers.dedup();
        finalizers.truncate(MAX_FINALIZERS.0);
        Self { conditions: conditions.into_iter().map(|(_, it)| it).collect(), finalizers }
    }

    /// The entry that tells of it, with these pods left.
    #[must_use]
    pub fn with(&self, pods: RemainingPods) -> DeletionStalled {
        DeletionStalled { pods, conditions: self.conditions.clone(), finalizers: self.finalizers.clone() }
    }

    pub(crate) fn key(&self) -> Key<'_> {
        key(&self.conditions, &self.finalizers)
    }
}

impl DeletionStalled {
    /// The reasons that hold every namespace.
    #[must_use]
    pub fn shared_causes(&self) -> BTreeSet<SharedCause> {
        shared_causes(&self.conditions)
    }

    /// Whether it is to be written after what is on record: it has another reason, or no pod is left of those that were. That some
    /// are gone, or come, is none; nor that they cannot be counted now.
    #[must_use]
    pub fn is_news_after(&self, known: Option<&Self>) -> bool {
        known.is_none_or(|known| self.key() != known.key() || known.pods.are_left() && self.pods.are_gone())
    }

    pub(crate) fn key(&self) -> Key<'_> {
        key(&self.conditions, &self.finalizers)
    }

    /// What one of its conditions says.
    #[must_use]
    pub fn message(&self, condition: &str) -> Option<&str> {
        let found = self.conditions.iter().find(|it| it.condition == condition)?;
        Some(&found.message)
    }
}

impl RemainingPods {
    /// Whether some are known to be. What refused to have them counted refuses it until somebody grants the right.
    #[must_use]
    pub const fn are_left(&self) -> bool {
        matches!(self, Self::Counted { in_all: 1.., .. })
    }

    const fn are_gone(&self) -> bool {
        matches!(self, Self::Counted { in_all: 0, .. })
    }
}

fn key<'a>(conditions: &'a [TerminationCondition], finalizers: &'a [String]) -> Key<'a> {
    let told = conditions.iter().map(|it| (it.condition.as_str(), it.reason.as_str())).collect();
    (told, shared_causes(conditions), finalizers.iter().map(String::as_str).collect())
}

fn shared_causes(conditions: &[TerminationCondition]) -> BTreeSet<SharedCause> {
    let causes = conditions.iter().flat_map(|TerminationCondition { condition, message, .. }| {
        let groups = match condition.as_str() {
            DISCOVERY_FAILURE => Some(groups(message)),
            GROUP_VERSION_FAILURE => Some(message.split_once(BEFORE_NAME).map(|(_, name)| name).into_iter().collect()),
            _ => None,
        };
        let named = groups.map(|groups| {
            let of =
                |group: Option<&str>| SharedCause { condition: condition.clone(), group: group.map(str::to_owned) };
            let all: Vec<_> = groups.iter().map(|group| of(Some(group))).collect();
            if all.is_empty() { vec![of(None)] } else { all }
        });
        named.into_iter().flatten()
    });
    causes.collect()
}

/// The API groups that the message of a [`DISCOVERY_FAILURE`] names, as `GROUP/VERSION: why, …`.
fn groups(message: &str) -> BTreeSet<&str> {
    let list = message.split_once(BEFORE_GROUPS).map_or("", |(_, list)| list);
    let group = |part| {
        let (name, _): (&str, &str) = str::split_once(part, ": ")?;
        match name.rsplit_once('/') {
            Some((group, version)) => (is_group(group) && is_version(version)).then_some(group),
            // The group of pods has no name.
            None => is_version(name).then_some(name),
        }
    };
    list.split(", ").filter_map(group).collect()
}

fn is_group(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

fn is_version(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain && text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn cut_condition(it: TerminationCondition) -> TerminationCondition {
    TerminationCondition { reason: cut(it.reason, MAX_REASON), message: cut(it.message, MAX_MESSAGE), ..it }
}

fn cut_finalizer(text: String) -> String {
    cut(text, MAX_FINALIZERS.1)
}

/// The beginning of a text of others, without what a terminal would obey and what grows where it is stored.
fn cut(text: String, most: usize) -> String {
    text[..text.floor_char_boundary(most)].replace(char::is_control, " ")
}

/// The beginning of a message, in one line.
pub(crate) fn quoted(message: &str) -> String {
    let line: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(MAX_QUOTED).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

impl fmt::Display for RemainingPods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => write!(f, "whether pods are left is not known: {why}"),
            Self::Counted { in_all: 0, .. } => f.write_str("no pod is left"),
            Self::Counted { first, in_all } => {
                let (count, verb) = if *in_all == 1 { ("pod", "is") } else { ("pods", "are") };
                let names: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
                let more = in_all.saturating_sub(first.len() as u64);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                write!(f, "{in_all} {count} {verb} left: {}{more}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for TerminationCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.condition, quoted(&self.message))
    }
}

impl fmt::Display for DeletionStalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.pods.are_gone() {
            parts.push(self.pods.to_string());
        }
        parts.extend(self.conditions.iter().map(ToString::to_string));
        if !self.finalizers.is_empty() {
            let names: Vec<_> = self.finalizers.iter().map(|name| format!("`{name}`")).collect();
            parts.push(format!("it has finalizers: {}", names.join(", ")));
        }
        if parts.is_empty() {
            return f.write_str("nothing says what holds it");
        }
        f.write_str(&parts.join("; "))
    }
}

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{} of API group `{group}`", self.condition),
            None => f.write_str(&self.condition),
        }
    }
}

#[cfg(test)]
mod tests;
