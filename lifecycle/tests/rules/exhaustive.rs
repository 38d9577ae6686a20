//! Every timeline of up to six events, against a table of the edges that was written without the code.
//!
//! What the code under test reads of the past is what the model reads, so two timelines that lead to one state of the
//! model go on alike. Each state is followed once, and that covers them all.

use std::collections::HashSet;

use jiff::SignedDuration;
use lifecycle::{
    Action, Decision, Event, Mode, Status,
    Status::{Cancelled, Failed, Failing, Ok, Stale, Superseded, Unknown, Unstable},
    Truth,
    time::{annotation_text, saturating_add},
};
use serde_json::json;

use crate::world::{Settings, Step, World, dawn, namespace};

const MINUTE: i64 = 60_000;
const MAX_STEPS: usize = 6;

/// How long the policy lets it live, and the owner's two other ideas.
const TTL: i64 = 60 * MINUTE;
const LONGER: i64 = 120 * MINUTE;
const SHORTER: i64 = 30 * MINUTE;
/// The end of the owner's keep.
const KEPT: i64 = 90 * MINUTE;

/// The edges of the page (docs/design/lifecycle.md section 4), word for word.
const EDGES: [(Status, &[Status]); 8] = [
    (Unknown, &[Ok, Unstable, Cancelled, Superseded, Stale]),
    (Ok, &[Unstable, Cancelled, Superseded, Stale]),
    (Unstable, &[Ok, Failing, Cancelled, Superseded, Stale]),
    (Failing, &[Ok, Failed, Cancelled, Superseded, Stale]),
    (Failed, &[Ok, Cancelled, Superseded, Stale]),
    (Cancelled, &[Unknown, Stale]),
    (Superseded, &[Unknown, Stale]),
    (Stale, &[Unknown]),
];

#[test]
fn the_machine_has_the_edges_of_the_page_and_no_other() {
    for (from, followers) in EDGES {
        for to in Status::ALL {
            assert_eq!(from.may_become(to), followers.contains(&to), "{from} -> {to}");
        }
    }
}

/// Rules 3 and 5 with health off: whether its time is over decides alone.
const BEFORE: [(Status, Status); 2] = [(Unknown, Ok), (Stale, Unknown)];
const OVER: [(Status, Status); 2] = [(Unknown, Stale), (Ok, Stale)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    /// Time goes on to this long after the end that the owner and the policy set now.
    To(i64),
    Ttl(Option<i64>),
    Keep(bool),
    Protect(bool),
    ClockKnown(bool),
    Intend,
    Fence,
}

const ALPHABET: [Letter; 14] = [
    Letter::To(-1),
    Letter::To(0),
    Letter::To(1),
    Letter::Ttl(Some(LONGER)),
    Letter::Ttl(Some(SHORTER)),
    Letter::Ttl(None),
    Letter::Keep(true),
    Letter::Keep(false),
    Letter::Protect(true),
    Letter::Protect(false),
    Letter::ClockKnown(false),
    Letter::ClockKnown(true),
    Letter::Intend,
    Letter::Fence,
];

/// What should be true, in plain numbers: milliseconds since the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Model {
    now: i64,
    // As the namespace has it.
    ttl: Option<i64>,
    keep: bool,
    protect: bool,
    clock_known: bool,
    // As it is recorded.
    adopted: bool,
    status: Status,
    end: i64,
    kept: bool,
    protected: bool,
    open: bool,
}

impl Model {
    const fn configured_end(&self) -> i64 {
        match self.ttl {
            Some(ttl) => ttl,
            None => TTL,
        }
    }

    const fn is_offered(&self) -> bool {
        let is_held = self.protected || (self.kept && self.now < KEPT);
        self.adopted && matches!(self.status, Stale) && !is_held && !self.open
    }

    /// What is recorded once a turn is over, and the edges on the way.
    fn turn(&mut self) -> Vec<(Status, Status)> {
        self.adopted |= self.clock_known;
        if !self.adopted {
            return Vec::new();
        }
        self.protected = self.protect;
        self.kept = self.keep && (self.kept || self.clock_known);
        let mut taken = Vec::new();
        if self.open || !self.clock_known {
            return taken;
        }
        self.end = self.configured_end();
        let edges = if self.now >= self.end { OVER } else { BEFORE };
        while let Some((from, to)) = edges.into_iter().find(|(from, _)| *from == self.status) {
            taken.push((from, to));
            self.status = to;
        }
        taken
    }

    /// What happens, as a step; `None` where it cannot, or changes nothing.
    fn happen(&mut self, letter: Letter) -> Option<Step> {
        let before = self.clone();
        let step = self.step(letter);
        step.filter(|_| *self != before)
    }

    fn step(&mut self, letter: Letter) -> Option<Step> {
        let text = |key: &str, value: Option<String>| Some(Step::Annotate(key.to_owned(), value));
        match letter {
            Letter::To(after) => {
                let to = self.now.max(self.configured_end() + after);
                let by = to - std::mem::replace(&mut self.now, to);
                Some(Step::Jump(SignedDuration::from_millis(by)))
            }
            Letter::Ttl(ttl) => {
                self.ttl = ttl;
                text("ttl", ttl.map(|ttl| format!("{}m", ttl / MINUTE)))
            }
            Letter::Keep(on) => {
                self.keep = on;
                let until = annotation_text(saturating_add(dawn(), SignedDuration::from_millis(KEPT)));
                text("keep_until", on.then_some(until))
            }
            Letter::Protect(on) => {
                self.protect = on;
                text("protect", on.then(String::new))
            }
            Letter::ClockKnown(known) => {
                self.clock_known = known;
                Some(Step::Clock(if known { Truth::True } else { Truth::Unknown }))
            }
            Letter::Intend => {
                let acts = self.is_offered() && self.clock_known;
                self.open |= acts;
                acts.then_some(Step::Intend { held_for: SignedDuration::from_hours(99) })
            }
            Letter::Fence => std::mem::take(&mut self.open).then_some(Step::Fence),
        }
    }
}

fn begin() -> (World, Model) {
    let raw = serde_json::from_value(json!({
        "name": "a", "match": { "names": ["a"] }, "ttl": "1h", "visible_for": 0,
    }));
    let policies = Settings { mode: Mode::Enforce, ..Settings::default() }.policies(&[raw.unwrap()]);
    let mut world = World::new(policies, namespace("a", dawn()), dawn());
    world.turn();
    let model = Model {
        now: 0,
        ttl: None,
        keep: false,
        protect: false,
        clock_known: true,
        adopted: true,
        status: Ok,
        end: TTL,
        kept: false,
        protected: false,
        open: false,
    };
    (world, model)
}

/// Compares the code's turn with the model's; says what differs.
fn differs(world: &mut World, model: &mut Model) -> Option<String> {
    let before = world.history.len();
    let due = world.turn();
    let edges = model.turn();
    let taken: Vec<_> = world.history[before..]
        .iter()
        .filter_map(
            |entry| if let Event::StatusChanged(change) = &entry.event { Some((change.from, change.to)) } else { None },
        )
        .collect();
    let at = |millis| saturating_add(dawn(), SignedDuration::from_millis(millis));
    let found = (
        world.record.status,
        world.record.deadline.as_ref().map(|deadline| deadline.at),
        (world.record.protected, world.record.kept.is_some(), world.record.open.is_some()),
        world.offers(Action::Delete).is_some(),
        taken,
        world.decide(),
    );
    let decision = Decision {
        entry: None,
        due: match &world.record.open {
            Some(open) => Some(open.intended.until),
            None => (model.clock_known && model.now < model.end).then(|| at(model.end)),
        },
        look: None,
    };
    let expected = (
        model.status,
        Some(at(model.end)),
        (model.protected, model.kept, model.open),
        model.is_offered(),
        edges,
        decision,
    );
    let is_ahead = due.is_none_or(|due| due > world.now);
    (found != expected || !is_ahead).then(|| format!("found    {found:?}\nexpected {expected:?}\ndue {due:?}"))
}

#[test]
fn every_short_timeline_takes_the_edges_of_the_table() {
    let (world, model) = begin();
    let mut known = HashSet::from([model.clone()]);
    let mut ends = vec![(world, model, Vec::new())];
    for _ in 0..MAX_STEPS {
        let mut next = Vec::new();
        for (world, model, timeline) in &ends {
            for letter in ALPHABET {
                let mut model: Model = model.clone();
                let Some(step) = model.happen(letter) else { continue };
                let (mut world, timeline): (World, Vec<_>) = (world.clone(), [&timeline[..], &[letter]].concat());
                world.apply(&step).unwrap_or_else(|why| panic!("{timeline:?}: {why}"));
                if let Some(difference) = differs(&mut world, &mut model) {
                    panic!("{timeline:?}:\n{difference}");
                }
                if known.insert(model.clone()) {
                    world.forget();
                    next.push((world, model, timeline));
                }
            }
        }
        ends = next;
    }
    assert!(known.len() > 1_000, "only {} states were met", known.len());
}
