//! What is in the database, as another program finds it.

use common::store::{ClaimKind, Heartbeat, OpenError};
use lifecycle::{Actor, Entry, Event, Uid};
use mongodb::bson::{Bson, Document, doc};
use serde_json::json;

use super::Place;
use crate::store::{Bench, append, at, claims::claim, entry, history};

async fn document(place: &Place, collection: &str, id: &str) -> Document {
    let found = place.database().await.collection::<Document>(collection).find_one(doc! { "_id": id }).await;
    found.unwrap().unwrap_or_else(|| panic!("`{collection}` has no `{id}`"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_are_texts_instants_are_dates_and_numbers_are_integers() {
    let place = Place::of_secantus();
    let store = place.open().await;
    append(&*store, &[entry("u", 7)]).await;
    store.claim(&claim(ClaimKind::Slots, "w", 3)).await.unwrap();
    let heartbeat = Heartbeat { id: "b".into(), role: "r".into(), started: at(0), at: at(1), body: json!({}) };
    store.heartbeat(&heartbeat).await.unwrap();

    let date = |second| Bson::DateTime(mongodb::bson::DateTime::from_millis(at(second).as_millisecond()));
    let found = document(&place, "entries", "u:0000000007").await;
    assert_eq!((found.get("at"), found.get("seq")), (Some(&date(7)), Some(&Bson::Int64(7))));
    assert_eq!((found.get_str("kind").unwrap(), found.get_str("actor").unwrap()), ("Protected", "collector/test"));
    let found = document(&place, "slots", "slots:w:0000000003").await;
    assert_eq!((found.get("at"), found.get("number")), (Some(&date(3)), Some(&Bson::Int64(3))));
    let found = document(&place, "workers", "b").await;
    assert_eq!((found.get("started"), found.get("at")), (Some(&date(0)), Some(&date(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_with_dots_and_dollars_survive_and_are_none_to_the_server() {
    for place in [Place::of_secantus(), Place::of_java()] {
        let store = place.open().await;
        let data = json!({"a.b": {"$set": 1, "": {"%2E": [{"x.y": "$z"}]}}, "$where": "1"});
        let event = Event::Unrecognised { kind: "Slept".to_owned(), data: data.clone() };
        append(&*store, &[Entry { event, ..entry("u", 1) }]).await;
        let Event::Unrecognised { data: read, .. } = history(&*store, "u").await.remove(0).event else { panic!() };
        assert_eq!(read, data);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instants_are_cut_to_milliseconds() {
    let place = Place::of_secantus();
    let store = place.open().await;
    let exact = at(1) + jiff::SignedDuration::from_nanos(999_999);
    append(&*store, &[Entry { at: exact, ..entry("u", 1) }]).await;
    assert_eq!(history(&*store, "u").await[0].at, at(1));
    // The tail begins where the cut instants do.
    assert_eq!(store.tail(at(1), None, 9).await.unwrap().len(), 1);
    assert_eq!(store.tail(exact, None, 9).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_not_what_its_id_says_is_damage() {
    let place = Place::of_secantus();
    let store = place.open().await;
    append(&*store, &[entry("u", 1)]).await;
    let entries = place.database().await.collection::<Document>("entries");
    let mut forged = document(&place, "entries", "u:0000000001").await;
    forged.insert("_id", "v:0000000001");
    forged.insert("seq", 2_i64);
    entries.insert_one(forged).await.unwrap();
    let damaged = store.history(&Uid::new("u"), 1, 9).await.unwrap_err();
    assert!(damaged.to_string().contains("entry `v:0000000001` says it is 2 of `u`"), "{damaged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_layout_is_refused_and_left_alone() {
    let place = Place::of_secantus();
    place.open().await;
    let meta = place.database().await.collection::<Document>("meta");
    meta.update_one(doc! { "_id": "layout" }, doc! { "$set": { "version": 2_i64 } }).await.unwrap();
    let refusal = common::store::open(&place.url()).await.unwrap_err();
    assert!(matches!(&refusal, OpenError::Foreign { why, .. } if why.starts_with("it has layout 2")), "{refusal}");
}

/// Each entry by another actor and kind, so that every index has something to order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_index_that_is_read_by_is_there() {
    let place = Place::of_secantus();
    let store = place.open().await;
    append(&*store, &[Entry { actor: Actor::person("me"), ..entry("u", 1) }]).await;
    let entries = place.database().await.collection::<Document>("entries");
    let names = entries.list_index_names().await.unwrap();
    for index in ["uid_1_seq_-1", "at_1_uid_1_seq_1", "kind_1_at_1", "actor_1_at_1", "name_1_seq_1_at_-1_uid_-1"] {
        assert!(names.iter().any(|name| name == index), "{index} is not among {names:?}");
    }
}
