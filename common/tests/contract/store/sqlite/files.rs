//! Which files are opened, which are made, and which are refused and left as they are.

use std::{fs, os::unix::fs::PermissionsExt};

use common::store::{self, OpenError};

use super::{Bench, File};
use crate::store::{append, entry, history};

async fn refusal(url: &str) -> OpenError {
    store::open(url).await.expect_err("it was opened")
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let file = File::new();
    fs::write(file.path(), "my notes, longer than the header of a database\n".repeat(100)).unwrap();
    check_foreign(&file, "it is no SQLite file").await;
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let file = File::new();
    file.sqlite().execute_batch("CREATE TABLE notes (text)").unwrap();
    check_foreign(&file, "it is a database of another program").await;
}

#[tokio::test]
async fn a_later_layout_is_refused() {
    let file = File::new();
    file.close(file.open().await).await;
    file.sqlite().execute_batch("PRAGMA user_version = 2").unwrap();
    check_foreign(&file, "it has layout 2, and this program knows only 1").await;
}

/// As the first release made it.
#[tokio::test]
async fn a_file_of_an_earlier_version_gets_what_it_lacks_and_stays_usable_to_that_version() {
    let file = File::new();
    let store = file.open().await;
    append(&*store, &[entry("u", 1)]).await;
    file.close(store).await;
    file.sqlite().execute_batch("DROP TABLE heartbeats; DROP TABLE observations; DROP TABLE notes").unwrap();
    let store = file.open().await;
    assert_eq!(store.heartbeats(9).await.unwrap(), []);
    assert_eq!(store.observation(&lifecycle::Uid::new("u")).await.unwrap(), None);
    assert_eq!(store.note("a").await.unwrap(), None);
    assert_eq!(history(&*store, "u").await.len(), 1);
    let version: i64 = file.sqlite().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

async fn check_foreign(file: &File, why: &str) {
    let before = fs::read(file.path()).unwrap();
    let refusal = refusal(&file.url()).await;
    assert!(matches!(&refusal, OpenError::Foreign { why: found, .. } if found.starts_with(why)), "{refusal}");
    assert!(refusal.to_string().contains("name another path"), "{refusal}");
    assert!(fs::read(file.path()).unwrap() == before, "it was changed");
}

#[tokio::test]
async fn directories_are_made_and_everything_is_private() {
    let bench = File::new();
    let directory = bench.path().with_file_name("a").join("b");
    let _store = store::open(&format!("sqlite:{}/store.db", directory.display())).await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.clone()), 0o700);
    let modes: Vec<_> = fs::read_dir(&directory).unwrap().map(|file| mode(file.unwrap().path())).collect();
    assert_eq!(modes, [0o600; 3], "the file, its log and the log's index");
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let bench = File::new();
    let store = bench.open().await;
    append(&*store, &[entry("u", 1)]).await;
    history(&*store, "u").await;
    bench.close(store).await;
    assert!(bench.path().exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() {
    // Not even root makes files there.
    let refusal = refusal("sqlite:/sys/store.db").await.to_string();
    assert!(refusal.starts_with("cannot open store file `/sys/store.db`: `/sys/store.db`: "), "{refusal}");
}

#[tokio::test]
async fn a_relative_path_stays_the_same_file() {
    let refusal = refusal("sqlite:Cargo.toml").await.to_string();
    let here = std::env::current_dir().unwrap();
    assert!(refusal.contains(&format!("`{}/Cargo.toml`", here.display())), "{refusal}");
}

#[tokio::test]
async fn another_scheme_is_named_and_nothing_else_of_the_url() {
    let check = async |url, text| assert_eq!(refusal(url).await.to_string(), text);
    check(
        "couch://eve:secret@db/nsm",
        "no store has the scheme `couch`; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`",
    )
    .await;
    check("/var/lib/nsm.db", "the store's url is not one; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`")
        .await;
    check("s3cr3t/eve:x", "the store's url is not one; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`")
        .await;
    check("sqlite:", "the store's url is not one; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`").await;
}
