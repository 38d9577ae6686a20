//! The environment of this process: read here, and nowhere else.

use std::path::{Path, PathBuf};

/// One variable of this process's environment; an empty one counts as absent.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The kubeconfigs that count where none is named: those of `KUBECONFIG`, else `~/.kube/config`. Where `KUBECONFIG` holds
/// nothing but colons, none does.
pub(crate) fn kubeconfigs(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if let Some(named) = variable("KUBECONFIG").filter(|named| !named.is_empty()) {
        return std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    }
    variable("HOME").map(|home| Path::new(&home).join(".kube/config")).into_iter().collect()
}
