//! The store of nsm, read beside it while it is written.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::scene::{Manager, Scene};
use crate::audit_checker::Entry;

/// The error of every time that is found by looking. A look takes less than a tenth of it.
const PAUSE: Duration = Duration::from_millis(10);
/// Far beyond what anything that is waited for has ever taken.
const WAIT_TIMEOUT: Duration = Duration::from_secs(180);

/// Waits until the store holds so many durable entries of a kind, from `since` on.
pub(super) async fn wait_for(
    scene: &Scene,
    manager: &mut Manager,
    kind: &str,
    since: Timestamp,
    count: usize,
) -> Result<()> {
    let end = tokio::time::Instant::now() + WAIT_TIMEOUT;
    let mut store = None;
    loop {
        manager.ensure_running()?;
        // It is not there before nsm has begun.
        if store.is_none() {
            store = Store::open(&scene.store).ok();
        }
        let found = store.as_ref().and_then(|store| store.count(kind, since).ok()).unwrap_or(0);
        if found >= count {
            return Ok(());
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < end,
            "gave up after {WAIT_TIMEOUT:?} with {found} of {count} entries `{kind}`\n{}",
            manager.log_tail()
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// A connection that only reads.
struct Store(Connection);

impl Store {
    fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self(connection))
    }

    fn count(&self, kind: &str, since: Timestamp) -> Result<usize> {
        let mut query = self.0.prepare_cached("SELECT count(*) FROM entries WHERE kind = ?1 AND at >= ?2")?;
        let count: i64 = query.query_row(rusqlite::params![kind, since.as_millisecond()], |row| row.get(0))?;
        Ok(usize::try_from(count)?)
    }
}

/// The entries of all namespaces since then, in the order of their time.
pub(super) fn entries(scene: &Scene, since: Timestamp) -> Result<Vec<Entry>> {
    let store = Store::open(&scene.store)?;
    let mut query = store.0.prepare("SELECT document FROM entries WHERE at >= ?1 ORDER BY at, uid, seq")?;
    let documents = query.query_map([since.as_millisecond()], |row| row.get::<_, String>(0))?;
    documents.map(|document| Ok(serde_json::from_str(&document?)?)).collect()
}
