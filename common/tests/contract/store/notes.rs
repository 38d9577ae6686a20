//! What sources said last of what is no namespace.

use common::store::SourceCacheEntry;
use serde_json::json;

use super::{Bench, at};

fn note(about: &str, second: u64) -> SourceCacheEntry {
    SourceCacheEntry { about: about.to_owned(), at: at(second), body: json!({"state": {"a.b": second}, "$etag": null}) }
}

pub(crate) async fn the_last_note_is_read_as_it_was_put(bench: &impl Bench) {
    let store = bench.open().await;
    for (about, second) in [("ci/7/46", 1), ("ci/7/4", 2), ("ci/7/46", 3), ("ci/7/46", 2)] {
        store.put_note(&note(about, second)).await.unwrap();
    }
    assert_eq!(store.note("ci/7/46").await.unwrap(), Some(note("ci/7/46", 2)));
    assert_eq!(bench.open().await.note("ci/7/4").await.unwrap(), Some(note("ci/7/4", 2)));
    assert_eq!(store.note("ci/7").await.unwrap(), None);
}

pub(crate) async fn old_notes_are_forgotten_by_pages(bench: &impl Bench) {
    let store = bench.open().await;
    for second in 1..=5 {
        store.put_note(&note(&format!("a{second}"), second)).await.unwrap();
    }
    assert_eq!(store.forget_notes(at(5), 3).await.unwrap(), 3);
    assert_eq!(store.forget_notes(at(5), 3).await.unwrap(), 1);
    assert_eq!(store.forget_notes(at(5), 3).await.unwrap(), 0);
    assert_eq!(store.note("a4").await.unwrap(), None);
    assert_eq!(store.note("a5").await.unwrap(), Some(note("a5", 5)));
}
