//! Prometheus, as one thing to start, give rules, disturb and end.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Process, eventually, family, port};

/// Where Debian's package puts it.
const BINARY: &str = "/usr/bin/prometheus";
/// Many times what a start takes on two idle cores.
const START: Duration = Duration::from_secs(120);
/// For one answer: it takes milliseconds.
const LOOK: Duration = Duration::from_secs(30);
/// How often another port is tried when somebody took the one that was free.
const PORTS: usize = 5;

/// A running Prometheus on a port and in a directory of its own, which scrapes nothing until it is told. It ends when this is dropped.
///
/// Its rules need no metrics: an alert fires by `vector(1)` and is about whatever its labels say.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    // Fields are dropped in this order.
    server: Mutex<Process>,
    directory: TempDir,
}

impl Prometheus {
    /// Starts one with these alerting rules, all in one group, and waits until it serves: about a second. Its first
    /// evaluation may be still to come.
    ///
    /// # Errors
    /// It is not installed, or does not start; then the error ends with its log.
    pub async fn start(rules: &[Value]) -> Result<Self> {
        ensure!(
            Path::new(BINARY).exists(),
            "Prometheus is not installed (`{BINARY}` is missing): `dev/packages --install`; it need not run as a service"
        );
        let mut tries = 1;
        loop {
            match Self::start_on(port::free()?, rules).await {
                Err(error) if tries < PORTS && format!("{error:#}").contains("address already in use") => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_on(port: u16, rules: &[Value]) -> Result<Self> {
        let directory = family::directory("prometheus")?;
        configure(directory.path(), &[])?;
        write(directory.path(), rules)?;
        let server = Mutex::new(Process::spawn("prometheus", &mut command(directory.path(), port))?);
        let prometheus = Self { port, server, directory };
        prometheus.wait_until_ready().await?;
        Ok(prometheus)
    }

    /// Where it is, for a client on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Exchanges all rules. They take hold at the next evaluation, or where it does not run at its next start. Alerts of
    /// a rule that stays as it was stay as they are.
    ///
    /// # Errors
    /// It does not take them.
    pub async fn set_rules(&self, rules: &[Value]) -> Result<()> {
        write(self.directory.path(), rules)?;
        if self.server().exited()?.is_some() {
            return Ok(());
        }
        self.reload().await
    }

    /// Scrapes these jobs of `scrape_configs` from now on, every second.
    ///
    /// # Errors
    /// It does not take them.
    pub async fn scrape(&self, jobs: &[Value]) -> Result<()> {
        configure(self.directory.path(), jobs)?;
        self.reload().await
    }

    async fn reload(&self) -> Result<()> {
        let answer = self.ask("POST", "/-/reload").await?;
        ensure!(
            answer.starts_with("HTTP/1.1 200 "),
            "the configuration was not taken: {answer}\n{}",
            self.server().log_tail()
        );
        Ok(())
    }

    /// The name and state of each alert that is active, by name.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn alerts(&self) -> Result<Vec<(String, String)>> {
        let answer = self.ask("GET", "/api/v1/alerts").await?;
        let (_, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no answer: {answer}"))?;
        let body: Value = serde_json::from_str(body).with_context(|| format!("not JSON: {body}"))?;
        let alerts = body["data"]["alerts"].as_array().with_context(|| format!("no alerts: {body}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut alerts: Vec<_> =
            alerts.iter().map(|alert| (text(&alert["labels"]["alertname"]), text(&alert["state"]))).collect();
        alerts.sort_unstable();
        Ok(alerts)
    }

    /// Ends it on the spot (SIGKILL): connections break, new ones are refused.
    pub fn kill(&self) {
        self.server().kill();
    }

    /// Starts it again after [`Prometheus::kill`], with the same address and data, and waits until it serves.
    ///
    /// # Errors
    /// It runs, or does not start.
    pub async fn restart(&self) -> Result<()> {
        {
            let mut server = self.server();
            ensure!(server.exited()?.is_some(), "Prometheus runs");
            *server = Process::spawn("prometheus", &mut command(self.directory.path(), self.port))?;
        }
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ready = eventually("Prometheus is ready", START, async || {
            if let Some(status) = self.server().exited()? {
                return Ok(Some(status));
            }
            let answer = self.ask("GET", "/-/ready").await?;
            ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            Ok(None)
        });
        match ready.await {
            Ok(None) => Ok(()),
            Ok(Some(status)) => bail!("Prometheus ended ({status})\n{}", self.server().log_tail()),
            Err(error) => Err(error.context(format!("Prometheus did not start\n{}", self.server().log_tail()))),
        }
    }

    /// One request on a connection of its own: the whole answer. HTTP/1.0 knows no chunks.
    async fn ask(&self, method: &str, path: &str) -> Result<String> {
        let exchange = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            stream.write_all(format!("{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            anyhow::Ok(answer.replacen("HTTP/1.0", "HTTP/1.1", 1))
        };
        tokio::time::timeout(LOOK, exchange).await.with_context(|| format!("no answer to `{method} {path}`"))?
    }

    fn server(&self) -> MutexGuard<'_, Process> {
        self.server.lock().expect("nobody panics while holding it")
    }
}

fn configure(directory: &Path, jobs: &[Value]) -> Result<()> {
    let global = json!({
        "evaluation_interval": "1s",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        // What it adds to alerts it sends to others.
        "external_labels": {"datacentre": "external"},
    });
    // JSON is YAML.
    let config = json!({"global": global, "rule_files": ["rules.yml"], "scrape_configs": jobs});
    fs::write(directory.join("prometheus.yml"), config.to_string()).context("cannot write the configuration")
}

fn write(directory: &Path, rules: &[Value]) -> Result<()> {
    // JSON is YAML.
    let groups = json!({"groups": [{"name": "testbed", "rules": rules}]});
    fs::write(directory.join("rules.yml"), groups.to_string()).context("cannot write the rules")
}

fn command(directory: &Path, port: u16) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(directory).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    command.arg(format!("--web.listen-address={}:{port}", Ipv4Addr::LOCALHOST)).arg("--web.enable-lifecycle");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn evaluates_dies_and_takes_other_rules() {
        let rule = |name: &str| json!({"alert": name, "expr": "vector(1)"});
        let prometheus = Prometheus::start(&[rule("A")]).await.unwrap();
        let tells = async |name: &str| {
            let told = eventually("it tells of its alert", START, async || {
                let alerts = prometheus.alerts().await?;
                ensure!(alerts == [(name.to_owned(), "firing".to_owned())], "{alerts:?}");
                Ok(())
            });
            told.await.unwrap();
        };
        tells("A").await;
        prometheus.set_rules(&[rule("B")]).await.unwrap();
        tells("B").await;
        prometheus.set_rules(&[json!({"alert": "C", "expr": "("})]).await.unwrap_err();
        prometheus.kill();
        prometheus.alerts().await.unwrap_err();
        prometheus.set_rules(&[rule("D")]).await.unwrap();
        prometheus.restart().await.unwrap();
        tells("D").await;
    }
}
