//! Everything that ever happened to a namespace.

use common::store::Store;
use lifecycle::Entry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{QueryError, describe::words, uids};

/// The most entries of one page.
pub const MAX_ENTRIES: usize = 1_000;

/// A page of the history of one namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = History)]
pub struct Page {
    /// The name it bore last.
    pub name: String,
    pub uid: String,
    /// All of this name that have a history, the oldest first; of a uid, that alone.
    pub uids: Vec<String>,
    /// In order, the first of all has number 1.
    pub entries: Vec<HistoryLine>,
    /// Where the next page begins (`after`); `null` on the last one.
    pub next: Option<u64>,
}

/// An entry as it is stored, with what it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryLine {
    /// What it says, in words; not stable.
    pub text: String,
    #[serde(flatten)]
    #[schema(value_type = StoredEntry)]
    pub entry: Entry,
}

/// How an entry is stored; for its description alone.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the macro that describes it")]
struct StoredEntry {
    uid: String,
    /// From 1, without gaps.
    seq: u64,
    at: jiff::Timestamp,
    /// `role/instance`, or `person/name`.
    actor: String,
    /// The namespace's name.
    name: String,
    /// Tells a writer's own entry from another's.
    token: String,
    /// What happened, such as `StatusChanged`.
    kind: String,
    /// What there is to say about it; its fields depend on the kind.
    data: serde_json::Value,
}

/// At most `limit` entries after number `after` of the namespace of this uid, or of the last that bore this name.
///
/// # Errors
/// When there is no such namespace, or the store is out of reach.
pub async fn history(store: &dyn Store, name_or_uid: &str, after: u64, limit: usize) -> Result<Page, QueryError> {
    let mut uids = uids(store, name_or_uid).await?;
    uids.reverse();
    let Some(uid) = uids.last() else {
        return Err(QueryError::NotFound(format!("nothing is recorded of a namespace `{name_or_uid}`")));
    };
    let entries = store.history(uid, after, limit).await?;
    // A page may be empty, and the name may have been another one at its beginning.
    let name = match entries.last() {
        Some(entry) => entry.name.clone(),
        None => common::history::load(store, uid).await?.name,
    };
    let next = entries.last().filter(|_| entries.len() == limit).map(|entry| entry.seq);
    Ok(Page {
        name,
        uid: uid.to_string(),
        uids: uids.iter().map(ToString::to_string).collect(),
        entries: entries.into_iter().map(|entry| HistoryLine { text: words(&entry), entry }).collect(),
        next,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::fixtures, *};

    #[test]
    fn what_is_told_is_read_back_as_it_was_also_of_a_later_version() {
        for (kind, data) in [("Gone", json!({})), ("Painted", json!({"blue": true}))] {
            let entry = fixtures::entry(7, "09:00:00", kind, data);
            let told = HistoryLine { text: words(&entry), entry };
            let read: HistoryLine = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
            assert_eq!(read, told);
        }
    }
}
