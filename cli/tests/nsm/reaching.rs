//! How the program gets to a cluster: by proxies, and by plugins that log in.

use std::{
    fs,
    process::{Command, Stdio},
};

use common::controls;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use testbed::{HANG, Proxy, eventually};

use crate::{
    apiserver::Apiserver,
    world::{CONFIG, World, adopted, became_ok},
};

const PROTECT: &str = "protect ci-42";

/// A name that leads nowhere but through a proxy.
const NAMED: &str = "apiserver.example.org";

/// A world where nothing is managed, so that a keep request does not wait until it is recorded.
async fn unmanaged() -> World {
    let world = World::new().await;
    fs::write(world.path("nsm.yaml"), "mode: observe\n").unwrap();
    world
}

/// Runs the program while a server in this process answers.
async fn run(world: &World, mut command: Command) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).replace(world.dir.path().to_str().unwrap(), "DIR");
    (output.status.code(), text)
}

/// A user for whom this script logs in.
fn plugin(world: &World, script: &str) -> Value {
    let path = world.path("login.sh");
    fs::write(&path, script).unwrap();
    let args = ["sh".to_owned(), path.display().to_string()];
    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": args[0], "args": [args[1]]}})
}

#[tokio::test]
async fn a_proxy_that_is_not_for_this_apiserver_changes_nothing() {
    let (world, apiserver) = (unmanaged().await, Apiserver::start().await);
    let kubeconfig = apiserver.kubeconfig(&world, "127.0.0.1", json!({}), json!({}));
    for none_for in ["127.0.0.1", ""] {
        let mut nsm = world.command(PROTECT);
        nsm.env("KUBECONFIG", &kubeconfig)
            .env("HTTPS_PROXY", "http://proxy.example.org:3128")
            .env("HTTP_PROXY", "http://proxy.example.org:3128")
            .env("NO_PROXY", none_for);
        let said = run(&world, nsm).await;
        assert_eq!(said.0, Some(0), "{none_for}: {said:?}");
    }
}

#[tokio::test]
async fn the_apiserver_is_reached_by_the_proxy_of_the_environment_or_of_the_kubeconfig() {
    let (world, apiserver) = (unmanaged().await, Apiserver::start().await);
    for (scheme, by) in [("http", "CONNECT"), ("socks5", "SOCKS5")] {
        for is_named in [false, true] {
            let proxy = Proxy::start().await.unwrap();
            let url = proxy.url(scheme);
            let cluster = if is_named { json!({"proxy-url": url}) } else { json!({}) };
            let mut nsm = world.command(PROTECT);
            nsm.env("KUBECONFIG", apiserver.kubeconfig(&world, NAMED, cluster, json!({})));
            if !is_named {
                nsm.env("HTTP_PROXY", url);
            }
            let said = run(&world, nsm).await;
            assert_eq!(said.0, Some(0), "{said:?}");
            let passed = proxy.passed();
            let to = format!("{NAMED}:{}", apiserver.port);
            assert!(!passed.is_empty() && passed.iter().all(|passed| (passed.by.as_str(), &passed.to) == (by, &to)));
        }
    }
}

#[tokio::test]
async fn why_names_the_pipeline_that_is_asked_for() {
    let (world, apiserver) = (World::new().await, Apiserver::start().await);
    world.tell("ci-42", "u1", &[adopted(), became_ok()]).await;
    fs::write(world.path("token"), "secret").unwrap();
    let token = world.path("token");
    let gitlab = json!({"url": "https://gitlab.example.org", "token_file": token});
    fs::write(world.path("nsm.yaml"), format!("{CONFIG}gitlab: {gitlab}\n")).unwrap();
    let mut nsm = world.command("why ci-42");
    nsm.env("KUBECONFIG", apiserver.kubeconfig(&world, "127.0.0.1", json!({}), json!({})));
    let output = tokio::task::spawn_blocking(move || nsm.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("\npipeline\n  pipeline 300 of project 7: GitLab has not answered for it yet\n"),
        "{output:?}"
    );
}

#[tokio::test]
async fn a_plugin_that_fails_is_told_with_what_it_said() {
    let (world, apiserver) = (World::new().await, Apiserver::start().await);
    let user = plugin(&world, "echo 'the session has ended' >&2; exit 7");
    let mut nsm = world.command(PROTECT);
    nsm.env("KUBECONFIG", apiserver.kubeconfig(&world, "127.0.0.1", json!({}), user));
    let (code, said) = run(&world, nsm).await;
    let expected = "error: the login plugin `sh` of the kubeconfig failed with exit code 7: the session has ended\n";
    assert_eq!((code, said.as_str()), (Some(5), expected));
}

/// The plugin would take ten minutes, and the stop is over before: it does not end by itself.
#[tokio::test]
async fn a_stop_is_written_before_a_plugin_is_run_and_names_it() {
    let (world, apiserver) = (World::new().await, Apiserver::start().await);
    let config = format!("{CONFIG}guard: {{stop_policy: nsm-stop}}\n");
    fs::write(world.path("nsm.yaml"), config).unwrap();
    let copies = "cp \"$DIR/nsm.db\" \"$DIR/then.db\"; cp \"$DIR/nsm.db-wal\" \"$DIR/then.db-wal\"; sleep 600";
    let user = plugin(&world, copies);
    let mut nsm = world.command("stop --reason storm");
    nsm.env("KUBECONFIG", apiserver.kubeconfig(&world, "127.0.0.1", json!({}), user))
        .env("PATH", "/usr/bin:/bin")
        .env("DIR", world.dir.path());
    let (code, said) = run(&world, nsm).await;
    assert_eq!(code, Some(1), "{said}");
    let names = "the stop rests on the switch: the login plugin `sh` of the kubeconfig did not answer within 10 s";
    assert!(said.contains(names), "{said}");
    let reason = |stop: Option<controls::ControlRecord<controls::Stop>>| stop.and_then(|stop| stop.body.reason);
    assert_eq!(reason(controls::stopped(&*world.store).await.unwrap()).as_deref(), Some("storm"));
    // As the store was when the plugin began.
    let then = common::store::open(&format!("sqlite:{}", world.path("then.db").display())).await.unwrap();
    assert_eq!(reason(controls::stopped(&*then).await.unwrap()).as_deref(), Some("storm"));
}

#[tokio::test]
async fn a_stop_that_needs_no_cluster_asks_no_plugin() {
    let (world, apiserver) = (World::new().await, Apiserver::start().await);
    let user = plugin(&world, "touch \"$DIR/run\"; exit 1");
    let mut nsm = world.command("stop");
    nsm.env("KUBECONFIG", apiserver.kubeconfig(&world, "127.0.0.1", json!({}), user)).env("DIR", world.dir.path());
    let (code, said) = run(&world, nsm).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!world.path("run").exists());
}

/// That it was the signal, and not the plugin's time that was up, is told by the code.
#[tokio::test]
async fn sigterm_ends_standalone_while_a_plugin_hangs() {
    let (world, apiserver) = (World::new().await, Apiserver::start().await);
    let user = plugin(&world, "echo $$ > \"$DIR/began\"; sleep 600");
    let kubeconfig = apiserver.kubeconfig(&world, "127.0.0.1", json!({}), user);
    let mut nsm = world.command("standalone");
    nsm.env("KUBECONFIG", kubeconfig).env("PATH", "/usr/bin:/bin").env("DIR", world.dir.path()).stdout(Stdio::null());
    let mut nsm = nsm.spawn().unwrap();
    let began = eventually("the plugin runs", HANG, async || {
        let began = fs::read_to_string(world.path("began")).unwrap_or_default();
        Ok(began.trim().parse::<i32>()?)
    });
    let plugin = began.await.unwrap();
    kill(Pid::from_raw(nsm.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let ended = tokio::task::spawn_blocking(move || nsm.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    let gone = eventually("the plugin is gone, too", HANG, async || {
        let state = fs::read_to_string(format!("/proc/{plugin}/stat")).unwrap_or_default();
        anyhow::ensure!(state.is_empty() || state.contains(") Z "), "{state}");
        Ok(())
    });
    gone.await.unwrap();
}
