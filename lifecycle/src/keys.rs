//! The keys on a namespace: what we write, and what its owner may write for us (docs/design/lifecycle.md section 1).

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{
    namespace::{Namespace, Uid},
    owner::{Owners, Source},
    record::Record,
};

/// The prefix of annotations unless the configuration says otherwise.
pub const DEFAULT_PREFIX: &str = "manager.cicd.skao.int/";
/// The prefix of what CI systems write unless the configuration says otherwise.
pub const DEFAULT_CI_PREFIX: &str = "cicd.skao.int/";

// Written by us.
pub const MANAGED: &str = "managed";
pub const NAMESPACE: &str = "namespace";
pub const STATUS: &str = "status";
pub const STATUS_TIMESTAMP: &str = "status_timestamp";
pub const STATUS_TIMEFRAME: &str = "status_timeframe";
pub const STATUS_FINALIZE_AT: &str = "status_finalize_at";
pub const FAILING_RESOURCES: &str = "failing_resources";
pub const NOTIFIED_STATUS: &str = "notified_status";
pub const NOTIFIED_TIMESTAMP: &str = "notified_timestamp";
pub const RECORD: &str = "record";
pub const FENCE: &str = "fence";

// Written by owners.
pub const TTL: &str = "ttl";
pub const EXPIRES_AT: &str = "expires_at";
pub const KEEP_UNTIL: &str = "keep_until";
pub const KEEP_BY: &str = "keep_by";
pub const KEEP_REASON: &str = "keep_reason";
pub const PROTECT: &str = "protect";

/// The CI labels that are copied into the record at adoption, so that it answers for the namespace when it is gone.
pub const CI_LABELS: [&str; 17] = [
    "author",
    "authorId",
    "branch",
    "commit",
    "environmentTier",
    "job",
    "jobId",
    "mrId",
    "mrProjectId",
    "mrProjectPath",
    "permitted",
    "pipelineId",
    "pipelineSource",
    "project",
    "projectId",
    "projectPath",
    "team",
];

/// The prefixes in use: ours, those we used before, and the CI system's, each of which ends with `/`; and where among all
/// that is written an owner is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub prefix: String,
    /// Under these `protect` and `keep_until` are honoured still.
    pub former: Vec<String>,
    pub ci: String,
    pub owners: Owners,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
            former: Vec::new(),
            ci: DEFAULT_CI_PREFIX.to_owned(),
            owners: Owners::default(),
        }
    }
}

impl Keys {
    /// The full key of one of ours.
    #[must_use]
    pub fn ours(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The full key of one of the CI system's.
    #[must_use]
    pub fn of_ci(&self, key: &str) -> String {
        format!("{}{key}", self.ci)
    }

    /// The value of an annotation under our prefix alone.
    #[must_use]
    pub fn read<'a>(&self, namespace: &'a Namespace, key: &str) -> Option<&'a str> {
        namespace.annotation(&self.ours(key))
    }

    /// The values of an annotation under our prefix and every former one, ours first.
    pub fn read_everywhere<'a>(&self, namespace: &'a Namespace, key: &str) -> impl Iterator<Item = &'a str> {
        std::iter::once(&self.prefix)
            .chain(&self.former)
            .filter_map(move |prefix| namespace.annotation(&format!("{prefix}{key}")))
    }

    /// Whether an owner may be found in this annotation.
    #[must_use]
    pub(crate) fn names_owner(&self, key: &str) -> bool {
        let is_it = |source: &Source| match source {
            Source::NotificationAddress | Source::AuthorEmail | Source::MrAssignees => {
                key.strip_prefix(self.ci.as_str()) == Some(source.as_str())
            }
            Source::Creator => self.owners.creator.as_deref() == Some(key),
            Source::Author | Source::Team => false,
        };
        self.owners.order.iter().any(is_it)
    }

    /// Whether a key is under one of our prefixes, present or former.
    #[must_use]
    pub fn is_ours(&self, key: &str) -> bool {
        std::iter::once(&self.prefix).chain(&self.former).any(|prefix| key.starts_with(prefix.as_str()))
    }
}

/// The record marker `<epoch>.<number>.<uid>` on the namespace: whose record its annotations show, and up to which entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMarker {
    pub epoch: u64,
    pub seq: u64,
    /// The namespace it was left on; `None`: an earlier version left it, which did not say.
    pub uid: Option<Uid>,
}

/// The longest text that is read as a marker, in bytes: many times what a marker takes.
const MAX_MARKER_BYTES: usize = 256;

impl RecordMarker {
    /// What is kept on record of the text of a marker: its beginning. Anyone who may annotate may write more than an entry holds.
    #[must_use]
    pub fn on_record(text: &str) -> &str {
        &text[..text.floor_char_boundary(MAX_MARKER_BYTES)]
    }

    /// Reads the record marker of a namespace: `None` when it carries none, `Some(None)` when it carries something else.
    #[must_use]
    pub fn of(namespace: &Namespace, keys: &Keys) -> Option<Option<Self>> {
        keys.read(namespace, RECORD).map(Self::parse)
    }

    /// Whether it was left on another namespace: it came along with a copy, or from a backup, and says nothing about this
    /// one.
    #[must_use]
    pub fn is_of_another(&self, namespace: &Namespace) -> bool {
        self.uid.as_ref().is_some_and(|uid| *uid != namespace.uid)
    }

    /// Whether a namespace carries a marker of its own, in the present form.
    #[must_use]
    pub fn is_on(namespace: &Namespace, keys: &Keys) -> bool {
        Self::of(namespace, keys).flatten().is_some_and(|marker| marker.uid.as_ref() == Some(&namespace.uid))
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_MARKER_BYTES {
            return None;
        }
        let mut parts = text.splitn(3, '.');
        let (epoch, seq, uid) = (parts.next()?, parts.next()?, parts.next());
        let uid = match uid {
            None => None,
            Some("") => return None,
            Some(uid) => Some(Uid::new(uid)),
        };
        Some(Self { epoch: epoch.parse().ok()?, seq: seq.parse().ok()?, uid })
    }
}

/// Which markers this store may have left: it tells a store that was restored, emptied or exchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Every epoch of this store.
    pub epochs: BTreeSet<u64>,
    /// When the last of them began.
    pub began: Option<Timestamp>,
    /// A person trusted every marker of an epoch before this one.
    pub trusted_before_epoch: u64,
}

/// Why a marker and a history do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("its annotation `record` is not one of ours")]
    Unreadable,
    #[error("its annotation `record` is of another store (epoch {0})")]
    OtherStore(u64),
    #[error("its annotation `record` names entry {marked}, but its history ends at {head}: this store lost entries")]
    Behind { marked: u64, head: u64 },
}

/// What stands in the marker of a collector that ran before any controller did. It tells no store from another.
const NO_EPOCH: u64 = 0;

impl StoreIdentity {
    /// Compares the marker on a namespace with the history this store has of it. A marker of another namespace says nothing.
    ///
    /// # Errors
    /// When the two do not belong together: nothing destructive may be done to it (docs/design/protocol.md section 2,
    /// step 1).
    pub fn check(&self, namespace: &Namespace, keys: &Keys, record: &Record) -> Result<(), Mismatch> {
        let Some(text) = keys.read(namespace, RECORD) else { return Ok(()) };
        let is_trusted = record.trusted_marker.as_deref() == Some(RecordMarker::on_record(text));
        let marker = match RecordMarker::parse(text) {
            Some(marker) => marker,
            None if is_trusted => return Ok(()),
            None => return Err(Mismatch::Unreadable),
        };
        if marker.is_of_another(namespace) || is_trusted || marker.epoch < self.trusted_before_epoch {
            Ok(())
        } else if marker.epoch != NO_EPOCH && !self.epochs.contains(&marker.epoch) {
            Err(Mismatch::OtherStore(marker.epoch))
        } else if marker.seq > record.head {
            Err(Mismatch::Behind { marked: marker.seq, head: record.head })
        } else {
            Ok(())
        }
    }

    /// The present epoch; [`NO_EPOCH`] where none was begun.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epochs.last().copied().unwrap_or(NO_EPOCH)
    }
}

impl std::fmt::Display for RecordMarker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)?;
        self.uid.as_ref().map_or(Ok(()), |uid| write!(f, ".{uid}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What a store with the epochs 2 and 3, of which a person trusted all before 2, says of this marker on the namespace
    /// `a`, whose history ends at entry 7.
    #[track_caller]
    fn check(marker: Option<&str>, expected: Result<(), Mismatch>) {
        check_with(None, marker, expected);
    }

    #[track_caller]
    fn check_with(trusted: Option<&str>, marker: Option<&str>, expected: Result<(), Mismatch>) {
        let store_identity = StoreIdentity { epochs: BTreeSet::from([2, 3]), began: None, trusted_before_epoch: 2 };
        assert_eq!(compare(&store_identity, trusted, marker), expected, "{marker:?}");
    }

    fn compare(store_identity: &StoreIdentity, trusted: Option<&str>, marker: Option<&str>) -> Result<(), Mismatch> {
        let keys = Keys::default();
        let namespace = Namespace {
            uid: Uid::new("a"),
            name: "a".into(),
            resource_version: "1".into(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: BTreeMap::new(),
            annotations: marker.map(|marker| (keys.ours(RECORD), marker.to_owned())).into_iter().collect(),
        };
        let trusted_marker = trusted.map(str::to_owned);
        let record = Record { head: 7, trusted_marker, ..Record::new(Uid::new("a")) };
        store_identity.check(&namespace, &keys, &record)
    }

    #[test]
    fn a_marker_of_this_store_up_to_the_end_of_the_history_belongs() {
        check(None, Ok(()));
        check(Some(""), Ok(()));
        check(Some("2.7.a"), Ok(()));
        check(Some("3.1.a"), Ok(()));
        check(Some(&RecordMarker { epoch: 3, seq: 7, uid: Some(Uid::new("a")) }.to_string()), Ok(()));
    }

    #[test]
    fn a_marker_beyond_the_history_tells_that_entries_were_lost() {
        check(Some("2.8.a"), Err(Mismatch::Behind { marked: 8, head: 7 }));
        check(Some("3.8.a"), Err(Mismatch::Behind { marked: 8, head: 7 }));
    }

    #[test]
    fn a_marker_of_another_epoch_tells_of_another_store_unless_somebody_trusted_it() {
        check(Some("4.1.a"), Err(Mismatch::OtherStore(4)));
        check(Some("1.99.a"), Ok(()));
        check_with(Some("4.1.a"), Some("4.1.a"), Ok(()));
        check_with(Some("4.1.a"), Some("4.2.a"), Err(Mismatch::OtherStore(4)));
    }

    #[test]
    fn a_marker_from_before_any_controller_is_compared_by_its_number_alone() {
        let found = |marker| compare(&StoreIdentity::default(), None, Some(marker));
        assert_eq!(found("0.7.a"), Ok(()));
        assert_eq!(found("0.8.a"), Err(Mismatch::Behind { marked: 8, head: 7 }));
        assert_eq!(found("5.1.a"), Err(Mismatch::OtherStore(5)));
    }

    #[test]
    fn the_marker_of_another_namespace_says_nothing() {
        for marker in ["2.8.b", "3.99.b", "4.1.b", "2.1.b"] {
            check(Some(marker), Ok(()));
        }
    }

    #[test]
    fn a_marker_that_names_no_namespace_is_checked_like_its_own() {
        check(Some("2.7"), Ok(()));
        check(Some("2.8"), Err(Mismatch::Behind { marked: 8, head: 7 }));
        check(Some("4.1"), Err(Mismatch::OtherStore(4)));
        check(Some("1.99"), Ok(()));
    }

    #[test]
    fn an_unreadable_marker_stands_until_somebody_trusted_this_very_one() {
        check_with(Some("garbage"), Some("garbage"), Ok(()));
        check_with(Some("garbage"), Some("more garbage"), Err(Mismatch::Unreadable));
        let [long, too] = ["x", "y"].map(|end| "0".repeat(100_000) + "2.7.a" + end);
        check(Some(&long), Err(Mismatch::Unreadable));
        assert_eq!(RecordMarker::on_record(&long).len(), MAX_MARKER_BYTES);
        check_with(Some(RecordMarker::on_record(&long)), Some(&long), Ok(()));
        check_with(Some(RecordMarker::on_record(&long)), Some(&too), Ok(()));
        assert_eq!(RecordMarker::on_record(&"ü".repeat(200)).len(), MAX_MARKER_BYTES);
    }

    #[test]
    fn what_is_no_marker_is_not_taken_for_one() {
        for text in ["2", "2.", ".7", "2.7.", "a.b", "-2.7", "2.7 ", "2.x.a", ".7.a", "99999999999999999999.1"] {
            check(Some(text), Err(Mismatch::Unreadable));
        }
    }
}
