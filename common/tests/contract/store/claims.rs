//! Claims: a number in a group belongs to the first who claimed it.

use common::{
    history::token,
    store::{Claim, ClaimKind, Inserted},
};
use serde_json::json;

use super::{Bench, NONE, actor, at};

pub(crate) fn claim(kind: ClaimKind, group: &str, number: u64) -> Claim {
    let body = json!({"for": {"number": number}});
    Claim { kind, group: group.to_owned(), number, at: at(number), actor: actor(), token: token(), body }
}

pub(crate) async fn a_claim_is_read_as_it_was_made(bench: &impl Bench) {
    let store = bench.open().await;
    let made = claim(ClaimKind::Slots, "w/1", 0);
    assert_eq!(store.claim(&made).await.unwrap(), Inserted::Written);
    assert_eq!(store.claims(ClaimKind::Slots, "w/1", 0, 9).await.unwrap(), [made]);
}

pub(crate) async fn a_number_is_claimed_once(bench: &impl Bench) {
    let store = bench.open().await;
    let first = claim(ClaimKind::Slots, "w", 1);
    assert_eq!(store.claim(&first).await.unwrap(), Inserted::Written);
    assert_eq!(store.claim(&claim(ClaimKind::Slots, "w", 1)).await.unwrap(), Inserted::Taken);
    assert_eq!(store.claims(ClaimKind::Slots, "w", 0, 9).await.unwrap(), [first]);
}

/// The reply to the first was lost on its way.
pub(crate) async fn a_repeated_claim_was_made(bench: &impl Bench) {
    let store = bench.open().await;
    let made = claim(ClaimKind::Slots, "w", 1);
    assert_eq!(store.claim(&made).await.unwrap(), Inserted::Written);
    assert_eq!(store.claim(&made).await.unwrap(), Inserted::Written);
}

pub(crate) async fn groups_and_kinds_are_apart(bench: &impl Bench) {
    let store = bench.open().await;
    for (kind, group) in
        [(ClaimKind::Slots, "w"), (ClaimKind::Unannounced, "w"), (ClaimKind::Controls, "w"), (ClaimKind::Slots, "v")]
    {
        let made = claim(kind, group, 1);
        assert_eq!(store.claim(&made).await.unwrap(), Inserted::Written);
        assert_eq!(store.claims(kind, group, 0, 9).await.unwrap(), std::slice::from_ref(&made));
        assert_eq!(store.last_claim(kind, group).await.unwrap(), Some(made));
    }
}

pub(crate) async fn claims_are_read_by_number_and_by_pages(bench: &impl Bench) {
    let store = bench.open().await;
    for number in [11, 2, 10, 1, 9] {
        store.claim(&claim(ClaimKind::Unannounced, "w", number)).await.unwrap();
    }
    let page = async |from, limit| {
        let claims = store.claims(ClaimKind::Unannounced, "w", from, limit).await.unwrap();
        claims.into_iter().map(|claim| claim.number).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 9).await, [1, 2, 9, 10, 11]);
    assert_eq!(page(2, 2).await, [2, 9]);
    assert_eq!(page(12, 9).await, NONE);
}

pub(crate) async fn the_last_claim_has_the_highest_number(bench: &impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.last_claim(ClaimKind::Controls, "stop").await.unwrap(), None);
    for number in [2, 10, 9] {
        store.claim(&claim(ClaimKind::Controls, "stop", number)).await.unwrap();
    }
    let last = store.last_claim(ClaimKind::Controls, "stop").await.unwrap();
    assert_eq!(last.map(|claim| claim.number), Some(10));
}
