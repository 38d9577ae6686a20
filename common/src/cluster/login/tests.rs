use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
};

use kube::Api;
use testbed::{
    HANG, eventually,
    receiver::{Answer, Receiver},
};
use tokio::time::Instant;

use super::*;
use crate::cluster::{Cluster, NamespaceMeta};

/// A plugin that is this script. It finds its directory in `$DIR`.
struct Script {
    directory: tempfile::TempDir,
    exec: ExecConfig,
}

impl Script {
    fn new(body: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let variable =
            [("name".to_owned(), "DIR".to_owned()), ("value".to_owned(), directory.path().display().to_string())];
        let exec = ExecConfig {
            command: Some("/bin/sh".to_owned()),
            args: Some(vec!["-c".to_owned(), body.to_owned()]),
            env: Some(vec![variable.into()]),
            ..ExecConfig::default()
        };
        Self { directory, exec }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    async fn login(&self, url: &str, clock: Clock) -> Result<Login, LoginFailed> {
        let config = kube::Config::new(url.parse().unwrap());
        let plugin = Plugin {
            name: "sh".into(),
            exec: self.exec.clone(),
            is_attended: false,
            interval: Duration::from_millis(1),
        };
        Login::with(plugin, config, (clock, ApiClock::default())).await
    }

    /// What comes of logging in with it.
    async fn fails(&self) -> String {
        match self.login("http://127.0.0.1:9", Clock::system()).await {
            Ok(_) => panic!("it cannot log in"),
            Err(error) => error.to_string(),
        }
    }
}

/// An apiserver that takes a token, or all of them, and refuses others.
async fn apiserver(takes: Option<&'static str>) -> Receiver {
    let receiver = Receiver::start(move |post, _| {
        let is_taken = takes.is_none_or(|token| post.header("authorization") == Some(&format!("Bearer {token}")));
        Answer::Status(if is_taken { 200 } else { 401 })
    });
    receiver.await.unwrap()
}

fn root(receiver: &Receiver) -> String {
    receiver.url().trim_end_matches("/notices").to_owned()
}

fn get() -> Request<Body> {
    Request::get("/version").body(Body::empty()).unwrap()
}

/// As whom the requests came, in order.
fn tokens(receiver: &Receiver) -> Vec<String> {
    receiver.posts().iter().map(|post| post.header("authorization").unwrap_or_default().to_owned()).collect()
}

fn is_alive(process: &str) -> bool {
    let state = fs::read_to_string(Path::new("/proc").join(process.trim()).join("stat")).unwrap_or_default();
    // Dead, and not yet taken note of by its parent.
    !state.is_empty() && !state.contains(") Z ")
}

/// Prints the token `1`, then `2` and so on, with what `more` says of it.
fn counting(more: &str) -> Script {
    Script::new(&format!(
        r#"echo run >> "$DIR/runs"; echo '{{"status": {{"token": "'$(wc -l < "$DIR/runs")'"{more}}}}}'"#
    ))
}

#[tokio::test]
async fn requests_go_as_whom_the_plugin_says_and_it_runs_once_for_all() {
    let (script, server) = (counting(""), apiserver(None).await);
    let login = script.login(&root(&server), Clock::system()).await.unwrap();
    let answers = futures::future::join_all((0..20).map(|_| login.clone().send(get()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status().is_success())));
    assert_eq!(tokens(&server), ["Bearer 1"; 20]);
    assert_eq!(script.read("runs"), "run\n");
}

/// Requests of the former session are refused when it was replaced already, and say nothing of the present one.
#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_however_often_it_is_refused() {
    let (script, server) = (counting(""), apiserver(Some("2")).await);
    let login = script.login(&root(&server), Clock::system()).await.unwrap();
    let former = login.session().await.unwrap();
    let answers = futures::future::join_all((0..20).map(|_| login.send_in(&former, get()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == StatusCode::UNAUTHORIZED));
    let renewed = eventually("it goes as another", HANG, async || {
        let status = login.clone().send(get()).await.map_err(|error| anyhow::anyhow!(error))?.status();
        anyhow::ensure!(status.is_success(), "{status}");
        Ok(())
    });
    renewed.await.unwrap();
    for _ in 0..3 {
        assert_eq!(login.send_in(&former, get()).await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert!(*login.refused.borrow() < login.session().await.unwrap().number, "another run was asked for");
    }
    assert_eq!(script.read("runs"), "run\nrun\n");
}

#[tokio::test]
async fn each_token_that_is_refused_is_renewed() {
    let (script, server) = (counting(""), apiserver(Some("4")).await);
    let login = script.login(&root(&server), Clock::system()).await.unwrap();
    let renewed = eventually("it goes as a fourth", HANG, async || {
        let status = login.clone().send(get()).await.map_err(|error| anyhow::anyhow!(error))?.status();
        anyhow::ensure!(status.is_success(), "{status}");
        Ok(())
    });
    renewed.await.unwrap();
    assert_eq!(script.read("runs"), "run\n".repeat(4));
}

/// At second 0 its token is good until second 100.
#[tokio::test]
async fn a_token_that_has_ended_is_not_sent() {
    static SECOND: AtomicI64 = AtomicI64::new(0);
    let clock = Clock::from_fn(|| Timestamp::from_second(SECOND.load(Ordering::SeqCst)).unwrap());
    let (script, server) = (
        Script::new(
            r#"echo run >> "$DIR/runs"; n=$(wc -l < "$DIR/runs")
            echo '{"status": {"token": "'$n'", "expirationTimestamp": "1970-01-01T00:0'$((n * 2 - 1))':40Z"}}'"#,
        ),
        apiserver(None).await,
    );
    let login = script.login(&root(&server), clock).await.unwrap();
    login.clone().send(get()).await.unwrap();
    SECOND.store(101, Ordering::SeqCst);
    login.clone().send(get()).await.unwrap();
    assert_eq!(tokens(&server), ["Bearer 1", "Bearer 2"]);
}

/// It is real, and time is not: nothing else happens, so its 10 s are over at once.
#[tokio::test(start_paused = true)]
async fn a_plugin_that_hangs_is_given_up() {
    let (script, began) = (Script::new("sleep 600"), Instant::now());
    let said = script.fails().await;
    assert!(said.starts_with("the login plugin `sh` of the kubeconfig did not answer within 10 s"), "{said}");
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_plugin_that_hangs_when_the_token_has_ended_is_blamed_by_each_request() {
    static SECOND: AtomicI64 = AtomicI64::new(0);
    let clock = Clock::from_fn(|| Timestamp::from_second(SECOND.load(Ordering::SeqCst)).unwrap());
    let script = Script::new(
        r#"test ! -e "$DIR/once" || sleep 600; touch "$DIR/once"
        echo '{"status": {"token": "a", "expirationTimestamp": "1970-01-01T00:10:00Z"}}'"#,
    );
    let login = script.login("http://127.0.0.1:9", clock).await.unwrap();
    SECOND.store(601, Ordering::SeqCst);
    tokio::time::pause();
    let cluster = Cluster::of(
        kube::client::ClientBuilder::new(tower::service_fn(move |request| login.clone().send(request)), "default")
            .build(),
        ApiClock::default(),
    );
    let namespaces: Api<NamespaceMeta> = cluster.lean_namespaces();
    let asked = crate::cluster::within("list namespaces", namespaces.get("a")).await;
    let said = asked.unwrap_err().to_string();
    assert!(said.contains("the login plugin `sh` of the kubeconfig did not answer within 8 s"), "{said}");
}

#[tokio::test]
async fn what_a_plugin_complains_of_is_told() {
    let said = Script::new("echo 'no session,' >&2; echo '  log in' >&2; exit 3").fails().await;
    assert_eq!(said, "the login plugin `sh` of the kubeconfig failed with exit code 3: no session, log in");
    let said = Script::new("exit 1").fails().await;
    assert!(said.ends_with("failed with exit code 1 and said nothing"), "{said}");
    let script = Script::new("i=0; while [ $i -lt 500 ]; do printf x >&2; i=$((i + 1)); done; echo end >&2; exit 1");
    let said = script.fails().await;
    assert!(said.ends_with(&format!(": {}end", "x".repeat(297))), "{said}");
}

#[tokio::test]
async fn what_is_no_login_is_told() {
    let prints = async |printed: &str| Script::new(&format!("echo '{printed}'")).fails().await;
    for nothing in
        ["{\"status\": {}}", "{\"status\": {\"token\": \"\"}}", "{\"status\": {\"clientKeyData\": \"a\"}}", "{}"]
    {
        let said = prints(nothing).await;
        assert!(said.ends_with("printed neither a token nor a certificate with its key"), "{nothing}: {said}");
    }
    let said = prints("<html>").await;
    assert!(said.ends_with("printed what is no ExecCredential"), "{said}");
    let said = prints(r#"{"status": {"clientCertificateData": "no", "clientKeyData": "no"}}"#).await;
    assert!(said.contains("gave what cannot be used: "), "{said}");

    let mut missing = Script::new("");
    missing.exec.command = Some("/none/such-login".to_owned());
    missing.exec.install_hint = Some("Install it.".to_owned());
    let said = missing.fails().await;
    assert!(said.contains("cannot be started: No such file") && said.ends_with("; Install it."), "{said}");

    let mut asks = Script::new("");
    asks.exec.interactive_mode = Some(ExecInteractiveMode::Always);
    assert!(asks.fails().await.contains("nobody is there"));
}

#[tokio::test]
async fn a_plugin_is_told_that_nobody_is_there_and_which_cluster() {
    let mut script = Script::new(r#"echo "$KUBERNETES_EXEC_INFO" > "$DIR/info"; cat; exit 1"#);
    script.exec.api_version = Some("client.authentication.k8s.io/v1".to_owned());
    script.exec.provide_cluster_info = true;
    script.exec.cluster =
        Some(kube::config::ExecAuthCluster { server: Some("https://a".into()), ..Default::default() });
    script.fails().await;
    let info: serde_json::Value = serde_json::from_str(&script.read("info")).unwrap();
    assert_eq!(info["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(info["spec"]["interactive"], false);
    assert_eq!(info["spec"]["cluster"]["server"], "https://a");
}

#[tokio::test]
async fn what_a_plugin_started_ends_with_it() {
    let script = Script::new(r#"sleep 600 & echo $! > "$DIR/started"; wait"#);
    let started = eventually("it has started another", HANG, async || {
        let started = script.read("started");
        anyhow::ensure!(started.ends_with('\n'), "{started}");
        Ok(started)
    });
    let started = tokio::select! {
        _ = script.login("http://127.0.0.1:9", Clock::system()) => panic!("it does not answer"),
        started = started => started.unwrap(),
    };
    let ended = eventually("both have ended", HANG, async || {
        anyhow::ensure!(!is_alive(&started), "{started}");
        Ok(())
    });
    ended.await.unwrap();
}
