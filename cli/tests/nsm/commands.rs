//! Everything but reading: switches, configuration, and what the program says of itself.

use std::{collections::BTreeSet, fs};

use crate::world::{World, adopted};

#[tokio::test]
async fn a_stop_is_thrown_shown_and_taken_back() {
    let world = World::new().await;
    world.tell("ci-42", "u1", &[adopted()]).await;
    assert_eq!(
        world.nsm("stop --reason storm").done(),
        "all deletions are stopped until `nsm resume`; none was under way\n"
    );
    let said = world.nsm("ls");
    assert!(
        said.err.contains("note: all deletions are stopped, by person/") && said.err.contains(": storm"),
        "{said:?}"
    );
    assert!(world.nsm("why ci-42").done().contains("✗ stop            person/"));
    assert_eq!(world.nsm("ls -o name").done(), "namespace/ci-42\n");
    assert!(world.nsm("resume").done().starts_with("deletions go on; person/"));
    assert_eq!(world.nsm("resume").done(), "nothing was stopped\n");
    assert_eq!(world.nsm("ls").err, "");
}

#[tokio::test]
async fn a_stop_names_what_it_could_not_cut_off() {
    let world = World::new().await;
    let now = jiff::Timestamp::from_second(4_000_000_000).unwrap();
    let intended = serde_json::json!({
        "action": "delete", "cause_seq": 1, "attempt": 1, "holder": "action/a", "until": now, "resource_version": "5",
        "cause": "stale", "decision": "it is old", "evidence": [], "evidence_at": now, "slot": "w/1", "unannounced": null,
        "config": "h", "mode": "enforce", "notice": "no_channel",
    });
    world.tell("ci-42", "u1", &[adopted(), ("2020-01-01T00:00:03Z", "ActionIntended", intended)]).await;
    let said = world.nsm("stop");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("could not be cut off: ci-42: "), "{said:?}");
    assert!(common::controls::stopped(&*world.store).await.unwrap().is_some(), "the stop stands nevertheless");
}

#[tokio::test]
async fn an_approval_says_until_when_it_holds() {
    let world = World::new().await;
    let said = world.nsm("approve --for 2h").done();
    assert!(said.contains("(in 2 hours) unannounced deletions may exceed their limit"), "{said}");
    assert_eq!(world.nsm("approve --store").done(), "nothing speaks against this store; nothing was changed\n");
}

#[tokio::test]
async fn a_keep_request_without_a_cluster_is_reported_as_unreachable() {
    let world = World::new().await;
    for command in ["keep ci-42 --for 4h", "unkeep ci-42", "protect ci-42", "unprotect ci-42"] {
        assert_eq!(
            world.nsm(command).failed(5),
            "error: no cluster is configured; give `--kubeconfig`, or set KUBECONFIG as for kubectl\n"
        );
    }
}

#[tokio::test]
async fn what_is_never_managed_is_not_written_on() {
    let world = World::new().await;
    for command in ["protect kube-system", "keep ns/default --for 4h"] {
        let said = world.nsm(command).failed(4);
        assert!(said.contains("never managed") && said.contains("nothing was written"), "{said}");
    }
    assert!(world.nsm("unprotect kube-system").failed(5).contains("no cluster"), "what stands there can be taken off");
}

#[tokio::test]
async fn a_configuration_is_checked_without_a_cluster() {
    let world = World::new().await;
    assert!(world.nsm("config check").err.is_empty());
    let said = world.nsm(&format!("config check --diff {}", world.path("nsm.yaml").display()));
    assert_eq!(
        said.err,
        "note: what it changes for namespaces is not known: no cluster is configured; give `--kubeconfig`, or set KUBECONFIG as \
         for kubectl\n"
    );
}

#[tokio::test]
async fn a_configuration_is_checked() {
    let world = World::new().await;
    let said = world.nsm("config check").done();
    assert!(said.starts_with("good (mode enforce; policies: ci; hash "), "{said}");
    fs::write(world.path("nsm.yaml"), "mode: delete\npolices: []\n").unwrap();
    let said = world.nsm("config check").failed(6);
    assert!(
        said.starts_with("error: the configuration is refused, it has 2 mistakes:\n  DIR/nsm.yaml:1: `mode`"),
        "{said}"
    );
    assert!(world.nsm("ls").failed(6).contains("did you mean `policies`?"));
}

#[tokio::test]
async fn an_older_configuration_is_compared() {
    let world = World::new().await;
    fs::write(world.path("old.yaml"), "mode: observe\n").unwrap();
    let said = world.nsm(&format!("config check --diff {}", world.path("old.yaml").display()));
    assert!(said.err.contains("note: what it changes for namespaces is not known: "), "{said:?}");
    let said = said.done();
    for expected in ["SETTING", "mode ", "observe", "enforce", "policies[ci].ttl", "4h"] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[tokio::test]
async fn the_example_it_prints_is_one_it_takes() {
    let world = World::new().await;
    fs::write(world.path("nsm.yaml"), world.nsm("config example").done()).unwrap();
    world.nsm("config check").done();
    let schema: serde_json::Value = serde_json::from_str(&world.nsm("config schema").done()).unwrap();
    assert_eq!(schema["type"], "object");
}

#[tokio::test]
async fn a_command_line_that_is_not_understood_is_told_as_such() {
    let world = World::new().await;
    for command in ["", "lss", "keep ci-42", "keep ci-42 --for 4", "keep ci-42 --until tomorrow", "ls -o xml"] {
        let said = world.nsm(command);
        assert_eq!(said.code, 2, "{command}: {said:?}");
    }
    assert!(world.nsm("keep ci-42 --for 4").err.contains("`4` has no unit; write for example `4h`"));
    assert!(world.nsm("lss").err.contains("'ls'"));
    assert!(world.nsm("standalone --mode delete").failed(6).contains("option --mode: `mode`: it cannot be `delete`"));
}

#[tokio::test]
async fn help_tells_the_exit_codes_and_the_name_it_was_called_by() {
    let world = World::new().await;
    let help = world.nsm("--help").done();
    assert!(help.contains("Usage: nsm ") && help.contains("4  refused"), "{help}");
    let plugin = world.path("kubectl-nsm");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nsm"), &plugin).unwrap();
    let mut command = std::process::Command::new(plugin);
    command.arg("--help");
    let help = world.run(command).done();
    assert!(help.contains("Usage: kubectl nsm "), "{help}");
}

#[tokio::test]
async fn shells_get_their_completion() {
    let world = World::new().await;
    for shell in ["bash", "zsh", "fish"] {
        assert!(world.nsm(&format!("completion {shell}")).done().contains("standalone"), "{shell}");
    }
}

#[tokio::test]
async fn no_secret_of_an_address_is_shown() {
    let world = World::new().await;
    fs::write(world.path("old.yaml"), "mode: observe\nnotices: {webhook: {url: \"https://example.org/olds3cret\"}}\n")
        .unwrap();
    fs::write(world.path("nsm.yaml"), "mode: observe\nnotices: {webhook: {url: \"https://example.org/s3cret\"}}\n")
        .unwrap();
    let diff = format!("config check --diff {}", world.path("old.yaml").display());
    for command in ["config check", "config check -o json", &diff, &format!("{diff} -o yaml")] {
        let said = world.nsm(command);
        assert!(!said.err.contains("s3cret") && !said.done().contains("s3cret"), "{command}");
    }
    assert!(world.nsm(&diff).done().contains("notices.webhook.url"));
}

/// Every name of a field in an answer.
fn fields(answer: &serde_json::Value, found: &mut BTreeSet<String>) {
    match answer {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                found.insert(name.clone());
                // What is stored, configured or written keeps the names it has there.
                if !["data", "effective", "annotations"].contains(&name.as_str()) {
                    fields(value, found);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_names_every_field_of_every_answer() {
    let world = World::new().await;
    world.tell("ci-42", "u1", &[adopted()]).await;
    fs::write(world.path("old.yaml"), "mode: observe\n").unwrap();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md")).unwrap();
    let mut found = BTreeSet::new();
    let diff = format!("config check --diff {}", world.path("old.yaml").display());
    for command in ["ls", "why ci-42", "history ci-42", "stop", "resume", "approve", &diff] {
        fields(&serde_json::from_str(&world.nsm(&format!("{command} -o json")).done()).unwrap(), &mut found);
    }
    assert!(found.len() > 40, "{found:?}");
    for field in found {
        assert!(page.contains(&format!("`{field}`")), "docs/cli.md does not name the field `{field}`");
    }
}
