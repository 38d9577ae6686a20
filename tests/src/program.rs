//! Our own binaries, as cargo built them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const BUILD: &str = "run `cargo build --workspace --bins --tests` (`make test` does)";

/// A command for our binary `name` (`nsm`, `collector`, …), to be given arguments and handed to [`crate::Process::spawn`].
///
/// `cargo test` does not build binaries of other packages. An old one would pass or fail for the wrong reason, so it is refused.
///
/// # Errors
/// It was not built, or its sources have changed since.
pub fn program(name: &str) -> Result<Command> {
    let test = std::env::current_exe().context("cannot find out where this test is")?;
    // target/debug/deps/TEST, or target/debug/PROGRAM
    let directory = test.ancestors().skip(1).find(|directory| directory.join(name).is_file());
    let binary =
        directory.with_context(|| format!("no binary `{name}` above `{}`: {BUILD}", test.display()))?.join(name);
    let built = modified(&binary)?;
    for source in sources(&binary)? {
        ensure!(modified(&source)? <= built, "`{}` is older than `{}`: {BUILD}", binary.display(), source.display());
    }
    Ok(Command::new(binary))
}

/// The files of this workspace that `binary` was built from: cargo writes them beside it, as `BINARY: FILE FILE …`.
fn sources(binary: &Path) -> Result<Vec<PathBuf>> {
    let list = binary.with_extension("d");
    let text = std::fs::read_to_string(&list).with_context(|| format!("cannot read `{}`", list.display()))?;
    let (_, files) = text.split_once(": ").with_context(|| format!("`{}` lists no files", list.display()))?;
    Ok(files.replace("\\ ", "\0").split_whitespace().map(|file| PathBuf::from(file.replace('\0', " "))).collect())
}

fn modified(path: &Path) -> Result<std::time::SystemTime> {
    let metadata = path.metadata().with_context(|| format!("cannot look at `{}`: {BUILD}", path.display()))?;
    Ok(metadata.modified()?)
}
