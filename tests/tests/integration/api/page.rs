//! The examples of docs/api.md, each of which is run as it stands there.

use std::process::Command;

use crate::api::world::{World, shared};

#[tokio::test]
async fn the_examples_of_the_page_do_what_they_say() {
    let world = World::new(shared().await, |_, _| {}).await;
    let operator = world.operator().await;
    let namespace = world.namespace().await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md")).unwrap();
    let page = page.replace("\\\n", " ");
    let examples: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("$ curl ")).collect();
    assert!(examples.len() >= 6, "{examples:?}");
    for example in examples {
        let example = example.replace("https://nsm.example.org", &world.url).replace("ci-42", &namespace);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("curl --fail-with-body --noproxy '*' {example}")])
            .current_dir(world.directory.path());
        shell.env("TOKEN", std::fs::read_to_string(&operator).unwrap());
        let said = world.run(shell).await;
        assert_eq!(said.code, Some(0), "{example}: {said:?} (needs curl)");
    }
}
