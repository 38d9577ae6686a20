//! The rules of the workspace itself, checked on `cargo metadata`: who may depend on whom, and what may come in from
//! outside. A check of ours, because building cargo-deny takes longer than everything it would check. And that what is
//! cited is there.

#![expect(clippy::unwrap_used, reason = "what `cargo metadata` prints has the shape its page tells, or the test fails")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

#[path = "workspace/citations.rs"]
mod citations;
#[path = "workspace/imports.rs"]
mod imports;
#[path = "workspace/words.rs"]
mod words;

/// What each crate of ours may depend on, of ours (ARCHITECTURE.md "Code map"). Roles never depend on each other.
const MAY_DEPEND_ON: [(&str, &[&str]); 10] = [
    ("lifecycle", &[]),
    ("common", &["lifecycle"]),
    ("evidence", &["common", "lifecycle"]),
    ("collect-controller", ROLE),
    ("collectors", ROLE),
    ("action-controller", ROLE),
    ("actions", ROLE),
    ("api", ROLE),
    ("cli", EVERYTHING),
    ("tests", EVERYTHING),
];

const ROLE: &[&str] = &["common", "evidence", "lifecycle"];

const EVERYTHING: &[&str] = &[
    "lifecycle",
    "common",
    "evidence",
    "collect-controller",
    "collectors",
    "action-controller",
    "actions",
    "api",
    "cli",
];

/// What the domain must never pull in, directly or not: it has no clock to await and no cluster to ask.
const NOT_IN_LIFECYCLE: [&str; 5] = ["tokio", "kube", "k8s-openapi", "hyper", "rusqlite"];

/// Licences that let the binaries be given to anybody.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not come in, each with the reason.
const BANNED: [(&str, &str); 4] = [
    ("openssl-sys", "TLS is rustls, so that one static binary runs anywhere"),
    ("aws-lc-sys", "needs cmake and a long build; ring serves"),
    ("chrono", "instants are jiff's, as in k8s-openapi"),
    ("serde_yaml", "no longer maintained"),
];

/// Crates that come in twice for now, each because of the crate named.
const TWICE: [(&str, &str); 25] = [
    ("base64", "kube-client is ahead of others"),
    ("block-buffer", "comes with sha2"),
    ("const-oid", "comes with sha2"),
    ("core-foundation", "hickory-resolver is behind, for another platform"),
    ("cpufeatures", "comes with sha2"),
    ("crypto-common", "comes with sha2"),
    ("digest", "comes with sha2"),
    ("getrandom", "ring is behind"),
    ("granit-parser", "comes with serde-saphyr"),
    ("hashbrown", "indexmap is ahead of hashlink"),
    ("hmac", "comes with sha2"),
    ("nom", "amq-protocol is ahead of others"),
    ("pbkdf2", "comes with sha2"),
    ("pem", "rcgen is ahead of kube-client"),
    ("r-efi", "comes with getrandom, for another platform"),
    ("rand", "proptest is behind"),
    ("rand_core", "comes with rand"),
    ("serde-saphyr", "kube-client is behind"),
    ("sha1", "comes with sha2"),
    ("sha2", "p12-keystore, which lapin needs for TLS, is behind"),
    ("syn", "serde_derive is ahead of other macros"),
    ("synstructure", "comes with syn"),
    ("thiserror", "kube-leader-election is behind"),
    ("thiserror-impl", "comes with thiserror"),
    ("windows-sys", "ring is behind, for another platform"),
];

struct Workspace {
    packages: Vec<Value>,
    members: HashSet<String>,
    /// Package id to the ids it needs when built for users: normal and build dependencies.
    needs: HashMap<String, Vec<String>>,
}

impl Workspace {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let needs = list(&all["resolve"]["nodes"])
            .iter()
            .map(|node| {
                let for_users = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
                let needed = list(&node["deps"]).iter().filter(for_users).map(|dep| text(&dep["pkg"])).collect();
                (text(&node["id"]), needed)
            })
            .collect();
        Self {
            packages: list(&all["packages"]),
            members: list(&all["workspace_members"]).iter().map(text).collect(),
            needs,
        }
    }

    fn ours(&self) -> impl Iterator<Item = &Value> {
        self.packages.iter().filter(|package| self.members.contains(&text(&package["id"])))
    }

    fn foreign(&self) -> impl Iterator<Item = &Value> {
        self.packages.iter().filter(|package| !self.members.contains(&text(&package["id"])))
    }

    fn name(&self, id: &str) -> String {
        self.packages.iter().find(|package| package["id"] == id).map(|package| text(&package["name"])).unwrap()
    }

    /// Everything a crate of ours pulls in, itself included.
    fn closure(&self, name: &str) -> BTreeSet<String> {
        let mut waiting: Vec<_> =
            self.ours().filter(|package| package["name"] == name).map(|package| text(&package["id"])).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if seen.insert(id.clone()) {
                waiting.extend(self.needs.get(&id).into_iter().flatten().cloned());
            }
        }
        seen.iter().map(|id| self.name(id)).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The files of this checkout that `is_read` chooses by their paths from its root, with their texts. One that was removed
/// and is not yet committed is tracked still, and is passed over.
fn tracked(is_read: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = Command::new("git").arg("-C").arg(&root).args(["ls-files", "-z"]).output().expect("git is installed");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let paths = String::from_utf8(listed.stdout).expect("paths here are UTF-8");
    let read = paths.split_terminator('\0').filter(|path| is_read(path));
    read.filter_map(|path| Some((path.to_owned(), fs::read_to_string(root.join(path)).ok()?))).collect()
}

#[test]
fn dependencies_go_in_the_directions_of_the_architecture() {
    let workspace = Workspace::read();
    let may: BTreeMap<_, _> = MAY_DEPEND_ON.into_iter().collect();
    let names: HashSet<_> = workspace.ours().map(|package| text(&package["name"])).collect();
    assert_eq!(names, may.keys().map(|name| (*name).to_owned()).collect(), "a crate is new or gone: say so above");
    for package in workspace.ours() {
        let name = text(&package["name"]);
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = text(&dependency["name"]);
            // Its library knows none of ours.
            let is_testbed = on == "tests" && dependency["kind"] == "dev";
            let allowed = is_testbed || !names.contains(&on) || may[name.as_str()].contains(&on.as_str());
            assert!(allowed, "`{name}` depends on `{on}`, which the architecture does not allow");
        }
    }
}

#[test]
fn the_domain_pulls_in_neither_a_runtime_nor_a_cluster() {
    let closure = Workspace::read().closure("lifecycle");
    for banned in NOT_IN_LIFECYCLE {
        assert!(!closure.contains(banned), "`lifecycle` pulls in `{banned}`");
    }
}

#[test]
fn everything_comes_from_the_registry_under_a_licence_that_may_be_given_away() {
    for package in Workspace::read().foreign() {
        let name = &package["name"];
        let source = package["source"].as_str().unwrap_or("a path outside of the workspace");
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence), "{name} is under `{licence}`");
    }
}

/// An SPDX expression is allowed when one side of each OR, and every side of each AND, is.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let strip = |part: &str| part.trim().trim_matches(['(', ')']).trim().to_owned();
    expression.split(" AND ").all(|all| all.split(" OR ").any(|one| LICENCES.contains(&strip(one).as_str())))
}

#[test]
fn what_is_banned_stays_out() {
    for package in Workspace::read().foreign() {
        if let Some((name, why)) = BANNED.iter().find(|(name, _)| package["name"] == *name) {
            panic!("`{name}` came in: {why}");
        }
    }
}

#[test]
fn what_comes_in_twice_is_known_and_what_is_known_still_does() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in Workspace::read().foreign() {
        versions.entry(text(&package["name"])).or_default().insert(text(&package["version"]));
    }
    let twice: BTreeSet<_> = versions.iter().filter(|(_, all)| all.len() > 1).map(|(name, _)| name.as_str()).collect();
    let known: BTreeSet<_> = TWICE.iter().map(|(name, _)| *name).collect();
    assert_eq!(twice, known, "unify the versions, or say in TWICE why not");
}

#[test]
fn every_crate_of_ours_takes_the_lints_and_the_versions_of_the_workspace() {
    for package in Workspace::read().ours() {
        let name = text(&package["name"]);
        let manifest = std::fs::read_to_string(text(&package["manifest_path"])).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "`{name}` has lints of its own");
        for line in manifest.lines().skip_while(|line| !line.contains("dependencies]")) {
            let own_version = line.contains(" = \"") || line.contains("version = ");
            assert!(!own_version, "`{name}` names a version of its own: {line}");
        }
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    assert!(is_allowed("MIT OR GPL-3.0"));
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!is_allowed("MIT AND GPL-3.0"));
    assert!(!is_allowed(""));
}

/// A change to what a seeded bug touches has to bring its patch along: `make mutants` takes too long to say so each time.
#[test]
fn every_seeded_bug_can_be_seeded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let applies = |(patch, _): &(String, String)| {
        let checked = Command::new("git").arg("-C").arg(&root).args(["apply", "--check", patch]).output().unwrap();
        (!checked.status.success()).then(|| format!("{patch}: {}", String::from_utf8_lossy(&checked.stderr)))
    };
    let seeded = tracked(|path| path.starts_with("tests/mutants/"));
    assert!(!seeded.is_empty());
    let wrong: Vec<_> = seeded.iter().filter_map(applies).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
