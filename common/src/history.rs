//! Reading a namespace's record, and appending to its history.

use jiff::Timestamp;
use lifecycle::{Actor, Entry, Event, Record, Uid, event::MAX_ENTRY_BYTES, time::cut_to_millis};

use crate::store::{Inserted, Result, Store};

/// How many entries are read at once.
const PAGE: usize = 500;

/// The outcome of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, and folded into the record.
    Written,
    /// Somebody else appended first. Load again, decide again.
    Conflict,
}

/// Loads a record: the snapshot where there is one, and every entry after it.
///
/// # Errors
/// When the store is out of reach or damaged.
pub async fn load(store: &dyn Store, uid: &Uid) -> Result<Record> {
    read(store, uid).await.map(|(record, _)| record)
}

/// Loads a record, and makes its snapshot current where it lags: the last writer may not have learned that it did,
/// or not have come to it, and lists are made of snapshots.
///
/// # Errors
/// As [`load`]; the snapshot is put if it can be.
pub async fn load_and_mend(store: &dyn Store, uid: &Uid) -> Result<Record> {
    let (record, shown) = read(store, uid).await?;
    if shown < record.head {
        let _ = store.put_snapshot(&record).await;
    }
    Ok(record)
}

/// Appends the next entry to the history a record was folded from.
///
/// The record's number is the whole of the concurrency control: the entry is written under `head + 1` or not at all.
///
/// # Errors
/// When the store is out of reach: the entry may have been written, and a later [`load`] tells.
pub async fn append(
    store: &dyn Store,
    record: &mut Record,
    actor: &Actor,
    event: Event,
    now: Timestamp,
) -> Result<Appended> {
    let name = record.name.clone();
    append_named(store, record, &name, actor, event, now).await
}

/// Appends the next entry, with the name of the namespace: for the first one, before the record knows it.
///
/// # Errors
/// As [`append`].
pub async fn append_named(
    store: &dyn Store,
    record: &mut Record,
    name: &str,
    actor: &Actor,
    event: Event,
    now: Timestamp,
) -> Result<Appended> {
    let entry = Entry {
        uid: record.uid.clone(),
        seq: record.head + 1,
        at: cut_to_millis(now),
        actor: actor.clone(),
        name: name.to_owned(),
        token: token(),
        event,
    };
    debug_assert!(serde_json::to_vec(&entry).is_ok_and(|json| json.len() <= MAX_ENTRY_BYTES), "{entry:?}");
    match store.append(&entry).await? {
        Inserted::Written => {
            record.fold(&entry);
            Ok(Appended::Written)
        }
        Inserted::Taken => Ok(Appended::Conflict),
    }
}

/// The record, and the number its snapshot was folded at.
async fn read(store: &dyn Store, uid: &Uid) -> Result<(Record, u64)> {
    let snapshot = store.snapshot(uid).await?;
    let shown = snapshot.as_ref().map_or(0, |record| record.head);
    // A snapshot of a damaged record is for lists: what this version could not read, a later one may.
    let whole = snapshot.filter(|record| record.damage.is_none());
    let mut record = whole.unwrap_or_else(|| Record::new(uid.clone()));
    loop {
        let page = store.history(uid, record.head, PAGE).await?;
        page.iter().for_each(|entry| record.fold(entry));
        if page.len() < PAGE {
            return Ok((record, shown));
        }
    }
}

/// A random text that nobody else chooses: 128 bits in hexadecimal.
#[must_use]
pub fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use lifecycle::event::{Gone, Released};

    use super::*;
    use crate::store::{SharedStore, temporary};

    fn released() -> Event {
        Event::Released(Released { why: "for a test".into() })
    }

    async fn write(store: &SharedStore, record: &mut Record, event: Event) -> Appended {
        let actor = Actor::person("me");
        append_named(&**store, record, "a", &actor, event, Timestamp::UNIX_EPOCH).await.unwrap()
    }

    #[tokio::test]
    async fn who_comes_second_under_a_number_learns_it_and_writes_nothing() {
        let (_directory, store) = temporary().await;
        let uid = Uid::new("u");
        let (mut first, mut second) = (Record::new(uid.clone()), Record::new(uid.clone()));
        assert_eq!(write(&store, &mut first, released()).await, Appended::Written);
        let before = second.clone();
        assert_eq!(write(&store, &mut second, Event::Gone(Gone {})).await, Appended::Conflict);
        assert_eq!(second, before);
        assert_eq!(load(&*store, &uid).await.unwrap(), first);
    }

    #[tokio::test]
    async fn the_snapshot_of_a_damaged_record_is_not_believed() {
        let (_directory, store) = temporary().await;
        let mut record = Record::new(Uid::new("u"));
        write(&store, &mut record, released()).await;
        let mut damaged = record.clone();
        (damaged.head, damaged.damage) = (9, Some(lifecycle::record::Damage::Gap(2)));
        store.put_snapshot(&damaged).await.unwrap();
        assert_eq!(load(&*store, &record.uid).await.unwrap(), record);
    }

    #[tokio::test]
    async fn a_record_is_the_same_with_and_without_its_snapshot() {
        let (_directory, store) = temporary().await;
        let mut record = Record::new(Uid::new("u"));
        for number in 0..1_203 {
            if number == 700 {
                store.put_snapshot(&record).await.unwrap();
            }
            write(&store, &mut record, released()).await;
        }
        assert_eq!(load(&*store, &record.uid).await.unwrap(), record);
        let whole = Record::of(record.uid.clone(), &store.history(&record.uid, 0, 2_000).await.unwrap());
        assert_eq!(whole, record);
    }
}
