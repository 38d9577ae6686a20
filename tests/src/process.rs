//! A running program, its log, and the ways to disturb and end it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{HANG, eventually, family};

/// Lines of the log that are shown when something failed.
const TAIL: usize = 40;

/// A child process whose output goes to a file. Dropping it kills it, and shows the end of its log if the test is failing.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`. Its standard output and error are appended to one log; its input is empty. `name` is for messages.
    ///
    /// # Errors
    /// The program cannot be started, or no log can be written.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        Self::start(name, command, family::spawn)
    }

    /// The same, with an input that ends when this process does ([`family::spawn_tied`]).
    pub(crate) fn spawn_tied(name: &str, command: &mut Command) -> Result<Self> {
        Self::start(name, command, family::spawn_tied)
    }

    fn start(name: &str, command: &mut Command, spawn: fn(&mut Command) -> Result<Child>) -> Result<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let log = family::log(name, STARTED.fetch_add(1, Ordering::Relaxed))?;
        let output = File::create(&log).with_context(|| format!("cannot create `{}`", log.display()))?;
        command.stdout(Stdio::from(output.try_clone()?)).stderr(Stdio::from(output));
        let child = spawn(command)?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Name for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything written so far to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> String {
        match std::fs::read(&self.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("cannot read `{}`: {error}", self.log.display()),
        }
    }

    /// File that [`Process::log`] reads.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// How it ended, or `None` while it runs (frozen is running).
    ///
    /// # Errors
    /// The operating system does not know the child.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot look at `{}`", self.name))
    }

    /// Stops its execution (SIGSTOP): connections stay open, nothing answers. To be followed by [`Process::thaw`].
    ///
    /// # Errors
    /// It has ended.
    pub fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        // The signal is sent by then, and some of its threads may go on for a moment.
        let end = Instant::now() + HANG;
        while !self.stands_still()? {
            ensure!(Instant::now() < end, "`{}` did not stop within {HANG:?}", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Continues after [`Process::freeze`] (SIGCONT).
    ///
    /// # Errors
    /// It has ended.
    pub fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// It has ended before, or still runs after `deadline`.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.ask_to_end()?;
        self.wait(deadline).await
    }

    /// Asks it to end (SIGTERM), and does not wait for that.
    ///
    /// # Errors
    /// It has ended before.
    pub fn ask_to_end(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It still runs after `deadline`.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("`{}` has ended", self.name);
        eventually(&what, deadline, async || self.exited()?.context("it runs")).await
    }

    /// Ends it on the spot (SIGKILL). Nothing happens if it has ended before.
    pub fn kill(&mut self) {
        // Both fail only when the process has ended and was waited for, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of its log, for an error message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(TAIL)..];
        format!(
            "--- the last {} of {} lines of `{}` ---\n{}\n---",
            shown.len(),
            lines.len(),
            self.name,
            shown.join("\n")
        )
    }

    /// Whether all its threads are stopped (state `T`, proc_pid_stat(5)).
    fn stands_still(&self) -> Result<bool> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.id()))? {
            // A thread may end while it is looked at.
            let stat = std::fs::read_to_string(thread?.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").map_or("T", |(_, rest)| rest);
            if !state.starts_with('T') {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        // Its number may belong to somebody else once it was waited for.
        if let Some(status) = self.exited()? {
            bail!("cannot send {signal} to `{}`: it has ended ({status})", self.name);
        }
        let id = i32::try_from(self.child.id()).context("a process id is an i32")?;
        kill(Pid::from_raw(id), signal).with_context(|| format!("cannot send {signal} to `{}`", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::spawn("sh", Command::new("sh").args(["-c", script])).unwrap()
    }

    #[tokio::test]
    async fn tells_what_it_printed_and_how_it_ended() {
        let mut process = shell("echo out; echo err >&2; exit 3");
        assert_eq!(process.wait(HANG).await.unwrap().code(), Some(3));
        assert_eq!(process.log(), "out\nerr\n");
    }

    #[tokio::test]
    async fn asks_politely() {
        let mut process = shell("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done");
        eventually("the trap is set", HANG, async || {
            anyhow::ensure!(process.log() == "ready\n", "{}", process.log());
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(process.terminate(HANG).await.unwrap().code(), Some(4));
    }

    #[tokio::test]
    async fn a_frozen_process_runs_and_can_be_killed() {
        let mut process = shell("sleep 60");
        process.freeze().unwrap();
        assert_eq!(process.exited().unwrap(), None);
        process.kill();
        assert!(process.exited().unwrap().is_some());
        process.thaw().unwrap_err();
    }
}
