//! Writing: what many callers ask for at the same time becomes one transaction, which costs one sync of the disk.
//!
//! Writes queue up. The first to find nobody at work starts a drain, which commits everything that waits, again and
//! again, until nothing does. It runs as a blocking task rather than in a thread of its own: tokio's paused clock
//! stands still while a blocking task runs, so a simulated minute does not pass while SQLite writes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rusqlite::Connection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_blocking,
};

use super::{
    failure::{Failure, is_busy},
    file::{BUSY_TIMEOUT, StoreFile},
    writes::StoreWrite,
};
use crate::store::Inserted;

/// Writes that may wait; later ones wait to wait. At most 16 KiB each.
const CAPACITY: usize = 4_096;

/// Writes in one transaction: enough to make the sync cheap, few enough that other processes get their turn.
const BATCH: usize = 512;

type Answer = Result<Inserted, Failure>;

#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<StoreFile>,
    room: Arc<Semaphore>,
    queue: Mutex<Queue>,
    /// `None` after an error, until the next write.
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Write>,
    draining: bool,
}

#[derive(Debug)]
struct Write {
    change: StoreWrite,
    /// Until when it waits for a lock of another process.
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
    _room: OwnedSemaphorePermit,
}

impl Writer {
    pub(super) fn new(file: Arc<StoreFile>, connection: Connection) -> Self {
        Self {
            file,
            room: Arc::new(Semaphore::new(CAPACITY)),
            queue: Mutex::default(),
            connection: Mutex::new(Some(connection)),
        }
    }

    /// Makes a change durable. When nobody waits for the answer any more, it may be made all the same.
    pub(super) async fn write(self: &Arc<Self>, change: StoreWrite) -> Answer {
        let room = Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed");
        let (answer, answered) = oneshot::channel();
        let write = Write { change, deadline: Instant::now() + BUSY_TIMEOUT, answer, _room: room };
        if let Some(drain) = self.enqueue(write) {
            // Nobody has to wait for it: it ends with the queue, and each of its writes is waited for.
            drop(spawn_blocking(move || drain.run()));
        }
        answered.await.unwrap_or_else(|_| Err(Failure::Unavailable("the writer ended before its turn".to_owned())))
    }

    /// Adds a write, and says whether to start the drain.
    fn enqueue(self: &Arc<Self>, write: Write) -> Option<Drain> {
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(write);
        let first = !queue.draining;
        queue.draining = true;
        first.then(|| Drain { writer: Arc::clone(self), done: false })
    }

    /// Commits what waits, once.
    fn turn(&self) {
        let connection = match self.connection() {
            Ok(connection) => connection,
            Err(failure) => return self.fail_all(&failure),
        };
        // The lock first and the batch afterwards: what came meanwhile is in it.
        match connection.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => {}
            Err(error) if is_busy(&error) => {
                self.keep(connection);
                return self.fail_impatient(&error.into());
            }
            Err(error) => return self.fail_all(&error.into()),
        }
        let batch = self.take_batch();
        let committed = commit(&connection, &batch);
        match (committed, self.file.present()) {
            (Ok(answers), Ok(())) => {
                self.keep(connection);
                batch.into_iter().zip(answers).for_each(|(write, answer)| write.answer(Ok(answer)));
            }
            // Committed or not: it is in no file that anybody will ever read.
            (_, Err(gone)) => {
                batch.into_iter().for_each(|write| write.answer(Err(gone.clone())));
            }
            (Err(error), Ok(())) => {
                drop(connection);
                self.answer_what_is_there(batch, &error.into());
            }
        }
    }

    fn connection(&self) -> Result<Connection, Failure> {
        let connection = lock(&self.connection).take();
        self.file.present()?;
        connection.map_or_else(|| self.file.writer(), Ok)
    }

    fn keep(&self, connection: Connection) {
        *lock(&self.connection) = Some(connection);
    }

    /// After an error nobody knows what was written, so each id is read back.
    fn answer_what_is_there(&self, batch: Vec<Write>, failure: &Failure) {
        let connection = self.file.writer().and_then(|connection| {
            // What a failed sync left may be visible and yet not durable, until it is copied into the file.
            let blocked: bool = connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0))?;
            if blocked { Err(failure.clone()) } else { Ok(connection) }
        });
        for write in batch {
            let found = connection.as_ref().ok().and_then(|connection| write.change.find(connection).ok()?);
            write.answer(found.ok_or_else(|| failure.clone()));
        }
        if let Ok(connection) = connection {
            self.keep(connection);
        }
    }

    fn take_batch(&self) -> Vec<Write> {
        let mut queue = lock(&self.queue);
        let count = queue.waiting.len().min(BATCH);
        queue.waiting.drain(..count).collect()
    }

    fn fail_all(&self, failure: &Failure) {
        let waiting = std::mem::take(&mut lock(&self.queue).waiting);
        waiting.into_iter().for_each(|write| write.answer(Err(failure.clone())));
    }

    fn fail_impatient(&self, failure: &Failure) {
        let now = Instant::now();
        let mut queue = lock(&self.queue);
        // They stand in the order of their deadlines.
        while let Some(write) = queue.waiting.pop_front_if(|write| write.deadline <= now) {
            write.answer(Err(failure.clone()));
        }
    }
}

impl Write {
    fn answer(self, answer: Answer) {
        // The caller may have given up.
        self.answer.send(answer).ok();
    }
}

/// Works until nothing waits. At most one exists.
struct Drain {
    writer: Arc<Writer>,
    done: bool,
}

impl Drain {
    fn run(mut self) {
        while self.goes_on() {
            self.writer.turn();
        }
    }

    /// Whether something waits. To say no and to leave is one step, so that the next write starts another drain.
    fn goes_on(&mut self) -> bool {
        let mut queue = lock(&self.writer.queue);
        queue.waiting.retain(|write| !write.answer.is_closed());
        self.done = queue.waiting.is_empty();
        queue.draining = !self.done;
        !self.done
    }
}

impl Drop for Drain {
    /// A drain that panicked, or that a runtime dropped before it began, must not keep others from starting.
    fn drop(&mut self) {
        if !self.done {
            *lock(&self.writer.queue) = Queue::default();
        }
    }
}

fn commit(connection: &Connection, batch: &[Write]) -> rusqlite::Result<Vec<Inserted>> {
    let answers = batch.iter().map(|write| write.change.apply(connection)).collect::<rusqlite::Result<_>>()?;
    connection.execute_batch("COMMIT")?;
    Ok(answers)
}

/// What is behind these locks is whole between any two statements, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
