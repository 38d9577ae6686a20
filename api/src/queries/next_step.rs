//! What happens next to a namespace, and when: one line for `nsm ls` and `nsm why`.

use jiff::Timestamp;
use lifecycle::{
    Mode, Policy, Record, Status, Verdict,
    event::{FailReason, SkipReason},
    guards::{GuardKind, deletion, guards},
    record::{AttemptOutcome, Damage, Phase},
    time::saturating_add,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextStep {
    /// A sentence without full stop.
    pub what: String,
    /// When; `null` where it is not a matter of time.
    pub at: Option<Timestamp>,
}

/// What holds up every deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Somebody stopped them.
    Stop,
    /// The store may not be the one that manages this cluster.
    Mismatch,
    /// Several that were accepted do not end, for one reason.
    Hold,
}

impl Halt {
    /// What holds up every deletion, by which of these are in force; of several what stands before the others.
    #[must_use]
    pub const fn of(stop: bool, mismatch: bool, hold: bool) -> Option<Self> {
        match (stop, mismatch, hold) {
            (true, _, _) => Some(Self::Stop),
            (false, true, _) => Some(Self::Mismatch),
            (false, false, true) => Some(Self::Hold),
            (false, false, false) => None,
        }
    }

    /// A sentence without full stop.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stop => "all deletions are stopped",
            Self::Mismatch => "this store may not be the right one, so nothing is deleted",
            Self::Hold => "earlier deletions do not end, so no other begins",
        }
    }
}

impl NextStep {
    fn waits_for(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: None }
    }

    fn at(what: impl Into<String>, at: Timestamp) -> Self {
        Self { what: what.into(), at: Some(at) }
    }
}

/// What happens next by the record and the policy it is under, if the configuration has that policy. `halt`: what
/// holds up every deletion.
#[must_use]
pub fn outlook(policy: Option<&Policy>, record: &Record, halt: Option<Halt>, now: Timestamp) -> NextStep {
    match record.phase {
        Phase::Gone => return NextStep::waits_for("nothing"),
        Phase::New => return NextStep::waits_for("it is not managed yet"),
        Phase::Released => return NextStep::waits_for("nothing, no policy applies to it"),
        Phase::Managed => {}
    }
    match &record.damage {
        None => {}
        Some(Damage::Gap(_)) => return NextStep::waits_for("nothing, its history has a gap"),
        Some(Damage::Unrecognised { .. }) => {
            return NextStep::waits_for("nothing, its history is of a later version");
        }
    }
    if let Some(done) = &record.done {
        return NextStep::at("Kubernetes is removing it; it accepted the deletion", done.at);
    }
    if record.open.is_some() {
        return NextStep::waits_for("it is being deleted now");
    }
    let Some(policy) = policy else {
        let name = record.terms.as_ref().map_or("", |terms| terms.policy.as_str());
        return NextStep::waits_for(format!("unknown, this configuration has no policy `{name}`"));
    };
    if record.protected {
        return NextStep::waits_for("nothing, it is protected");
    }
    match (policy.deletes(record.status), policy.mode, halt) {
        (false, _, _) => ahead(policy, record, now),
        (true, Mode::Enforce, Some(halt)) => NextStep::waits_for(format!("it waits to be deleted: {}", halt.words())),
        (true, Mode::Observe, _) | (true, Mode::Enforce, None) => at_hand(policy, record, now),
    }
}

/// It is in a status that leads to its deletion.
fn at_hand(policy: &Policy, record: &Record, now: Timestamp) -> NextStep {
    let (mut latest, mut kept) = (now, false);
    for guard in guards(policy, record, now) {
        match guard.verdict {
            Verdict::Clear => {}
            // What would be done is told; that it is not done is the same for all.
            Verdict::Refuses | Verdict::Waits(None) if policy.mode == Mode::Observe && guard.kind.is_of_the_mode() => {}
            Verdict::Refuses => return NextStep::waits_for(format!("it is not deleted: {}", guard.why)),
            Verdict::Waits(None) => return NextStep::waits_for(format!("it waits to be deleted: {}", guard.why)),
            Verdict::Waits(Some(until)) => {
                kept |= is_the_owners(guard.kind);
                latest = latest.max(until);
            }
        }
    }
    let observed = record.dry_run == Some(record.status_generation);
    if policy.mode == Mode::Enforce
        && let Some(waits) = after_an_attempt(record, latest, now)
    {
        return waits;
    }
    match policy.mode {
        Mode::Enforce if kept => NextStep::at("it is kept, then deleted", latest),
        Mode::Enforce => NextStep::at("it is deleted", latest),
        Mode::Observe if observed => NextStep::waits_for("nothing, it would have been deleted (mode observe)"),
        Mode::Observe => NextStep::at("it would be deleted (mode observe)", latest),
    }
}

/// What the last attempt says of the next one, where it was not made or was refused. `latest`: when the last guard clears.
fn after_an_attempt(record: &Record, latest: Timestamp, now: Timestamp) -> Option<NextStep> {
    let last = record.attempts.last.as_ref()?;
    let waits = |why: &str| (latest <= now).then(|| NextStep::waits_for(format!("it waits to be deleted: {why}")));
    match last.outcome {
        AttemptOutcome::Skipped(SkipReason::Evidence | SkipReason::Held | SkipReason::Unverified) => {
            waits(&last.detail)
        }
        AttemptOutcome::Skipped(why @ (SkipReason::Budget | SkipReason::Unannounced)) => {
            match record.attempts.not_before {
                Some(again) if again > now && again == latest => {
                    Some(NextStep::at(format!("it waits to be deleted: {}; it is tried again", why.words()), again))
                }
                _ => waits(why.words()),
            }
        }
        AttemptOutcome::Failed(FailReason::Refused) => {
            let times = match record.attempts.refused {
                0 | 1 => String::new(),
                times => format!(" {times} times"),
            };
            Some(NextStep::at(format!("the apiserver refused to delete it{times}; it is tried again"), latest))
        }
        // What ended these is over, or a moment long: the next attempt comes by itself.
        AttemptOutcome::Skipped(
            SkipReason::Stopped | SkipReason::Busy | SkipReason::Changed | SkipReason::Abandoned,
        )
        | AttemptOutcome::Failed(FailReason::TooManyRequests | FailReason::Fenced | FailReason::Gone) => None,
    }
}

/// Whether a guard waits for a time that the owner asked for.
const fn is_the_owners(kind: GuardKind) -> bool {
    match kind {
        GuardKind::Keep => true,
        GuardKind::History
        | GuardKind::Managed
        | GuardKind::Policy
        | GuardKind::Status
        | GuardKind::Mode
        | GuardKind::Protect
        | GuardKind::Visible
        | GuardKind::Notice
        | GuardKind::Promise
        | GuardKind::Intent
        | GuardKind::Backoff => false,
    }
}

/// When it has failed, if it goes on failing and that is known all the time.
const fn fails_at(record: &Record) -> Option<Timestamp> {
    match record.status {
        Status::Unstable | Status::Failing => record.finalize_at,
        Status::Unknown | Status::Ok | Status::Failed | Status::Stale | Status::Cancelled | Status::Superseded => None,
    }
}

/// Its time is not over yet.
fn ahead(policy: &Policy, record: &Record, now: Timestamp) -> NextStep {
    let end = deletion(policy, record).map(|deletion| deletion.at);
    if let Some(failed) = fails_at(record).filter(|at| end.is_none_or(|end| *at < end)) {
        let then = match (policy.deletes(Status::Failed), policy.mode) {
            (true, Mode::Enforce) => "is then deleted",
            (true, Mode::Observe) => "would be deleted: mode observe",
            (false, _) => "stays",
        };
        return NextStep::at(format!("unless it recovers, it becomes failed (and {then})"), failed.max(now));
    }
    let Some(end) = end else {
        return match &record.deadline {
            _ if record.status == Status::Stale => {
                NextStep::waits_for("nothing, its policy deletes nothing that is stale")
            }
            Some(deadline) => NextStep::at("it becomes stale (and stays)", deadline.at.max(now)),
            None => NextStep::waits_for("nothing, no end is set"),
        };
    };
    let promised = record.notice(Status::Stale).map(|notice| saturating_add(notice.promise, policy.promise_margin));
    let at = promised.map_or(end, |promised| promised.max(end)).max(now);
    let kept = record.deadline.as_ref().is_some_and(|deadline| deadline.at < end);
    let what = match (policy.mode, kept) {
        (Mode::Enforce, false) => "it is deleted",
        (Mode::Enforce, true) => "it is kept, then deleted",
        (Mode::Observe, _) => "it would be deleted (mode observe)",
    };
    NextStep::at(what, at)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use lifecycle::{
        Keys, Policies,
        guards::PROMISE_MARGIN,
        policy::{Common, HealthSources},
    };
    use serde_json::{Value, json};

    use super::{
        super::fixtures::{adopted, at, changed, policies, record},
        *,
    };

    /// What comes next at 10:00, or later where that is said, after these entries.
    #[track_caller]
    fn check(mode: Mode, more: &[(&str, &str, Value)], now: &str, expected: &str) {
        let policies = policies(mode, &json!({}));
        let mut entries = vec![adopted(&policies)];
        entries.extend_from_slice(more);
        let next = outlook(policies.iter().next(), &record(&entries), None, at(now));
        let when = next.at.map_or(String::new(), |at| format!(" @{}", &at.to_string()[11..19]));
        assert_eq!(format!("{}{when}", next.what), expected);
    }

    fn stale() -> (&'static str, &'static str, Value) {
        changed("12:00:00", "ok", "stale", "old")
    }

    fn kept(until: &str) -> (&'static str, &'static str, Value) {
        let until = at(until);
        (
            "09:00:00",
            "Kept",
            json!({"requested": until, "until": until, "first_seen": until, "by": null, "reason": null}),
        )
    }

    #[test]
    fn what_is_well_is_deleted_when_its_time_is_over() {
        check(Mode::Enforce, &[], "10:00:00", "it is deleted @12:00:00");
        check(Mode::Observe, &[], "10:00:00", "it would be deleted (mode observe) @12:00:00");
    }

    #[test]
    fn what_is_kept_is_deleted_later() {
        check(Mode::Enforce, &[kept("14:00:00")], "10:00:00", "it is kept, then deleted @14:00:00");
        check(Mode::Enforce, &[kept("11:00:00")], "10:00:00", "it is deleted @12:00:00");
        check(Mode::Enforce, &[kept("14:00:00"), stale()], "13:00:00", "it is kept, then deleted @14:00:00");
    }

    #[test]
    fn what_is_protected_stays() {
        let protected = ("09:00:00", "Protected", json!({"on": true}));
        check(Mode::Enforce, std::slice::from_ref(&protected), "10:00:00", "nothing, it is protected");
        check(Mode::Enforce, &[protected, stale()], "13:00:00", "nothing, it is protected");
    }

    #[test]
    fn what_is_stale_goes_as_soon_as_nothing_stands_before_it() {
        check(Mode::Enforce, &[stale()], "13:00:00", "it is deleted @13:00:00");
        check(Mode::Observe, &[stale()], "13:00:00", "it would be deleted (mode observe) @13:00:00");
        let would = ("12:00:01", "DryRun", json!({"action": "delete", "decision": "old"}));
        check(Mode::Observe, &[stale(), would], "13:00:00", "nothing, it would have been deleted (mode observe)");
    }

    #[test]
    fn a_stop_holds_back_what_is_due_and_changes_nothing_else() {
        let policies = policies(Mode::Enforce, &json!({}));
        let next =
            |entries: &[_]| outlook(policies.iter().next(), &record(entries), Some(Halt::Stop), at("13:00:00")).what;
        assert_eq!(next(&[adopted(&policies), stale()]), "it waits to be deleted: all deletions are stopped");
        assert_eq!(next(&[adopted(&policies)]), "it is deleted");
        let protected = ("09:00:00", "Protected", json!({"on": true}));
        assert_eq!(next(&[adopted(&policies), protected, stale()]), "nothing, it is protected");
    }

    #[test]
    fn what_cannot_be_looked_at_again_or_is_held_by_others_waits_for_that() {
        let skipped = |why: &str| {
            let data = json!({"of": null, "action": "delete", "why": why, "detail": "who knows", "not_before": null});
            ("12:00:01", "ActionSkipped", data)
        };
        for why in ["evidence", "held"] {
            check(Mode::Enforce, &[stale(), skipped(why)], "13:00:00", "it waits to be deleted: who knows");
        }
        check(
            Mode::Enforce,
            &[kept("14:00:00"), stale(), skipped("evidence")],
            "13:00:00",
            "it is kept, then deleted @14:00:00",
        );
        check(Mode::Enforce, &[stale(), skipped("evidence"), skipped("busy")], "13:00:00", "it is deleted @13:00:00");
    }

    #[test]
    fn what_holds_every_deletion_up_is_told_of_what_is_due() {
        let policies = policies(Mode::Enforce, &json!({}));
        for halt in [Halt::Stop, Halt::Mismatch, Halt::Hold] {
            let next = |entries: &[_]| outlook(policies.iter().next(), &record(entries), Some(halt), at("13:00:00"));
            let words = format!("it waits to be deleted: {}", halt.words());
            assert_eq!(next(&[adopted(&policies), stale()]), NextStep::waits_for(words));
            assert_eq!(next(&[adopted(&policies)]).what, "it is deleted");
        }
    }

    #[test]
    fn what_waits_its_turn_or_is_refused_is_told_with_when_it_is_tried_again() {
        let skipped = |why: &str, again: Option<Timestamp>| {
            let data = json!({"of": null, "action": "delete", "why": why, "detail": "d", "not_before": again});
            ("12:59:00", "ActionSkipped", data)
        };
        let budget = skipped("budget", Some(at("13:10:00")));
        let again = "it waits to be deleted: the budget is used up; it is tried again @13:10:00";
        check(Mode::Enforce, &[stale(), budget.clone()], "13:00:00", again);
        let turn = "it waits to be deleted: the limit of unannounced deletions is reached";
        check(Mode::Enforce, &[stale(), skipped("unannounced", None)], "13:00:00", turn);
        check(Mode::Enforce, &[stale(), budget.clone()], "13:11:00", "it waits to be deleted: the budget is used up");
        let longer = "it is kept, then deleted @14:00:00";
        check(Mode::Enforce, &[kept("14:00:00"), stale(), budget], "13:00:00", longer);
        let refused = |of: u64| {
            let intended = json!({"action": "delete", "cause_seq": 2, "attempt": 1, "holder": "action/a",
                "until": at("12:59:45"), "resource_version": "7", "cause": "stale", "decision": "it is old",
                "evidence": [], "evidence_at": at("12:59:00"), "slot": "s/1", "unannounced": null, "config": "c",
                "mode": "enforce", "notice": "no_channel"});
            let failed = json!({"of": of, "action": "delete", "why": "refused", "detail": "the apiserver answered 403",
                "not_before": at("13:02:00")});
            [("12:59:00", "ActionIntended", intended), ("12:59:01", "ActionFailed", failed)]
        };
        let once = [vec![stale()], refused(3).to_vec()].concat();
        let told = "the apiserver refused to delete it; it is tried again @13:02:00";
        check(Mode::Enforce, &once, "13:00:00", told);
        let told = "the apiserver refused to delete it 2 times; it is tried again @13:02:00";
        check(Mode::Enforce, &[once, refused(5).to_vec()].concat(), "13:00:00", told);
    }

    #[test]
    fn what_fails_has_failed_some_time_unless_its_life_ends_before() {
        let unstable = |finalize_at: &str| {
            let (time, kind, mut data) = changed("09:00:00", "ok", "unstable", "down");
            data["finalize_at"] = json!(at(finalize_at));
            (time, kind, data)
        };
        let stays = "unless it recovers, it becomes failed (and stays)";
        check(Mode::Enforce, &[unstable("10:05:00")], "09:00:00", &format!("{stays} @10:05:00"));
        check(Mode::Enforce, &[unstable("10:05:00")], "10:10:00", &format!("{stays} @10:10:00"));
        check(Mode::Enforce, &[unstable("12:30:00")], "10:00:00", "it is deleted @12:00:00");
        let raw = serde_json::from_value(json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "4h"})).unwrap();
        let (mode, keys) = (Mode::Enforce, Keys::default());
        let sources = HealthSources { prometheus: true, kubernetes: false, every: SignedDuration::from_secs(30) };
        let common =
            Common { mode, keys, exclude: &[], has_channel: false, sources, ci: &[], promise_margin: PROMISE_MARGIN };
        let policies = Policies::new(&[raw], &common).unwrap();
        let shown = ("09:00:00", "StatusShown", json!({"of": 2}));
        let next = |entry| {
            let entries = [adopted(&policies), entry, shown.clone()];
            outlook(policies.iter().next(), &record(&entries), None, at("09:30:00"))
        };
        let expected = NextStep::at("unless it recovers, it becomes failed (and is then deleted)", at("10:05:00"));
        assert_eq!(next(unstable("10:05:00")), expected);
        let (time, kind, mut data) = changed("09:00:00", "failing", "failed", "down");
        data["finalize_at"] = json!(at("09:40:00"));
        assert_eq!(next((time, kind, data)), NextStep::at("it is deleted", at("09:40:00")));
    }

    #[test]
    fn what_is_over_is_over() {
        check(Mode::Enforce, &[stale(), ("13:00:00", "Gone", json!({}))], "14:00:00", "nothing");
        let released = ("09:00:00", "Released", json!({"why": "no policy"}));
        check(Mode::Enforce, &[released], "10:00:00", "nothing, no policy applies to it");
    }

    #[test]
    fn a_history_of_a_later_version_leads_to_nothing() {
        check(
            Mode::Enforce,
            &[("09:00:00", "Painted", json!({}))],
            "10:00:00",
            "nothing, its history is of a later version",
        );
    }

    #[test]
    fn a_policy_that_is_not_known_tells_nothing() {
        let policies = policies(Mode::Enforce, &json!({}));
        let next = outlook(None, &record(&[adopted(&policies)]), None, at("10:00:00"));
        assert_eq!(next.what, "unknown, this configuration has no policy `ci`");
    }

    #[test]
    fn a_policy_that_deletes_nothing_lets_it_become_stale() {
        let policies = policies(Mode::Enforce, &json!({"on": {"stale": {"delete": false}}}));
        let next = |entries: &[_], now| outlook(policies.iter().next(), &record(entries), None, at(now));
        let becomes = |when| NextStep::at("it becomes stale (and stays)", at(when));
        assert_eq!(next(&[adopted(&policies)], "10:00:00"), becomes("12:00:00"));
        assert_eq!(next(&[adopted(&policies)], "12:00:05"), becomes("12:00:05"), "at the next check");
        let nothing = NextStep::waits_for("nothing, its policy deletes nothing that is stale");
        assert_eq!(next(&[adopted(&policies), stale()], "13:00:00"), nothing);
    }

    #[test]
    fn without_an_end_nothing_comes() {
        let policies = policies(Mode::Enforce, &json!({}));
        let (time, kind, mut data) = adopted(&policies);
        data["deadline"] = Value::Null;
        let next = outlook(policies.iter().next(), &record(&[(time, kind, data)]), None, at("10:00:00"));
        assert_eq!(next, NextStep::waits_for("nothing, no end is set"));
    }
}
