//! The store in a file: the suite, and what can be the matter with a file.

mod faults;
mod files;
mod speed;

use std::{fs, path::PathBuf, time::Duration};

use common::store::SharedStore;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;
use testbed::HANG;
use tokio::time::timeout;

use super::{Bench, suite};

suite!(contract, super::File::new);

/// A store's file, in a directory of its own.
pub(crate) struct File(TempDir);

impl File {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store.db")
    }

    /// Drops a store, and returns when its file is closed: the last caller may still hold it then.
    async fn close(&self, store: SharedStore) {
        drop(store);
        let one_file = async {
            while fs::read_dir(self.0.path()).unwrap().count() > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(HANG, one_file).await.expect("the log stays beside a file that is closed");
    }

    fn sqlite(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

impl Bench for File {
    fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    async fn plant_entry(&self, document: &Value) {
        let text = |field: &str| document[field].as_str().unwrap();
        let at = text("at").parse::<Timestamp>().unwrap().as_millisecond();
        let (uid, seq, kind, actor) = (text("uid"), document["seq"].as_i64(), text("kind"), text("actor"));
        let row = params![uid, seq, at, kind, actor, text("name"), text("token"), document.to_string()];
        let insert = "INSERT INTO entries (uid, seq, at, kind, actor, name, token, document)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        assert_eq!(self.sqlite().execute(insert, row), Ok(1));
    }

    async fn plant_observation(&self, uid: &lifecycle::Uid, document: &Value) {
        let insert = "INSERT OR REPLACE INTO observations (uid, document) VALUES (?1, ?2)";
        assert_eq!(self.sqlite().execute(insert, params![uid.as_str(), document.to_string()]), Ok(1));
    }

    async fn plant_snapshot(&self, document: &Value) {
        let (fold, record) = (document["fold"].as_i64(), &document["record"]);
        let row = params![record["uid"].as_str(), fold, record["head"].as_i64(), document.to_string()];
        let insert = "INSERT INTO snapshots (uid, fold, head, document) VALUES (?1, ?2, ?3, ?4)";
        assert_eq!(self.sqlite().execute(insert, row), Ok(1));
    }
}
