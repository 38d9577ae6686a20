//! The hold of deletions that cannot end: who leads writes it down, and takes it back.
//!
//! [`lifecycle::hold`] decides. What is written stands in the store, so a leader that begins goes on with it, and workers
//! that nobody leads obey it.

use std::collections::{BTreeMap, BTreeSet};

use common::{
    context::Context,
    controls::ControlRecord,
    history::load,
    holds,
    store::{Inserted, StoreError},
    timings::signed,
};
use lifecycle::{
    Record, Uid,
    hold::{self, HeldBy, Hold, UnfinishedDeletion},
};
use tracing::{info, warn};

use crate::ROLE;

#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// The deletions that were accepted and did not end in time.
    unended: BTreeMap<Uid, UnfinishedDeletion>,
    /// Those whose histories cannot be read: they count as what they were last known to be, and never as ended.
    unread: BTreeSet<Uid>,
    /// The last word about it; `None`: it has yet to be read.
    last: Option<Option<ControlRecord<Hold>>>,
}

impl Holding {
    /// Takes in what is known of a namespace.
    pub(crate) fn learn(&mut self, record: &Record) {
        self.unread.remove(&record.uid);
        match UnfinishedDeletion::of(record) {
            Some(unended) => drop(self.unended.insert(record.uid.clone(), unended)),
            None => drop(self.unended.remove(&record.uid)),
        }
    }

    /// The history of a namespace cannot be read.
    pub(crate) fn leave_unread(&mut self, uid: &Uid) {
        self.unread.insert(uid.clone());
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
        for by in next.namespaces.iter().filter(|by| !self.unread.contains(&by.uid)).cloned().collect::<Vec<_>>() {
            match load(store, &by.uid).await {
                Ok(record) => self.learn(&record),
                Err(error) if error.is_worth_another_try() => return Err(error),
                Err(_) => self.leave_unread(&by.uid),
            }
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
        self.last = Some(Some(ControlRecord { number: after + 1, at: now, actor, body: next }));
        Ok(())
    }

    fn next(&self, context: &Context) -> Option<Hold> {
        let last = self.last.as_ref().and_then(Option::as_ref);
        // Whether one that cannot be read has ended is not known, so the others alone may take it back.
        let read = last.map(|last| {
            let is_read = |by: &HeldBy| !self.unread.contains(&by.uid);
            let namespaces = last.body.namespaces.iter().filter(|by| is_read(by)).cloned().collect();
            (Hold { namespaces, ..last.body.clone() }, last.at)
        });
        let (stalled_after, now) = (signed(context.timings().stalled_after), context.clock.now());
        let next = hold::next(read.as_ref().map(|(hold, at)| (hold, *at)), &self.unended, stalled_after, now)?;
        Some(match last.filter(|_| !next.stands()) {
            Some(last) => Hold { namespaces: last.body.namespaces.clone(), ..next },
            None => next,
        })
    }
}
