//! Writes the image of what `dev/image` built, and tells how large it is and how long its processes take to start.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use testbed::product::{self, BINARIES, Build};

const MB: f64 = 1e6;
/// What the project allows itself.
const UNPACKED_LIMIT: f64 = 90.0;
const COMPRESSED_LIMIT: f64 = 35.0;

fn main() -> Result<()> {
    let directory = product::target()?.join("image");
    fs::create_dir_all(&directory)?;
    let image = Build::Release.image(&directory)?;
    let mut out = std::io::stdout();
    let built = Build::Release.directory()?;
    for name in BINARIES {
        writeln!(out, "{name:20} {:6.1} MB", megabytes(&built.join(name))?)?;
    }
    let (unpacked, compressed) = (image.unpacked as f64 / MB, compressed(&image.archive)?);
    writeln!(out, "{:20} {unpacked:6.1} MB (at most {UNPACKED_LIMIT})", "unpacked")?;
    writeln!(out, "{:20} {compressed:6.1} MB (at most {COMPRESSED_LIMIT})", "compressed")?;
    writeln!(out, "{}  {}", image.name, image.archive.display())?;
    ensure!(unpacked <= UNPACKED_LIMIT && compressed <= COMPRESSED_LIMIT, "the image is too large");
    Ok(())
}

fn megabytes(path: &Path) -> Result<f64> {
    let metadata = path.metadata().with_context(|| format!("cannot look at `{}`", path.display()))?;
    Ok(metadata.len() as f64 / MB)
}

/// As registries keep it.
fn compressed(archive: &Path) -> Result<f64> {
    let gzip = Command::new("gzip").arg("--to-stdout").arg(archive).stderr(Stdio::inherit()).output();
    let gzip = gzip.context("cannot start gzip")?;
    ensure!(gzip.status.success(), "gzip failed ({})", gzip.status);
    Ok(gzip.stdout.len() as f64 / MB)
}
