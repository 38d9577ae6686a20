//! The image of Namespace Manager: its one program under the names of all its binaries, and the authorities the internet trusts. No
//! shell, no user, nothing else.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use crate::image::{Image, Recipe};
use crate::{family, program};

/// What is in the image, in `/usr/local/bin`: it is every role when it is called so.
pub const PROGRAM: &str = "nsm";
/// The roles, which are links to [`PROGRAM`].
pub const ROLES: [&str; 5] = ["action", "action-controller", "api", "collect-controller", "collector"];
/// Who they run as: nobody that any machine knows.
pub const USER: u32 = 65532;
/// What the processes of the tests' image wait for, where an installation waits half a minute and more. The rules that the audit checker judges by
/// are those of a release.
const TIMINGS: &str = "tail_interval=2s,reoffer_interval=2s,schedule_grace=2s,watch_timeout=10s,hand_over_overlap=5s,heartbeat_interval=2s,\
    recheck_interval=2s,config_retry_interval=2s,admission_retry_interval=2s,pod_start_grace=5s";
/// Where Debian keeps the authorities, and where TLS libraries look for them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How many bytes of a program name its loader, if it needs one.
const HEAD: u64 = 4096;

/// What the program in an image of the tests waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timings {
    /// Seconds, so that a test need not wait for minutes.
    Short,
    /// What a release waits for.
    Real,
}

/// What is in an image.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// What cargo built for the tests.
    Test(Timings),
    /// What `dev/image` built, as it is given to people.
    Release,
}

impl Build {
    /// Writes the image to a file in `directory`.
    ///
    /// # Errors
    /// It was not built, its sources have changed since, or it is linked dynamically; or this machine has no authorities.
    pub fn image(self, directory: &Path) -> Result<Image> {
        let authorities = Path::new(AUTHORITIES);
        ensure!(authorities.is_file(), "`{AUTHORITIES}` is missing: install the package ca-certificates");
        let (binary, environment) = match self {
            Self::Release => (released()?, None),
            Self::Test(timings) => (built_for_tests(directory)?, (timings == Timings::Short).then_some(TIMINGS)),
        };
        let recipe = Recipe::new()
            .file(AUTHORITIES.trim_start_matches('/'), authorities)
            .program(&format!("usr/local/bin/{PROGRAM}"), &binary);
        let link = |recipe: Recipe, role: &str| recipe.link(&format!("usr/local/bin/{role}"), PROGRAM);
        let recipe = ROLES.into_iter().fold(recipe, link);
        let recipe =
            environment.into_iter().fold(recipe, |recipe, timings| recipe.env(program::TIMINGS_VARIABLE, timings));
        recipe.user(USER).entrypoint(&["/usr/local/bin/nsm"]).write("namespace-manager", directory)
    }
}

/// The directory of the program that `dev/image` built.
///
/// # Errors
/// It cannot be found out where this program was built.
pub fn release_directory() -> Result<PathBuf> {
    Ok(target()?.join(format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).join("image"))
}

/// The image that tests import. It is written once in each test process.
///
/// # Errors
/// As [`Build::image`].
pub fn image(timings: Timings) -> Result<&'static Image> {
    static SHORT: OnceLock<Result<Image, String>> = OnceLock::new();
    static REAL: OnceLock<Result<Image, String>> = OnceLock::new();
    let image = match timings {
        Timings::Short => &SHORT,
        Timings::Real => &REAL,
    };
    let write = || Build::Test(timings).image(&family::directory("image")?.keep());
    image.get_or_init(|| write().map_err(|error| format!("{error:#}"))).as_ref().map_err(|error| anyhow!("{error}"))
}

/// Where cargo puts what it builds: this program is there too.
///
/// # Errors
/// It is not.
pub fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find out where this program is")?;
    // Cargo marks it.
    let target = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    Ok(target.with_context(|| format!("`{}` is not where cargo builds", program.display()))?.to_owned())
}

fn released() -> Result<PathBuf> {
    let binary = release_directory()?.join(PROGRAM);
    program::ensure_fresh(&binary, "run `dev/image` (`make image` does)")?;
    Ok(binary)
}

/// A copy, in `directory`, of the program that other tests run on this machine.
fn built_for_tests(directory: &Path) -> Result<PathBuf> {
    let program = program::binary(program::TIMED)?;
    let binary = Path::new(program.get_program());
    let mut head = Vec::new();
    File::open(binary)?.take(HEAD).read_to_end(&mut head)?;
    ensure!(
        !head.windows(b"/ld-linux".len()).any(|bytes| bytes == b"/ld-linux"),
        "`{}` needs libraries, which are not in the image: build it with `RUSTFLAGS='-C target-feature=+crt-static'` and \
         `--target {}-unknown-linux-gnu` (`make test` does)",
        binary.display(),
        std::env::consts::ARCH
    );
    // Most of it is where the lines of the source are.
    let stripped = directory.join(PROGRAM);
    match Command::new("strip").arg("-o").arg(&stripped).arg(binary).output() {
        Ok(output) => ensure!(output.status.success(), "strip: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::copy(binary, &stripped)?;
        }
        Err(error) => return Err(error).context("cannot start strip"),
    }
    Ok(stripped)
}
