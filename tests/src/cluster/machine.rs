//! The node as the kernel sees it: namespaces, control groups, and a cable to the host.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::cluster::{leftovers, link::Link};
use crate::{Process, eventually, family};

const INIT: &str = include_str!("node.sh");
/// Namespaces and mounts take some ten milliseconds.
const BORN: Duration = Duration::from_secs(20);
/// The kernel takes some hundred milliseconds to end a node full of pods.
const DEAD: Duration = Duration::from_secs(20);

/// Namespaces that hold everything a node's servers do to a machine. Dropping it ends all processes in them; mounts, interfaces and rules
/// vanish with the namespaces, and the control groups are removed.
///
/// If the test process is killed, the first process of the node sees its input end ([`family::spawn_tied`]); the reaper removes
/// the control groups.
#[derive(Debug)]
pub(super) struct Machine {
    /// `unshare`, the parent of the first process; it takes that one with it.
    parent: Process,
    pub(super) node: Node,
    /// Path below each hierarchy of control groups, as kubelet is told.
    pub(super) control_group: String,
}

/// How the namespaces are entered, and where they are reached, from whatever process of this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Node {
    /// The first process in them, as this machine numbers it.
    first: i32,
    pub(super) link: Link,
}

impl Machine {
    /// Makes the namespaces; the first process writes below `directory`.
    pub(super) async fn start(directory: &Path) -> Result<Self> {
        fs::create_dir(directory.join("disk"))?;
        let script = directory.join("node.sh");
        fs::write(&script, INIT)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
        command.arg(&script).arg(directory).current_dir("/");

        // Others look for the dead meanwhile: a group that nobody lives in yet looks like one of them.
        let hierarchies = leftovers::hierarchies()?;
        let lock = File::open("/sys/fs/cgroup").context("cannot open the control groups")?;
        lock.lock()?;
        leftovers::remove(&hierarchies)?;
        let mut parent = Process::spawn_tied("node", &mut command)?;
        let first = eventually("the node's namespaces exist", BORN, async || {
            if let Some(status) = parent.exited()? {
                return Ok(Err(status));
            }
            ensure!(parent.log() == "ready\n", "{}", parent.log());
            Ok(Ok(child_of(parent.id())?))
        });
        let first = first.await?.map_err(|status| {
            anyhow::anyhow!("cannot make the node's namespaces ({status}); that needs root\n{}", parent.log_tail())
        })?;
        let link = Link::connect(first)?;
        let control_group = format!("{}-{}", family::name()?, link.number);
        for hierarchy in &hierarchies {
            leftovers::found(hierarchy, &control_group, first)?;
        }
        drop(lock);
        Ok(Self { parent, node: Node { first: first.as_raw(), link }, control_group })
    }
}

impl Node {
    /// A command that runs in the node, on the node's own files, with the rest of this machine's.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--mount", "--net", "--pid", "--"]).arg(program);
        command
    }

    /// Whether its first process runs.
    pub(super) fn is_alive(&self) -> bool {
        !is_dead(Pid::from_raw(self.first))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.parent.kill();
        let end = Instant::now() + DEAD;
        // A process without its parent is collected by the machine's first one, which may take its time: dead is enough.
        let first = Pid::from_raw(self.node.first);
        while kill(first, None::<Signal>).is_ok() && !is_dead(first) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.node.link.disconnect();
        leftovers::remove_group(&self.control_group, end);
    }
}

/// The only child of this process, as seen from here.
fn child_of(parent: u32) -> Result<Pid> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Gone meanwhile, if it cannot be read.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if stat_field(&stat, 1) == Some(parent.to_string().as_str()) {
            return Ok(Pid::from_raw(id));
        }
    }
    anyhow::bail!("process {parent} has no child")
}

fn is_dead(process: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{process}/stat")) {
        Ok(stat) => matches!(stat_field(&stat, 0), Some("Z" | "X")),
        Err(_) => true,
    }
}

/// Field `number` after the name of the program, which is in parentheses and may hold anything: state, parent, ….
fn stat_field(stat: &str, number: usize) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(number)
}
