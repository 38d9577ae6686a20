//! Namespaces, one line each.

use common::{
    config::Settings,
    controls, holds,
    status::ControlInForce as Standing,
    store::{Store, StoreError},
};
use jiff::Timestamp;
use lifecycle::{Keys, Policy, Record, Status, Uid, ownership, record::Phase};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    PAGE_SIZE,
    next_step::{Halt, NextStep, outlook},
};

/// The most lines of one page.
pub const MAX_ITEMS: usize = 1_000;

/// How many snapshots are read for one page, however few of them are asked for: what is left is the next page's.
const SCAN_LIMIT: usize = 5_000;

/// Which namespaces are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    pub status: Option<Status>,
    /// A part of the name.
    pub name: Option<String>,
    /// Also those that are gone or no longer managed.
    pub all: bool,
}

/// A page of namespaces, ordered by uid; may lag behind the histories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing {
    pub items: Vec<Line>,
    /// Where the next page begins (`after`); `null` on the last one.
    pub next: Option<String>,
    /// The stop in force.
    pub stop: Option<Standing>,
    /// The store mismatch that nobody resolved: nothing is deleted.
    pub mismatch: Option<Standing>,
    /// The hold in force: deletions that were accepted do not end, so the rest waits.
    #[serde(default)]
    pub hold: Option<Standing>,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Namespace)]
pub struct Line {
    pub name: String,
    pub uid: String,
    /// `managed`, `released` or `gone`.
    pub phase: Phase,
    pub status: Status,
    /// When the status was entered.
    pub since: Option<Timestamp>,
    /// The namespace's creation.
    pub created: Option<Timestamp>,
    /// How many of its name were deleted within the hour before it was adopted, at most 20: from 3 on, it comes back.
    #[serde(default)]
    pub deleted_before: u32,
    /// By the CI labels `author` and `team` as they were at adoption, in the order that is configured.
    pub owner: Option<String>,
    /// The policy it was last judged under.
    pub policy: Option<String>,
    pub protected: bool,
    pub kept_until: Option<Timestamp>,
    pub next: NextStep,
}

/// At most `limit` of the namespaces asked for, with uids after `after`.
///
/// # Errors
/// When the store is out of reach.
pub async fn listing(
    store: &dyn Store,
    settings: &Settings,
    asked: &ListQuery,
    after: Option<&Uid>,
    limit: usize,
    now: Timestamp,
) -> Result<Listing, StoreError> {
    let stop = controls::stopped(store).await?;
    let mismatch = controls::store_mismatch(store).await?;
    let hold = holds::in_force(store).await?;
    let halt = Halt::of(stop.is_some(), mismatch.is_some(), hold.is_some());
    let (mut items, mut looked_at) = (Vec::new(), 0);
    let mut last = after.cloned();
    let next = 'pages: loop {
        let page = store.snapshots(last.as_ref(), PAGE_SIZE).await?;
        for record in &page {
            if items.len() >= limit || looked_at >= SCAN_LIMIT {
                break 'pages last;
            }
            looked_at += 1;
            last = Some(record.uid.clone());
            if asked.is_for(record) {
                let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
                items.push(Line::of(record, &settings.policies.keys, policy, halt, now));
            }
        }
        if page.len() < PAGE_SIZE {
            break None;
        }
    };
    let next = next.map(|uid| uid.to_string());
    Ok(Listing {
        items,
        next,
        stop: stop.map(Standing::from),
        mismatch: mismatch.map(Standing::from),
        hold: hold.map(Standing::from),
    })
}

impl ListQuery {
    fn is_for(&self, record: &Record) -> bool {
        (self.all || record.is_managed())
            && self.status.is_none_or(|status| record.status == status)
            && self.name.as_ref().is_none_or(|part| record.name.contains(part.as_str()))
    }
}

impl Line {
    /// What a record says of a namespace. `halt`: what holds up every deletion.
    #[must_use]
    pub fn of(record: &Record, keys: &Keys, policy: Option<&Policy>, halt: Option<Halt>, now: Timestamp) -> Self {
        Self {
            name: record.name.clone(),
            uid: record.uid.to_string(),
            phase: record.phase,
            status: record.status,
            since: record.since,
            created: record.created,
            deleted_before: record.deleted_before,
            owner: ownership::remembered(record, keys).map(|owner| owner.name),
            policy: record.terms.as_ref().map(|terms| terms.policy.clone()),
            protected: record.protected,
            kept_until: record.kept.as_ref().and_then(|kept| kept.until).filter(|until| now < *until),
            next: outlook(policy, record, halt, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::{config::Source, store};

    use super::*;

    /// A store with so many managed namespaces `ci-0000`, every tenth of them stale, and one that is gone.
    async fn crowd(count: usize) -> (tempfile::TempDir, store::SharedStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = store::open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        for number in 0..=count {
            let mut record = Record::new(Uid::new(format!("u{number:04}")));
            (record.name, record.head) = (format!("ci-{number:04}"), 1);
            record.phase = if number == count { Phase::Gone } else { Phase::Managed };
            record.status = if number % 10 == 0 { Status::Stale } else { Status::Ok };
            store.put_snapshot(&record).await.unwrap();
        }
        (directory, store)
    }

    /// The sizes of all pages, and how many lines differ.
    async fn pages(count: usize, asked: &ListQuery, limit: usize) -> (Vec<usize>, usize) {
        let (_directory, store) = crowd(count).await;
        let settings = Source::new(None, [("HOME".to_owned(), "/home/someone".to_owned())]).load().unwrap();
        let (mut sizes, mut names) = (Vec::new(), std::collections::BTreeSet::new());
        let mut after: Option<Uid> = None;
        loop {
            let page = listing(&*store, &settings, asked, after.as_ref(), limit, Timestamp::UNIX_EPOCH).await.unwrap();
            sizes.push(page.items.len());
            names.extend(page.items.into_iter().map(|line| line.name));
            match page.next {
                Some(next) => after = Some(Uid::new(next)),
                None => return (sizes, names.len()),
            }
        }
    }

    #[tokio::test]
    async fn pages_hold_everything_once() {
        assert_eq!(pages(1_203, &ListQuery::default(), 500).await, (vec![500, 500, 203], 1_203));
        assert_eq!(pages(3, &ListQuery { all: true, ..ListQuery::default() }, 500).await, (vec![4], 4));
        assert_eq!(pages(2, &ListQuery::default(), 1).await, (vec![1, 1, 0], 2));
        assert_eq!(pages(0, &ListQuery::default(), 500).await, (vec![0], 0));
    }

    #[tokio::test]
    async fn only_what_is_asked_for_is_listed() {
        let stale = ListQuery { status: Some(Status::Stale), ..ListQuery::default() };
        assert_eq!(pages(100, &stale, 500).await, (vec![10], 10));
        let named = ListQuery { name: Some("-009".to_owned()), ..ListQuery::default() };
        assert_eq!(pages(100, &named, 500).await, (vec![10], 10));
    }
}
