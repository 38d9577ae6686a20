//! A cluster for people: starts it, tells how to use it, and ends it with Ctrl-C.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use testbed::{Cluster, ControlPlane, Options, User};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<()> {
    let began = Instant::now();
    // Heard from now on: a start that is given up leaves nothing either.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut ended = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let users = ControlPlane::SHARED_USERS.map(User::new).into();
    let start = Cluster::start_telling(Options { users, ..Options::default() }, |step| {
        eprintln!("{:5.1} s  {step}", began.elapsed().as_secs_f32());
    });
    let cluster = tokio::select! {
        started = start => started?,
        () = ended() => return Ok(()),
    };
    eprintln!("{:5.1} s  ready", began.elapsed().as_secs_f32());

    let mut out = std::io::stdout();
    let plane = cluster.plane();
    for user in [User::ADMIN].iter().chain(&ControlPlane::SHARED_USERS) {
        writeln!(out, "{user:10} export KUBECONFIG={}", plane.kubeconfig(user)?.display())?;
    }
    writeln!(out, "{:10} {}", "kubectl", plane.kubectl().display())?;
    writeln!(out, "{:10} {}", "helm", plane.kubectl().with_file_name("helm").display())?;
    writeln!(
        out,
        "{:10} {} (Services of type NodePort; pods are reached by their own addresses)",
        "node",
        cluster.node_address()
    )?;
    writeln!(out, "{:10} {} (this machine, as pods call it)", "host", cluster.host_address())?;
    writeln!(out, "{:10} {}", "image", cluster.busybox())?;
    writeln!(out, "Ctrl-C ends it and removes everything.")?;
    ended().await;
    eprintln!("removing everything");
    Ok(())
}
