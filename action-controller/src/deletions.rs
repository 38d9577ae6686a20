//! Deletions that were accepted, counted from the history, so that a worker that ends takes no number with it.

use std::collections::{BTreeMap, BTreeSet};

use common::store::{EntryPosition, Store, StoreError};
use jiff::Timestamp;
use lifecycle::{
    Action, Entry, Event, Record, Status, Uid,
    record::{RECREATED, RECREATED_WITHIN},
    time::{between, saturating_add},
};
use tracing::warn;

/// How many entries are read at once.
const PAGE: usize = 500;

/// Which deletions were counted. An event leads to the record of a namespace, and the tail of the history is read with an
/// overlap and finds what no event announced: so each is seen several times.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    /// When which namespace's deletion was accepted.
    counted: BTreeSet<(Timestamp, Uid)>,
    /// From when on the tail was read last. The first read shows what was accepted before this process read it, which others
    /// counted; `None`: that is still to come.
    from: Option<Timestamp>,
    /// When which namespaces of a name were deleted, in the last hour.
    names: BTreeMap<String, BTreeMap<Uid, Timestamp>>,
}

impl Deletions {
    /// The status that led to the deletion whose acceptance this entry tells of; `None`: it tells of none, or it was
    /// counted before.
    ///
    /// # Errors
    /// When the store is out of reach: it is not counted yet.
    pub(crate) async fn accepted(&mut self, store: &dyn Store, entry: &Entry) -> Result<Option<Status>, StoreError> {
        let Event::ActionDone(done) = &entry.event else {
            return Ok(None);
        };
        let place = (entry.at, entry.uid.clone());
        if self.counted.contains(&place) {
            return Ok(None);
        }
        let cause = match done.of.checked_sub(1) {
            None => None,
            Some(before) => match store.history(&entry.uid, before, 1).await {
                Ok(found) => found.first().and_then(|entry| match &entry.event {
                    Event::ActionIntended(intended) if intended.action == Action::Delete => Some(intended.cause),
                    _ => None,
                }),
                Err(error) if error.is_worth_another_try() => return Err(error),
                // What led to it cannot be read, so it counts under no status.
                Err(_) => None,
            },
        };
        self.counted.insert(place);
        if cause.is_some() {
            self.name(&entry.name, &entry.uid, entry.at);
        }
        Ok(cause.filter(|_| self.from.is_some()))
    }

    /// The status that led to the deletion that this record tells of, where it was not counted before.
    pub(crate) fn recorded(&mut self, record: &Record) -> Option<Status> {
        let done = record.done.as_ref().filter(|done| done.action == Action::Delete)?;
        // What is older the tail has shown, and it is no longer known that it was counted.
        let is_recent = self.from.is_some_and(|from| done.at >= from);
        if !is_recent || !self.counted.insert((done.at, record.uid.clone())) {
            return None;
        }
        self.name(&record.name, &record.uid, done.at);
        Some(done.cause)
    }

    /// Recalls of which names namespaces were deleted in the last hour, for a leader before this one saw that.
    ///
    /// # Errors
    /// When the store is out of reach: what is recalled by then stays so.
    pub(crate) async fn recall(&mut self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let from = saturating_add(now, -RECREATED_WITHIN);
        let mut after = None;
        loop {
            let page = store.tail(from, after.as_ref(), PAGE).await?;
            for entry in &page {
                self.accepted(store, entry).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(EntryPosition::of(last)),
                _ => return Ok(()),
            }
        }
    }

    /// How many names are made anew again and again, as of `now`.
    pub(crate) fn recreated(&mut self, now: Timestamp) -> usize {
        self.names.retain(|_, deleted| {
            deleted.retain(|_, at| between(*at, now) <= RECREATED_WITHIN);
            !deleted.is_empty()
        });
        self.names.values().filter(|deleted| deleted.len() >= RECREATED as usize).count()
    }

    fn name(&mut self, name: &str, uid: &Uid, accepted: Timestamp) {
        let deleted = self.names.entry(name.to_owned()).or_default();
        deleted.retain(|_, at| between(*at, accepted) <= RECREATED_WITHIN);
        deleted.insert(uid.clone(), accepted);
        if deleted.len() == RECREATED as usize {
            warn!(
                namespace.name = %name,
                "namespaces of the name `{name}` were deleted {RECREATED} times within an hour: something makes it anew"
            );
        }
    }

    /// The tail was read to its end, from here on.
    pub(crate) fn through(&mut self, from: Timestamp) {
        self.from = Some(from);
        self.counted.retain(|(at, _)| *at >= from);
    }
}

#[cfg(test)]
mod tests {
    use common::{history::load, store::open};
    use lifecycle::{
        Actor, Mode,
        event::{ActionDone, ActionIntended, NoticeState},
    };

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn a_name_that_is_deleted_three_times_within_an_hour_is_made_anew() {
        let mut deletions = Deletions::default();
        let mut delete = |uid: &str, name: &str, minute: i64| {
            deletions.name(name, &Uid::new(uid), at(minute));
            deletions.recreated(at(minute))
        };
        assert_eq!(delete("a", "ci-1", 0), 0);
        assert_eq!(delete("b", "ci-1", 20), 0);
        assert_eq!(delete("b", "ci-1", 21), 0, "it is the same namespace");
        assert_eq!(delete("x", "ci-2", 30), 0);
        assert_eq!(delete("c", "ci-1", 59), 1);
        assert_eq!(delete("y", "ci-2", 61), 0, "the first was deleted more than an hour ago");
        assert_eq!(deletions.recreated(at(200)), 0);
        assert!(deletions.names.is_empty());
    }

    /// The deletion of a namespace: it was allowed by the first entry of its history, and accepted by the second.
    async fn deleted(store: &dyn Store, uid: &str, minute: i64) {
        let intended = ActionIntended {
            action: Action::Delete,
            cause_seq: 1,
            attempt: 1,
            holder: "action/a".to_owned(),
            until: at(minute),
            resource_version: "7".to_owned(),
            cause: Status::Stale,
            decision: String::new(),
            evidence: Vec::new(),
            evidence_at: at(minute),
            slot: String::new(),
            unannounced: None,
            config: String::new(),
            mode: Mode::Enforce,
            notice: NoticeState::NoChannel,
        };
        let done = ActionDone { of: 1, observed: false };
        for (seq, event) in (1..).zip([Event::ActionIntended(Box::new(intended)), Event::ActionDone(done)]) {
            let (actor, name, token) = (Actor::role("action", "a"), "ci-1".to_owned(), seq.to_string());
            store.append(&Entry { uid: Uid::new(uid), seq, at: at(minute), actor, name, token, event }).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_an_event_leads_to_counts_once_and_what_is_old_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        for (uid, minute) in [("early", 9), ("known", 11), ("new", 12)] {
            deleted(&*store, uid, minute).await;
        }
        let mut deletions = Deletions::default();
        let recorded = async |deletions: &mut Deletions, uid: &str| {
            deletions.recorded(&load(&*store, &Uid::new(uid)).await.unwrap())
        };
        // Others may have counted it: that shows with the first read of the tail.
        assert_eq!(recorded(&mut deletions, "known").await, None);
        let known = store.history(&Uid::new("known"), 1, 9).await.unwrap();
        assert_eq!(deletions.accepted(&*store, &known[0]).await.unwrap(), None);
        deletions.through(at(10));

        let counted = [
            recorded(&mut deletions, "early").await,
            recorded(&mut deletions, "known").await,
            recorded(&mut deletions, "new").await,
            recorded(&mut deletions, "new").await,
        ];
        assert_eq!(counted, [None, None, Some(Status::Stale), None]);
        for entry in store.history(&Uid::new("new"), 0, 9).await.unwrap() {
            assert_eq!(deletions.accepted(&*store, &entry).await.unwrap(), None, "the tail shows it, too");
        }
        assert_eq!(deletions.recreated(at(13)), 0, "two of them are known of, of three");
    }

    #[tokio::test]
    async fn who_leads_next_recalls_what_was_deleted_within_the_hour() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        for (uid, minute) in [("a", 0), ("b", 30), ("c", 50)] {
            deleted(&*store, uid, minute).await;
        }
        let recreated = async |minute: i64| {
            let mut deletions = Deletions::default();
            deletions.recall(&*store, at(minute)).await.unwrap();
            deletions.recreated(at(minute))
        };
        assert_eq!((recreated(59).await, recreated(61).await), (1, 0));
    }
}
