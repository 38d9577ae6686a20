//! Logging in by a plugin of the kubeconfig: a program that prints a token or a certificate.
//!
//! The client library would run it wherever it needs a token, for as long as it takes. Here one task runs it, once at a
//! time, ends it when it takes too long, and tells everybody what came of it.

use std::{
    ffi::OsStr,
    fmt,
    io::{self, IsTerminal as _},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use kube::{
    Client,
    client::Body,
    config::{ExecConfig, ExecInteractiveMode},
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::BoxError;

use crate::{
    clock::{ApiClock, Clock},
    cluster::client,
};

/// How long a plugin may take.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a plugin is left alone after it was run: one that fails would else be run by every request.
const PLUGIN_INTERVAL: Duration = Duration::from_secs(10);

/// How long a request waits for the plugin. Less than a request may take, so that the plugin is blamed and not the apiserver.
const WAIT_TIMEOUT: Duration = Duration::from_secs(8);

/// How long before its end a token is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);

/// The most that is read of what a plugin prints, in bytes: many times what a certificate weighs.
const MAX_OUTPUT: u64 = 1 << 20;

/// The most that is told of what a plugin complained of, in characters; the end of it, where the error is.
const MAX_COMPLAINT: usize = 300;

/// Sends requests as whom the plugin says. It lasts as long as one of its clones.
#[derive(Clone, Debug)]
pub(super) struct Login {
    plugin: Arc<str>,
    clock: Clock,
    state: watch::Receiver<State>,
    /// The number of the last session that is to be replaced: it was refused, or is over.
    refused: Arc<watch::Sender<u64>>,
    _renewal: Arc<JoinSet<()>>,
}

/// What the plugin last said.
#[derive(Clone, Default)]
struct State {
    session: Option<Session>,
    /// Why there is no newer session.
    failed: Option<LoginFailed>,
}

/// A client that is logged in.
#[derive(Clone)]
struct Session {
    /// Sessions count from 1.
    number: u64,
    client: Client,
    until: Option<Timestamp>,
}

/// Why nobody could log in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the login plugin `{plugin}` of the kubeconfig {why}")]
pub(super) struct LoginFailed {
    plugin: Arc<str>,
    why: String,
}

impl Login {
    /// Logs in to the cluster of a configuration, and stays so. A plugin that asks is let ask where `is_attended` says that
    /// somebody is there.
    pub(super) async fn start(
        config: kube::Config,
        exec: ExecConfig,
        is_attended: bool,
        clocks: (Clock, ApiClock),
    ) -> Result<Self, LoginFailed> {
        let name = exec.command.as_deref().map(Path::new).and_then(Path::file_name).map(OsStr::to_string_lossy);
        let name: Arc<str> = name.unwrap_or_default().into();
        let plugin = Plugin { name: name.clone(), exec, is_attended, interval: PLUGIN_INTERVAL };
        Self::with(plugin, config, clocks).await
    }

    async fn with(plugin: Plugin, config: kube::Config, (clock, seen): (Clock, ApiClock)) -> Result<Self, LoginFailed> {
        let (sender, mut state) = watch::channel(State::default());
        let refused = watch::Sender::new(0);
        let (name, mut reconciler) = (plugin.name.clone(), JoinSet::new());
        let keep = Renewal { plugin, config, clock: clock.clone(), seen, state: sender, refused: refused.subscribe() };
        reconciler.spawn(keep.run());
        let first = state.wait_for(|state| state.session.is_some() || state.failed.is_some()).await;
        let failed = first.map_or_else(|_| Some(LoginFailed::ended(&name)), |state| state.failed.clone());
        match failed {
            Some(failed) => Err(failed),
            None => Ok(Self { plugin: name, clock, state, refused: Arc::new(refused), _renewal: Arc::new(reconciler) }),
        }
    }

    /// Sends a request.
    pub(super) async fn send(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let session = self.session().await?;
        self.send_in(&session, request).await
    }

    /// Sends a request in a session, which may have been replaced meanwhile: then it says nothing of the present one that it
    /// is refused.
    async fn send_in(&self, session: &Session, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let answer = session.client.send(request).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.replace(session.number);
        }
        Ok(answer)
    }

    /// Asks for a session after this one.
    fn replace(&self, number: u64) {
        self.refused.send_if_modified(|refused| {
            let is_news = *refused < number;
            *refused = number.max(*refused);
            is_news
        });
    }

    async fn session(&self) -> Result<Session, LoginFailed> {
        let mut state = self.state.clone();
        let is_good = |state: &State| {
            let good = state.session.as_ref().filter(|session| session.until.is_none_or(|end| self.clock.now() < end));
            good.cloned()
        };
        let over = {
            let state = state.borrow();
            state.session.as_ref().filter(|_| is_good(&state).is_none()).map(|session| session.number)
        };
        if let Some(over) = over {
            // This machine may have slept.
            self.replace(over);
        }
        let ready = state.wait_for(|state| is_good(state).is_some() || state.failed.is_some());
        let state = match timeout(WAIT_TIMEOUT, ready).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) => return Err(LoginFailed::ended(&self.plugin)),
            Err(_) => return Err(LoginFailed::late(&self.plugin, WAIT_TIMEOUT)),
        };
        is_good(&state).ok_or_else(|| state.failed.unwrap_or_else(|| LoginFailed::late(&self.plugin, WAIT_TIMEOUT)))
    }
}

/// Keeps a session, and tells of it.
struct Renewal {
    plugin: Plugin,
    config: kube::Config,
    clock: Clock,
    seen: ApiClock,
    state: watch::Sender<State>,
    refused: watch::Receiver<u64>,
}

impl Renewal {
    async fn run(mut self) {
        let mut number = 0;
        loop {
            let lasts = match self.log_in().await {
                Ok((client, until)) => {
                    number += 1;
                    self.state.send_replace(State { session: Some(Session { number, client, until }), failed: None });
                    until.map(|end| Duration::try_from(end.duration_since(self.clock.now())).unwrap_or_default())
                }
                Err(failed) => {
                    self.state.send_modify(|state| state.failed = Some(failed));
                    Some(Duration::ZERO)
                }
            };
            sleep(self.plugin.interval).await;
            let renewed_after = lasts.map(|lasts| lasts.saturating_sub(RENEWED_BEFORE + self.plugin.interval));
            // What was refused before it was replaced is replaced already.
            let refused = async { self.refused.wait_for(|refused| *refused >= number).await.is_ok() };
            tokio::select! {
                () = over(renewed_after) => {}
                is_asked = refused => if !is_asked { return },
            }
        }
    }

    async fn log_in(&self) -> Result<(Client, Option<Timestamp>), LoginFailed> {
        let Credential { expiration_timestamp, token, client_certificate_data, client_key_data } =
            self.plugin.run().await?;
        let mut config = self.config.clone();
        config.auth_info.token = token.map(Into::into);
        if let (Some(certificate), Some(key)) = (client_certificate_data, client_key_data) {
            config.auth_info.client_certificate_data = Some(BASE64_STANDARD.encode(certificate));
            config.auth_info.client_key_data = Some(BASE64_STANDARD.encode(key).into());
        }
        let client = client(config, &self.seen)
            .map_err(|error| self.plugin.failed(format!("gave what cannot be used: {error:#}")))?;
        Ok((client, expiration_timestamp))
    }
}

async fn over(period: Option<Duration>) {
    match period {
        Some(period) => sleep(period).await,
        None => std::future::pending().await,
    }
}

/// A program that logs in.
struct Plugin {
    name: Arc<str>,
    exec: ExecConfig,
    is_attended: bool,
    interval: Duration,
}

/// What it prints: `ExecCredential` of `client.authentication.k8s.io`.
#[derive(Deserialize)]
struct Printed {
    status: Option<Credential>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    expiration_timestamp: Option<Timestamp>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    async fn run(&self) -> Result<Credential, LoginFailed> {
        let mode = self.exec.interactive_mode.as_ref();
        let asks = self.is_attended && mode != Some(&ExecInteractiveMode::Never) && io::stdin().is_terminal();
        if !asks && mode == Some(&ExecInteractiveMode::Always) {
            return Err(
                self.failed("wants to ask somebody (`interactiveMode: Always`), and nobody is there".to_owned())
            );
        }
        let mut command = self.command(asks);
        let mut child = command.spawn().map_err(|error| {
            let advice = self.exec.install_hint.as_deref().map(|text| format!("; {}", tail(text)));
            self.failed(format!("cannot be started: {error}{}", advice.unwrap_or_default()))
        })?;
        let group = Group(child.id().filter(|_| !asks));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let ended = async { tokio::join!(child.wait(), all(stdout), all(stderr)) };
        let Ok((status, printed, complained)) = timeout(PLUGIN_TIMEOUT, ended).await else {
            return Err(LoginFailed::late(&self.name, PLUGIN_TIMEOUT));
        };
        group.has_ended();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(self.failed(format!("failed with {}", ending(status, &complained)))),
            Err(error) => return Err(self.failed(format!("failed: {error}"))),
        }
        let printed: Printed = serde_saphyr::from_slice(&printed)
            .map_err(|_| self.failed("printed what is no ExecCredential".to_owned()))?;
        let is_filled = |credential: &Credential| {
            let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
            filled(&credential.token)
                || filled(&credential.client_certificate_data) && filled(&credential.client_key_data)
        };
        let credential = printed.status.filter(is_filled);
        credential.ok_or_else(|| self.failed("printed neither a token nor a certificate with its key".to_owned()))
    }

    fn command(&self, asks: bool) -> Command {
        let exec = &self.exec;
        let info = json!({
            "apiVersion": exec.api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": asks, "cluster": exec.cluster.as_ref().filter(|_| exec.provide_cluster_info)},
        });
        let variables = exec.env.iter().flatten().filter_map(|pair| Some((pair.get("name")?, pair.get("value")?)));
        let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
        command
            .args(exec.args.iter().flatten())
            .envs(variables)
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if asks {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        }
        command
    }

    fn failed(&self, why: String) -> LoginFailed {
        LoginFailed { plugin: self.name.clone(), why }
    }
}

/// The processes of a plugin; dropped, they are ended, for what a script started would outlive it.
struct Group(Option<u32>);

impl Group {
    /// There is nothing to end: what it left running, it meant to.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(Ok(leader)) = self.0.map(i32::try_from) {
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

async fn all(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(pipe) = pipe {
        // What broke off is read as far as it came.
        let _ = pipe.take(MAX_OUTPUT).read_to_end(&mut all).await;
    }
    all
}

fn ending(status: ExitStatus, complained: &[u8]) -> String {
    let code = status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
    match tail(&String::from_utf8_lossy(complained)).as_str() {
        "" => format!("{code} and said nothing"),
        complaint => format!("{code}: {complaint}"),
    }
}

/// The end of a text, in one line.
fn tail(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = line.chars().count().saturating_sub(MAX_COMPLAINT);
    line.chars().skip(cut).filter(|c| !c.is_control()).collect()
}

impl LoginFailed {
    fn late(plugin: &Arc<str>, after: Duration) -> Self {
        let why = format!(
            "did not answer within {} s; where it waits for somebody to log in, do so with kubectl first",
            after.as_secs()
        );
        Self { plugin: plugin.clone(), why }
    }

    fn ended(plugin: &Arc<str>) -> Self {
        Self { plugin: plugin.clone(), why: "is no longer run".to_owned() }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("failed", &self.failed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
