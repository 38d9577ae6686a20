//! Control groups of nodes: the one thing that does not vanish with the last process that used it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// With what the names of families begin, hence those of their nodes.
const PREFIX: &str = "nsm-testbed-";
/// The group in which a node's first process is. While it is there, the node lives.
const LIFE: &str = "life";

/// Where hierarchies of control groups are mounted: one in version 2, one for each controller in version 1.
pub(super) fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    let hierarchy = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(place))
    };
    Ok(mounts.lines().filter_map(hierarchy).collect())
}

/// Makes the group of a node whose first process this is.
pub(super) fn found(hierarchy: &Path, group: &str, first: Pid) -> Result<()> {
    let group = hierarchy.join(group);
    let life = group.join(LIFE);
    let made = || {
        fs::create_dir_all(&life)?;
        // In version 1 a group has no processors and no memory, and takes no process, until it is told.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(all) = fs::read_to_string(hierarchy.join(file)) {
                fs::write(group.join(file), &all)?;
                fs::write(life.join(file), &all)?;
            }
        }
        fs::write(life.join("cgroup.procs"), first.to_string())
    };
    made().with_context(|| format!("cannot make the control group `{}`", life.display()))
}

/// Removes what nodes left whose family and reaper were killed both: processes, control groups, directories.
pub(super) fn remove(hierarchies: &[PathBuf]) -> Result<()> {
    for hierarchy in hierarchies {
        for entry in fs::read_dir(hierarchy)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let living = fs::read_to_string(entry.path().join(LIFE).join("cgroup.procs")).unwrap_or_default();
            let Some((family, _)) = name.rsplit_once('-') else { continue };
            if !family.starts_with(PREFIX) || !living.is_empty() {
                continue;
            }
            remove_tree(&entry.path());
            let directory = std::env::temp_dir().join(family);
            if directory.exists() {
                end_servers(&directory)?;
                // Its reaper may be doing the same.
                let _ = fs::remove_dir_all(&directory);
            }
        }
    }
    Ok(())
}

/// Removes this group everywhere. Its processes are dying: the last one is waited for until `end`.
pub(super) fn remove_group(group: &str, end: Instant) {
    let Ok(hierarchies) = hierarchies() else { return };
    for path in hierarchies.iter().map(|hierarchy| hierarchy.join(group)) {
        while path.exists() && Instant::now() < end {
            remove_tree(&path);
            if path.exists() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// The kernel removes a group when it is empty: the innermost first.
fn remove_tree(group: &Path) {
    // What fails is not empty yet, or somebody else removed it.
    let _ = Command::new("find").arg(group).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]).output();
}

/// Kills the servers of a dead family: those that work in its directory.
fn end_servers(directory: &Path) -> Result<()> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Gone meanwhile, if it cannot be read.
        let Ok(place) = fs::read_link(entry.path().join("cwd")) else { continue };
        if place.starts_with(directory) {
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
    Ok(())
}
