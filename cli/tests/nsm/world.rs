//! A store with histories in it, and the program beside it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use common::store::{self, Inserted, SharedStore};
use lifecycle::{Entry, Record, Uid};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The configuration that the histories were written under.
pub(crate) const CONFIG: &str = "\
mode: enforce
policies:
  - {name: ci, match: {names: [\"ci-.*\"]}, ttl: 4h}
";

/// A directory with a configuration and a store, and no cluster anywhere near.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) store: SharedStore,
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("nsm.yaml"), CONFIG).unwrap();
        let store = store::open(&format!("sqlite:{}", dir.path().join("nsm.db").display())).await.unwrap();
        Self { dir, store }
    }

    /// Writes a history, each entry as time, kind and data, and its snapshot.
    pub(crate) async fn tell(&self, name: &str, uid: &str, entries: &[(&str, &str, Value)]) {
        let mut history = Vec::new();
        for ((at, kind, data), seq) in entries.iter().zip(1..) {
            let entry: Entry = serde_json::from_value(json!({
                "uid": uid, "seq": seq, "at": at, "actor": "collector/a", "name": name, "token": format!("t{seq}"),
                "kind": kind, "data": data,
            }))
            .unwrap();
            assert_eq!(self.store.append(&entry).await.unwrap(), Inserted::Written);
            history.push(entry);
        }
        self.store.put_snapshot(&Record::of(Uid::new(uid), &history)).await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the program with its configuration, away from every cluster.
    pub(crate) fn nsm(&self, args: &str) -> Said {
        self.run(self.command(args))
    }

    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsm"));
        command
            .args(args.split_whitespace())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("USER", "alice")
            .env("KUBECONFIG", self.path("none"))
            .env("CONFIG_PATH", self.path("nsm.yaml"))
            .env("NSM__STORE__URL", format!("sqlite:{}", self.path("nsm.db").display()));
        command
    }

    pub(crate) fn run(&self, mut command: Command) -> Said {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(self.dir.path().to_str().unwrap(), "DIR");
        Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }
}

impl Said {
    /// The answer of a command that did what was asked.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// What a command said that ended with this code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.out, "", "an answer beside a failure");
        self.err
    }
}

/// Adopted long ago under [`CONFIG`], to end when nobody will run this any more.
pub(crate) fn adopted() -> (&'static str, &'static str, Value) {
    let data = json!({
        "policy": "ci", "policy_hash": "0", "mode": "enforce", "created": "2020-01-01T00:00:00Z",
        "ci": [{"k": "author", "v": "alice"}],
        "deadline": {"at": "2120-01-01T00:00:00Z", "by": {"source": "policy"}},
    });
    ("2020-01-01T00:00:01Z", "Adopted", data)
}

pub(crate) fn became_ok() -> (&'static str, &'static str, Value) {
    let evidence = json!([
        {"truth": "false", "reason": "it has lived for 2 seconds of the 4 hours that policy `ci` gives it",
         "observed_at": "2020-01-01T00:00:02Z"},
    ]);
    let data = json!({
        "from": "unknown", "to": "ok", "reason": "its health is not checked", "evidence": evidence,
        "finalize_at": "2120-01-01T00:00:00Z",
    });
    ("2020-01-01T00:00:02Z", "StatusChanged", data)
}

pub(crate) fn gone() -> (&'static str, &'static str, Value) {
    ("2020-01-02T00:00:00Z", "Gone", json!({}))
}
