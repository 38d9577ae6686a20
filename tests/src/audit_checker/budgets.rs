//! All deletions of a window together: the budget (S6), and the limit of what nobody could foresee (S7).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::deletions::intent_of;
use super::foretold::is_foretold;
use super::{Complain, Entry, Run, Violation};

/// The window is chosen by the apiserver's `Date`, which has whole seconds.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

pub(super) fn judge(run: &Run, found: &mut Vec<Violation>) {
    let (mut slots, mut unannounced) = (BTreeMap::new(), BTreeMap::new());
    for delete in run.own() {
        let Some(uid) = &delete.uid else { continue };
        let history = run.ledger.history(uid);
        let Some(intent) = intent_of(history, delete) else { continue };
        let what = format!("the deletion of `{}` by entry {}", delete.namespace, intent.seq);

        let slot = intent.text("slot").unwrap_or_default();
        spend(run, ("S6", "slots"), slot, intent, &mut slots, found);

        match intent.text("unannounced") {
            None if intent.text("cause") == Some("stale") && is_foretold(history.before(intent.seq)) => {}
            None => found.complain("S7", format!("{what} was not announced in time, and has no slot of those")),
            Some(approved) if approved.starts_with("approved by ") => approval(run, approved, intent, found),
            Some(slot) => spend(run, ("S7", "unannounced"), slot, intent, &mut unannounced, found),
        }
    }
    for ((rule, kind), spent) in [(("S6", "slots"), slots), (("S7", "unannounced"), unannounced)] {
        for (window, count) in spent {
            let limit = limit(run, kind, &window);
            if limit.is_none_or(|limit| count > limit) {
                found.complain(rule, format!("{count} deletions took {kind} of {window}, whose limit is {limit:?}"));
            }
        }
    }
}

/// Counts a number of a window, `<window>/<number>`, that a deletion took: it must be its own, and good then.
fn spend(
    run: &Run,
    (rule, kind): (&'static str, &str),
    taken: &str,
    intent: &Entry,
    spent: &mut BTreeMap<String, u64>,
    found: &mut Vec<Violation>,
) {
    let what = format!("`{taken}`, on which entry {} deleted `{}`,", intent.seq, intent.name);
    let parsed = taken.rsplit_once('/').and_then(|(window, number)| Some((window, number.parse::<u64>().ok()?)));
    let Some((window, number)) = parsed else {
        found.complain(rule, format!("{what} is no number of a window"));
        return;
    };
    *spent.entry(window.to_owned()).or_default() += 1;
    let claimed = run.ledger.claims(kind, window).find(|claim| claim.number == number);
    let is_own = claimed.and_then(|claim| claim.body.get("uid")?.as_str()) == Some(&intent.uid);
    if !is_own {
        found.complain(rule, format!("{what} is not this namespace's"));
    }
    if number == 0 || limit(run, kind, window).is_none_or(|limit| number > limit) {
        found.complain(rule, format!("{what} is beyond the limit"));
    }
    let length = run.timings.budget_window;
    let in_window =
        window.parse::<Timestamp>().is_ok_and(|start| start - SKEW <= intent.at && intent.at < start + length + SKEW);
    if !in_window {
        found.complain(rule, format!("{what} was not good at {}", intent.at));
    }
}

fn limit(run: &Run, kind: &str, window: &str) -> Option<u64> {
    run.ledger.claims(kind, window).find(|claim| claim.number == 0)?.body.get("limit")?.as_u64()
}

/// `approved by SOMEBODY (NUMBER)` must be true at the intent.
fn approval(run: &Run, approved: &str, intent: &Entry, found: &mut Vec<Violation>) {
    let number = approved.rsplit_once('(').and_then(|(_, rest)| rest.trim_end_matches(')').parse().ok());
    let claim = run.ledger.claims("controls", "approval").find(|claim| Some(claim.number) == number);
    let until = claim.and_then(|claim| claim.body.get("until")?.as_str()?.parse::<Timestamp>().ok());
    if until.is_none_or(|until| until <= intent.at) {
        found.complain("S7", format!("entry {} of `{}` is {approved}, which it was not", intent.seq, intent.name));
    }
}
