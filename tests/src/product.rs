//! The image of Namespace Manager: its one program under the names of all its binaries, and the authorities the internet trusts. No
//! shell, no user, nothing else.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};

use crate::image::{Image, Recipe};
use crate::{family, program};

/// What is in the image, in `/usr/local/bin`: it is every role when it is called so.
pub const PROGRAM: &str = "nsm";
/// The roles, which are links to [`PROGRAM`].
pub const ROLES: [&str; 5] = ["action", "action-controller", "api", "collect-controller", "collector"];
/// Who they run as: nobody that any machine knows.
pub const USER: u32 = 65532;
/// Where Debian keeps the authorities, and where TLS libraries look for them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How `dev/image` builds what goes into an image.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// As fast as can be.
    Test,
    /// As it is given to people.
    Release,
}

impl Build {
    fn profile(self) -> &'static str {
        match self {
            Self::Test => "testimage",
            Self::Release => "image",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Test => "run `dev/image --test` (`make test` does)",
            Self::Release => "run `dev/image` (`make image` does)",
        }
    }

    /// The directory of the program that `dev/image` built.
    ///
    /// # Errors
    /// It cannot be found out where this program was built.
    pub fn directory(self) -> Result<PathBuf> {
        let place = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        Ok(target()?.join(place).join(self.profile()))
    }

    /// Writes the image to a file in `directory`.
    ///
    /// # Errors
    /// It was not built, or its sources have changed since; or this machine has no authorities.
    pub fn image(self, directory: &Path) -> Result<Image> {
        let built = self.directory()?;
        let authorities = Path::new(AUTHORITIES);
        ensure!(authorities.is_file(), "`{AUTHORITIES}` is missing: install the package ca-certificates");
        let binary = built.join(PROGRAM);
        program::ensure_fresh(&binary, self.command())?;
        let recipe = Recipe::new()
            .file(AUTHORITIES.trim_start_matches('/'), authorities)
            .program(&format!("usr/local/bin/{PROGRAM}"), &binary);
        let link = |recipe: Recipe, role: &str| recipe.link(&format!("usr/local/bin/{role}"), PROGRAM);
        let recipe = ROLES.into_iter().fold(recipe, link);
        recipe.user(USER).entrypoint(&["/usr/local/bin/nsm"]).write("namespace-manager", directory)
    }
}

/// The image that tests import: of what `dev/image --test` built. It is written once in each test process.
///
/// # Errors
/// As [`Build::image`].
pub fn image() -> Result<&'static Image> {
    static IMAGE: OnceLock<Result<Image, String>> = OnceLock::new();
    let write = || Build::Test.image(&family::directory("image")?.keep());
    IMAGE.get_or_init(|| write().map_err(|error| format!("{error:#}"))).as_ref().map_err(|error| anyhow!("{error}"))
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
