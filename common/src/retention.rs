//! What a store need not remember any more: histories of namespaces that are long gone, windows that are long over,
//! heartbeats of the dead, and what sources said once.
//!
//! Everything here is safe to repeat, and to be done by two at once. A history goes from its end, its snapshot last: cut
//! short, what is left has no gap, still says that the namespace is gone, and the next time finishes it.

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Record, Uid, record::Phase, time::saturating_add};

use crate::{
    budget::Window,
    heartbeat::REMOVED_AFTER,
    history::load_and_mend,
    store::{ClaimKind, Heartbeat, Result, Store},
    timings::Timings,
};

/// How much is read, and how much removed, at once.
const PAGE: usize = 500;

/// Everything is kept for so long, whatever is configured: no decision reads further back.
const MIN_RETENTION: SignedDuration = SignedDuration::from_hours(24);

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Namespaces of which nothing is left.
    pub histories: u64,
    /// Slots of the budget and of unannounced deletions.
    pub slots: u64,
    pub heartbeats: u64,
    /// What sources said once.
    pub notes: u64,
}

/// Removes what is older than the retention at `now`.
///
/// A namespace counts from the last entry of its history, and only if that history is whole and says that it is gone:
/// what this version cannot read is left to a person.
///
/// # Errors
/// When the store is out of reach: the next time goes on.
pub async fn prune(store: &dyn Store, retention: SignedDuration, now: Timestamp) -> Result<Pruned> {
    let before = saturating_add(now, -retention.max(MIN_RETENTION));
    Ok(Pruned {
        histories: histories(store, before).await?,
        slots: slots(store, before).await?,
        heartbeats: heartbeats(store, saturating_add(now, -REMOVED_AFTER)).await?,
        notes: notes(store, saturating_add(now, -MIN_RETENTION)).await?,
    })
}

async fn histories(store: &dyn Store, before: Timestamp) -> Result<u64> {
    let mut forgotten = 0;
    let mut after: Option<Uid> = None;
    loop {
        let page = store.uids(after.as_ref(), PAGE).await?;
        for uid in &page {
            // What an earlier version folded is in no list, and would be missed by nobody, until it is folded anew.
            let record = load_and_mend(store, uid).await?;
            if ended_before(store, &record, before).await? {
                // What is read while its entries go: a snapshot of an earlier version would not be believed.
                store.put_snapshot(&record).await?;
                store.forget(uid).await?;
                forgotten += 1;
            }
        }
        if page.len() < PAGE {
            return Ok(forgotten);
        }
        after = page.last().cloned();
    }
}

/// Whether a namespace is gone, and nothing was recorded of it since `before`.
async fn ended_before(store: &dyn Store, record: &Record, before: Timestamp) -> Result<bool> {
    if record.phase != Phase::Gone || record.damage.is_some() {
        return Ok(false);
    }
    let last = store.history(&record.uid, record.head.saturating_sub(1), 1).await?;
    // None: it was being forgotten when somebody died.
    Ok(last.first().is_none_or(|entry| entry.at < before))
}

async fn slots(store: &dyn Store, before: Timestamp) -> Result<u64> {
    // Whatever the length of a window: this long before, all of them are over.
    let before = Window::of(before, Timings::default().budget_window).start().to_string();
    let mut forgotten = 0;
    for kind in [ClaimKind::Slots, ClaimKind::Unannounced] {
        loop {
            let found = store.forget_claims(kind, &before, PAGE).await?;
            forgotten += found as u64;
            if found < PAGE {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// What is needed is written anew every hour.
async fn notes(store: &dyn Store, before: Timestamp) -> Result<u64> {
    let mut forgotten = 0;
    loop {
        let found = store.forget_notes(before, PAGE).await?;
        forgotten += found as u64;
        if found < PAGE {
            return Ok(forgotten);
        }
    }
}

async fn heartbeats(store: &dyn Store, before: Timestamp) -> Result<u64> {
    let mut forgotten = 0;
    loop {
        let page = store.heartbeats(PAGE).await?;
        // What a sweep left of itself is good until then.
        let until = |heartbeat: &Heartbeat| heartbeat.body.get("until")?.as_str()?.parse::<Timestamp>().ok();
        let is_dead =
            |heartbeat: &&Heartbeat| heartbeat.at < before && until(heartbeat).is_none_or(|until| until < before);
        let dead: Vec<_> = page.iter().filter(is_dead).collect();
        for heartbeat in &dead {
            store.remove_heartbeat(&heartbeat.id).await?;
        }
        forgotten += dead.len() as u64;
        if page.len() < PAGE || dead.is_empty() {
            return Ok(forgotten);
        }
    }
}

#[cfg(test)]
mod tests;
