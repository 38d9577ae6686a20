//! Writes the image of what `dev/image` built, and tells how large it is and how long its processes take to start.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use testbed::product::{self, Build, PROGRAM, ROLES};

const MB: f64 = 1e6;
/// What the project allows itself.
const UNPACKED_LIMIT: f64 = 90.0;
const COMPRESSED_LIMIT: f64 = 35.0;
const START_LIMIT: Duration = Duration::from_millis(30);
/// How often a start is measured.
const STARTS: usize = 21;
/// Far beyond what a start takes.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let directory = product::target()?.join("image");
    fs::create_dir_all(&directory)?;
    let image = Build::Release.image(&directory)?;
    let mut out = std::io::stdout();
    let program = product::release_directory()?.join(PROGRAM);
    writeln!(out, "{PROGRAM:20} {:6.1} MB, and links to it: {}", megabytes(&program)?, ROLES.join(", "))?;
    let (unpacked, compressed) = (image.unpacked as f64 / MB, compressed(&image.archive)?);
    writeln!(out, "{:20} {unpacked:6.1} MB (at most {UNPACKED_LIMIT})", "unpacked")?;
    writeln!(out, "{:20} {compressed:6.1} MB (at most {COMPRESSED_LIMIT})", "compressed")?;
    let start = start(&program)?;
    let (shown, limit) = (start.as_secs_f64() * 1e3, START_LIMIT.as_millis());
    writeln!(
        out,
        "{:20} {shown:6.1} ms from exec to the first request (median of {STARTS}, target {limit})",
        "action work"
    )?;
    writeln!(out, "{}  {}", image.name, image.archive.display())?;
    ensure!(unpacked <= UNPACKED_LIMIT && compressed <= COMPRESSED_LIMIT, "the image is too large");
    Ok(())
}

fn megabytes(path: &Path) -> Result<f64> {
    let metadata = path.metadata().with_context(|| format!("cannot look at `{}`", path.display()))?;
    Ok(metadata.len() as f64 / MB)
}

/// How long a job's process takes to ask anybody for anything. Store, queue and apiserver are one socket here, which answers nobody.
fn start(binary: &Path) -> Result<Duration> {
    let directory = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let [config, kubeconfig] = ["config.yaml", "kubeconfig"].map(|name| directory.path().join(name));
    let settings = json!({
        "store": {"url": format!("mongodb://{address}/starts")},
        "queue": {"url": format!("amqp://{address}/starts")},
    });
    fs::write(&config, settings.to_string())?;
    let cluster = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": ""}}],
        "current-context": "x",
    });
    fs::write(&kubeconfig, cluster.to_string())?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let mut command = Command::new(binary);
        command.arg0("action").arg("work").env("CONFIG_PATH", &config).env("KUBECONFIG", &kubeconfig);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let mut process = command.spawn().with_context(|| format!("cannot start `{}`", binary.display()))?;
        let asked = first_request(&listener, began);
        let _ = process.kill();
        process.wait()?;
        times.push(asked?);
        // Connections of that process that wait still are not the next one's.
        while listener.accept().is_ok() {}
    }
    times.sort();
    Ok(times[STARTS / 2])
}

fn first_request(listener: &TcpListener, began: Instant) -> Result<Duration> {
    loop {
        match listener.accept() {
            Ok(_) => return Ok(began.elapsed()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(began.elapsed() < STOP_TIMEOUT, "it asks nobody for anything");
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// As registries keep it.
fn compressed(archive: &Path) -> Result<f64> {
    let gzip = Command::new("gzip").arg("--to-stdout").arg(archive).stderr(Stdio::inherit()).output();
    let gzip = gzip.context("cannot start gzip")?;
    ensure!(gzip.status.success(), "gzip failed ({})", gzip.status);
    Ok(gzip.stdout.len() as f64 / MB)
}
