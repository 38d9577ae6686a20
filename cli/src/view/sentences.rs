//! Every sentence that people read of a namespace and of an installation, on one page: `cli/tests/sentences.txt`. Anyone who changes
//! one sees there how it stands beside the others.
//!
//! What is listed is found by matches over our own enums without a wildcard: a variant that is not listed does not compile.

/// Samples by variant; a variant that is missing does not compile.
macro_rules! every {
    ($type:ty { $($variant:pat => $samples:expr),+ $(,)? }) => {{
        let _: fn(&$type) -> &'static str = |it| match it { $($variant => stringify!($variant)),+ };
        let mut all = Vec::new();
        $(all.extend($samples);)+
        all
    }};
}

mod histories;
mod installation;
mod namespaces;
mod outcomes;

use std::{fs, path::Path};

use common::config::variable;

const PAGE: &str = "tests/sentences.txt";

const HEAD: &str = "\
What `nsm` says, in every state of a namespace and of an installation. Written by
`UPDATE_DOCS=1 cargo test -p cli --lib sentences`, and held to what the program says by the same test.
";

/// A part of the page: what it is about, and each state with what is said of it.
struct Part {
    title: &'static str,
    lines: Vec<(String, String)>,
}

impl Part {
    fn text(&self) -> String {
        let mut text = format!("\n{}\n{}\n", self.title, "=".repeat(self.title.chars().count()));
        for (state, said) in &self.lines {
            let said = anstream::adapter::strip_str(said).to_string();
            text.push_str(state);
            text.push('\n');
            for line in said.trim_end().lines() {
                text.push_str(format!("    {line}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

fn parts() -> Vec<Part> {
    [namespaces::parts(), histories::parts(), installation::parts(), outcomes::parts()].into_iter().flatten().collect()
}

#[test]
fn the_page_holds_what_is_said() {
    let parts = parts();
    let page = format!("{HEAD}{}", parts.iter().map(Part::text).collect::<String>());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if variable("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let is_current = fs::read_to_string(&path).is_ok_and(|committed| committed == page);
    assert!(
        is_current,
        "cli/{PAGE} is not current; run `UPDATE_DOCS=1 cargo test -p cli --lib sentences`, and read what changed"
    );
}

/// A sentence is said of one thing in one way: what a page lists twice tells two states apart by nothing.
#[test]
fn no_state_is_listed_twice() {
    for part in parts() {
        let mut states: Vec<_> = part.lines.iter().map(|(state, _)| state).collect();
        states.sort();
        let count = states.len();
        states.dedup();
        assert_eq!(states.len(), count, "{}", part.title);
    }
}
