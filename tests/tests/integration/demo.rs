//! The demo, as `make demo` shows it where nobody looks on.

use std::process::Command;

/// It checks by itself whether each namespace ended as its story tells.
#[test]
fn every_story_of_the_demo_ends_as_told() {
    let shown = Command::new(env!("CARGO_BIN_EXE_demo")).output().expect("it runs");
    let [told, trouble] = [&shown.stdout, &shown.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(shown.status.success(), "{}\n{told}\n{trouble}", shown.status);
}
