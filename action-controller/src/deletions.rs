//! Deletions that were accepted, counted from the history, so that a worker that ends takes no number with it.

use std::collections::BTreeSet;

use common::store::{Store, StoreError};
use jiff::Timestamp;
use lifecycle::{Action, Entry, Fact, Status, Uid};

/// Which deletions were counted. The tail of the history is read with an overlap, so each is seen several times.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    counted: BTreeSet<(Timestamp, Uid, u64)>,
    /// The first look shows what was accepted before this process looked: others counted it.
    is_underway: bool,
}

impl Deletions {
    /// The status that led to the deletion whose acceptance this entry tells of; `None`: it tells of none, or it was
    /// counted before.
    ///
    /// # Errors
    /// When the store is out of reach: it is not counted yet.
    pub(crate) async fn accepted(&mut self, store: &dyn Store, entry: &Entry) -> Result<Option<Status>, StoreError> {
        let Fact::ActionDone(done) = &entry.fact else {
            return Ok(None);
        };
        let place = (entry.at, entry.uid.clone(), entry.seq);
        if self.counted.contains(&place) {
            return Ok(None);
        }
        let cause = match done.of.checked_sub(1).filter(|_| self.is_underway) {
            None => None,
            Some(before) => store.history(&entry.uid, before, 1).await?.first().and_then(|entry| match &entry.fact {
                Fact::ActionIntended(intended) if intended.action == Action::Delete => Some(intended.cause),
                _ => None,
            }),
        };
        self.counted.insert(place);
        Ok(cause)
    }

    /// The tail was read to its end, from here on.
    pub(crate) fn through(&mut self, from: Timestamp) {
        self.is_underway = true;
        self.counted.retain(|(at, _, _)| *at >= from);
    }
}
