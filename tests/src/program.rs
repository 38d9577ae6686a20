//! Our own program, as cargo built it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;

const BUILD: &str = "run `cargo build --workspace --bins --tests --features cli/test-timings` (`make test` does)";

/// The program whose timings tests set: `nsm` and every role in one, as in an image.
pub(crate) const TIMED: &str = "nsm-test-timings";

/// The variable that sets them.
pub(crate) const TIMINGS_VARIABLE: &str = "NSM_TEST_TIMINGS";

/// The timings of programs that tests start. A budget's window is so long that a test hardly ever runs across its end.
pub(crate) const TIMINGS: &str = "promise_margin=3s,intent_lease=20s,tail_interval=5s,reoffer_interval=5s,budget_window=24h,\
    schedule_grace=5s,watch_timeout=15s,hand_over_overlap=10s,heartbeat_interval=3s,recheck_interval=3s,\
    config_retry_interval=5s,admission_retry_interval=3s,pod_start_grace=5s";

/// How long the timing `name` of the programs that tests start is.
///
/// # Panics
/// It is not among [`TIMINGS`].
#[must_use]
pub fn timing(name: &str) -> SignedDuration {
    let mut timings = TIMINGS.split(',').filter_map(|timing| timing.split_once('='));
    let (_, value) = timings.find(|(known, _)| *known == name).expect("it is one of those that tests set");
    value.parse().expect("a duration")
}

/// A command for our program under the name `nsm` or that of a role (`collector`, `action`, …), with the timings of tests, to be given
/// arguments and handed to [`crate::Process::spawn`].
///
/// # Errors
/// It was not built, or its sources have changed since.
pub fn program(name: &str) -> Result<Command> {
    let mut command = binary(TIMED)?;
    command.arg0(name).env(TIMINGS_VARIABLE, TIMINGS);
    Ok(command)
}

/// The same, with these timings too, `NAME=DURATION,…`, none of which is among those of all tests.
///
/// # Errors
/// As [`program`].
pub fn program_with(name: &str, timings: &str) -> Result<Command> {
    let mut command = program(name)?;
    command.env(TIMINGS_VARIABLE, format!("{TIMINGS},{timings}"));
    Ok(command)
}

/// A command for one of our binaries as people have them: with the timings of a release.
///
/// `cargo test` does not build binaries of other packages. An old one would pass or fail for the wrong reason, so it is refused.
///
/// # Errors
/// It was not built, or its sources have changed since.
pub fn binary(name: &str) -> Result<Command> {
    let test = std::env::current_exe().context("cannot find out where this test is")?;
    // target/debug/deps/TEST, or target/debug/PROGRAM
    let directory = test.ancestors().skip(1).find(|directory| directory.join(name).is_file());
    let binary =
        directory.with_context(|| format!("no binary `{name}` above `{}`: {BUILD}", test.display()))?.join(name);
    ensure_fresh(&binary, BUILD)?;
    Ok(Command::new(binary))
}

/// Checks that no source is younger than `binary`; `build` says what to do then.
pub(crate) fn ensure_fresh(binary: &Path, build: &str) -> Result<()> {
    let built = modified(binary, build)?;
    for source in sources(binary, build)? {
        let changed = modified(&source, build)?;
        ensure!(changed <= built, "`{}` is older than `{}`: {build}", binary.display(), source.display());
    }
    Ok(())
}

/// The files of this workspace that `binary` was built from: cargo writes them beside it, as `BINARY: FILE FILE …`.
fn sources(binary: &Path, build: &str) -> Result<Vec<PathBuf>> {
    let list = binary.with_extension("d");
    let text = std::fs::read_to_string(&list).with_context(|| format!("cannot read `{}`: {build}", list.display()))?;
    let (_, files) = text.split_once(": ").with_context(|| format!("`{}` lists no files", list.display()))?;
    Ok(files.replace("\\ ", "\0").split_whitespace().map(|file| PathBuf::from(file.replace('\0', " "))).collect())
}

fn modified(path: &Path, build: &str) -> Result<std::time::SystemTime> {
    let metadata = path.metadata().with_context(|| format!("cannot look at `{}`: {build}", path.display()))?;
    Ok(metadata.modified()?)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// Checks what is said of a binary whose only source was changed so long before (or after) it was built.
    #[track_caller]
    fn check(changed: SystemTime, built: SystemTime, complaint: Option<&str>) {
        let directory = tempfile::tempdir().unwrap();
        let [binary, source, list] = ["nsm", "with space.rs", "nsm.d"].map(|name| directory.path().join(name));
        File::create(&binary).unwrap().set_modified(built).unwrap();
        File::create(&source).unwrap().set_modified(changed).unwrap();
        let escaped = source.to_str().unwrap().replace(' ', "\\ ");
        std::fs::write(list, format!("{}: {escaped}\n", binary.display())).unwrap();
        let said = ensure_fresh(&binary, BUILD).err().map(|error| error.to_string());
        match complaint {
            None => assert_eq!(said, None),
            Some(words) => assert!(said.as_deref().unwrap_or_default().contains(words), "{said:?}"),
        }
    }

    #[test]
    fn takes_a_binary_younger_than_its_sources() {
        check(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(1), None);
    }

    #[test]
    fn refuses_a_binary_older_than_a_source() {
        let older = Some("with space.rs`: run `cargo build");
        check(SystemTime::UNIX_EPOCH + Duration::from_secs(1), SystemTime::UNIX_EPOCH, older);
    }

    #[test]
    fn knows_its_timings() {
        assert_eq!(timing("promise_margin"), SignedDuration::from_secs(3));
        assert_eq!(timing("budget_window"), SignedDuration::from_hours(24));
        assert_eq!(timing("pod_start_grace"), SignedDuration::from_secs(5));
    }

    #[test]
    fn says_how_to_build_what_is_missing() {
        let said = binary("no-such-binary").unwrap_err().to_string();
        assert!(said.contains("run `cargo build"), "{said}");
    }
}
