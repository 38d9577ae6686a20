//! `nsm ls`, `nsm why` and `nsm history`: they read, and need no cluster.

use common::store::Heartbeat;
use serde_json::json;

use crate::world::{World, adopted, became_ok, gone};

/// Two namespaces that live, and one that came before under the name of the first.
async fn world() -> World {
    let world = World::new().await;
    world.tell("ci-42", "u0", &[adopted(), gone()]).await;
    world.tell("ci-42", "u1", &[("2020-02-01T00:00:00Z", "Adopted", adopted().2), became_ok()]).await;
    world.tell("ci-7", "u2", &[adopted(), ("2020-01-01T00:00:02Z", "Protected", json!({"on": true}))]).await;
    world
}

#[tokio::test]
async fn ls_shows_what_is_managed() {
    let world = world().await;
    let said = world.nsm("ls").done();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "STATUS", "AGE", "OWNER", "NEXT"]);
    assert_eq!(
        (lines[1][0], lines[1][1], lines[1][3], lines[1][4..8].join(" ")),
        ("ci-42", "ok", "alice", "it is deleted in".to_owned())
    );
    assert_eq!((lines[2][0], lines[2][4..].join(" ")), ("ci-7", "nothing, it is protected".to_owned()));
    assert_eq!(lines.len(), 3);
    assert_eq!(world.nsm("ls --all").done().lines().count(), 4);
}

#[tokio::test]
async fn the_fields_of_every_answer_are_stable() {
    let world = world().await;
    insta::assert_snapshot!("ls", world.nsm("ls -o json --all").done());
    insta::assert_snapshot!("history", world.nsm("history ci-42 -o json").done());
    let mut why: serde_json::Value = serde_json::from_str(&world.nsm("why ci-42 -o json").done()).unwrap();
    // One guard shows the shape of all; why there is no cluster is told by others.
    why["guards"].as_array_mut().unwrap().truncate(1);
    why["notes"].as_array_mut().unwrap().remove(0);
    insta::assert_json_snapshot!("why", why);
}

#[tokio::test]
async fn workers_and_status_are_read_from_the_store() {
    let world = world().await;
    let empty = world.nsm("workers");
    assert!(empty.out.is_empty() && empty.err.contains("no worker is there"), "{empty:?}");
    let at = "2020-01-01T00:00:00Z".parse().unwrap();
    let body = json!({"doing": {"task": "u1/delete/3", "namespace": "ci-42", "since": at}, "done": 2, "config": "c"});
    let beat = Heartbeat { id: "action/pod-1.u".into(), role: "action".into(), started: at, at, body };
    world.store.beat(&beat).await.unwrap();
    insta::assert_snapshot!("workers", world.nsm("workers -o json").done());
    let status: serde_json::Value = serde_json::from_str(&world.nsm("status -o json").done()).unwrap();
    assert_eq!(status["namespaces"], json!({"ok": 1, "unknown": 1}));
    assert_eq!((&status["workers"]["dead"], &status["mode"]), (&json!(1), &json!("enforce")));
    let page = world.nsm("status").done();
    assert!(page.contains("2 managed: 1 unknown, 1 ok") && page.contains("none is in force yet"), "{page}");
}

#[tokio::test]
async fn yaml_says_the_same_as_json() {
    let world = world().await;
    for command in ["ls", "workers", "history ci-42", "why ci-42", "config check"] {
        let json: serde_json::Value = serde_json::from_str(&world.nsm(&format!("{command} -o json")).done()).unwrap();
        let yaml = world.nsm(&format!("{command} -o yaml")).done();
        assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&yaml).unwrap(), json, "{yaml}");
    }
}

#[tokio::test]
async fn a_pipe_gets_no_colours_and_lines_that_do_not_fold() {
    let world = world().await;
    let long = "x".repeat(300);
    world.tell("ci-8", "u3", &[adopted(), ("2020-01-01T00:00:02Z", "Released", json!({"why": long}))]).await;
    for command in ["ls", "why ci-42", "history ci-8", "ls -o json"] {
        let said = world.nsm(command);
        assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "{said:?}");
    }
    assert!(world.nsm("history ci-8").done().contains(&long));
}

#[tokio::test]
async fn history_tells_of_every_namespace_of_a_name_also_of_those_gone() {
    let said = world().await.nsm("history ci-42").done();
    let first = said.find("uid u0, 1 of 2 of this name").unwrap();
    let second = said.find("uid u1, 2 of 2 of this name").unwrap();
    assert!(first < said.find("gone from the cluster").unwrap() && first < second, "{said}");
    assert!(said.contains("2020-01-01 00:00:02 UTC ("), "{said}");
    assert!(said.contains("unknown -> ok: its health is not checked"), "{said}");
}

#[tokio::test]
async fn a_uid_names_one_history() {
    let said = world().await.nsm("history u0").done();
    assert!(said.contains("gone from the cluster") && !said.contains("u1"), "{said}");
}

#[tokio::test]
async fn why_tells_status_evidence_and_what_stands_before_the_deletion() {
    let said = world().await.nsm("why ci-42").done();
    for expected in [
        "status    ok, since 2020-01-01 00:00:02 UTC (",
        "because   its health is not checked",
        "policy    `ci`, mode enforce",
        "it has lived for 2 seconds of the 4 hours",
        "✗ status          policy `ci` does not delete what is ok",
        "✓ stop            nobody stopped deletions",
        "! the namespace itself was not looked at: ",
        "! this name was borne before, by 1 of those that `nsm history ci-42` tells of",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_known_is_told_with_the_one_that_may_be_meant() {
    let world = world().await;
    for command in ["why ci-24", "history ci-24"] {
        assert_eq!(
            world.nsm(command).failed(3),
            "error: nothing is recorded of a namespace `ci-24`; did you mean `ci-42`? (`nsm ls --all` lists those with a history)\n"
        );
    }
    let said = world.nsm("why another-thing").failed(3);
    assert!(said.contains("nothing is recorded of a namespace `another-thing` (`nsm ls"), "{said}");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_told_and_not_made() {
    let world = world().await;
    let mut command = world.command("ls");
    command.env("NSM__STORE__URL", format!("sqlite:{}", world.path("other.db").display()));
    assert_eq!(
        world.run(command).failed(5),
        "error: there is no store at `DIR/other.db`; start `nsm standalone`, or name the configuration it runs with \
         (`--config`, CONFIG_PATH or NSM__STORE__URL)\n"
    );
    assert!(!world.path("other.db").exists());
}

#[tokio::test]
async fn a_store_that_is_none_is_told() {
    let world = world().await;
    std::fs::write(world.path("text.db"), "this is no database, and is long enough to be seen as none").unwrap();
    let mut command = world.command("ls");
    command.env("NSM__STORE__URL", format!("sqlite:{}", world.path("text.db").display()));
    let said = world.run(command);
    assert!(said.code == 1 || said.code == 6, "{said:?}");
    assert!(said.err.contains("DIR/text.db"), "{said:?}");
}

#[tokio::test]
async fn nothing_managed_is_an_empty_answer_with_a_note() {
    let world = World::new().await;
    let said = world.nsm("ls");
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert!(said.err.contains("note: nothing is managed"), "{said:?}");
    assert_eq!(world.nsm("ls -o json").done(), "[]\n");
}
