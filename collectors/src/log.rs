//! What collectors record, in their log: one line for each entry, as people read it.

use lifecycle::{Event, Record, time::human_text};
use tracing::{info, warn};

/// Logs an entry that was just written.
pub(crate) fn log(record: &Record, event: &Event) {
    let name = &record.name;
    match event {
        Event::Adopted(adopted) if adopted.again => {
            let policy = &adopted.terms.policy;
            warn!(
                namespace.name = %name,
                "namespace `{name}` was recorded as gone and is there: it is managed again, under policy `{policy}`"
            );
        }
        Event::Adopted(adopted) => {
            info!(namespace.name = %name, "namespace `{name}` is managed now, under policy `{}`", adopted.terms.policy);
        }
        Event::StatusChanged(change) => {
            let to = change.to;
            info!(namespace.name = %name, status = %to, "namespace `{name}` is now {to}: {}", change.reason);
        }
        other => info!(namespace.name = %name, "namespace `{name}` {}", words(other)),
    }
}

/// What an entry says of its namespace, the rest of a sentence.
fn words(event: &Event) -> String {
    match event {
        Event::PolicyChanged(terms) => format!("is under policy `{}` as it is now", terms.policy),
        Event::StatusShown(_) => "shows its status".to_owned(),
        Event::StatusNotShown(it) => format!("cannot show its status: {}", it.why),
        Event::DeadlineMoved(moved) => match &moved.deadline {
            Some(deadline) => format!("now lives until {}", human_text(deadline.at)),
            None => "has no end any more".to_owned(),
        },
        Event::Kept(kept) => match kept.until {
            Some(until) => format!("is kept until {}", human_text(until)),
            None => "is no longer kept".to_owned(),
        },
        Event::Protected(protected) if protected.on => "is protected".to_owned(),
        Event::Protected(_) => "is no longer protected".to_owned(),
        Event::DeletionStalled(it) => format!("is still there, though its deletion was accepted: {it}"),
        Event::RecordMarkerMismatched(it) => format!("is not deleted: {}", it.why),
        Event::RecordMarkerTrusted(_) => "has an annotation `record` that somebody said to be right".to_owned(),
        Event::Gone(_) => "is gone".to_owned(),
        Event::Released(released) => format!("is no longer managed: {}", released.why),
        Event::Adopted(_)
        | Event::StatusChanged(_)
        | Event::NoticeIntended(_)
        | Event::NoticeSent(_)
        | Event::NoticeUndeliverable(_)
        | Event::NoticeSkipped(_)
        | Event::ActionIntended(_)
        | Event::ActionDone(_)
        | Event::ActionSkipped(_)
        | Event::ActionFailed(_)
        | Event::DryRun(_)
        | Event::Unrecognised { .. } => format!("has an entry `{}`", event.kind()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(kind: &str, data: Value, expected: &str) {
        assert_eq!(words(&serde_json::from_value(json!({"kind": kind, "data": data})).unwrap()), expected);
    }

    #[test]
    fn what_is_recorded_is_logged_as_a_sentence() {
        let kept = |until: Option<&str>| json!({"requested": until, "until": until, "first_seen": until, "by": null, "reason": null});
        check("Kept", kept(Some("2026-08-17T12:00:00Z")), "is kept until 2026-08-17 12:00:00 UTC");
        check("Kept", kept(None), "is no longer kept");
        check("Protected", json!({"on": true}), "is protected");
        check("Released", json!({"why": "no policy applies"}), "is no longer managed: no policy applies");
        check("DeadlineMoved", json!({"deadline": null, "why": "owner"}), "has no end any more");
    }
}
