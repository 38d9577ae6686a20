//! When it is checked why a deletion does not end.

use jiff::{SignedDuration, Timestamp};

pub use crate::model::termination::{
    DISCOVERY_FAILURE, DeletionStalled, GROUP_VERSION_FAILURE, MAX_PODS_NAMED, RemainingPods, SharedCause, Termination,
    TerminationCondition,
};
use crate::{Namespace, Record, time::saturating_add};

/// Interval within which another reason is not written again, and pods that were left are not listed again: a reason that
/// comes and goes must not fill a history, and one request per namespace is enough to learn that they are gone.
const CHANGE_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// When it is to be checked why the deletion of a namespace does not end, by what is seen and what is recorded: `timeout`
/// after its deletion was accepted, by whomever, and whenever the reason is another than recorded; again and again while pods
/// were left, which nothing announces, the last time they were listed being `listed`. `None`: there is nothing to check.
#[must_use]
pub fn look_due(
    record: &Record,
    namespace: &Namespace,
    listed: Option<Timestamp>,
    timeout: SignedDuration,
) -> Option<Timestamp> {
    let deleted = namespace.deleted.filter(|_| record.uid == namespace.uid)?;
    if !record.is_managed() || record.damage.is_some() || record.open.is_some() {
        return None;
    }
    let from = saturating_add(record.done.as_ref().map_or(deleted, |done| done.at), timeout);
    let Some(known) = &record.stalled else { return Some(from) };
    let nothing = Termination::default();
    let ending = namespace.ending.as_deref().unwrap_or(&nothing);
    let is_known = ending.key() == known.what.key();
    let last = listed.map_or(known.at, |listed| listed.max(known.at));
    (!is_known || known.what.pods.are_left()).then(|| from.max(saturating_add(last, timeout.min(CHANGE_INTERVAL))))
}
