//! The deletion budget and its limit of unannounced deletions: numbered slots in windows of ten minutes (docs/design/protocol.md S6, S7), or of
//! what tests make of it ([`Timings::budget_window`](crate::timings::Timings::budget_window)).

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Actor, Uid, time::saturating_add};
use serde_json::json;

use crate::{
    config::RateLimit,
    history::token,
    store::{Claim, ClaimKind, Inserted, Result, Store, StoreError},
};

/// How many snapshots are counted at once.
const PAGE: usize = 1_000;

/// A span of time by the apiserver's clock. What was claimed in one is good in that one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// In seconds of Unix time.
    start: i64,
    /// In seconds.
    length: i64,
}

/// The outcome of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The slot, `<window>/<number>`.
    Claimed(String),
    /// Every slot of this window is taken.
    Exhausted { limit: u64, next: Timestamp },
}

/// One worker's claims: a second attempt at the same namespace in the same window uses the slot it has, and a window
/// that had no slot left is not asked again.
#[derive(Debug, Default)]
pub struct SlotAllocator(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    held: BTreeMap<(ClaimKind, Uid), (Window, String)>,
    exhausted: BTreeMap<ClaimKind, (Window, u64)>,
}

impl Window {
    /// The window of this length, in whole seconds, that an instant lies in.
    #[must_use]
    pub fn of(at: Timestamp, length: Duration) -> Self {
        let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
        Self { start: at.as_second().div_euclid(length).saturating_mul(length), length }
    }

    /// Its first instant, which names it.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_second(self.start).unwrap_or(Timestamp::MIN)
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        saturating_add(self.start(), SignedDuration::from_secs(self.length))
    }
}

impl SlotAllocator {
    /// Claims a slot of a kind in a window for a namespace.
    ///
    /// The first to come fixes the window's limit, so that two leaders with two opinions share one.
    ///
    /// # Errors
    /// When the store is out of reach: nothing was claimed that counts.
    pub async fn claim(
        &self,
        store: &dyn Store,
        kind: ClaimKind,
        rate_limit: RateLimit,
        window: Window,
        uid: &Uid,
        actor: &Actor,
    ) -> Result<Slot> {
        if let Some(known) = self.known(kind, window, uid) {
            return Ok(known);
        }
        let claim = |number, body| Claim {
            kind,
            group: window.start().to_string(),
            number,
            at: window.start(),
            actor: actor.clone(),
            token: token(),
            body,
        };
        let limit = match limit(store, kind, window).await? {
            Some(limit) => limit,
            None => {
                let wanted = rate_limit.limit(managed(store).await?);
                store.claim(&claim(0, json!({ "limit": wanted }))).await?;
                limit_now(store, kind, window).await?
            }
        };
        let mut number = store.last_claim(kind, &window.start().to_string()).await?.map_or(1, |last| last.number + 1);
        while number <= limit {
            if store.claim(&claim(number, json!({ "uid": uid }))).await? == Inserted::Written {
                let slot = format!("{}/{number}", window.start());
                let mut known = self.lock();
                known.held.retain(|_, (of, _)| *of == window);
                known.held.insert((kind, uid.clone()), (window, slot.clone()));
                return Ok(Slot::Claimed(slot));
            }
            number += 1;
        }
        self.lock().exhausted.insert(kind, (window, limit));
        Ok(Slot::Exhausted { limit, next: window.end() })
    }

    /// What is known of a claim without asking the store.
    #[must_use]
    pub fn known(&self, kind: ClaimKind, window: Window, uid: &Uid) -> Option<Slot> {
        let known = self.lock();
        if let Some((_, slot)) = known.held.get(&(kind, uid.clone())).filter(|(held, _)| *held == window) {
            return Some(Slot::Claimed(slot.clone()));
        }
        let (of, limit) = known.exhausted.get(&kind)?;
        (*of == window).then_some(Slot::Exhausted { limit: *limit, next: window.end() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How many namespaces are managed now, by their snapshots.
///
/// # Errors
/// When the store is out of reach.
pub async fn managed(store: &dyn Store) -> Result<u64> {
    let mut count = 0;
    let mut after: Option<Uid> = None;
    loop {
        let page = store.snapshots(after.as_ref(), PAGE).await?;
        count += page.iter().filter(|record| record.is_managed()).count() as u64;
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.uid.clone()),
            _ => return Ok(count),
        }
    }
}

/// How many slots of a window are taken, and how many there are once the first was.
///
/// # Errors
/// When the store is out of reach.
pub async fn used(store: &dyn Store, kind: ClaimKind, window: Window) -> Result<(u64, Option<u64>)> {
    // Slots are claimed in their order, so the last one tells how many are taken.
    let last = store.last_claim(kind, &window.start().to_string()).await?.map_or(0, |last| last.number);
    Ok((last, limit(store, kind, window).await?))
}

async fn limit(store: &dyn Store, kind: ClaimKind, window: Window) -> Result<Option<u64>> {
    let group = window.start().to_string();
    let first = store.claims(kind, &group, 0, 1).await?.into_iter().find(|claim| claim.number == 0);
    Ok(first.and_then(|claim| claim.body.get("limit")?.as_u64()))
}

async fn limit_now(store: &dyn Store, kind: ClaimKind, window: Window) -> Result<u64> {
    limit(store, kind, window).await?.ok_or_else(|| StoreError::Damaged {
        doing: format!("read the limit of the window of {}", window.start()),
        why: "number 0 holds no limit".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use lifecycle::Record;

    use super::*;
    use crate::{
        config::Source,
        store::{SharedStore, temporary},
        timings::Timings,
    };

    fn rate_limit(at_least: u64) -> RateLimit {
        let variables = [
            ("NSM__BUDGET__AT_LEAST", at_least.to_string()),
            ("NSM__BUDGET__SHARE", "0.5".to_owned()),
            ("NSM__STORE__URL", "sqlite:/nowhere".to_owned()),
        ];
        Source::new(None, variables.map(|(name, value)| (name.to_owned(), value))).load().unwrap().budget
    }

    async fn claim(
        claims: &SlotAllocator,
        store: &SharedStore,
        rate_limit: RateLimit,
        window: Window,
        uid: &str,
    ) -> Slot {
        let actor = Actor::person("me");
        claims.claim(&**store, ClaimKind::Slots, rate_limit, window, &Uid::new(uid), &actor).await.unwrap()
    }

    fn window(second: i64) -> Window {
        Window::of(Timestamp::from_second(second).unwrap(), Timings::default().budget_window)
    }

    fn claimed(slot: &Slot) -> bool {
        matches!(slot, Slot::Claimed(_))
    }

    #[test]
    fn windows_are_ten_minutes_that_begin_on_the_ten() {
        assert_eq!(window(1_199), window(600));
        assert_ne!(window(1_200), window(1_199));
        assert_eq!(window(1_199).end(), window(1_200).start());
        assert_eq!(window(-1).end(), window(0).start());
    }

    #[test]
    fn windows_of_another_length_follow_each_other() {
        let window = |second| Window::of(Timestamp::from_second(second).unwrap(), Duration::from_secs(90));
        assert_eq!(window(89), window(0));
        assert_eq!(window(0).end(), window(90).start());
        assert_eq!(window(90).start().to_string(), "1970-01-01T00:01:30Z");
    }

    #[tokio::test]
    async fn a_window_has_so_many_slots_and_the_next_has_its_own() {
        let (_directory, store) = temporary().await;
        let claims = SlotAllocator::default();
        assert!(claimed(&claim(&claims, &store, rate_limit(2), window(0), "a").await));
        assert!(claimed(&claim(&claims, &store, rate_limit(2), window(0), "b").await));
        let full = claim(&claims, &store, rate_limit(2), window(0), "c").await;
        assert_eq!(full, Slot::Exhausted { limit: 2, next: window(600).start() });
        assert!(claimed(&claim(&claims, &store, rate_limit(2), window(600), "c").await));
    }

    #[tokio::test]
    async fn a_second_attempt_in_the_window_uses_the_slot_it_has() {
        let (_directory, store) = temporary().await;
        let claims = SlotAllocator::default();
        let first = claim(&claims, &store, rate_limit(1), window(0), "a").await;
        assert_eq!(claim(&claims, &store, rate_limit(1), window(0), "a").await, first);
    }

    #[tokio::test]
    async fn a_slot_is_good_in_its_window_alone() {
        let (_directory, store) = temporary().await;
        let claims = SlotAllocator::default();
        assert!(claimed(&claim(&claims, &store, rate_limit(1), window(0), "a").await));
        assert_eq!(claims.known(ClaimKind::Slots, window(600), &Uid::new("a")), None);
        assert!(claimed(&claim(&SlotAllocator::default(), &store, rate_limit(1), window(600), "b").await));
        assert!(!claimed(&claim(&claims, &store, rate_limit(1), window(600), "a").await));
    }

    #[tokio::test]
    async fn two_with_two_opinions_share_the_limit_of_the_first() {
        let (_directory, store) = temporary().await;
        let (one, other) = (SlotAllocator::default(), SlotAllocator::default());
        assert!(claimed(&claim(&one, &store, rate_limit(1), window(0), "a").await));
        assert!(!claimed(&claim(&other, &store, rate_limit(9), window(0), "b").await));
    }

    #[tokio::test]
    async fn many_at_once_get_no_more_than_there_are() {
        let (_directory, store) = temporary().await;
        let one_each = |number: u32| {
            let store = store.clone();
            async move { claim(&SlotAllocator::default(), &store, rate_limit(5), window(0), &number.to_string()).await }
        };
        let slots = futures::future::join_all((0..20).map(one_each)).await;
        assert_eq!(slots.iter().filter(|slot| claimed(slot)).count(), 5);
    }

    #[tokio::test]
    async fn the_limit_is_a_share_of_what_is_managed_where_that_is_more() {
        let (_directory, store) = temporary().await;
        for number in 0..6 {
            let mut record = Record::new(Uid::new(format!("managed-{number}")));
            (record.phase, record.head) = (lifecycle::record::Phase::Managed, 1);
            store.put_snapshot(&record).await.unwrap();
        }
        let claims = SlotAllocator::default();
        for number in 0..3 {
            assert!(claimed(&claim(&claims, &store, rate_limit(1), window(0), &number.to_string()).await));
        }
        assert!(!claimed(&claim(&claims, &store, rate_limit(1), window(0), "x").await));
    }
}
