//! Pods on the shared cluster.

use std::io::Write;
use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use testbed::{Cluster, eventually};

use crate::cluster::LATER;

/// Starts a shell script in a pod of its own.
async fn start(cluster: &Cluster, namespace: &str, pod: &str, script: &str) -> Result<()> {
    let image = format!("--image={}", cluster.busybox());
    let arguments = ["run", pod, "--namespace", namespace, &image, "--restart=Never", "--", "sh", "-c", script];
    cluster.kubectl(arguments).await.map(drop)
}

/// The same, waits until it ended, and returns its phase and its output.
async fn run(cluster: &Cluster, namespace: &str, pod: &str, script: &str) -> Result<(String, String)> {
    start(cluster, namespace, pod, script).await?;
    Ok((ended(cluster, namespace, pod).await?, cluster.kubectl(["logs", pod, "--namespace", namespace]).await?))
}

/// The phase in which the pod ended.
async fn ended(cluster: &Cluster, namespace: &str, pod: &str) -> Result<String> {
    let ended = eventually("the pod has ended", LATER, async || {
        let query = ["get", "pod", pod, "--namespace", namespace, "--output=jsonpath={.status.phase}"];
        let phase = cluster.kubectl(query).await?;
        ensure!(phase == "Succeeded" || phase == "Failed", "{phase}");
        Ok(phase)
    });
    ended.await
}

/// Waits until this is the last line of the pod's log.
async fn says(cluster: &Cluster, namespace: &str, pod: &str, word: &str) -> Result<()> {
    let what = format!("the pod says `{word}`");
    let said = eventually(&what, LATER, async || {
        let log = cluster.kubectl(["logs", pod, "--namespace", namespace, "--tail=1"]).await?;
        ensure!(log.trim_end() == word, "{log}");
        Ok(())
    });
    said.await
}

#[tokio::test]
async fn a_pod_reaches_a_server_of_this_machine_by_the_name_of_a_service() -> Result<()> {
    let cluster = Cluster::shared().await?;
    cluster
        .in_temp_namespace(async |namespace| {
            let server = TcpListener::bind((cluster.host_address(), 0))?;
            let port = server.local_addr()?.port();
            let serve = std::thread::spawn(move || -> Result<()> {
                let (mut connection, _) = server.accept()?;
                connection.write_all(b"hello pod\n").context("cannot answer")
            });
            cluster.expose("outside", namespace, port).await?;
            // The rules of a new Service take a moment; until then a connection is refused.
            let script = format!("until nc outside.{namespace}.svc.cluster.local {port}; do sleep 0.1; done");
            let (phase, output) = run(cluster, namespace, "client", &script).await?;
            assert_eq!((phase.as_str(), output.as_str()), ("Succeeded", "hello pod\n"));
            serve.join().expect("it does not panic")
        })
        .await
}

#[tokio::test]
async fn the_apiserver_knows_what_a_pod_does_and_how_it_ended() -> Result<()> {
    let cluster = Cluster::shared().await?;
    cluster
        .in_temp_namespace(async |namespace| {
            let (phase, output) = run(cluster, namespace, "failing", "echo out; exit 3").await?;
            assert_eq!((phase.as_str(), output.as_str()), ("Failed", "out\n"));
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_failure_tells_what_the_pods_did() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let failure = cluster
        .in_temp_namespace(async |namespace| -> Result<()> {
            run(cluster, namespace, "talker", "echo the last words").await?;
            anyhow::bail!("the reason")
        })
        .await;
    let told = format!("{:#}", failure.unwrap_err());
    for words in ["the reason", "talker", "Completed", "Scheduled", "the last words"] {
        ensure!(told.contains(words), "`{words}` is missing: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pod_can_be_cut_off_from_the_apiserver_and_let_back() -> Result<()> {
    let cluster = Cluster::shared().await?;
    cluster
        .in_temp_namespace(async |namespace| {
            let ask = "if nc -w 1 kubernetes.default.svc.cluster.local 443 </dev/null; then echo in; else echo out; fi";
            start(cluster, namespace, "asker", &format!("while :; do {ask}; sleep 0.1; done")).await?;
            says(cluster, namespace, "asker", "in").await?;
            cluster.cut_off(namespace, "asker").await?;
            says(cluster, namespace, "asker", "out").await?;
            cluster.let_back(namespace, "asker").await?;
            says(cluster, namespace, "asker", "in").await
        })
        .await
}

#[tokio::test]
async fn a_container_can_be_frozen_and_killed() -> Result<()> {
    let cluster = Cluster::shared().await?;
    cluster
        .in_temp_namespace(async |namespace| {
            let script = "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
            for (pod, signals, last) in [
                ("asked", vec![Signal::SIGTERM], "asked"),
                ("frozen", vec![Signal::SIGSTOP, Signal::SIGTERM, Signal::SIGKILL], "ready"),
            ] {
                start(cluster, namespace, pod, script).await?;
                says(cluster, namespace, pod, "ready").await?;
                for signal in signals {
                    cluster.signal(namespace, pod, pod, signal).await?;
                }
                assert_eq!(ended(cluster, namespace, pod).await?, "Failed");
                says(cluster, namespace, pod, last).await?;
            }
            Ok(())
        })
        .await
}
