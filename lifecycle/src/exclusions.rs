//! The namespaces that are never managed, counted or touched (docs/design/lifecycle.md section 8).

use regex::Regex;

/// The built-in list; `*` stands for any ending. A configuration can only add to it.
pub const SYSTEM_NAMESPACES: [&str; 20] = [
    "kube-*",
    "default",
    "coredns",
    "calico-system",
    "tigera-operator",
    "amazon-cloudwatch",
    "aws-node",
    "cert-manager",
    "ingress-nginx",
    "monitoring",
    "logging",
    "argocd",
    "task-scheduler",
    "kyverno",
    "flux-system",
    "openshift*",
    "istio-system",
    "linkerd*",
    "namespace-manager",
    "namespace-manager-*",
];

/// Tells which names are out of bounds: the built-in list and what the configuration adds.
#[derive(Clone, Debug, Default)]
pub struct Exclusions {
    added: Vec<Regex>,
}

impl Exclusions {
    /// Adds full-match patterns to the built-in list.
    #[must_use]
    pub const fn with(added: Vec<Regex>) -> Self {
        Self { added }
    }

    /// Whether this name may never be managed.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        is_system(name) || self.added.iter().any(|pattern| pattern.is_match(name))
    }
}

fn is_system(name: &str) -> bool {
    SYSTEM_NAMESPACES.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

/// Whether every name that begins so is in the built-in list; `is_whole`: it is the whole of a name.
pub(crate) fn is_always_system(beginning: &str, is_whole: bool) -> bool {
    SYSTEM_NAMESPACES.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => beginning.starts_with(prefix),
        None => is_whole && beginning == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_ending_and_nothing_else_matches_in_part() {
        assert!(is_system("kube-system"));
        assert!(is_system("openshift"));
        assert!(is_system("linkerd-viz"));
        assert!(is_system("default"));
        assert!(!is_system("defaults"));
        assert!(!is_system("my-monitoring"));
        assert!(!is_system("kube"));
    }
}
