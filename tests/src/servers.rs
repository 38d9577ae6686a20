//! Where the servers' binaries are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Directory of the binaries of a control plane: `NSM_SERVERS`, else the one that `dev/servers` fills.
///
/// # Errors
/// They were not built.
pub(crate) fn directory() -> Result<PathBuf> {
    find("kube-apiserver", "--print")
}

/// Directory of all binaries: the same, and those of a node, Helm and a store.
///
/// # Errors
/// They were not built.
pub(crate) fn complete_directory() -> Result<PathBuf> {
    find("kubelet", "--print-all")
}

fn find(server: &str, flag: &str) -> Result<PathBuf> {
    if let Some(directory) = std::env::var_os("NSM_SERVERS") {
        let directory = PathBuf::from(directory);
        ensure!(
            directory.join(server).exists(),
            "`NSM_SERVERS` is `{}`, where no {server} is: unset it and run `make servers`",
            directory.display()
        );
        return Ok(directory);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev/servers");
    let output = Command::new(&script).arg(flag).output().with_context(|| {
        format!("cannot run `{}`: the tests need their checkout, or `NSM_SERVERS`", script.display())
    })?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", complaint.trim_start_matches("error: ").trim_end());
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}
