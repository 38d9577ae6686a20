//! How a user reaches a control plane.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

/// Writes a kubeconfig for a user with `token` (in JSON, which is YAML). It refers to the file of the `authority`.
pub(crate) fn write(path: &Path, server: &str, authority: &Path, user: &str, token: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        "current-context": "testbed",
    });
    fs::write(path, format!("{config:#}\n")).with_context(|| format!("cannot write `{}`", path.display()))
}
