//! From the end of a leader until another one is at work: of two collect-controllers, with the lease that is usual.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::json;

use super::scene::{MANAGER, Scene};
use crate::{HANG, Process, User, binary, eventually, temp_namespace};

/// How long nobody leads.
#[derive(Debug, Serialize)]
pub struct HandOver {
    /// After SIGKILL: nobody says that the lease is free.
    pub killed_seconds: f64,
    /// After SIGTERM.
    pub asked_seconds: f64,
}

pub(super) async fn measure(scene: &Scene) -> Result<HandOver> {
    let directory = tempfile::tempdir()?;
    let namespace = temp_namespace(&scene.plane.client(User::ADMIN).await?, &[], &[]).await?.name_any();
    let pod = json!({
        "metadata": {},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": "local.test/none:v1"}]},
    });
    for kind in ["collector", "action"] {
        std::fs::write(directory.path().join(format!("{kind}.yaml")), pod.to_string())?;
    }
    let config = json!({
        "store": {"url": format!("sqlite:{}", directory.path().join("handover.db").display())},
        "jobs": {"templates": directory.path()},
        "telemetry": {"format": "compact"},
    });
    let file = directory.path().join("handover.yaml");
    std::fs::write(&file, config.to_string())?;
    let start = |name: &str| replica(scene, &file, &namespace, name);

    let mut first = start("one")?;
    leads(&first).await?;
    let mut second = start("two")?;
    waits(&second).await?;
    let killed = Instant::now();
    first.kill();
    leads(&second).await?;
    let killed_seconds = killed.elapsed().as_secs_f64();

    let third = start("three")?;
    waits(&third).await?;
    let asked = Instant::now();
    second.ask_to_end()?;
    leads(&third).await?;
    let asked_seconds = asked.elapsed().as_secs_f64();
    let status = second.wait(HANG).await?;
    ensure!(status.success(), "{status}\n{}", second.log_tail());
    Ok(HandOver { killed_seconds, asked_seconds })
}

fn replica(scene: &Scene, config: &Path, namespace: &str, name: &str) -> Result<Process> {
    const ROLE: &str = "collect-controller";
    let mut command = binary("nsm")?;
    command.arg0(ROLE);
    command.env("CONFIG_PATH", config).env("KUBECONFIG", scene.plane.kubeconfig(MANAGER)?).env("NO_COLOR", "1");
    command.env("POD_NAME", name).env("POD_UID", "uid").env("POD_NAMESPACE", namespace);
    Process::spawn(ROLE, &mut command)
}

/// Waits until it leads, and its configuration is in force.
async fn leads(replica: &Process) -> Result<()> {
    says(replica, &["leads by lease", "is in force"]).await
}

/// Waits until it is a candidate.
async fn waits(replica: &Process) -> Result<()> {
    says(replica, &["begins"]).await?;
    ensure!(!replica.log().contains("leads by lease"), "it leads beside another\n{}", replica.log_tail());
    Ok(())
}

async fn says(replica: &Process, words: &[&str]) -> Result<()> {
    eventually(&format!("a replica says {words:?}"), HANG, async || {
        let log = replica.log();
        words.iter().all(|words| log.contains(words)).then_some(()).with_context(|| replica.log_tail())
    })
    .await
}
