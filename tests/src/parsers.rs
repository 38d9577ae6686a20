//! The parsers of the Python client of Prometheus, which read metrics in both of their text formats.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What reads, and prints what it read.
const SCRIPT: &str = include_str!("parsers.py");
/// Many times what Python takes to start on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The parsers of a client that is installed.
#[derive(Clone, Debug)]
pub struct Parsers {
    client: PathBuf,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parser {
    /// `prometheus_client.parser`.
    Classic,
    /// `prometheus_client.openmetrics.parser`.
    OpenMetrics,
}

/// A family of metrics, as it is read from either format: a counter is named without `_total`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MetricFamily {
    pub name: String,
    /// `counter`, `gauge` and so on.
    pub kind: String,
    pub help: String,
    /// The values, by name and labels.
    pub samples: BTreeMap<String, f64>,
}

impl Parsers {
    /// Those that `dev/prometheus-client` installs.
    ///
    /// # Errors
    /// They are not installed.
    pub fn installed() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev/prometheus-client");
        let output = std::process::Command::new(&script)
            .arg("--print")
            .output()
            .with_context(|| format!("cannot run `{}`: the tests need their checkout", script.display()))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", complaint.trim_start_matches("error: ").trim_end());
        Ok(Self { client: PathBuf::from(String::from_utf8(output.stdout)?.trim_end()) })
    }

    /// Reads metrics, strictly: what breaks the rules of the format is an error.
    ///
    /// # Errors
    /// The parser refuses them, or Python does not run.
    pub async fn read(&self, parser: Parser, text: &str) -> Result<Vec<MetricFamily>> {
        let format = match parser {
            Parser::Classic => "classic",
            Parser::OpenMetrics => "openmetrics",
        };
        let mut command = Command::new("python3");
        command.args(["-c", SCRIPT, format]).env("PYTHONPATH", &self.client).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut python = command.spawn().context("cannot run `python3`: `dev/packages --install`")?;
        let mut input = python.stdin.take().context("it has no standard input")?;
        let reading = async {
            // Who refuses what it is given may end before it has read all of it.
            let written = input.write_all(text.as_bytes()).await;
            drop(input);
            let output = python.wait_with_output().await?;
            ensure!(output.status.success(), "{}\nof: {text}", String::from_utf8_lossy(&output.stderr));
            written?;
            Ok(serde_json::from_slice(&output.stdout)?)
        };
        tokio::time::timeout(TIMEOUT, reading).await.context("Python takes too long")?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_formats_are_read_alike_and_neither_for_the_other() {
        let parsers = Parsers::installed().unwrap();
        let of = |name: &str, end: &str| {
            format!("# HELP {name} Hits of all.\n# TYPE {name} counter\nhits_total{{a=\"\\\"b\"}} 2\n{end}")
        };
        let (classic, open) = (of("hits_total", ""), of("hits", "# EOF\n"));
        let family = MetricFamily {
            name: "hits".to_owned(),
            kind: "counter".to_owned(),
            help: "Hits of all.".to_owned(),
            samples: BTreeMap::from([("hits_total{a=\"\\\"b\"}".to_owned(), 2.0)]),
        };
        assert_eq!(parsers.read(Parser::Classic, &classic).await.unwrap(), std::slice::from_ref(&family));
        assert_eq!(parsers.read(Parser::OpenMetrics, &open).await.unwrap(), std::slice::from_ref(&family));
        let mixed = parsers.read(Parser::Classic, &open).await.unwrap();
        assert_ne!(mixed, [family], "a counter is declared by another name there");
        parsers.read(Parser::OpenMetrics, &classic).await.unwrap_err();
    }
}
