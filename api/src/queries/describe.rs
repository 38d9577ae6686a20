//! One entry of a history in words.

use lifecycle::{
    Entry, Event, Mode, duration,
    event::{ActionIntended, ActionSkipped, Kept, MovedBy, PolicyRef},
    overrides::{Deadline, DeadlineBy},
    time::human_text,
};

/// What an entry says, a sentence without full stop.
#[must_use]
pub fn words(entry: &Entry) -> String {
    match &entry.event {
        Event::Adopted(adopted) => {
            let created = human_text(adopted.created);
            let again = if adopted.again { "it is there again: " } else { "" };
            let end = end(adopted.deadline.as_ref());
            format!("{again}adopted under {}; created at {created}, {end}", terms(&adopted.terms))
        }
        Event::PolicyChanged(new) => format!("managed under {} from here on", terms(new)),
        Event::StatusChanged(change) => format!("{} -> {}: {}", change.from, change.to, change.reason),
        Event::StatusShown(shown) => format!("its status (entry {}) was seen on the namespace", shown.of),
        Event::StatusNotShown(it) => {
            format!("its status (entry {}) could not be written on the namespace: {}", it.of, it.why)
        }
        Event::DeadlineMoved(moved) => {
            let who = match moved.why {
                MovedBy::Owner => "its owner",
                MovedBy::Policy => "the policy",
            };
            format!("{who} moved its end: {}", end(moved.deadline.as_ref()))
        }
        Event::Kept(kept) => self::kept(kept),
        Event::Protected(protected) if protected.on => "protected by its owner".to_owned(),
        Event::Protected(_) => "no longer protected by its owner".to_owned(),
        Event::NoticeIntended(notice) => format!(
            "a notice goes to its owner by {}: it is deleted at {}, and not before {}",
            notice.channel,
            human_text(notice.deadline),
            human_text(notice.promise)
        ),
        Event::NoticeSent(notice) => format!("its owner was told (the notice of entry {})", notice.of),
        Event::NoticeUndeliverable(notice) => {
            format!("its owner could not be told (the notice of entry {}): {}", notice.of, notice.why)
        }
        Event::NoticeSkipped(notice) => {
            format!("no notice about its deletion at {}: {}", human_text(notice.deadline), notice.why)
        }
        Event::ActionIntended(intended) => self::intended(intended),
        Event::ActionDone(done) if done.observed => {
            format!("its deletion was accepted, as was seen later (the attempt of entry {})", done.of)
        }
        Event::ActionDone(done) => format!("its deletion was accepted (the attempt of entry {})", done.of),
        Event::ActionSkipped(skipped) => self::skipped(skipped),
        Event::ActionFailed(failed) => {
            let again =
                failed.not_before.map_or(String::new(), |at| format!("; it is tried again at {}", human_text(at)));
            format!(
                "the attempt of entry {} failed, because {}: {}{again}",
                failed.of,
                failed.why.words(),
                failed.detail
            )
        }
        Event::DeletionStalled(stalled) => format!("its deletion was accepted and does not end: {stalled}"),
        Event::DryRun(would) => {
            format!("would {} it in mode enforce: {}", would.action, would.decision)
        }
        Event::RecordMarkerMismatched(mismatch) => {
            format!("its annotation `record: {}` does not agree with its history: {}", mismatch.marker, mismatch.why)
        }
        Event::RecordMarkerTrusted(trusted) => {
            format!(
                "somebody said that this store is the right one, so its annotation `record: {}` counts no more",
                trusted.marker
            )
        }
        Event::Gone(_) => "gone from the cluster".to_owned(),
        Event::Released(released) => format!("no longer managed: {}", released.why),
        Event::Unrecognised { kind, .. } => {
            format!("an entry of kind `{kind}`, which this version cannot read; upgrade to read it")
        }
    }
}

/// What ends a namespace's time, and by whose word.
#[must_use]
pub fn end(deadline: Option<&Deadline>) -> String {
    let Some(Deadline { at, by, unreadable }) = deadline else {
        return "nothing sets an end".to_owned();
    };
    let by = match by {
        DeadlineBy::Policy => "the policy".to_owned(),
        DeadlineBy::Ttl(text) => format!("its annotation `ttl: {text}`"),
        DeadlineBy::ExpiresAt(text) => format!("its annotation `expires_at: {text}`"),
    };
    let unread = if unreadable.is_some() { ", which cannot be read" } else { "" };
    format!("its time ends at {} by {by}{unread}", human_text(*at))
}

/// The mode in one word.
#[must_use]
pub const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

fn terms(terms: &PolicyRef) -> String {
    format!("policy `{}` (mode {})", terms.policy, mode(terms.mode))
}

fn kept(kept: &Kept) -> String {
    let Some(until) = kept.until else {
        return "its owner no longer asks to keep it".to_owned();
    };
    let by = kept.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let reason = kept.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let asked = kept.requested.as_deref().and_then(lifecycle::time::parse);
    let cut = match asked {
        Some(asked) if asked > until => format!(" (asked for until {}, the policy allows less)", human_text(asked)),
        Some(_) => String::new(),
        None => " (what was asked cannot be read and counts as the longest allowed)".to_owned(),
    };
    format!("kept until {}{by}{reason}{cut}", human_text(until))
}

fn intended(intended: &ActionIntended) -> String {
    let ActionIntended { action, attempt, decision, holder, .. } = intended;
    format!("attempt {attempt} to {action} it, by {holder}: {decision}")
}

fn skipped(skipped: &ActionSkipped) -> String {
    let attempt = skipped.of.map_or(String::new(), |of| format!(" (the attempt of entry {of})"));
    let again = skipped.not_before.map_or(String::new(), |at| format!("; it is tried again at {}", human_text(at)));
    format!("did not {} it{attempt}, because {}: {}{again}", skipped.action, skipped.why.words(), skipped.detail)
}

/// How long a namespace was given, in words.
#[must_use]
pub fn lifetime(created: jiff::Timestamp, deadline: &Deadline) -> String {
    duration::text(lifecycle::overrides::lifetime(created, deadline))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::fixtures::at, *};

    #[track_caller]
    fn check(kind: &str, data: Value, expected: &str) {
        assert_eq!(words(&crate::queries::fixtures::entry(7, "09:00:00", kind, data)), expected);
    }

    #[test]
    fn what_is_judged_is_told() {
        let mut terms = json!({"policy": "ci", "policy_hash": "h", "mode": "enforce"});
        check("PolicyChanged", terms.clone(), "managed under policy `ci` (mode enforce) from here on");
        terms["created"] = json!(at("08:00:00"));
        terms["ci"] = json!([]);
        terms["deadline"] = Value::Null;
        check(
            "Adopted",
            terms.clone(),
            "adopted under policy `ci` (mode enforce); created at 2026-08-17 08:00:00 UTC, nothing sets an end",
        );
        terms["deadline"] = json!({"at": at("12:00:00"), "by": {"source": "ttl", "text": "4h"}});
        check(
            "Adopted",
            terms,
            "adopted under policy `ci` (mode enforce); created at 2026-08-17 08:00:00 UTC, its time ends at \
             2026-08-17 12:00:00 UTC by its annotation `ttl: 4h`",
        );
        check(
            "StatusChanged",
            json!({"from": "ok", "to": "stale", "reason": "it is old", "evidence": [], "finalize_at": null}),
            "ok -> stale: it is old",
        );
        check("StatusShown", json!({"of": 4}), "its status (entry 4) was seen on the namespace");
        check(
            "StatusNotShown",
            json!({"of": 4, "why": "422"}),
            "its status (entry 4) could not be written on the namespace: 422",
        );
        check(
            "DeadlineMoved",
            json!({"deadline": {"at": at("12:00:00"), "by": {"source": "policy"}}, "why": "policy"}),
            "the policy moved its end: its time ends at 2026-08-17 12:00:00 UTC by the policy",
        );
        check(
            "DeadlineMoved",
            json!({"deadline": null, "why": "owner"}),
            "its owner moved its end: nothing sets an end",
        );
        let run = json!({"since": at("08:00:00")});
        let by = json!({"source": "expires_at", "text": "soon"});
        check(
            "DeadlineMoved",
            json!({"deadline": {"at": at("12:00:00"), "by": by, "unreadable": run}, "why": "owner"}),
            "its owner moved its end: its time ends at 2026-08-17 12:00:00 UTC by its annotation `expires_at: soon`, which \
             cannot be read",
        );
        check("Gone", json!({}), "gone from the cluster");
        check("Released", json!({"why": "no policy applies"}), "no longer managed: no policy applies");
    }

    #[test]
    fn owner_overrides_are_described() {
        let kept = |requested: Option<&str>, by: Option<&str>| {
            let until = requested.map(|_| at("12:00:00"));
            json!({"requested": requested, "until": until, "first_seen": until, "by": by, "reason": by.map(|_| "a demo")})
        };
        check(
            "Kept",
            kept(Some("2026-08-17T12:00:00Z"), Some("alice")),
            "kept until 2026-08-17 12:00:00 UTC by alice: a demo",
        );
        check(
            "Kept",
            kept(Some("2027-08-17T12:00:00Z"), None),
            "kept until 2026-08-17 12:00:00 UTC (asked for until 2027-08-17 12:00:00 UTC, the policy allows less)",
        );
        check(
            "Kept",
            kept(Some("soon"), None),
            "kept until 2026-08-17 12:00:00 UTC (what was asked cannot be read and counts as the longest allowed)",
        );
        check("Kept", kept(None, None), "its owner no longer asks to keep it");
        check("Protected", json!({"on": true}), "protected by its owner");
        check("Protected", json!({"on": false}), "no longer protected by its owner");
    }

    #[test]
    fn notices_are_told() {
        let about = json!({
            "about": "stale", "deadline": at("12:00:00"), "promise": at("12:00:00"), "channel": "webhook",
        });
        check(
            "NoticeIntended",
            about,
            "a notice goes to its owner by webhook: it is deleted at 2026-08-17 12:00:00 UTC, and not before 2026-08-17 \
             12:00:00 UTC",
        );
        check("NoticeSent", json!({"of": 6}), "its owner was told (the notice of entry 6)");
        check(
            "NoticeUndeliverable",
            json!({"of": 6, "why": "404"}),
            "its owner could not be told (the notice of entry 6): 404",
        );
        check(
            "NoticeSkipped",
            json!({"of": null, "about": "stale", "deadline": at("12:00:00"), "why": "snoozed"}),
            "no notice about its deletion at 2026-08-17 12:00:00 UTC: snoozed",
        );
    }

    #[test]
    fn attempts_are_told() {
        check(
            "ActionIntended",
            json!({
                "action": "delete", "cause_seq": 3, "attempt": 2, "holder": "action/a", "until": at("09:00:20"),
                "resource_version": "5", "cause": "stale", "decision": "it is old", "evidence": [],
                "evidence_at": at("09:00:00"), "slot": "w/1", "unannounced": null, "config": "h", "mode": "enforce",
                "notice": "no_channel",
            }),
            "attempt 2 to delete it, by action/a: it is old",
        );
        check("ActionDone", json!({"of": 6, "observed": false}), "its deletion was accepted (the attempt of entry 6)");
        check(
            "ActionDone",
            json!({"of": 6, "observed": true}),
            "its deletion was accepted, as was seen later (the attempt of entry 6)",
        );
        check(
            "ActionSkipped",
            json!({"of": null, "action": "delete", "why": "budget", "detail": "20 of 20", "not_before": at("09:10:00")}),
            "did not delete it, because the budget is used up: 20 of 20; it is tried again at 2026-08-17 09:10:00 UTC",
        );
        check(
            "ActionSkipped",
            json!({"of": 6, "action": "delete", "why": "busy", "detail": "it changed", "not_before": null}),
            "did not delete it (the attempt of entry 6), because it was changed meanwhile: it changed",
        );
        check(
            "ActionFailed",
            json!({"of": 6, "action": "delete", "why": "refused", "detail": "403", "not_before": at("09:01:00")}),
            "the attempt of entry 6 failed, because the apiserver refused it: 403; it is tried again at 2026-08-17 09:01:00 UTC",
        );
        check(
            "DryRun",
            json!({"action": "delete", "decision": "it is old"}),
            "would delete it in mode enforce: it is old",
        );
    }

    #[test]
    fn what_holds_a_deletion_is_told() {
        let message = "Some resources are remaining: configmaps. has 1 resource instances";
        let condition = json!({"condition": "NamespaceContentRemaining", "reason": "SomeResourcesRemain",
            "message": message});
        check(
            "DeletionStalled",
            json!({"pods": {"counted": {"first": [], "in_all": 0}}, "conditions": [condition], "finalizers": ["x/y"]}),
            &format!(
                "its deletion was accepted and does not end: NamespaceContentRemaining: {message}; it has finalizers: `x/y`"
            ),
        );
    }

    #[test]
    fn marks_are_told() {
        let why = "its annotation `record` names entry 9, but its history ends at 4: this store lost entries";
        check(
            "RecordMarkerMismatched",
            json!({"marker": "2.9.u", "why": why, "epoch": 2}),
            &format!("its annotation `record: 2.9.u` does not agree with its history: {why}"),
        );
        check(
            "RecordMarkerTrusted",
            json!({"marker": "2.9.u"}),
            "somebody said that this store is the right one, so its annotation `record: 2.9.u` counts no more",
        );
    }

    #[test]
    fn what_a_later_version_wrote_is_named() {
        check(
            "Painted",
            json!({"blue": true}),
            "an entry of kind `Painted`, which this version cannot read; upgrade to read it",
        );
    }
}
