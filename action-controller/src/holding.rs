//! The hold of deletions that cannot end: who leads writes it down, and takes it back.
//!
//! [`lifecycle::hold`] decides. What is written stands in the store, so a leader that begins goes on with it, and workers
//! that nobody leads obey it.

use std::collections::BTreeMap;

use common::{
    context::Context,
    controls::Decree,
    history::load,
    holds,
    store::{Inserted, StoreError},
    timings::signed,
};
use lifecycle::{
    Record, Uid,
    hold::{self, Hold, Unended},
};
use tracing::{info, warn};

use crate::ROLE;

#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// The deletions that were accepted and did not end in time.
    unended: BTreeMap<Uid, Unended>,
    /// The last word about it; `None`: it has yet to be read.
    last: Option<Option<Decree<Hold>>>,
}

impl Holding {
    /// Takes in what is known of a namespace.
    pub(crate) fn learn(&mut self, record: &Record) {
        match Unended::of(record) {
            Some(unended) => drop(self.unended.insert(record.uid.clone(), unended)),
            None => drop(self.unended.remove(&record.uid)),
        }
    }

    /// Writes the next word about it, if there is one.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub(crate) async fn judge(&mut self, context: &Context) -> Result<(), StoreError> {
        let store = &*context.store;
        if self.last.is_none() {
            self.last = Some(holds::last(store).await?);
        }
        let Some(next) = self.next(context) else { return Ok(()) };
        // Snapshots may lag: whatever it rests on is asked of the histories.
        for by in &next.namespaces {
            self.learn(&load(store, &by.uid).await?);
        }
        let Some(next) = self.next(context) else { return Ok(()) };
        let after = self.last.as_ref().and_then(Option::as_ref).map_or(0, |last| last.number);
        let (actor, now) = (context.actor(ROLE), context.clock.now());
        if holds::follow(store, &actor, after, &next, now).await? == Inserted::Taken {
            // Another led meanwhile.
            self.last = None;
            return Ok(());
        }
        match &next.ended {
            None => warn!("nothing more is deleted for now: {next}"),
            Some(end) => info!("deletions go on, for {end}"),
        }
        self.last = Some(Some(Decree { number: after + 1, at: now, actor, body: next }));
        Ok(())
    }

    fn next(&self, context: &Context) -> Option<Hold> {
        let last = self.last.as_ref().and_then(Option::as_ref).map(|last| (&last.body, last.at));
        hold::next(last, &self.unended, signed(context.timings().stalled_after), context.clock.now())
    }
}
