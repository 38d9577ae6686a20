//! Forgetting: whole histories of what is gone, and windows that are over.

use common::store::{Claim, ClaimKind, Inserted, Observed, StoreError};
use lifecycle::{
    Record, Uid,
    record::{FOLD_VERSION, Snapshot},
};

use super::{Bench, append, at, claims::claim, entry, history};

pub(crate) async fn a_history_is_forgotten_with_its_snapshot_and_no_other_is(bench: &impl Bench) {
    let store = bench.open().await;
    let entries = |uid: &str| (1..=4).map(|seq| entry(uid, seq)).collect::<Vec<_>>();
    let (gone, other) = (entries("u"), entries("u:1"));
    append(&*store, &gone).await;
    append(&*store, &other).await;
    for entries in [&gone, &other] {
        store.put_snapshot(&Record::of(entries[0].uid.clone(), entries)).await.unwrap();
    }
    for uid in ["u", "u:1"] {
        store.put_observation(&Uid::new(uid), &Observed::default()).await.unwrap();
    }
    for _ in 0..2 {
        store.forget(&Uid::new("u")).await.unwrap();
    }
    assert_eq!(store.observation(&Uid::new("u")).await.unwrap(), None);
    assert_eq!(store.observation(&Uid::new("u:1")).await.unwrap(), Some(Observed::default()));
    assert_eq!(history(&*store, "u").await, []);
    assert_eq!(store.snapshot(&Uid::new("u")).await.unwrap(), None);
    assert_eq!(store.uids_named("name-of-u", 9).await.unwrap(), []);
    assert_eq!(history(&*store, "u:1").await, other);
    assert_eq!(store.snapshots(None, 9).await.unwrap(), [Record::of(Uid::new("u:1"), &other)]);
    assert_eq!(store.tail(at(0), None, 9).await.unwrap(), other);
}

/// Longer than what is removed at once.
pub(crate) async fn a_long_history_is_forgotten_too(bench: &impl Bench) {
    let store = bench.open().await;
    for seq in 1..=1_203 {
        append(&*store, &[entry("u", seq)]).await;
    }
    store.forget(&Uid::new("u")).await.unwrap();
    assert_eq!(history(&*store, "u").await, []);
}

pub(crate) async fn a_snapshot_of_another_fold_is_forgotten_too(bench: &impl Bench) {
    let store = bench.open().await;
    let record = Record::of(Uid::new("u"), &[entry("u", 1)]);
    let planted = Snapshot { fold: FOLD_VERSION + 1, record: record.clone() };
    bench.plant_snapshot(&serde_json::to_value(&planted).unwrap()).await;
    store.forget(&record.uid).await.unwrap();
    // Nothing is in its way.
    bench.plant_snapshot(&serde_json::to_value(&planted).unwrap()).await;
}

pub(crate) async fn a_number_of_a_forgotten_history_can_be_used_again(bench: &impl Bench) {
    let store = bench.open().await;
    append(&*store, &[entry("u", 1)]).await;
    store.forget(&Uid::new("u")).await.unwrap();
    let again = entry("u", 1);
    append(&*store, std::slice::from_ref(&again)).await;
    assert_eq!(history(&*store, "u").await, [again]);
}

pub(crate) async fn windows_that_are_over_are_forgotten_by_pages(bench: &impl Bench) {
    let store = bench.open().await;
    let window = |minute: u64| format!("2026-08-17T09:{minute:02}:00Z");
    let mut kept = Vec::new();
    for (kind, minute, number) in [
        (ClaimKind::Slots, 0, 0),
        (ClaimKind::Slots, 0, 1),
        (ClaimKind::Slots, 10, 11),
        (ClaimKind::Slots, 20, 0),
        (ClaimKind::Unannounced, 0, 0),
    ] {
        let made = claim(kind, &window(minute), number);
        assert_eq!(store.claim(&made).await.unwrap(), Inserted::Written);
        if kind == ClaimKind::Unannounced || minute == 20 {
            kept.push(made);
        }
    }
    let forget = async |limit| store.forget_claims(ClaimKind::Slots, &window(20), limit).await.unwrap();
    assert_eq!([forget(2).await, forget(2).await, forget(2).await], [2, 1, 0]);
    let mut left: Vec<Claim> = Vec::new();
    for (kind, minute) in
        [(ClaimKind::Slots, 0), (ClaimKind::Slots, 10), (ClaimKind::Slots, 20), (ClaimKind::Unannounced, 0)]
    {
        left.extend(store.claims(kind, &window(minute), 0, 9).await.unwrap());
    }
    assert_eq!(left, kept);
}

pub(crate) async fn controls_are_not_forgotten(bench: &impl Bench) {
    let store = bench.open().await;
    let made = claim(ClaimKind::Controls, "stop", 1);
    assert_eq!(store.claim(&made).await.unwrap(), Inserted::Written);
    let refused = store.forget_claims(ClaimKind::Controls, "zzz", 9).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
    assert_eq!(store.last_claim(ClaimKind::Controls, "stop").await.unwrap(), Some(made));
}
