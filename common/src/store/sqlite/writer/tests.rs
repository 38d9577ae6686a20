//! What no caller can bring about: an outcome that nobody knows, and a drain that never ran.

use jiff::Timestamp;
use lifecycle::{Actor, Entry, Event, Uid, event::Released};
use tempfile::TempDir;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

struct Bench {
    writer: Arc<Writer>,
    directory: TempDir,
}

fn bench() -> Bench {
    let directory = TempDir::new().unwrap();
    let (file, connection) = StoreFile::open(&directory.path().join("store.db")).unwrap();
    Bench { writer: Arc::new(Writer::new(Arc::new(file), connection)), directory }
}

fn change(seq: u64, token: &str) -> StoreWrite {
    let event = Event::Released(Released { why: "x".repeat(10_000) });
    let (uid, actor) = (Uid::new("u"), Actor::role("a", "test"));
    let at = Timestamp::UNIX_EPOCH;
    StoreWrite::entry(&Entry { uid, seq, at, actor, name: "n".to_owned(), token: token.to_owned(), event }).unwrap()
}

async fn write(writer: &Arc<Writer>, change: StoreWrite) -> (Write, oneshot::Receiver<Answer>) {
    let (answer, answered) = oneshot::channel();
    let room = Arc::clone(&writer.room).acquire_owned().await.unwrap();
    (Write { change, deadline: Instant::now() + BUSY_TIMEOUT, answer, _room: room }, answered)
}

#[tokio::test]
async fn after_an_error_the_answer_is_what_is_there() {
    let Bench { writer, directory: _directory } = &bench();
    for seq in [1, 2] {
        assert_eq!(writer.write(change(seq, "own")).await, Ok(Inserted::Written));
    }
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for change in [change(1, "own"), change(2, "another's"), change(3, "own"), StoreWrite::Ping] {
        let (write, answered) = write(writer, change).await;
        batch.push(write);
        answers.push(answered);
    }
    let failure = Failure::Unavailable("the cable was cut".to_owned());
    writer.answer_what_is_there(batch, &failure);
    let answers: Vec<Answer> = answers.iter_mut().map(|answered| answered.try_recv().unwrap()).collect();
    assert_eq!(answers, [Ok(Inserted::Written), Ok(Inserted::Taken), Err(failure.clone()), Err(failure)]);
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_batch_and_is_got_over() {
    let Bench { writer, directory: _directory } = &bench();
    assert_eq!(writer.write(change(1, "own")).await, Ok(Inserted::Written));
    {
        // A limit of this connection alone, as if the disk had room again for the next one.
        let connection = lock(&writer.connection);
        connection.as_ref().unwrap().pragma_update_and_check(None, "max_page_count", 1, |_| Ok(())).unwrap();
    }
    let full = Failure::Unavailable("the disk is full".to_owned());
    let (one, other) = tokio::join!(writer.write(change(2, "own")), writer.write(change(1, "another's")));
    assert_eq!((one, other), (Err(full), Ok(Inserted::Taken)));
    assert_eq!(writer.write(change(2, "own")).await, Ok(Inserted::Written));
}

/// It was there when the write began, and is not when it is committed.
#[tokio::test]
async fn what_was_committed_into_a_file_that_went_is_not_acknowledged() {
    let Bench { writer, directory } = &bench();
    let path = directory.path().join("store.db");
    let locker = Connection::open(&path).unwrap();
    locker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waits = async {
        while lock(&writer.connection).is_some() {
            tokio::task::yield_now().await;
        }
        std::fs::rename(&path, directory.path().join("away")).unwrap();
        locker.execute_batch("COMMIT").unwrap();
    };
    let (answer, ()) = tokio::join!(writer.write(change(1, "own")), waits);
    assert!(matches!(&answer, Err(Failure::Unavailable(why)) if why.contains("was removed or replaced")), "{answer:?}");
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_is_not_made() {
    let Bench { writer, directory: _directory } = &bench();
    let (given_up, answered) = write(writer, change(1, "given up")).await;
    drop(answered);
    let mut drain = writer.enqueue(given_up).expect("nothing drains yet");
    assert!(!drain.goes_on());
    assert_eq!(writer.write(change(1, "own")).await, Ok(Inserted::Written));
}

#[tokio::test]
async fn a_drain_that_was_dropped_makes_way_for_the_next() {
    let Bench { writer, directory: _directory } = &bench();
    let (first, mut answered) = write(writer, change(1, "first")).await;
    // So does a runtime that ends before the drain's turn came.
    drop(writer.enqueue(first));
    assert_eq!(answered.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(writer.write(change(1, "own")).await, Ok(Inserted::Written));
}

#[tokio::test]
async fn one_drain_answers_all_who_wait() {
    let Bench { writer, directory: _directory } = &bench();
    let (one, mut first) = write(writer, change(1, "own")).await;
    let (other, mut second) = write(writer, change(1, "another's")).await;
    let drain = writer.enqueue(one).expect("nothing drains yet");
    assert!(writer.enqueue(other).is_none(), "one drain is enough");
    drain.run();
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(Inserted::Written)), Ok(Ok(Inserted::Taken))));
}

impl Writer {
    /// Holds up the writer as a disk does that does not answer.
    pub(in crate::store::sqlite) fn hang(&self, meanwhile: impl FnOnce()) {
        let _connection = lock(&self.connection);
        meanwhile();
    }
}
