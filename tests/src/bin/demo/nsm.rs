//! nsm as its users have it: a program with arguments, whose answers are read as JSON. Their shape is known here alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use testbed::eventually;

/// Hundreds of times what an answer takes.
const ANSWER: Duration = Duration::from_secs(60);
/// The exit code where nothing is recorded of a namespace.
const NOT_FOUND: i32 = 3;

/// The program, its configuration, and the kubeconfig of the person who uses it.
#[derive(Clone, Debug)]
pub(crate) struct Nsm {
    pub(crate) binary: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

/// A line of `nsm ls`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Listed {
    uid: String,
    /// `managed`, `released` or `gone`.
    phase: String,
    pub(crate) status: String,
    protected: bool,
    kept_until: Option<Timestamp>,
    pub(crate) next: Outlook,
}

/// What happens next, and when if time alone brings it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Outlook {
    pub(crate) what: String,
    pub(crate) at: Option<Timestamp>,
}

/// A history in the answer of `nsm history`.
#[derive(Debug, Deserialize)]
struct History {
    entries: Vec<Entry>,
}

/// An entry of a history.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    /// What it says, in words.
    pub(crate) text: String,
}

/// What a run of the program came to.
struct Answer {
    status: ExitStatus,
    out: String,
    err: String,
}

impl Nsm {
    /// A command with our configuration and nothing of the caller's, in the name of whose `kubeconfig` it is.
    pub(crate) fn command(&self, arguments: &[&str], kubeconfig: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--config").arg(&self.config).arg("--kubeconfig").arg(kubeconfig);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NSM__")) {
            command.env_remove(name);
        }
        command
    }

    /// All namespaces nsm knows or knew, by uid.
    pub(crate) async fn list(&self) -> Result<BTreeMap<String, Listed>> {
        let lines: Vec<Listed> = parse(&self.run(&["ls", "--all", "-o", "json"]).await?)?;
        Ok(lines.into_iter().map(|line| (line.uid.clone(), line)).collect())
    }

    /// The history of a uid; empty if there is none.
    pub(crate) async fn history(&self, uid: &str) -> Result<Vec<Entry>> {
        let arguments = ["history", uid, "-o", "json"];
        let answer = self.ask(&arguments).await?;
        if answer.status.code() == Some(NOT_FOUND) {
            return Ok(Vec::new());
        }
        let histories: Vec<History> = parse(&answer.or_complain(&arguments)?)?;
        Ok(histories.into_iter().flat_map(|history| history.entries).collect())
    }

    /// What nsm says to people who ask for the history of a name, be it a complaint.
    pub(crate) async fn told(&self, name: &str) -> Result<String> {
        let answer = self.ask(&["history", name]).await?;
        Ok(answer.out + &answer.err)
    }

    /// Runs nsm to its end, and returns what it printed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String> {
        self.ask(arguments).await?.or_complain(arguments)
    }

    async fn ask(&self, arguments: &[&str]) -> Result<Answer> {
        // Files, because nobody reads from a pipe while waiting.
        let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut command = self.command(arguments, &self.kubeconfig);
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
        let mut child = Running(command.spawn().with_context(|| format!("cannot start `{}`", self.binary.display()))?);
        let what = format!("`nsm {}` has ended", arguments.join(" "));
        let status = eventually(&what, ANSWER, async || child.0.try_wait()?.context("it runs")).await?;
        Ok(Answer { status, out: text(&mut out)?, err: text(&mut err)? })
    }
}

impl Answer {
    fn or_complain(self, arguments: &[&str]) -> Result<String> {
        let Self { status, out, err } = self;
        ensure!(status.success(), "`nsm {}` failed ({status}): {}", arguments.join(" "), err.trim_end());
        Ok(out)
    }
}

/// All answers, in the order of the questions. A few programs run at a time.
pub(crate) async fn together<T>(
    questions: impl IntoIterator<Item = impl Future<Output = Result<T>>>,
) -> Result<Vec<T>> {
    const CONCURRENCY: usize = 4;
    futures::stream::iter(questions).buffered(CONCURRENCY).try_collect().await
}

/// A program that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended and was waited for, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn parse<T: DeserializeOwned>(answer: &str) -> Result<T> {
    serde_json::from_str(answer).with_context(|| format!("nsm answered something else than expected: {answer}"))
}

fn text(file: &mut File) -> Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}
