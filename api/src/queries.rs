//! What people ask of the record store, and the answers: the same over HTTP and for `nsm` beside the store.
//!
//! Values out of values and the store; their display at a terminal is `nsm`'s own.

pub mod controls;
pub mod describe;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod history;
pub mod listing;
pub mod next_step;
pub mod time_format;
pub mod why;

use common::{
    cluster::ApiError,
    config::suggest::nearest,
    store::{Store, StoreError},
};
use lifecycle::{Record, Uid};

/// How many uids of one name are told apart.
const MAX_UIDS: usize = 100;

/// How many snapshots are read at once.
const PAGE_SIZE: usize = 500;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is no such namespace.
    #[error("{0}")]
    NotFound(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cluster(#[from] ApiError),
}

/// The uids a person may mean, the most recent first.
async fn uids(store: &dyn Store, name_or_uid: &str) -> Result<Vec<Uid>, QueryError> {
    let named = store.uids_named(name_or_uid, MAX_UIDS).await?;
    if !named.is_empty() {
        return Ok(named);
    }
    let uid = Uid::new(name_or_uid);
    if !store.history(&uid, 0, 1).await?.is_empty() {
        return Ok(vec![uid]);
    }
    let records = snapshots(store).await?;
    let meant = nearest(name_or_uid, records.iter().map(|record| record.name.as_str()));
    Err(QueryError::NotFound(nothing_recorded(name_or_uid, meant)))
}

/// That a namespace is not known, and which one may be meant.
#[must_use]
pub fn nothing_recorded(name_or_uid: &str, meant: Option<&str>) -> String {
    let meant = meant.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    format!("nothing is recorded of a namespace `{name_or_uid}`{meant} (`nsm ls --all` lists those with a history)")
}

/// Every record the store has a snapshot of; may lag behind the histories.
async fn snapshots(store: &dyn Store) -> Result<Vec<Record>, StoreError> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let page = store.snapshots(all.last().map(|record| &record.uid), PAGE_SIZE).await?;
        let full = page.len() == PAGE_SIZE;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}
