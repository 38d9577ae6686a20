//! `nsm` as a process.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use testbed::{Process, eventually};

use super::SOON;

/// A running `nsm standalone`. Dropped, it is killed.
#[must_use = "it is killed when dropped"]
#[derive(Debug)]
pub(crate) struct Nsm(Process);

/// What `nsm` said and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Nsm {
    pub(super) fn spawn(command: &mut Command) -> Result<Self> {
        Process::spawn("nsm", command.env("NO_COLOR", "1")).map(Self)
    }

    /// Waits until its log holds this, and returns the log.
    pub(crate) async fn says(&self, words: &str) -> Result<String> {
        eventually(&format!("nsm says `{words}`"), SOON, async || {
            let log = self.0.log();
            ensure!(log.contains(words), "{log}");
            Ok(log)
        })
        .await
    }

    /// Waits until it ends by itself. Returns the exit code and the log.
    pub(crate) async fn ends(&mut self) -> Result<(Option<i32>, String)> {
        let status = self.0.wait(SOON).await?;
        Ok((status.code(), self.0.log()))
    }

    pub(crate) fn log(&self) -> String {
        self.0.log()
    }

    pub(super) fn log_path(&self) -> &Path {
        self.0.log_path()
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.0
    }
}

/// Runs a command to its end, which is to come soon.
pub(super) async fn answer(command: &mut Command) -> Result<Answer> {
    let directory = tempfile::tempdir()?;
    let [out, err] = ["out", "err"].map(|name| directory.path().join(name));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?).env("NO_COLOR", "1");
    let mut child = command.spawn()?;
    let ended = eventually(&format!("{command:?} ends"), SOON, async || {
        let status = child.try_wait()?;
        ensure!(status.is_some(), "it runs");
        Ok(status)
    })
    .await;
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    let code = ended?.and_then(|status| status.code());
    Ok(Answer { code, out: std::fs::read_to_string(out)?, err: std::fs::read_to_string(err)? })
}
