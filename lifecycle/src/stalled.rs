//! What waits for nothing that it names: a person has to act (docs/design/protocol.md L3).

use jiff::{SignedDuration, Timestamp};

pub use crate::policy::STALLED_AFTER;
use crate::{
    Policy, Record, Verdict, channel,
    guards::{GuardKind, guards, history, notice_of},
    record::{Delivery, Phase},
    time::{human_text, saturating_add},
};

/// How long after an attempt ran out it may take to be fenced: the planner offers it twice a minute.
const FENCE_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// Refusals after which it is tried once a day (docs/design/protocol.md section 2).
const REFUSALS: u32 = 5;

/// Something is stalled from this instant on, unless its history says more by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalledAction {
    pub from: Timestamp,
    /// A sentence without full stop.
    pub why: String,
}

/// From when on what is to be done about a namespace counts as stalled, if nothing more is written about it. `None`:
/// nothing is to be done. What it waits for by name puts that off for as long as it is written again.
#[must_use]
pub fn stalled(policy: Option<&Policy>, record: &Record) -> Option<StalledAction> {
    if record.phase == Phase::Gone {
        return None;
    }
    let stalled_from = |from, why| Some(StalledAction { from, why });
    if record.damage.is_some() {
        // Nothing is done to it any more, and only a person can change that.
        return stalled_from(record.damaged_at.unwrap_or(Timestamp::MIN), history(record).1);
    }
    let deletion = record.stalled.as_ref();
    let held_by = deletion.map_or(String::new(), |deletion| format!(": {}", deletion.what));
    if let Some(done) = &record.done {
        let why = format!("its deletion was accepted at {}, and it is still there{held_by}", human_text(done.at));
        return stalled_from(saturating_add(done.at, end_timeout(policy)), why);
    }
    if let Some(deletion) = deletion {
        return stalled_from(deletion.at, format!("somebody else deleted it, and it is still there{held_by}"));
    }
    if let Some(open) = &record.open {
        let until = open.intended.until;
        let why = format!(
            "the attempt of entry {} got no clear answer by {}, and is not cut off yet",
            open.seq,
            human_text(until)
        );
        return stalled_from(saturating_add(until, FENCE_TIMEOUT), why);
    }
    let last = record.attempts.last_words();
    let waits_until = record.attempts.waits_until();
    if record.attempts.refused >= REFUSALS {
        let said = record.attempts.refusal.as_ref().unwrap_or(&last);
        let why = format!("the apiserver refused it {} times: {said}", record.attempts.refused);
        return stalled_from(record.since?, why);
    }
    if let Some(since) = record.attempts.busy_since.filter(|_| waits_until.is_none()) {
        return stalled_from(
            saturating_add(since, STALLED_AFTER),
            format!("it has been changing all the time since {}", human_text(since)),
        );
    }
    let policy = policy?;
    let due = due_since(policy, record)?;
    // What it waits for is named for as long as somebody says so again.
    let from = waits_until.map_or(due, |until| due.max(until));
    // After all time every guard is clear that time can clear.
    let mut untold = guards(policy, record, Timestamp::MAX).into_iter().filter(|guard| is_ours_to_clear(guard.kind));
    let why = untold.find(|guard| !guard.is_clear()).map_or(last, |guard| guard.why);
    stalled_from(saturating_add(from, STALLED_AFTER), format!("it has been due since {}, and {why}", human_text(due)))
}

/// How long a deletion under this policy may take from its acceptance on.
fn end_timeout(policy: Option<&Policy>) -> SignedDuration {
    policy.map_or(STALLED_AFTER, |policy| policy.stalled_after)
}

/// The instant at which the last guard that waits for time alone clears; `None` where another one stands. Telling the
/// owner and showing the status are ours to do, and so nothing that is waited for.
fn due_since(policy: &Policy, record: &Record) -> Option<Timestamp> {
    // Before all time every guard stands that time can clear, and names its end.
    guards(policy, record, Timestamp::MIN).iter().try_fold(record.since?, |due, guard| match guard.verdict {
        Verdict::Clear => Some(due),
        Verdict::Waits(Some(until)) => Some(due.max(until)),
        // What is tried has time until then.
        Verdict::Waits(None) => is_ours_to_clear(guard.kind).then(|| due.max(tried_until(policy, record))),
        Verdict::Refuses => None,
    })
}

/// Until when the notice on its way is tried; before all time where none is.
fn tried_until(policy: &Policy, record: &Record) -> Timestamp {
    let open = notice_of(policy, record).filter(|notice| notice.delivery == Delivery::Open);
    let until = policy.warning.zip(open).map(|(warning, open)| channel::tried_until(&warning.undeliverable, open));
    until.unwrap_or(Timestamp::MIN)
}

/// Whether a guard that waits for no instant waits for this program alone.
const fn is_ours_to_clear(kind: GuardKind) -> bool {
    match kind {
        // A policy that changed is judged by again as soon as a collector observes it.
        GuardKind::Notice | GuardKind::Visible | GuardKind::Policy => true,
        GuardKind::History
        | GuardKind::Managed
        | GuardKind::Status
        | GuardKind::Mode
        | GuardKind::Protect
        | GuardKind::Keep
        | GuardKind::Promise
        | GuardKind::Intent
        | GuardKind::Backoff => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Entry, Mode, Policies, Uid, fixture};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a small number is an instant")
    }

    fn policies(mode: Mode, has_channel: bool) -> Policies {
        let raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h", "visible_for": "0"});
        fixture::policies(raw, mode, has_channel)
    }

    /// When a namespace whose life ended at minute 60 counts as stalled, after these entries at these minutes.
    fn from(policies: &Policies, more: &[(i64, &str, Value)]) -> Option<Timestamp> {
        stalled_by(policies, more).map(|stalled| stalled.from)
    }

    fn stalled_by(policies: &Policies, more: &[(i64, &str, Value)]) -> Option<StalledAction> {
        let policy = policies.iter().next().expect("there is one");
        let deadline = json!({"at": at(60), "by": {"source": "policy"}});
        let adopted = json!({"policy": "ci", "policy_hash": policy.hash, "mode": policy.mode, "created": at(0),
            "ci": [], "deadline": deadline});
        let stale = json!({"from": "unknown", "to": "stale", "reason": "it is old", "evidence": [],
            "finalize_at": null});
        let all = [(0, "Adopted", adopted), (60, "StatusChanged", stale)];
        let entry = |(number, (minute, kind, data)): (u64, &(i64, &str, Value))| -> Entry {
            serde_json::from_value(json!({"uid": "u", "seq": number, "at": at(*minute), "actor": "action/a",
                "name": "ci-1", "token": "t", "kind": kind, "data": data}))
            .expect("it is an entry")
        };
        let history: Vec<_> = (1..).zip(all.iter().chain(more)).map(entry).collect();
        stalled(Some(policy), &Record::of(Uid::new("u"), &history))
    }

    fn intended() -> (i64, &'static str, Value) {
        let data = json!({"action": "delete", "cause_seq": 2, "attempt": 1, "holder": "action/a", "until": at(62),
            "resource_version": "1", "cause": "stale", "decision": "it is stale", "evidence": [],
            "evidence_at": at(61), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce",
            "notice": "no_channel"});
        (61, "ActionIntended", data)
    }

    fn skipped(why: &str, not_before: Option<i64>) -> (i64, &'static str, Value) {
        let not_before = not_before.map(at);
        (
            61,
            "ActionSkipped",
            json!({"of": null, "action": "delete", "why": why, "detail": "", "not_before": not_before}),
        )
    }

    #[test]
    fn what_is_due_and_not_tried_is_stalled_after_a_quarter_of_an_hour() {
        assert_eq!(from(&policies(Mode::Enforce, false), &[]), Some(at(75)));
        assert_eq!(from(&policies(Mode::Enforce, true), &[]), Some(at(75)), "nor was its owner told");
    }

    #[test]
    fn a_notice_puts_that_off_for_as_long_as_it_is_tried_and_counts() {
        let policies = policies(Mode::Enforce, true);
        let notice = json!({"about": "stale", "deadline": at(60), "promise": at(60), "channel": "chat"});
        let notice = (61, "NoticeIntended", notice);
        assert_eq!(from(&policies, std::slice::from_ref(&notice)), Some(at(61 + 60 + 15)));
        let hash = policies.iter().next().map(|policy| policy.hash.clone());
        let changed = |mode: &str| (62, "PolicyChanged", json!({"policy": "ci", "policy_hash": hash, "mode": mode}));
        // It was enforced, observed, and is enforced again: its owner is told anew, by a notice that has yet to be written.
        // What the former promised holds.
        let entries = [notice, changed("observe"), changed("enforce")];
        assert_eq!(from(&policies, &entries), Some(at(61 + 15)));
    }

    #[test]
    fn what_cannot_be_shown_is_stalled_until_it_is() {
        let raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "1h", "visible_for": "1m"});
        let policies = fixture::policies(raw, Mode::Enforce, false);
        let not_shown = (61, "StatusNotShown", json!({"of": 2, "why": "no"}));
        assert_eq!(from(&policies, &[]), Some(at(75)));
        assert_eq!(from(&policies, std::slice::from_ref(&not_shown)), Some(at(75)));
        let shown = (90, "StatusShown", json!({"of": 2}));
        assert_eq!(from(&policies, &[not_shown, shown]), Some(at(91 + 15)), "not deleted then");
    }

    #[test]
    fn what_is_not_to_be_done_is_not_stalled() {
        assert_eq!(from(&policies(Mode::Observe, false), &[]), None);
        assert_eq!(from(&policies(Mode::Enforce, false), &[(61, "Protected", json!({"on": true}))]), None);
        assert_eq!(from(&policies(Mode::Enforce, false), &[(61, "Gone", json!({}))]), None);
    }

    #[test]
    fn what_waits_for_something_it_names_is_not_stalled_for_as_long_as_somebody_says_so() {
        let policies = policies(Mode::Enforce, false);
        for why in ["stopped", "budget", "unannounced", "evidence", "unverified", "held"] {
            assert_eq!(from(&policies, &[skipped(why, None)]), Some(at(61 + 60 + 15)), "{why}");
            let mut again = skipped(why, None);
            again.0 = 120;
            assert_eq!(from(&policies, &[skipped(why, None), again]), Some(at(120 + 60 + 15)), "{why}");
        }
        assert_eq!(from(&policies, &[skipped("changed", Some(90))]), Some(at(105)), "its time counts from there");
    }

    #[test]
    fn what_it_waited_for_is_forgotten_when_an_attempt_ends_otherwise() {
        let policies = policies(Mode::Enforce, false);
        let fenced = json!({"of": 4, "action": "delete", "why": "fenced", "detail": "", "not_before": null});
        let entries = [skipped("budget", None), intended(), (61, "ActionFailed", fenced)];
        assert_eq!(from(&policies, &entries), Some(at(75)));
        assert_eq!(from(&policies, &[skipped("budget", None), skipped("changed", None)]), Some(at(75)));
    }

    #[test]
    fn a_damaged_history_is_stalled_at_once_whatever_is_due() {
        let policies = policies(Mode::Observe, false);
        assert_eq!(from(&policies, &[(61, "Painted", json!({}))]), Some(at(61)));
        assert_eq!(from(&policies, &[(61, "Painted", json!({})), (90, "Painted", json!({}))]), Some(at(61)));
        assert_eq!(from(&policies, &[(61, "Painted", json!({})), (90, "Gone", json!({}))]), None);
    }

    #[test]
    fn an_attempt_that_is_not_fenced_and_a_deletion_that_does_not_end_are_stalled() {
        let policies = policies(Mode::Enforce, false);
        assert_eq!(from(&policies, &[intended()]), Some(at(64)));
        let done = (61, "ActionDone", json!({"of": 3, "observed": false}));
        assert_eq!(from(&policies, &[intended(), done]), Some(at(76)));
    }

    #[test]
    fn a_deletion_that_does_not_end_says_what_holds_it() {
        let policies = policies(Mode::Enforce, false);
        let done = (61, "ActionDone", json!({"of": 3, "observed": false}));
        let stalled = json!({"pods": {"counted": {"first": ["web-0"], "in_all": 1}}, "finalizers": ["a/b"]});
        let stalled = (76, "DeletionStalled", stalled);
        let held_by = "1 pod is left: `web-0`; it has finalizers: `a/b`";
        let ours = stalled_by(&policies, &[intended(), done, stalled.clone()]).unwrap();
        assert_eq!(ours.from, at(76));
        assert!(ours.why.ends_with(&format!(", and it is still there: {held_by}")), "{}", ours.why);
        let of_others = stalled_by(&policies, &[stalled]).unwrap();
        assert_eq!(of_others.from, at(76));
        assert_eq!(of_others.why, format!("somebody else deleted it, and it is still there: {held_by}"));
    }

    #[test]
    fn five_refusals_are_stalled_and_four_are_not() {
        let policies = policies(Mode::Enforce, false);
        let refused = json!({"of": 3, "action": "delete", "why": "refused", "detail": "no", "not_before": at(90)});
        let entries = |count: usize| -> Vec<_> {
            std::iter::once(intended())
                .chain(std::iter::repeat_n((61, "ActionFailed", refused.clone()), count))
                .collect()
        };
        assert_eq!(from(&policies, &entries(4)), Some(at(105)), "in time, when nobody tries the fifth time");
        assert_eq!(from(&policies, &entries(5)), Some(at(60)));
    }
}
