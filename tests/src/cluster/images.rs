//! The images a node cannot be without, and a shell for tests.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::image::{Image, Recipe};

const PAUSE: &str = include_str!("pause.c");
/// Of the Debian package busybox-static.
pub(super) const BUSYBOX: &str = "/bin/busybox";

/// What a pod's sandbox runs.
pub(super) fn pause(directory: &Path) -> Result<Image> {
    let (source, program) = (directory.join("pause.c"), directory.join("pause"));
    std::fs::write(&source, PAUSE)?;
    let output = Command::new("cc").args(["-static", "-Os", "-s", "-o"]).arg(&program).arg(&source).output();
    let output = output.context("cannot start the C compiler")?;
    ensure!(output.status.success(), "`pause.c` does not compile: {}", String::from_utf8_lossy(&output.stderr));
    Recipe::new().program("pause", &program).entrypoint(&["/pause"]).user(65535).write("pause", directory)
}

/// The cluster's DNS.
pub(super) fn dns(binaries: &Path, directory: &Path) -> Result<Image> {
    Recipe::new().program("coredns", &binaries.join("coredns")).entrypoint(&["/coredns"]).write("coredns", directory)
}

/// A shell and the usual small programs.
pub(super) fn busybox(directory: &Path) -> Result<Image> {
    let mut recipe = Recipe::new().program("bin/busybox", Path::new(BUSYBOX));
    for applet in ["cat", "echo", "false", "httpd", "kill", "ls", "nc", "sh", "sleep", "true", "wget"] {
        recipe = recipe.link(&format!("bin/{applet}"), "busybox");
    }
    recipe.user(65534).write("busybox", directory)
}
