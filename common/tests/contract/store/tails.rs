//! The tail: the histories of all namespaces, by time.

use common::store::EntryPosition;
use lifecycle::{Entry, Uid};

use super::{Bench, NONE, append, at, entry, places, seqs};

fn of(uid: &str, seq: u64, second: u64) -> Entry {
    Entry { at: at(second), ..entry(uid, seq) }
}

fn place(uid: &str, seq: u64, second: u64) -> EntryPosition {
    EntryPosition { at: at(second), uid: Uid::new(uid), seq }
}

pub(crate) async fn the_tail_is_ordered_by_place(bench: &impl Bench) {
    let store = bench.open().await;
    // Numbers order as numbers, and an instant may lie before that of the entry it follows.
    append(&*store, &[of("b", 1, 2), of("a", 10, 2), of("a", 9, 2), of("c", 1, 3), of("c", 2, 1)]).await;
    let tail = store.tail(at(0), None, 99).await.unwrap();
    assert_eq!(places(&tail), [("c", 2), ("a", 9), ("a", 10), ("b", 1), ("c", 1)]);
}

pub(crate) async fn the_tail_goes_on_after_a_place_among_equal_instants(bench: &impl Bench) {
    let store = bench.open().await;
    let entries = [of("a", 1, 5), of("a", 2, 5), of("b", 1, 5), of("b", 2, 5), of("c", 1, 5), of("c", 2, 6)];
    append(&*store, &entries).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.tail(at(5), after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(EntryPosition { at: last.at, uid: last.uid.clone(), seq: last.seq });
        seen.extend(page);
        assert!(seen.len() <= entries.len(), "it turns in circles: {seen:?}");
    }
    assert_eq!(seen, entries);
}

pub(crate) async fn the_tail_begins_at_an_instant(bench: &impl Bench) {
    let store = bench.open().await;
    append(&*store, &[of("a", 1, 4), of("a", 2, 5), of("a", 3, 6)]).await;
    let from = async |from| seqs(&store.tail(from, None, 99).await.unwrap());
    assert_eq!(from(at(5)).await, [2, 3]);
    assert_eq!(from(at(5) + jiff::SignedDuration::from_nanos(1)).await, [3]);
    assert_eq!(from(at(7)).await, NONE);
}

pub(crate) async fn the_later_of_both_bounds_counts(bench: &impl Bench) {
    let store = bench.open().await;
    append(&*store, &[of("a", 1, 4), of("a", 2, 5), of("a", 3, 6)]).await;
    let tail = async |from, after| seqs(&store.tail(from, Some(&after), 99).await.unwrap());
    assert_eq!(tail(at(5), place("a", 1, 3)).await, [2, 3]);
    assert_eq!(tail(at(4), place("a", 2, 5)).await, [3]);
    assert_eq!(tail(at(5), place("a", 2, 5)).await, [3]);
}
