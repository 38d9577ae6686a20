//! What collectors record, in their log: one line for each entry, as people read it.

use lifecycle::{Fact, Record, time::human_text};
use tracing::{info, warn};

/// Logs an entry that was just written.
pub(crate) fn log(record: &Record, fact: &Fact) {
    let name = &record.name;
    match fact {
        Fact::Adopted(adopted) if adopted.again => {
            let policy = &adopted.terms.policy;
            warn!(
                namespace.name = %name,
                "namespace `{name}` was recorded as gone and is there: it is managed again, under policy `{policy}`"
            );
        }
        Fact::Adopted(adopted) => {
            info!(namespace.name = %name, "namespace `{name}` is managed now, under policy `{}`", adopted.terms.policy);
        }
        Fact::StatusChanged(change) => {
            let to = change.to;
            info!(namespace.name = %name, status = %to, "namespace `{name}` is now {to}: {}", change.reason);
        }
        other => info!(namespace.name = %name, "namespace `{name}` {}", words(other)),
    }
}

/// What an entry says of its namespace, the rest of a sentence.
fn words(fact: &Fact) -> String {
    match fact {
        Fact::PolicyChanged(terms) => format!("is under policy `{}` as it is now", terms.policy),
        Fact::StatusShown(_) => "shows its status".to_owned(),
        Fact::StatusNotShown(it) => format!("cannot show its status: {}", it.why),
        Fact::DeadlineMoved(moved) => match &moved.deadline {
            Some(deadline) => format!("now lives until {}", human_text(deadline.at)),
            None => "has no end any more".to_owned(),
        },
        Fact::Kept(kept) => match kept.until {
            Some(until) => format!("is kept until {}", human_text(until)),
            None => "is no longer kept".to_owned(),
        },
        Fact::Protected(protected) if protected.on => "is protected".to_owned(),
        Fact::Protected(_) => "is no longer protected".to_owned(),
        Fact::DeletionStalled(it) => format!("is still there, though its deletion was accepted: {it}"),
        Fact::MarkMismatched(it) => format!("is not deleted: {}", it.why),
        Fact::MarkTrusted(_) => "has an annotation `record` that somebody said to be right".to_owned(),
        Fact::Gone(_) => "is gone".to_owned(),
        Fact::Released(released) => format!("is no longer managed: {}", released.why),
        Fact::Adopted(_)
        | Fact::StatusChanged(_)
        | Fact::NoticeIntended(_)
        | Fact::NoticeSent(_)
        | Fact::NoticeUndeliverable(_)
        | Fact::NoticeSkipped(_)
        | Fact::ActionIntended(_)
        | Fact::ActionDone(_)
        | Fact::ActionSkipped(_)
        | Fact::ActionFailed(_)
        | Fact::WouldHave(_)
        | Fact::Unrecognised { .. } => format!("has an entry `{}`", fact.kind()),
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
        let kept = |until: Option<&str>| json!({"wish": until, "until": until, "first_seen": until, "by": null, "reason": null});
        check("Kept", kept(Some("2026-08-17T12:00:00Z")), "is kept until 2026-08-17 12:00:00 UTC");
        check("Kept", kept(None), "is no longer kept");
        check("Protected", json!({"on": true}), "is protected");
        check("Released", json!({"why": "no policy applies"}), "is no longer managed: no policy applies");
        check("DeadlineMoved", json!({"deadline": null, "why": "owner"}), "has no end any more");
    }
}
