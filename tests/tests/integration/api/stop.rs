//! A stop has two halves, and each holds alone.

use anyhow::ensure;
use reqwest::Method;
use serde_json::Value;
use testbed::{HANG, MongoOptions, MongoServer, Process, eventually};

use crate::api::world::{World, plane, shared};

#[tokio::test]
async fn after_a_stop_the_apiserver_refuses_the_workers_until_resume() {
    let world = World::new(shared().await, |_, _| {}).await;
    let (namespace, operator) = (world.namespace().await, world.operator().await);
    world.is_refused(&namespace, false).await;
    for _ in 0..2 {
        let answer = world.ask(Method::POST, "/api/v1/stop", Some(&operator)).await.unwrap();
        let answer: Value = answer.json_of().await;
        assert_eq!((&answer["control"], answer["failed"].as_array().unwrap().len()), (&"stop".into(), 0), "{answer}");
        assert!(answer["by"].as_str().unwrap().starts_with("person/system:serviceaccount:people:"), "{answer}");
        world.is_refused(&namespace, true).await;
    }
    for unbound in [true, false] {
        let answer = world.ask(Method::POST, "/api/v1/resume", Some(&operator)).await.unwrap();
        let answer: Value = answer.json_of().await;
        assert_eq!((&answer["unbound"], answer["ended"].is_object()), (&unbound.into(), unbound), "{answer}");
        world.is_refused(&namespace, false).await;
    }
}

#[tokio::test]
async fn a_stop_without_the_store_is_the_policy_alone_and_says_so() {
    let world = World::new(shared().await, |_, _| {}).await;
    let namespace = world.namespace().await;
    let away = world.path("away");
    let nsm = async |command: &str| {
        let store = format!("sqlite:{}", away.join("nsm.db").display());
        let mut nsm = testbed::program("nsm").unwrap();
        nsm.arg(command)
            .env_clear()
            .env("CONFIG_PATH", world.path("config"))
            .env("NSM__STORE__URL", store)
            .env("KUBECONFIG", world.plane.kubeconfig(testbed::User::ADMIN).unwrap());
        world.run(nsm).await
    };
    let said = nsm("stop").await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the stop rests on the admission policy alone: there is no store at"), "{said:?}");
    world.is_refused(&namespace, true).await;
    let said = nsm("resume").await;
    assert!(said.code == Some(5) && said.err.contains("deletions stay stopped"), "{said:?}");
    world.is_refused(&namespace, true).await;

    let said = world.while_running(&["resume"]).await;
    assert_eq!(said.out, "deletions go on; only the apiserver had refused them\n", "{said:?}");
    world.is_refused(&namespace, false).await;
}

#[tokio::test]
async fn a_stop_holds_at_once_and_is_whole_when_the_store_answers() {
    let world = World::new(shared().await, |_, _| {}).await;
    let namespace = world.namespace().await;
    let server = MongoServer::start(MongoOptions::default()).await.expect("it starts");
    let url = server.fresh_url();
    let nsm = |command: &str| {
        let mut nsm = testbed::program("nsm").unwrap();
        nsm.arg(command)
            .env_clear()
            .env("CONFIG_PATH", world.path("config"))
            .env("NSM__STORE__URL", &url)
            .env("KUBECONFIG", world.plane.kubeconfig(testbed::User::ADMIN).unwrap());
        Process::spawn("nsm", &mut nsm).unwrap()
    };
    server.freeze().unwrap();
    let mut stop = nsm("stop");
    world.is_refused(&namespace, true).await;
    let told = eventually("it says what holds", HANG, async || {
        let log = stop.log();
        ensure!(log.contains("note: the apiserver refuses all deletions by now"), "{log}");
        Ok(())
    });
    let told = told.await;
    let is_over = stop.exited().unwrap();
    server.thaw().unwrap();
    told.unwrap();
    assert_eq!(is_over, None, "{}", stop.log());
    let ended = stop.wait(HANG).await.unwrap();
    assert!(ended.success() && stop.log().contains("all deletions are stopped"), "{ended}: {}", stop.log());
    let mut resume = nsm("resume");
    let ended = resume.wait(HANG).await.unwrap();
    assert!(ended.success() && resume.log().contains("had stopped them"), "{ended}: {}", resume.log());
    world.is_refused(&namespace, false).await;
}

#[tokio::test]
async fn a_stop_without_the_apiserver_is_the_switch_alone_and_says_so() {
    let plane = plane().await;
    let world = World::new(&plane, |_, _| {}).await;
    plane.kill_apiserver();
    let said = world.while_running(&["stop"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the stop rests on the switch: cannot bind the admission policy"), "{said:?}");
    assert!(world.while_running(&["ls"]).await.err.contains("all deletions are stopped"));
    let said = world.while_running(&["resume"]).await;
    assert!(said.code == Some(5) && said.err.contains("deletions stay stopped"), "{said:?}");
    assert!(world.while_running(&["ls"]).await.err.contains("all deletions are stopped"));
    plane.restart_apiserver().await.unwrap();
    let said = world.while_running(&["resume"]).await;
    assert!(said.out.starts_with("deletions go on; person/"), "{said:?}");
}

#[tokio::test]
async fn a_binding_of_a_policy_that_is_not_there_is_not_taken_for_a_stop() {
    let world = World::new(shared().await, |config, _| config["guard"]["stop_policy"] = "not-installed".into()).await;
    let said = world.while_running(&["stop"]).await;
    assert!(said.code == Some(1) && said.err.contains("the binding refuses nothing"), "{said:?}");
    assert_eq!(world.while_running(&["resume"]).await.code, Some(0));
}

trait JsonOf {
    async fn json_of(self) -> Value;
}

impl JsonOf for reqwest::Response {
    async fn json_of(self) -> Value {
        let status = self.status();
        let text = self.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}
