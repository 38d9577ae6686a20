//! A control plane for people: starts it, tells how to use it, and ends it with Ctrl-C.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use testbed::{ControlPlane, Options, User};

#[tokio::main]
async fn main() -> Result<()> {
    let began = Instant::now();
    eprintln!("starting etcd, kube-apiserver and kube-controller-manager");
    let users = ControlPlane::SHARED_USERS.map(User::new).into();
    let plane = ControlPlane::start(Options { users, ..Options::default() }).await?;
    eprintln!("ready after {:.1} s", began.elapsed().as_secs_f32());
    let mut out = std::io::stdout();
    for user in [User::ADMIN].iter().chain(&ControlPlane::SHARED_USERS) {
        writeln!(out, "{user:10} export KUBECONFIG={}", plane.kubeconfig(user)?.display())?;
    }
    writeln!(out, "{:10} {}", "kubectl", plane.kubectl().display())?;
    writeln!(out, "Ctrl-C ends it and removes everything.")?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}
