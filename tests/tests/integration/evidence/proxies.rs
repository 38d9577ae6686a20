//! Sources of evidence and receivers of notices behind a proxy. What the environment says is read by a process of its own: this
//! binary once more, told to run one function.

use std::process::Command;

use testbed::receiver::{Answer, Receiver};
use testbed::{Passed, Proxy};

use super::server::{Does, Server};
use super::*;

const TARGETS: &str = "NSM_TEST_TARGETS";

/// Runs [`asks`] with these variables, and returns what it printed.
async fn ask(targets: &[String], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["evidence::proxies::asks", "--exact", "--ignored", "--nocapture"])
        .env(TARGETS, targets.join(" "))
        .envs(variables.iter().copied());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"] {
        if variables.iter().all(|(set, _)| *set != name) {
            command.env_remove(name);
        }
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// Asks the Prometheus and posts to the receiver that it is told of, if it is told.
#[tokio::test]
#[ignore = "run by the tests of this file, in a process of its own"]
async fn asks() {
    let Some(targets) = std::env::vars().find(|(name, _)| name == TARGETS) else { return };
    let mut targets = targets.1.split(' ').map(str::to_owned);
    let (prometheus, receiver) = (targets.next().unwrap(), targets.next().unwrap());
    let look = way(&prometheus, json!({"trust_silence": true})).look(Timestamp::now()).await;
    println!("looked: {:?}", told(&look, "a"));
    let post = http::Request::post(receiver).body(b"{}".to_vec()).unwrap();
    println!("posted: {:?}", HttpClient::system().send(post).await.map(|answer| answer.status.as_u16()));
}

async fn servers() -> (Server, Receiver) {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    let receiver = Receiver::start(|_, _| Answer::Status(204)).await.unwrap();
    (Server::start(Does::Sends(answer)).await, receiver)
}

fn port(url: &str) -> u16 {
    url.parse::<http::Uri>().unwrap().port_u16().unwrap()
}

#[tokio::test]
async fn sources_and_receivers_are_reached_by_the_proxy_of_the_environment() {
    let (prometheus, receiver) = servers().await;
    let named = |name: &str, port: u16| format!("{name}.example.org:{port}");
    let to = [named("prometheus", port(&prometheus.url())), named("receiver", port(&receiver.url()))];
    let targets: Vec<_> = to.iter().map(|to| format!("http://{to}")).collect();
    for (scheme, by) in [("http", ["GET", "POST"]), ("socks5h", ["SOCKS5", "SOCKS5"])] {
        let proxy = Proxy::start().await.unwrap();
        let said = ask(&targets, &[("HTTP_PROXY", &proxy.url(scheme)), ("NO_PROXY", "svc, 10.0.0.0/8")]).await;
        assert!(said.contains("looked: (True") && said.contains("posted: Ok(204)"), "{said}");
        let passed: Vec<_> = proxy.passed().into_iter().map(|Passed { by, to, .. }| (by, to)).collect();
        let expected = [0, 1].map(|which| (by[which].to_owned(), to[which].clone()));
        assert_eq!(passed, expected);
    }
}

#[tokio::test]
async fn what_is_on_this_machine_is_never_behind_the_proxy() {
    let (prometheus, receiver) = servers().await;
    let proxy = Proxy::start().await.unwrap();
    let said = ask(&[prometheus.url(), receiver.url()], &[("HTTP_PROXY", &proxy.url("http"))]).await;
    assert!(said.contains("looked: (True") && said.contains("posted: Ok(204)"), "{said}");
    assert_eq!(proxy.passed(), []);
}
