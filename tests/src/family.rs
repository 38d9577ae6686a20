//! Everything a test process starts and writes, tied to its life.
//!
//! Destructors do not run when a process is killed, aborts or is interrupted, nor for a `static`. So each test process has one *family*: a
//! process group that all its children join, and a directory that holds all their files. Outside of it a small shell, the *reaper*, reads from
//! a pipe that only the test process holds open. However the test process ends, the kernel closes the pipe; the reaper then kills
//! the group and removes the directory.
//!
//! The group lives as long as its founder, a `cat` that reads from such a pipe too: children can join at any time, and a child
//! that is being born while the test process dies finds no group to join and does not start.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Kills group `$1` until nobody is left in it, then removes the control groups named after directory `$2` (those of nodes, which become
/// empty as the kernel ends their processes), and the directory. Bounded, because a dead process stays in its group where nobody
/// collects it (a container whose first process does not).
const REAPER: &str = r#"
cat >/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s KILL -- "-$1" 2>/dev/null || break; sleep 0.1; done
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=
    for group in /sys/fs/cgroup/"${2##*/}"-* /sys/fs/cgroup/*/"${2##*/}"-*; do
        if [ -d "$group" ]; then
            find "$group" -depth -type d -exec rmdir {} +
            if [ -d "$group" ]; then left=1; fi
        fi
    done
    [ "$left" ] || break
    sleep 0.1
done
rm -rf -- "$2"
"#;

struct Family {
    group: i32,
    directory: PathBuf,
    /// Held for their pipes: these children end when the pipes close.
    _founder: Child,
    _reaper: Child,
}

/// Makes a directory for a child's files. It is removed when the value is dropped, at the latest when this process ends.
pub(crate) fn directory(name: &str) -> Result<TempDir> {
    let family = family()?;
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(&family.directory)
        .with_context(|| format!("cannot create a directory in `{}`", family.directory.display()))
}

/// Path for the log of the child that was started as number `number`.
pub(crate) fn log(name: &str, number: usize) -> Result<PathBuf> {
    Ok(family()?.directory.join(format!("{number}-{name}.log")))
}

/// What this family's things are called where names are shared with other processes.
pub(crate) fn name() -> Result<String> {
    let name = family()?.directory.file_name().context("the directory has a name")?;
    Ok(name.to_string_lossy().into_owned())
}

/// The process group of the family.
pub(crate) fn group() -> Result<i32> {
    Ok(family()?.group)
}

/// Starts `command` as a member of the family.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    spawn_with(command, Stdio::null())
}

/// The same, with a pipe as its input that only the test process holds open: the child sees its end when the test process ends, however.
pub(crate) fn spawn_tied(command: &mut Command) -> Result<Child> {
    spawn_with(command, Stdio::piped())
}

fn spawn_with(command: &mut Command, input: Stdio) -> Result<Child> {
    let program = Path::new(command.get_program()).to_owned();
    command
        .process_group(family()?.group)
        .stdin(input)
        .spawn()
        .with_context(|| format!("cannot start `{}`", program.display()))
}

fn family() -> Result<&'static Family> {
    static FAMILY: OnceLock<Result<Family, String>> = OnceLock::new();
    FAMILY
        .get_or_init(|| Family::found().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

impl Family {
    fn found() -> Result<Self> {
        // Tokens and keys are in there, and sockets without a password.
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("nsm-testbed-").permissions(private).tempdir()?.keep();
        let founder = outsider(&mut Command::new("cat"))?;
        let group = i32::try_from(founder.id()).context("a process id is an i32")?;
        let mut reaper = Command::new("sh");
        reaper.args(["-c", REAPER, "reaper"]).arg(group.to_string()).arg(&directory);
        let reaper = outsider(&mut reaper)?;
        Ok(Self { group, directory, _founder: founder, _reaper: reaper })
    }
}

/// Starts a child in a process group of its own, so that Ctrl-C does not reach it, with a pipe of ours as its input.
fn outsider(command: &mut Command) -> Result<Child> {
    let program = Path::new(command.get_program()).to_owned();
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn()
        .with_context(|| format!("cannot start `{}`", program.display()))
}
