//! Reading: a few connections beside the writer. In a write-ahead log readers and the writer never wait for each other.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{failure::Failure, file::StoreFile};

/// Queries at a time. They are short and mostly in memory; more would only take the processor from each other.
const READERS: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    file: Arc<StoreFile>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(file: Arc<StoreFile>) -> Self {
        Self { file, permits: Arc::new(Semaphore::new(READERS)), idle: Mutex::default() }
    }

    /// Runs a query. It goes on in the background when nobody waits for it any more, until SQLite is through.
    pub(super) async fn read<T, Q>(self: &Arc<Self>, query: Q) -> Result<T, Failure>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let readers = Arc::clone(self);
        let reading = spawn_blocking(move || {
            let _permit = permit;
            readers.read_now(query)
        });
        reading.await.unwrap_or_else(|error| Err(Failure::Unavailable(format!("the reader did not answer: {error}"))))
    }

    /// A connection that met an error is not used again, so that the next query starts from what is there then.
    fn read_now<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        if let Err(gone) = self.file.present() {
            self.idle().clear();
            return Err(gone);
        }
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| self.file.reader(), Ok)?;
        let found = query(&connection)?;
        self.idle().push(connection);
        Ok(found)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
