//! Where helm is.

use std::path::PathBuf;

use anyhow::Result;

use crate::servers;

/// Path of the helm that `dev/servers --all` builds.
///
/// # Errors
/// It was not built.
pub fn helm() -> Result<PathBuf> {
    Ok(servers::complete_directory()?.join("helm"))
}
