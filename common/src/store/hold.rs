//! Who runs on a store that is a file: one process, by a lock that ends with it.
//!
//! The lock is on a file of its own: to close any descriptor of the store's would give up the locks of SQLite.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How often and how far apart a lock is tried: another process may just then test who holds it.
const TRIES: (u32, Duration) = (5, Duration::from_millis(50));

/// How the lock is called, beside the store's file.
const SUFFIX: &str = ".lock";

/// What SQLite leaves beside a file that somebody has open, or left in the middle of something.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The hold on a store's file; dropped, or with the process, it ends.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

/// Who holds a store's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub since: Timestamp,
}

/// Why a store's file is not held.
#[derive(Debug, thiserror::Error)]
pub enum NotHeld {
    #[error(
        "another process runs on the store `{}`{}; end that one, or give this one a store of its own (`store.url`)",
        .path.display(),
        .holder.map_or(String::new(), |it| format!(": process {} since {}", it.pid, it.since))
    )]
    Held { path: PathBuf, holder: Option<Holder> },
    #[error("cannot lock `{}`", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Holds a store's file for this process.
///
/// # Errors
/// When another process does, or its lock cannot be written.
pub fn hold(store: &Path, now: Timestamp) -> Result<Hold, NotHeld> {
    let path = lock_of(store);
    let failed = |source| NotHeld::Io { path: path.clone(), source };
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    for _ in 0..TRIES.0 {
        match file.try_lock() {
            Ok(()) => {
                let holder = Holder { pid: std::process::id(), since: now };
                let text = serde_json::to_string(&holder).expect("plain data serializes");
                let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
                written.map_err(failed)?;
                return Ok(Hold { _file: file });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(TRIES.1),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(NotHeld::Held { path: store.to_owned(), holder: read(&mut file) })
}

/// The stores in a directory, by the names of their files, that a live process holds, with what it told of itself.
#[must_use]
pub fn held_in(directory: &Path, is_store: impl Fn(&str) -> bool) -> Vec<(PathBuf, Option<Holder>)> {
    stores_in(directory, is_store)
        .into_iter()
        .filter_map(|store| is_held(&store).map(|holder| (store, holder)))
        .collect()
}

/// Whether somebody has a store's file open, or left it in the middle of something. Earlier versions hold no lock.
#[must_use]
pub fn is_open(store: &Path) -> bool {
    BESIDE.iter().any(|suffix| while_running(store, suffix).exists())
}

/// The stores of a directory, by their names, in order; none where it cannot be read.
#[must_use]
pub fn stores_in(directory: &Path, is_store: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut stores: Vec<_> = names.filter(|name| is_store(name)).map(|name| directory.join(name)).collect();
    stores.sort();
    stores
}

/// Who holds a store, if somebody does. A shared lock tells, and ends at once.
fn is_held(store: &Path) -> Option<Option<Holder>> {
    let mut file = File::open(lock_of(store)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read(&mut file)),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn lock_of(store: &Path) -> PathBuf {
    while_running(store, SUFFIX)
}

fn while_running(store: &Path, suffix: &str) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_held_by_one_and_until_that_ends() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("below").join("nsm-a.db");
        let now = Timestamp::UNIX_EPOCH;
        let held_in = || held_in(&directory.path().join("below"), |name| name.ends_with(".db"));
        let hold = |now| super::hold(&store, now);
        assert_eq!(held_in(), []);
        let first = hold(now).unwrap();
        fs::write(&store, "").unwrap();
        let holder = Holder { pid: std::process::id(), since: now };
        assert_eq!(held_in(), [(store.clone(), Some(holder))]);
        let refused = hold(now).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {} since {now}", holder.pid)), "{refused}");
        drop(first);
        assert_eq!(held_in(), []);
        hold(now).unwrap();
    }
}
