//! Health, a newer deployment and a cancelled pipeline at once: every timeline of four checks of all three, under every mix of
//! what a policy switches, against a table of the edges that was written without the code.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Event, Keys, Mode, Observation, Policies, Policy, Reading, Record, Status,
    Status::{Cancelled, Failed, Failing, Ok, Stale, Superseded, Unknown, Unstable},
    Truth, decide,
    event::Entry,
    guards::PROMISE_MARGIN,
    health::{HealthCheck, HealthSample},
    observe,
    pipeline::CiSystem,
    policy::Common,
    supersession::Supersession,
    time::saturating_add,
};
use serde_json::json;

use crate::{
    any::entries,
    world::{SETTLES_WITHIN, dawn, every, namespace},
};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// How many checks are made, one a minute.
const CHECKS: usize = 4;

/// Whether something is checked, and whether what it leads to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    Off,
    Keeps,
    Deletes,
}

/// What a policy switches.
#[derive(Clone, Copy, Debug)]
struct Switches {
    /// Unstable for a minute, failing for a minute; well again after two checks.
    health: bool,
    superseded: Checks,
    pipeline: Checks,
    /// Whether its time is over after two and a half minutes.
    ends: bool,
}

/// What one check finds: that something fails, that a newer deployment replaces it, that its pipeline was cancelled.
type Found = [Option<bool>; 3];

/// What should be true. Written from the page alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Model {
    status: Status,
    minutes: usize,
    /// What the last known check of the health found, how many minutes it is known to be so and how many the status is known
    /// to stand, and whether the last check was known.
    fails: Option<bool>,
    held: u8,
    stood: u8,
    known: bool,
}

impl Model {
    fn check(&mut self, [fails, replaced, cancelled]: Found, switches: Switches) -> Vec<Status> {
        self.minutes += 1;
        if switches.health {
            let counts = self.known && fails.is_some();
            self.known = fails.is_some();
            if let Some(fails) = fails {
                let same = self.fails.replace(fails) == Some(fails);
                self.held = if same { self.held + u8::from(counts) } else { 0 };
                self.stood += u8::from(counts);
            }
        }
        let mut had = Vec::new();
        while let Some(to) = self.next(replaced, cancelled, switches) {
            (self.status, self.stood) = (to, 0);
            had.push(to);
            assert!(had.len() < SETTLES_WITHIN, "the table goes round: {had:?}");
        }
        had
    }

    /// The first edge that applies.
    fn next(&self, replaced: Option<bool>, cancelled: Option<bool>, switches: Switches) -> Option<Status> {
        let replaced = replaced.filter(|_| switches.superseded != Checks::Off);
        let cancelled = cancelled.filter(|_| switches.pipeline != Checks::Off);
        let is_over = switches.ends && self.minutes >= 3;
        match self.status {
            Unknown | Ok | Unstable | Failing | Failed => match (cancelled, replaced) {
                (Some(true), _) => Some(Cancelled),
                (_, Some(true)) => Some(Superseded),
                _ if is_over => Some(Stale),
                _ => self.by_health(switches),
            },
            Cancelled if cancelled == Some(false) => Some(Unknown),
            // What leads to a deletion of its own stays so, unless nobody knows any more whether it is.
            Cancelled if is_over && (switches.pipeline == Checks::Keeps || cancelled.is_none()) => Some(Stale),
            Superseded if replaced == Some(false) => Some(Unknown),
            Superseded if is_over && (switches.superseded == Checks::Keeps || replaced.is_none()) => Some(Stale),
            Cancelled | Superseded | Stale => None,
        }
    }

    fn by_health(&self, switches: Switches) -> Option<Status> {
        if !switches.health {
            return (self.status != Ok).then_some(Ok);
        }
        let fails = self.fails.filter(|_| self.known)?;
        let (to, is_due) = match (self.status, fails) {
            (Unknown | Ok, true) => (Unstable, true),
            (Unstable, true) => (Failing, self.stood >= 1),
            (Failing, true) => (Failed, self.stood >= 1),
            (Unknown | Unstable, false) => (Ok, true),
            (Failing | Failed, false) => (Ok, self.held >= 1),
            _ => return None,
        };
        is_due.then_some(to)
    }
}

/// A namespace as the code sees it.
#[derive(Clone, Debug)]
struct Subject {
    record: Record,
    seen: Option<Observation>,
    now: Timestamp,
}

impl Subject {
    /// A minute goes by, and a check finds this. Returns the statuses that follow.
    fn check(&mut self, policy: &Policy, found: Found) -> Vec<Status> {
        self.now = saturating_add(self.now, MINUTE);
        let condition = |found: Option<bool>| {
            let truth = match found {
                Some(true) => Truth::True,
                Some(false) => Truth::False,
                None => Truth::Unknown,
            };
            Condition { truth, reason: "a sample".to_owned(), observed_at: self.now }
        };
        let [fails, replaced, cancelled] = found;
        let status_generation = (self.record.status_generation, self.record.since.unwrap_or(self.now));
        let look = HealthSample { condition: condition(fails), failing: Vec::new() };
        let supersession =
            Supersession { condition: condition(replaced), holds: replaced != Some(false), successors: Vec::new() };
        let reading = Reading {
            namespace: namespace("a", dawn()),
            clock: condition(Some(true)),
            health: Check::Observed(HealthCheck { look, status_generation, every: MINUTE }),
            supersession: Check::Observed(supersession),
            pipeline: Check::Observed(condition(cancelled)),
        };
        let seen = observe(self.seen.take(), reading, self.now);
        let mut had = Vec::new();
        while let Some(event) = decide(Some(policy), &self.record, &seen, self.now).entry {
            if let Event::StatusChanged(change) = &event {
                assert!(change.from.may_become(change.to), "{} does not become {}", change.from, change.to);
                let is_deadly = policy.deletes(change.to);
                assert!(!is_deadly || change.finalize_at.is_some(), "{}: its owner could not be told when", change.to);
                had.push(change.to);
            }
            let seq = self.record.head + 1;
            self.record.fold(&Entry { seq, ..entries([(self.now, event)]).remove(0) });
            assert!(self.record.head < 64, "no rest: {had:?}");
        }
        self.seen = Some(seen);
        had
    }
}

fn policies(switches: Switches) -> Policies {
    let of = |checks: Checks| json!({ "delete": checks == Checks::Deletes });
    let mut policy = json!({
        "name": "a", "match": { "names": ["a"] },
        "checks": {
            "health": if switches.health { "prometheus" } else { "off" },
            "settling_period": "1m", "grace_period": "1m",
            "pipeline": if switches.pipeline == Checks::Off { "off" } else { "gitlab" },
        },
        "on": {},
    });
    if switches.ends {
        policy["ttl"] = json!("2.5m");
    }
    if switches.superseded != Checks::Off {
        policy["checks"]["superseded"] = json!({});
        policy["on"]["superseded"] = of(switches.superseded);
    }
    if switches.pipeline != Checks::Off {
        policy["on"]["cancelled"] = of(switches.pipeline);
    }
    let common = Common {
        mode: Mode::Enforce,
        keys: Keys::default(),
        exclude: &[],
        has_channel: false,
        sources: every(Some(MINUTE)),
        ci: &[CiSystem::Gitlab],
        promise_margin: PROMISE_MARGIN,
    };
    Policies::new(&[serde_json::from_value(policy).unwrap()], &common).unwrap()
}

#[test]
fn every_timeline_of_four_checks_of_all_three_takes_the_edges_of_the_table() {
    let all = [Checks::Off, Checks::Keeps, Checks::Deletes];
    let mut met = (0, HashSet::new());
    for health in [false, true] {
        for superseded in all {
            for pipeline in all {
                for ends in [false, true] {
                    follow(Switches { health, superseded, pipeline, ends }, &mut met);
                }
            }
        }
    }
    assert_eq!(met.1.len(), 8, "each status was met: {:?}", met.1);
    assert!(met.0 > 1_000, "only {} states were met", met.0);
}

/// Follows each state of the model once: two timelines that lead to one state go on alike.
fn follow(switches: Switches, met: &mut (usize, HashSet<Status>)) {
    let policies = policies(switches);
    let policy = policies.iter().next().unwrap();
    let record = Record::new(namespace("a", dawn()).uid);
    let model = Model { status: Unknown, minutes: 0, fails: None, held: 0, stood: 0, known: false };
    let mut ends = vec![(Subject { record, seen: None, now: dawn() }, model, Vec::<Found>::new())];
    for _ in 0..CHECKS {
        let mut known = HashSet::new();
        let mut next = Vec::new();
        for (subject, model, checks) in &ends {
            for found in findings() {
                let (mut subject, mut model, mut checks) = (subject.clone(), model.clone(), checks.clone());
                checks.push(found);
                let had = subject.check(policy, found);
                assert_eq!(had, model.check(found, switches), "{checks:?} with {switches:?}");
                met.1.insert(model.status);
                if known.insert(model.clone()) {
                    next.push((subject, model, checks));
                }
            }
        }
        met.0 += known.len();
        ends = next;
    }
}

fn findings() -> impl Iterator<Item = Found> {
    let each = [None, Some(false), Some(true)];
    each.into_iter().flat_map(move |fails| {
        each.into_iter().flat_map(move |replaced| each.into_iter().map(move |cancelled| [fails, replaced, cancelled]))
    })
}
