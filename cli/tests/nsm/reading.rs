//! `nsm ls`, `nsm why` and `nsm history`: they read, and need no cluster.

use common::{
    controls::{self, StoreMismatch},
    store::Heartbeat,
};
use lifecycle::Actor;
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
    assert_eq!(
        (lines[2][0], lines[2][4..].join(" ")),
        ("ci-7", "nothing, it is protected (not checked yet)".to_owned())
    );
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
    let body = json!({"current": {"task": "u1/delete/3", "namespace": "ci-42", "since": at}, "done": 2, "config": "c"});
    let heartbeat = Heartbeat { id: "action/pod-1.u".into(), role: "action".into(), started: at, at, body };
    world.store.heartbeat(&heartbeat).await.unwrap();
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
        "– status          its status is ok, which is no reason to delete it under policy `ci`",
        "checks hold nothing back; `nsm why ci-42 --all` shows them)",
        "! the namespace itself could not be read from the cluster, so this rests on the store alone: no cluster is configured",
        "! an earlier namespace had this name; `nsm history ci-42` tells of that, too",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    let stop = "✓ stop            nobody stopped deletions";
    assert!(!said.contains(stop), "{said}");
    let all = world().await.nsm("why namespace/ci-42 --all").done();
    assert!(all.contains(stop) && !all.contains("hold nothing back"), "{all}");
}

#[tokio::test]
async fn ls_lists_what_is_asked_for_as_kubectl_does() {
    let world = world().await;
    let names = |args: &str| world.nsm(&format!("{args} -o name")).done();
    assert_eq!(names("list"), "namespace/ci-42\nnamespace/ci-7\n");
    assert_eq!(names("ls ns/ci-7"), "namespace/ci-7\n");
    assert_eq!(names("ls --status ok,failed"), "namespace/ci-42\n");
    assert_eq!(names("ls --owner alice --policy ci"), "namespace/ci-42\nnamespace/ci-7\n");
    assert_eq!(names("ls --owner bob"), "");
    assert_eq!(names("ls ci-42 --all"), "namespace/ci-42\nnamespace/ci-42\n");
    let wide = world.nsm("ls -o wide").done();
    let head: Vec<_> = wide.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(head, ["NAME", "STATUS", "AGE", "OWNER", "POLICY", "UID", "NEXT"]);
    let said = world.nsm("ls ci-42 ci-24");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.out.contains("ci-42") && said.err.contains("no namespace `ci-24` is managed"), "{said:?}");
    assert!(world.nsm("ls --owner bob").err.contains("no managed namespace matches that"));
    assert_eq!(world.nsm("status -o name").failed(2), "error: `-o name` is for `nsm ls` alone\n");
}

#[tokio::test]
async fn what_no_policy_applies_to_any_more_is_told_of() {
    let world = World::new().await;
    let released = ("2020-01-02T00:00:00Z", "Released", json!({"why": "no policy applies to it any more"}));
    world.tell("ci-1", "u1", &[adopted(), released.clone()]).await;
    let told =
        "note: no namespace is managed any more: no policy in force applies to the one that was (`nsm ls --all`)\n";
    assert_eq!(world.nsm("ls").err, told);
    world.tell("ci-2", "u2", &[adopted(), released]).await;
    assert!(world.nsm("ls").err.contains("any of the 2 that were"));
    assert_eq!(world.nsm("ls --all").err, "");
}

#[tokio::test]
async fn a_store_that_may_be_another_holds_up_what_is_due_and_ls_says_so() {
    let world = World::new().await;
    let stale = json!({"from": "unknown", "to": "stale", "reason": "it is old", "evidence": [], "finalize_at": null});
    world.tell("ci-1", "u1", &[adopted(), ("2020-01-02T00:00:00Z", "StatusChanged", stale)]).await;
    let now = "2020-01-03T00:00:00Z".parse().unwrap();
    let mismatch = StoreMismatch { namespace: "ci-7".into(), why: "it is of another store".into() };
    controls::report_mismatch(&*world.store, &Actor::role("collector", "a"), &mismatch, now).await.unwrap();
    let said = world.nsm("ls");
    assert!(said.out.contains("it waits to be deleted: this store may not be the right one"), "{said:?}");
    assert!(
        said.err.contains("note: nothing is deleted, for this store may not be the right one, found at 2020-01-03"),
        "{said:?}"
    );
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
    assert!(said.err.contains("note: no namespace is managed: "), "{said:?}");
    assert_eq!(world.nsm("ls -o json").done(), "[]\n");
}
