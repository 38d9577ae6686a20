//! The store's file: made where there is none, recognised as ours, and watched for going away.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{
    failure::{Failure, is_busy},
    schema::{ADDED, APPLICATION_ID, NEWEST, SCHEMA_VERSION, TABLES},
};

/// How long a lock of another process is waited for, so that the caller is told of it before its deadline of 4 s.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_millis(3_500);

/// How long the writer waits at a time before it checks whose deadline is over.
const WRITER_BUSY_TIMEOUT: Duration = Duration::from_millis(200);

/// How often a lock is tried. SQLite's own backoff sleeps up to 100 ms and starves beside a busy writer.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// Of each reader, in KiB when negative. Histories are read once and not again, and the system keeps the file in memory.
const READER_CACHE: i32 = -256;

/// Beyond this the log is cut back after it was copied into the file, so that one flood does not occupy disk for ever.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Closing any descriptor of a file gives up every lock this process has on it
/// (<https://www.sqlite.org/howtocorrupt.html> section 2.2). The only descriptor that is not SQLite's is the one that
/// creates the file; nobody else of this process opens a store meanwhile.
static CREATING: Mutex<()> = Mutex::new(());

/// A store's file, and which file it was when it was opened.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    identity: Identity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl StoreFile {
    /// Opens the file, or makes it and the directories above it.
    pub(super) fn open(path: &Path) -> Result<(Self, Connection), Failure> {
        let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
        create(path)?;
        let identity = Identity::of(path).map_err(|error| io_failure(path, &error))?;
        let file = Self { path: path.to_owned(), identity };
        let mut connection = file.connect(BUSY_TIMEOUT)?;
        lay_out(&mut connection)?;
        add_what_lacks(&mut connection)?;
        file.prepare_writer(&mut connection)?;
        file.present()?;
        Ok((file, connection))
    }

    /// A connection to write with.
    pub(super) fn writer(&self) -> Result<Connection, Failure> {
        let mut connection = self.connect(WRITER_BUSY_TIMEOUT)?;
        match content_of(&mut connection)? {
            Content::Store => {}
            Content::Nothing => return Err(Failure::Damaged("the file was emptied".to_owned())),
        }
        self.prepare_writer(&mut connection)?;
        Ok(connection)
    }

    /// A connection to read with.
    pub(super) fn reader(&self) -> Result<Connection, Failure> {
        let connection = self.connect(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", READER_CACHE)?;
        Ok(connection)
    }

    /// Whether the path still leads to the file that was opened. A file that was removed or replaced can be written
    /// for as long as it is held open, and everything written is lost. SQLite checks itself before it removes the log,
    /// by its path, with the last connection: that may be the log of the file which is there now.
    pub(super) fn present(&self) -> Result<(), Failure> {
        match Identity::of(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_failure(&self.path, &error)),
            _ => Err(Failure::Unavailable(
                "the file was removed or replaced; put it back, or restart to go on with what is there".to_owned(),
            )),
        }
    }

    /// For people.
    pub(super) fn place(&self) -> String {
        place(&self.path)
    }

    fn connect(&self, timeout: Duration) -> Result<Connection, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_handler(Some(wait_for_locks(timeout)))?;
        if connection.is_readonly("main")? {
            return Err(Failure::Unavailable("the file is read-only".to_owned()));
        }
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(connection)
    }

    fn prepare_writer(&self, connection: &mut Connection) -> Result<(), Failure> {
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Failure::Unavailable(format!(
                "the file system cannot carry a write-ahead log (SQLite says `{mode}`); use a local disk"
            )));
        }
        connection.busy_handler(Some(wait_for_locks(WRITER_BUSY_TIMEOUT)))?;
        Ok(())
    }
}

impl Identity {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// For people: which file it is about.
pub(super) fn place(path: &Path) -> String {
    format!("store file `{}`", path.display())
}

enum Content {
    Nothing,
    Store,
}

fn create(path: &Path) -> Result<(), Failure> {
    if let Some(directory) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| io_failure(directory, &error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_failure(path, &error)),
    }
}

fn io_failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unavailable(format!("`{}`: {error}", path.display()))
}

/// Makes the tables in an empty file. Of two processes that find it empty one makes them; the other sees them.
fn lay_out(connection: &mut Connection) -> Result<(), Failure> {
    if let Content::Store = content_of(connection)? {
        return Ok(());
    }
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        // SQLite does not wait for a lock where two connections that wait for each other could never end.
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if is_busy(&error) && Instant::now() < until => thread::sleep(LOCK_POLL),
            other => break other?,
        }
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Content::Nothing = content(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(transaction.commit()?)
}

/// Adds the tables that a store of an earlier version has not got.
fn add_what_lacks(connection: &mut Connection) -> Result<(), Failure> {
    let present = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    if connection.query_row(present, [NEWEST], |row| row.get::<_, i64>(0))? > 0 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(ADDED)?;
    Ok(transaction.commit()?)
}

fn content_of(connection: &mut Connection) -> Result<Content, Failure> {
    let transaction = connection.transaction()?;
    content(&transaction)
}

/// What a file holds. It reads twice, so the caller holds a transaction.
fn content(connection: &Connection) -> Result<Content, Failure> {
    let marker = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let id = marker("application_id").map_err(unless_sqlite)?;
    let version = marker("user_version")?;
    let things: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, version, things) {
        (APPLICATION_ID, SCHEMA_VERSION, _) => Ok(Content::Store),
        (APPLICATION_ID, _, _) => Err(Failure::Foreign(format!(
            "it has layout {version}, and this program knows only {SCHEMA_VERSION}; use the program's version that \
             wrote it, or name another path"
        ))),
        (0, 0, 0) => Ok(Content::Nothing),
        _ => Err(Failure::Foreign(
            "it is a database of another program; name another path, or move it out of the way".to_owned(),
        )),
    }
}

fn unless_sqlite(error: rusqlite::Error) -> Failure {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        return Failure::Foreign(
            "it is no SQLite file, or its beginning is destroyed; name another path, restore it from a backup, or \
             move it out of the way"
                .to_owned(),
        );
    }
    error.into()
}

fn wait_for_locks(timeout: Duration) -> impl FnMut(i32) -> bool + Send + 'static {
    let mut since = Instant::now();
    move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        thread::sleep(LOCK_POLL);
        since.elapsed() < timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No test here can cut the power, so the settings that outlive it are checked.
    #[test]
    fn what_is_committed_outlives_a_loss_of_power() {
        let directory = tempfile::TempDir::new().unwrap();
        let (file, first) = StoreFile::open(&directory.path().join("store.db")).unwrap();
        for connection in [first, file.writer().unwrap()] {
            let setting =
                |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0));
            assert_eq!(setting("synchronous"), Ok(2.into()), "FULL");
            assert_eq!(setting("journal_mode"), Ok("wal".to_owned().into()));
        }
    }
}
