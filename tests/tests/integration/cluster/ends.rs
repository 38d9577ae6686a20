//! `make cluster`: several at once, and nothing left of any, however it ends.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::{Process, eventually};

use crate::cluster::LATER;
use crate::cluster::traces::{self, Traces};

fn start() -> Result<Process> {
    Process::spawn("cluster", &mut Command::new(env!("CARGO_BIN_EXE_cluster")))
}

/// What a running cluster prints about itself.
struct Told {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    traces: Traces,
}

async fn ready(cluster: &mut Process) -> Result<Told> {
    eventually("a cluster is ready", 2 * LATER, async || {
        let ended = cluster.exited()?;
        let log = cluster.log();
        ensure!(ended.is_none() && log.contains("Ctrl-C ends it"), "{ended:?} {log}");
        Ok(())
    })
    .await?;
    let log = cluster.log();
    let told = |name: &str| {
        let line =
            log.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no `{name}`: {log}"))?;
        let line = line.trim_start();
        Ok::<_, anyhow::Error>(line.split_once(' ').map_or(line, |(first, _)| first).to_owned())
    };
    let line = log.lines().find(|line| line.starts_with("admin")).context("no admin")?;
    let kubeconfig = PathBuf::from(line.split_once('=').context("no kubeconfig")?.1);
    let directory = kubeconfig.ancestors().nth(2).context("a directory")?;
    Ok(Told { traces: Traces::of(directory, &told("node")?)?, kubectl: told("kubectl")?.into(), kubeconfig })
}

impl Told {
    /// The addresses of its pods.
    fn pods(&self) -> Result<String> {
        let mut command = Command::new(&self.kubectl);
        command.args(["get", "pods", "--all-namespaces", "--output=jsonpath={.items[*].status.podIP}"]);
        let output = command.env("KUBECONFIG", &self.kubeconfig).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

async fn gone(traces: &Traces) -> Result<()> {
    eventually("nothing is left of the cluster", LATER, async || {
        let found = traces.all()?;
        ensure!(found.is_empty(), "{found:#?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_live_side_by_side_and_nothing_is_left_of_either() -> Result<()> {
    let (mut first, mut second) = (start()?, start()?);
    let (one, two) = (ready(&mut first).await?, ready(&mut second).await?);
    assert_ne!(one.pods()?, two.pods()?);
    let kinds = |traces: &Traces| -> Result<Vec<String>> {
        let mut kinds: Vec<_> =
            traces.all()?.iter().filter_map(|found| Some(found.split_once(": ")?.0.to_owned())).collect();
        kinds.sort();
        kinds.dedup();
        Ok(kinds)
    };
    // What is looked for can be found while it is there; mounts and rules are in the node.
    assert_eq!(kinds(&one.traces)?, ["address", "control group", "directory", "route"]);
    assert!(one.traces.node_processes()?.len() > 3);

    // An end as after Ctrl-C, in good order: nothing is left when the process has ended.
    assert!(first.terminate(LATER).await?.success(), "{}", first.log());
    gone(&one.traces).await?;
    ensure!(!two.pods()?.is_empty(), "the other cluster is harmed");

    // Killed with whom it trusts to clean up: the node dies all the same, and the next start removes the rest.
    kill(Pid::from_raw(two.traces.reaper()?), Signal::SIGKILL)?;
    second.kill();
    eventually("the node is dead", LATER, async || {
        let living = two.traces.node_processes()?;
        ensure!(living.is_empty(), "{living:?}");
        Ok(())
    })
    .await?;
    assert!(two.traces.directory.exists());
    let mut third = start()?;
    let three = ready(&mut third).await?;
    gone(&two.traces).await?;

    // Killed alone.
    third.kill();
    gone(&three.traces).await
}

#[tokio::test]
async fn nothing_is_left_of_a_start_that_was_given_up() -> Result<()> {
    let mut cluster = start()?;
    eventually("servers are being started", LATER, async || {
        let log = cluster.log();
        ensure!(log.contains("starting etcd"), "{log}");
        Ok(())
    })
    .await?;
    let traces = Traces::of(&traces::directory_of(cluster.id())?, "198.18.255.255")?;
    assert!(cluster.terminate(LATER).await?.success(), "{}", cluster.log());
    gone(&traces).await
}
