//! What a node needs of the machine, said before anything is started.

use std::path::Path;

use anyhow::{Result, ensure};

/// Programs and the Debian packages they come from.
const PROGRAMS: [(&str, &str); 12] = [
    ("busybox", "busybox-static"),
    ("cc", "gcc"),
    ("conntrack", "conntrack"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("iptables", "iptables"),
    ("nsenter", "util-linux"),
    ("runc", "runc"),
    ("socat", "socat"),
    ("unshare", "util-linux"),
];
/// Where Debian puts the plugins that connect pods.
pub(super) const PLUGINS: &str = "/usr/lib/cni";

/// Says plainly what is missing.
pub(super) fn check() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "a cluster with a node needs root: it makes namespaces, network interfaces and control groups of its own"
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    let mut missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !found(program)).map(|(_, package)| *package).collect();
    if !Path::new(PLUGINS).join("bridge").is_file() {
        missing.push("containernetworking-plugins");
    }
    missing.dedup();
    ensure!(
        missing.is_empty(),
        "a cluster with a node needs what is missing here: run `apt-get install {}`",
        missing.join(" ")
    );
    // Where it is a module, nobody has needed it yet. Where it is not, there is nothing to load.
    let bridges = Path::new("/proc/sys/net/bridge");
    if !bridges.exists() {
        let _ = std::process::Command::new("modprobe").arg("br_netfilter").output();
        ensure!(bridges.exists(), "the kernel cannot filter bridges (module br_netfilter): Services would not work");
    }
    Ok(())
}
