//! Whether a deletion could be foreseen by whoever reads the namespace's annotations (S7), told from its history.

use jiff::{SignedDuration, Timestamp};

use super::Entry;

const LONG_ENOUGH: SignedDuration = SignedDuration::from_hours(1);

/// Whether the deadline that stood after these entries, or an earlier one, had stood for an hour or for half of the
/// life it ends, under management and without a change from observing to enforcing in between.
pub(super) fn is_foretold<'a>(entries: impl Iterator<Item = &'a Entry>) -> bool {
    let (mut created, mut deadline, mut since) = (None, None, None);
    let mut mode = None;
    for entry in entries {
        match entry.kind.as_str() {
            "Adopted" => {
                (created, deadline, since) = (entry.instant("created"), deadline_of(entry), Some(entry.at));
                mode = entry.text("mode");
            }
            "DeadlineMoved" => {
                let moved = deadline_of(entry);
                if moved.is_some_and(|moved| deadline.is_none_or(|stood| moved < stood)) {
                    since = Some(entry.at);
                }
                deadline = moved;
            }
            "PolicyChanged" => {
                if (mode, entry.text("mode")) == (Some("observe"), Some("enforce")) {
                    since = Some(entry.at);
                }
                mode = entry.text("mode");
            }
            _ => {}
        }
    }
    let (Some(created), Some(deadline), Some(since)) = (created, deadline, since) else { return false };
    let stood = deadline.duration_since(since);
    stood > SignedDuration::ZERO && stood >= LONG_ENOUGH.min(deadline.duration_since(created) / 2)
}

fn deadline_of(entry: &Entry) -> Option<Timestamp> {
    entry.data.get("deadline")?.get("at")?.as_str()?.parse().ok()
}
