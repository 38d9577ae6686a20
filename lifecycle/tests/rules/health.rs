//! What comes of checks of the health of a namespace: told, in letters; and exhaustively, against a table of the edges that
//! was written without the code.
//!
//! One check a minute: `+` finds nothing failing, `-` something, `?` no answer, and `.` is a check that was missed. It is
//! unstable for two minutes and failing for three.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Event, Keys, Mode, Observation, Policies, Policy, Reading, Record, Status,
    Status::{Failed, Failing, Ok, Unknown, Unstable},
    Truth, decide,
    event::{Entry, StatusChanged},
    guards::PROMISE_MARGIN,
    health::{HealthCheck, HealthSample, Streak},
    observe,
    policy::{Common, HealthRules},
    time::saturating_add,
};
use serde_json::{Value, json};

use crate::{
    any::entries,
    world::{SETTLES_WITHIN, dawn, every, namespace},
};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A namespace whose health is checked, and nothing else.
#[derive(Clone, Debug)]
struct Patient {
    policies: Policies,
    record: Record,
    seen: Option<Observation>,
    now: Timestamp,
    /// The statuses it had, in order.
    had: Vec<Status>,
    /// When the next check could bring another status, as was said last.
    check_at: Option<Timestamp>,
}

impl Patient {
    fn new(checks: &Value) -> Self {
        let policy = json!({ "name": "a", "match": { "names": ["a"] }, "checks": checks });
        let (mode, keys) = (Mode::Enforce, Keys::default());
        let common = Common {
            mode,
            keys,
            exclude: &[],
            has_channel: false,
            sources: every(Some(MINUTE)),
            ci: &[],
            promise_margin: PROMISE_MARGIN,
        };
        let policies = Policies::new(&[serde_json::from_value(policy).unwrap()], &common).unwrap();
        let record = Record::new(namespace("a", dawn()).uid);
        Self { policies, record, seen: None, now: dawn(), had: Vec::new(), check_at: None }
    }

    fn policy(&self) -> &Policy {
        self.policies.iter().next().unwrap()
    }

    /// A minute goes by, and a check finds this.
    fn check_once(&mut self, found: char) {
        self.now = saturating_add(self.now, MINUTE);
        let truth = match found {
            '+' => Truth::False,
            '-' => Truth::True,
            '?' => Truth::Unknown,
            '.' => return,
            _ => panic!("`{found}` is no check"),
        };
        let condition = |truth| Condition { truth, reason: "a sample".to_owned(), observed_at: self.now };
        let look = HealthSample { condition: condition(truth), failing: Vec::new() };
        let status_generation = (self.record.status_generation, self.record.since.unwrap_or(self.now));
        let health = Check::Observed(HealthCheck { look, status_generation, every: MINUTE });
        let reading = Reading {
            namespace: namespace("a", dawn()),
            clock: condition(Truth::True),
            health,
            supersession: Check::Disabled,
            pipeline: Check::Disabled,
        };
        let seen = observe(self.seen.take(), reading, self.now);
        for round in 0.. {
            let decision = decide(Some(self.policy()), &self.record, &seen, self.now);
            self.check_at = decision.look;
            let Some(event) = decision.entry else { break };
            if let Event::StatusChanged(change) = &event {
                self.had.push(change.to);
            }
            let seq = self.record.head + 1;
            let entry = Entry { seq, ..entries([(self.now, event)]).remove(0) };
            self.record.fold(&entry);
            assert!(round < SETTLES_WITHIN, "no rest: {:?}", self.had);
        }
        self.seen = Some(seen);
    }

    fn checks(mut self, found: &str) -> Self {
        found.chars().for_each(|found| self.check_once(found));
        self
    }

    fn had(&self) -> String {
        self.had.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn streak(&mut self) -> &mut Streak {
        match &mut self.seen.as_mut().expect("something was observed").health {
            Check::Observed(health) => &mut health.streak,
            Check::Disabled | Check::Pending => panic!("nothing was observed"),
        }
    }

    fn minutes(&self, at: Timestamp) -> i64 {
        lifecycle::time::between(self.now, at).as_mins()
    }
}

fn terms() -> Value {
    json!({ "settling_period": "2m", "grace_period": "3m" })
}

/// These checks lead to these statuses.
#[track_caller]
fn check(checks: &str, statuses: &str) {
    assert_eq!(Patient::new(&terms()).checks(checks).had(), statuses, "{checks}");
}

/// The same, where these terms are others.
#[track_caller]
fn check_with(more: &Value, checks: &str, statuses: &str) {
    let mut terms = terms();
    terms.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(Patient::new(&terms).checks(checks).had(), statuses, "{checks} with {more}");
}

#[test]
fn what_is_well_is_ok() {
    check("++++", "ok");
}

#[test]
fn what_goes_on_failing_has_failed_in_the_end() {
    check("++-", "ok unstable");
    check("++--", "ok unstable");
    check("++---", "ok unstable failing");
    check("++-----", "ok unstable failing");
    check("++------", "ok unstable failing failed");
    check("++---------", "ok unstable failing failed");
}

#[test]
fn it_may_fail_from_the_first_check_on() {
    check("-", "unstable");
    check("------", "unstable failing failed");
}

#[test]
fn from_unstable_it_recovers_at_once() {
    check("-+", "unstable ok");
    check("-+-", "unstable ok unstable");
    check("+--+--+--", "ok unstable ok unstable ok unstable");
}

#[test]
fn from_failing_and_failed_it_recovers_at_the_second_check() {
    check("---+", "unstable failing");
    check("---++", "unstable failing ok");
    check("------+", "unstable failing failed");
    check("------++", "unstable failing failed ok");
}

#[test]
fn one_good_check_among_bad_ones_ends_no_timer() {
    check("---+--", "unstable failing failed");
    check("---+-+-+-+-", "unstable failing failed");
    check("------+-+-+", "unstable failing failed");
}

#[test]
fn an_outage_changes_no_status() {
    check("????", "");
    check("+????", "ok");
    check("-????????", "unstable");
    check("---????????", "unstable failing");
    check("------????????", "unstable failing failed");
}

#[test]
fn time_in_an_outage_does_not_count() {
    check("-?????-", "unstable");
    check("-?????--", "unstable");
    check("-?????---", "unstable failing");
    check("--?????-", "unstable");
    check("--?????--", "unstable failing");
    check("---?-?-?-?-?-", "unstable failing");
}

#[test]
fn after_an_outage_recovery_begins_anew() {
    check("---+?+", "unstable failing");
    check("---+?++", "unstable failing ok");
    check("-?+", "unstable ok");
}

#[test]
fn one_check_that_is_missed_counts_and_two_do_not() {
    check("-.-", "unstable failing");
    check("-..-", "unstable");
    check("-..-.-", "unstable failing");
    check("-.........-", "unstable");
}

#[test]
fn several_checks_in_a_row_can_be_asked_for() {
    let twice = json!({ "fail_after": 2 });
    check_with(&twice, "+-", "ok");
    check_with(&twice, "+--", "ok unstable");
    check_with(&twice, "+-+-+-", "ok");
    check_with(&twice, "+-?-", "ok");
    check_with(&twice, "+-?--", "ok unstable");
    check_with(&twice, "-", "");
    check_with(&json!({ "recover_after": 1 }), "---+", "unstable failing ok");
    check_with(&json!({ "recover_after": 3 }), "---++", "unstable failing");
    check_with(&json!({ "recover_after": 3 }), "---+++", "unstable failing ok");
}

#[test]
fn a_period_may_be_none() {
    check_with(&json!({ "settling_period": 0 }), "-", "unstable failing");
    check_with(&json!({ "settling_period": 0, "grace_period": 0 }), "+-", "ok unstable failing failed");
}

#[test]
fn when_to_check_again_is_when_the_next_step_can_be_taken() {
    let next = |checks: &str| {
        let patient = Patient::new(&terms()).checks(checks);
        patient.check_at.map(|at| patient.minutes(at))
    };
    assert_eq!(next("+"), None);
    assert_eq!(next("-"), Some(2));
    assert_eq!(next("--"), Some(1));
    assert_eq!(next("---"), Some(3));
    assert_eq!(next("---+"), Some(1), "it may have recovered");
    assert_eq!(next("------"), None);
    assert_eq!(next("-?"), None, "nothing follows while nothing is known");
}

#[test]
fn what_one_saw_without_a_break_counts_for_the_next() {
    let mut patient = Patient::new(&terms()).checks("---");
    let (before, now) = (patient.streak().clone(), patient.now);
    // Another took over an hour later, and checked a minute before.
    let later = saturating_add(now, SignedDuration::from_mins(60));
    patient.now = later;
    let mut alone = patient.clone();
    let status_generation = (patient.record.status_generation, patient.record.since.unwrap());
    *patient.streak() = before.clone().looked_until(later, status_generation);
    patient.check_once('-');
    assert_eq!(patient.had(), "unstable failing failed");
    // One that does not know that starts the timer again.
    alone.check_once('-');
    assert_eq!(alone.had(), "unstable failing");
    // And after an outage there was no such time.
    let unknown = Streak { is_known: false, ..before };
    assert_eq!(unknown.clone().looked_until(later, status_generation), unknown);
}

#[test]
fn what_was_seen_of_the_time_in_another_status_counts_for_that_alone() {
    let mut patient = Patient::new(&terms()).checks("---");
    // Somebody else judged otherwise meanwhile: the timer of the new status has only begun.
    let mut other = entries([(patient.now, changed(Failing, Ok)), (patient.now, changed(Ok, Unstable))]);
    for entry in &mut other {
        entry.seq = patient.record.head + 1;
        patient.record.fold(entry);
    }
    patient.check_once('-');
    assert_eq!(patient.record.status, Unstable);
    patient.check_once('-');
    assert_eq!(patient.record.status, Failing);
}

fn changed(from: Status, to: Status) -> Event {
    let (reason, evidence) = ("so it is".to_owned(), Vec::new());
    Event::StatusChanged(lifecycle::event::StatusChanged {
        from,
        to,
        reason,
        evidence,
        finalize_at: None,
        successors: Vec::new(),
    })
}

#[test]
fn a_clock_that_is_set_back_starts_timers_again() {
    let mut patient = Patient::new(&terms()).checks("--");
    patient.now = saturating_add(patient.now, -SignedDuration::from_hours(1));
    let patient = patient.checks("--");
    assert_eq!(patient.had(), "unstable");
    assert_eq!(patient.checks("-").had(), "unstable failing");
}

#[test]
fn a_check_that_was_overtaken_says_nothing_new() {
    let patient = Patient::new(&terms()).checks("--");
    let mut late = patient.clone();
    late.now = saturating_add(patient.now, -MINUTE * 2);
    // It is taken in now, and was taken a minute before the last.
    let seen = late.seen.clone().unwrap();
    let condition = Condition { truth: Truth::False, reason: "late".to_owned(), observed_at: late.now };
    let look = HealthSample { condition: condition.clone(), failing: Vec::new() };
    let health = Check::Observed(HealthCheck {
        look,
        status_generation: (patient.record.status_generation, patient.now),
        every: MINUTE,
    });
    let reading = Reading {
        namespace: seen.namespace.clone(),
        clock: seen.clock.clone(),
        health,
        supersession: Check::Disabled,
        pipeline: Check::Disabled,
    };
    assert_eq!(observe(Some(seen.clone()), reading, patient.now), seen);
}

/// What should be true, counted in checks. Written from the page alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Model {
    status: Status,
    /// What the last known check found, for how many minutes it is known to be so, and whether the last check was known.
    fails: Option<bool>,
    held: u32,
    stood: u32,
    known: bool,
}

impl Model {
    fn check_once(&mut self, found: Option<bool>, terms: &HealthRules) -> Vec<Status> {
        const LONG: u32 = 9;
        let counts = self.known && found.is_some();
        self.known = found.is_some();
        let Some(fails) = found else { return Vec::new() };
        match self.fails.replace(fails) == Some(fails) {
            true if counts => self.held = (self.held + 1).min(LONG),
            true => {}
            false => self.held = 0,
        }
        self.stood = if counts { (self.stood + 1).min(LONG) } else { self.stood };
        let mut had = Vec::new();
        while let Some(to) = self.next(fails, terms) {
            (self.status, self.stood) = (to, 0);
            had.push(to);
        }
        had
    }

    fn next(&self, fails: bool, terms: &HealthRules) -> Option<Status> {
        let minutes = |time: SignedDuration| u32::try_from(time.as_mins()).unwrap();
        let (to, is_due) = match (self.status, fails) {
            (Unknown | Ok, true) => (Unstable, self.held + 1 >= terms.fail_after),
            (Unstable, true) => (Failing, self.stood >= minutes(terms.settling)),
            (Failing, true) => (Failed, self.stood >= minutes(terms.grace)),
            (Unknown | Unstable, false) => (Ok, true),
            (Failing | Failed, false) => (Ok, self.held + 1 >= terms.recover_after),
            _ => return None,
        };
        is_due.then_some(to)
    }
}

/// Another collector has checked since, and found the contrary. Were the older check to count, the two would take turns at the
/// namespace until the next.
#[test]
fn an_older_check_takes_back_nothing_that_a_newer_one_brought() {
    for (own, others, next) in [('-', Ok, Unstable), ('+', Unstable, Ok)] {
        let mut patient = Patient::new(&terms()).checks(&own.to_string());
        patient.now += SignedDuration::from_secs(20);
        let change = StatusChanged {
            from: patient.record.status,
            to: others,
            reason: "another sample".to_owned(),
            evidence: Vec::new(),
            finalize_at: None,
            successors: Vec::new(),
        };
        let entry = entries([(patient.now, Event::StatusChanged(change))]).remove(0);
        patient.record.fold(&Entry { seq: patient.record.head + 1, ..entry });
        let seen = patient.seen.as_ref().expect("something was observed");
        assert_eq!(decide(Some(patient.policy()), &patient.record, seen, patient.now).entry, None, "{own}");
        patient.had.clear();
        assert_eq!(patient.checks(&own.to_string()).had(), next.as_str());
    }
}

/// What one collector wrote down is taken over by another, whose own check was earlier and found something else, or nothing:
/// it has to wait for its next. A status that came of another's check would be told with the reason of this one.
#[test]
fn nothing_follows_from_what_another_saw_and_the_own_check_does_not_say() {
    let last = |patient: &Patient| *patient.had.last().expect("it had a status");
    for (checks, own, others, next) in [
        ("-", '?', '+', Ok),
        ("-", '-', '+', Ok),
        ("---", '?', '+', Ok),
        ("---", '-', '+', Ok),
        ("-", '?', '-', Failing),
        ("+", '?', '-', Unstable),
        ("+", '+', '-', Unstable),
    ] {
        let mut patient = Patient::new(&terms()).checks(checks);
        let status = last(&patient);
        patient.check_once(own);
        assert_eq!(last(&patient), status, "{checks}{own}");
        // Right after that it takes over what the other saw for a long time.
        let (looked_at, since) = (patient.now, saturating_add(patient.now, -MINUTE * 9));
        let status_generation = patient.record.status_generation;
        *patient.streak() =
            Streak { status_generation, fails: others == '-', since, status_since: since, looked_at, is_known: true };
        let seen = patient.seen.as_ref().expect("something was observed");
        let decision = decide(Some(patient.policy()), &patient.record, seen, patient.now);
        assert_eq!((decision.entry, decision.look), (None, None), "{checks}{own}, and another saw {others}");
        patient.check_once(others);
        assert_eq!(last(&patient), next, "the next check of its own says it: {checks}{own}{others}");
    }
}

/// Every timeline of ten checks, under every mix of the switches.
#[test]
fn every_timeline_of_ten_checks_takes_the_edges_of_the_table() {
    let mut met = 0;
    for (settling, grace) in [("0", "0"), ("0", "2m"), ("1m", "0"), ("2m", "3m")] {
        for (fail_after, recover_after) in [(1, 1), (1, 2), (2, 1), (3, 3)] {
            let checks = json!({
                "settling_period": settling, "grace_period": grace,
                "fail_after": fail_after, "recover_after": recover_after,
            });
            met += follow(Patient::new(&checks));
        }
    }
    assert!(met > 500, "only {met} states were met");
}

/// Follows each state of the model once: two timelines that lead to one state go on alike. Returns how many there are.
fn follow(patient: Patient) -> usize {
    let terms = patient.policy().health.unwrap();
    let model = Model { status: Unknown, fails: None, held: 0, stood: 0, known: false };
    let mut known = HashSet::from([model.clone()]);
    let mut ends = vec![(patient, model, String::new())];
    for _ in 0..10 {
        let mut next = Vec::new();
        for (patient, model, checks) in &ends {
            for (letter, found) in [('+', Some(false)), ('-', Some(true)), ('?', None)] {
                let (mut patient, mut model): (Patient, Model) = (patient.clone(), model.clone());
                let checks = format!("{checks}{letter}");
                patient.had.clear();
                patient.check_once(letter);
                assert_eq!(patient.had, model.check_once(found, &terms), "{checks} with {terms:?}");
                if known.insert(model.clone()) {
                    next.push((patient, model, checks));
                }
            }
        }
        ends = next;
    }
    known.len()
}
