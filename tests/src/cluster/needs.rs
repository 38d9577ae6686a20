//! What a node needs of the machine, said before anything is started.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where Debian puts the plugins that connect pods.
pub(super) const PLUGINS: &str = "/usr/lib/cni";

/// Says plainly what is missing.
pub(super) fn check() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "a cluster with a node needs root: it makes namespaces, network interfaces and control groups of its own"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev/packages");
    let output =
        Command::new(&script).arg("node").output().with_context(|| format!("cannot run `{}`", script.display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", complaint.trim_start_matches("error: ").trim_end());
    // Where it is a module, nobody has needed it yet. Where it is not, there is nothing to load.
    let bridges = Path::new("/proc/sys/net/bridge");
    if !bridges.exists() {
        let _ = Command::new("modprobe").arg("br_netfilter").output();
        ensure!(bridges.exists(), "the kernel cannot filter bridges (module br_netfilter): Services would not work");
    }
    Ok(())
}
