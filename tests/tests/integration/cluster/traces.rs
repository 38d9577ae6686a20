//! What a node leaves on a machine: found by other means than those that remove it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// How the traces of one cluster are told from those of others.
#[derive(Debug)]
pub(crate) struct Traces {
    /// Of the family that made it.
    pub(crate) directory: PathBuf,
    /// Of all its processes: kept open, or the kernel gives its number to the next.
    process_namespace: File,
    /// `198.18.0.`, with the addresses of both ends of its link.
    network: String,
}

impl Traces {
    /// Of a running cluster whose files are below `directory`, and whose node has this address.
    pub(crate) fn of(directory: &Path, node_address: &str) -> Result<Self> {
        let ours = fs::metadata("/proc/self/ns/pid")?.ino();
        let first = processes()?.into_iter().find(|process| {
            process.arguments.starts_with("sh ")
                && process.arguments.contains(&*directory.to_string_lossy())
                && process.process_namespace.is_some_and(|namespace| namespace != ours)
        });
        let first = first.context("the node's first process")?;
        let network = node_address.rsplit_once('.').context("an address")?.0;
        Ok(Self {
            directory: directory.to_owned(),
            process_namespace: File::open(format!("/proc/{}/ns/pid", first.id))?,
            network: format!("{network}."),
        })
    }

    /// Everything there is of it.
    pub(crate) fn all(&self) -> Result<Vec<String>> {
        let name = self.directory.file_name().context("a name")?.to_string_lossy().into_owned();
        let mut found = self.processes()?;
        let mut look = |what: &str, text: &str, words: &str| {
            found.extend(text.lines().filter(|line| line.contains(words)).map(|line| format!("{what}: {line}")));
        };
        look("mount", &fs::read_to_string("/proc/self/mounts")?, &name);
        look("address", &output("ip", &["-oneline", "address"])?, &self.network);
        look("route", &output("ip", &["route", "show", "table", "all"])?, &self.network);
        let rules = output("iptables-save", &[])?;
        look("rule", &rules, &self.network);
        look("rule", &rules, "KUBE-");
        for depth in ["/sys/fs/cgroup", "/sys/fs/cgroup/*"] {
            look("control group", &output("sh", &["-c", &format!("ls -d {depth}/{name}* 2>/dev/null; true")])?, &name);
        }
        if self.directory.exists() {
            found.push(format!("directory: {}", self.directory.display()));
        }
        Ok(found)
    }

    /// Processes of the node, and others that use its files.
    pub(crate) fn processes(&self) -> Result<Vec<String>> {
        let directory = self.directory.to_string_lossy();
        let mut found = self.node_processes()?;
        found.extend(
            processes()?
                .into_iter()
                .filter(|process| process.arguments.contains(&*directory))
                .map(|process| process.arguments),
        );
        Ok(found)
    }

    /// Processes in the node's namespace, the pods' (which have one below it) not counted: they cannot outlive it.
    pub(crate) fn node_processes(&self) -> Result<Vec<String>> {
        let namespace = self.process_namespace.metadata()?.ino();
        let inside = |process: &Process| process.process_namespace == Some(namespace);
        Ok(processes()?.into_iter().filter(inside).map(|process| process.arguments).collect())
    }

    /// Who removes everything when the cluster's own process is killed.
    pub(crate) fn reaper(&self) -> Result<i32> {
        let directory = self.directory.to_string_lossy();
        let reaper = processes()?.into_iter().find(|process| {
            process.arguments.contains("reaper") && process.arguments.trim_end().ends_with(&*directory)
        });
        Ok(reaper.context("no reaper")?.id)
    }
}

/// The directory of the family of this process: its reaper, a child of it, is told.
pub(crate) fn directory_of(process: u32) -> Result<PathBuf> {
    let reaper = processes()?.into_iter().find(|child| child.parent == process && child.arguments.contains("reaper"));
    let arguments = reaper.context("no reaper")?.arguments;
    Ok(arguments.split_whitespace().last().context("no directory")?.into())
}

struct Process {
    id: i32,
    parent: u32,
    arguments: String,
    process_namespace: Option<u64>,
}

/// Those that live: a dead one has no arguments.
fn processes() -> Result<Vec<Process>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(arguments) = fs::read(entry.path().join("cmdline")) else { continue };
        if !arguments.is_empty() {
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            let process_namespace = fs::metadata(entry.path().join("ns/pid")).ok().map(|namespace| namespace.ino());
            all.push(Process { id, parent: parent.unwrap_or(0), arguments, process_namespace });
        }
    }
    Ok(all)
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot start `{program}`"))?;
    anyhow::ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
