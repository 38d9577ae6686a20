//! Histories: what is written stays as it was written.

use common::store::{Inserted, StoreError};
use lifecycle::{
    Entry, Event, Mode, Uid,
    event::{Adopted, Kept, MAX_ENTRY_BYTES, Pair, PolicyRef, Released},
};
use serde_json::{Value, json};

use super::{Bench, NONE, append, at, entry, history, places, seqs};

pub(crate) async fn an_entry_is_read_as_it_was_written(bench: &impl Bench) {
    let store = bench.open().await;
    let terms = PolicyRef { policy: "reviews".to_owned(), policy_hash: "abc".to_owned(), mode: Mode::Enforce };
    let ci = vec![Pair { k: "a.b/$c".to_owned(), v: "ä \u{0} \"quoted\" \n".to_owned() }];
    let adopted =
        Event::Adopted(Adopted { terms, created: at(0), ci, deadline: None, again: false, deleted_before: 0 });
    let kept = Event::Kept(Kept { requested: None, until: Some(at(9)), first_seen: None, by: None, reason: None });
    let entries = [Entry { event: adopted, ..entry("u", 1) }, Entry { event: kept, ..entry("u", 2) }];
    append(&*store, &entries).await;
    assert_eq!(history(&*store, "u").await, entries);
}

pub(crate) async fn the_first_entry_with_a_number_stays(bench: &impl Bench) {
    let store = bench.open().await;
    let first = entry("u", 1);
    assert_eq!(store.append(&first).await.unwrap(), Inserted::Written);
    assert_eq!(store.append(&entry("u", 1)).await.unwrap(), Inserted::Taken);
    assert_eq!(history(&*store, "u").await, [first]);
}

/// The reply to the first was lost on its way.
pub(crate) async fn a_repeated_append_was_written(bench: &impl Bench) {
    let store = bench.open().await;
    let entries = [entry("u", 1), entry("u", 2)];
    append(&*store, &entries).await;
    append(&*store, &entries).await;
    assert_eq!(history(&*store, "u").await, entries);
}

pub(crate) async fn a_history_is_read_in_order_and_by_pages(bench: &impl Bench) {
    let store = bench.open().await;
    let mut entries: Vec<Entry> = (1..=12).map(|seq| entry("u", seq)).collect();
    entries.reverse();
    append(&*store, &entries).await;
    let uid = Uid::new("u");
    let page = async |after, limit| seqs(&store.history(&uid, after, limit).await.unwrap());
    assert_eq!(page(0, 3).await, [1, 2, 3]);
    assert_eq!(page(8, 3).await, [9, 10, 11]);
    assert_eq!(page(11, 3).await, [12]);
    assert_eq!(page(12, 3).await, NONE);
    assert_eq!(page(u64::MAX, 3).await, NONE);
    assert_eq!(page(0, 0).await, NONE);
}

pub(crate) async fn histories_are_apart(bench: &impl Bench) {
    let store = bench.open().await;
    append(&*store, &[entry("u:1", 1), entry("u", 1), entry("U", 1), entry("u", 2)]).await;
    assert_eq!(places(&history(&*store, "u").await), [("u", 1), ("u", 2)]);
    assert_eq!(places(&history(&*store, "U").await), [("U", 1)]);
    assert_eq!(history(&*store, "nobody").await, []);
}

pub(crate) async fn a_kind_of_a_later_version_is_kept_to_the_byte(bench: &impl Bench) {
    let store = bench.open().await;
    let data = json!({
        "woke": null, "numbers": [0, -1, i64::MAX, i64::MIN, 0.5, 1e300], "text": "ä\u{0}\u{10ffff}\\\"",
        "nested": {"": [], "empty": {}}, "yes": true,
    });
    let event = Event::Unrecognised { kind: "Slept".to_owned(), data: data.clone() };
    append(&*store, &[Entry { event, ..entry("u", 1) }]).await;
    match history(&*store, "u").await.remove(0).event {
        Event::Unrecognised { kind, data: read } => {
            assert_eq!((kind.as_str(), read.to_string()), ("Slept", data.to_string()));
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_field_of_a_later_version_does_not_hinder_reading(bench: &impl Bench) {
    let store = bench.open().await;
    let entry = entry("u", 1);
    let mut document = serde_json::to_value(&entry).unwrap();
    document["mood"] = json!({"good": true});
    document["data"]["by"] = Value::from("somebody");
    bench.plant_entry(&document).await;
    assert_eq!(history(&*store, "u").await, [entry]);
}

pub(crate) async fn an_entry_may_weigh_so_much_and_no_more(bench: &impl Bench) {
    let store = bench.open().await;
    let of_weight = |weight: usize| {
        let of_words = |words: usize| {
            let event = Event::Released(Released { why: "x".repeat(words) });
            Entry { event, token: "t".to_owned(), ..entry("u", 1) }
        };
        of_words(weight - serde_json::to_vec(&of_words(0)).unwrap().len())
    };
    let refused = store.append(&of_weight(MAX_ENTRY_BYTES + 1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
    assert_eq!(history(&*store, "u").await, []);
    append(&*store, &[of_weight(MAX_ENTRY_BYTES)]).await;
}

pub(crate) async fn a_name_that_came_back_leads_to_both_uids(bench: &impl Bench) {
    let store = bench.open().await;
    let of = |uid, seq, second, name: &str| Entry { at: at(second), name: name.to_owned(), ..entry(uid, seq) };
    let entries = [
        of("b-old", 1, 10, "shop"),
        of("a-new", 1, 20, "shop"),
        of("a-new", 2, 21, "shop"),
        // Told late of the one before, whose history is the older one for all that.
        of("b-old", 2, 30, "shop"),
        of("c", 1, 15, "shop-2"),
    ];
    append(&*store, &entries).await;
    let named = async |name, limit| store.uids_named(name, limit).await.unwrap();
    assert_eq!(named("shop", 9).await, [Uid::new("a-new"), Uid::new("b-old")]);
    assert_eq!(named("shop", 1).await, [Uid::new("a-new")]);
    assert_eq!(named("sho", 9).await, []);
}

pub(crate) async fn another_handle_sees_what_was_written(bench: &impl Bench) {
    let (one, other) = (bench.open().await, bench.open().await);
    let first = entry("u", 1);
    append(&*one, std::slice::from_ref(&first)).await;
    assert_eq!(history(&*other, "u").await, [first]);
    assert_eq!(other.append(&entry("u", 1)).await.unwrap(), Inserted::Taken);
}

pub(crate) async fn a_ping_is_answered(bench: &impl Bench) {
    bench.open().await.ping().await.unwrap();
}
