//! Keeps the servers that all tests of a run share, until the test runner ends. `dev/test-servers` starts it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use testbed::shared::Servers;
use tokio::time::sleep;

/// Between two looks at the runner.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, runner] = arguments.as_slice() else { bail!("usage: test-servers SOCKET PROCESS-ID-OF-THE-RUNNER") };
    let runner: u32 = runner.parse().context("the runner's process id is no number")?;
    let (socket, servers) = (Path::new(socket), Servers::default());
    tokio::select! {
        served = servers.serve(socket) => served?,
        () = ended(runner) => {}
    }
    std::fs::remove_file(socket).context("cannot remove the socket")
}

/// Waits until this process has ended.
async fn ended(process: u32) {
    let directory = format!("/proc/{process}");
    while Path::new(&directory).exists() {
        sleep(LOOK_INTERVAL).await;
    }
}
