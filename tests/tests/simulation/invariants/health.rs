//! What Prometheus said, and what may follow from that (S4, S8): by its own log, not by what was made of it.
//!
//! Time counts from one known look to the next, whatever both say, where they are not too far apart. A collector goes on
//! where another left off. That is more than any collector counts for itself, as it cannot know of all looks of others.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Entry, Event, Status, event::StatusChanged, time::saturating_add};

use super::{Judge, SKEW};
use crate::{
    alerts::Look,
    apiserver::{Life, Object},
    scenario::{Health, Scenario, ScenarioStep},
    world::{Who, World},
};

/// How long after a look that was answered another may still be what a turn rests on: one turn's requests.
const TURN: SignedDuration = SignedDuration::from_secs(40);

/// What was the last look for so long was taken in, where nothing else goes wrong.
const LASTS: SignedDuration = SignedDuration::from_secs(14);

/// For how long after a fault turns may rest.
const FAULTY: Duration = Duration::from_secs(20);

/// How old the evidence of a deletion may be (S4).
const FRESH: SignedDuration = SignedDuration::from_secs(60);

impl Judge {
    /// S8: a status follows from a look of its writer that says so, and from enough time that is known.
    pub(super) fn by_health(&mut self, world: &World, who: Who, entry: &Entry, change: &StatusChanged, what: &str) {
        let fails = match change.to {
            Status::Unstable | Status::Failing | Status::Failed => true,
            Status::Ok => false,
            Status::Unknown | Status::Stale | Status::Cancelled | Status::Superseded => return,
        };
        let Some(health) = world.scenario.health.clone() else {
            if fails {
                self.complain("S8", format!("{what} goes to {}, and nobody looks at health", change.to));
            }
            return;
        };
        let to = change.to;
        let (alerts, life) = (world.alerts(), life(world, entry.uid.as_str()));
        let (looks, Some(life)) = (alerts.looks(), life) else { return };
        // What it rests on comes third, after its age and the clock.
        let told_at = change.evidence.get(2).map(|condition| condition.observed_at);
        let asker = entry.actor.as_str();
        let Some(at) = looks.iter().rposition(|look| look.asker == asker && Some(look.at) == told_at) else {
            self.complain("S8", format!("{what} goes to {to} by a look that nobody took, at {told_at:?}"));
            return;
        };
        let says = looks[at].says.of(&life.name, life.created);
        if says != Some(fails) {
            self.complain("S8", format!("{what} goes to {to} by the look of {}, which says {says:?}", looks[at].at));
        }
        let slack = slack(&world.scenario);
        let newer = looks[at + 1..].iter().find(|look| look.asker == asker && look.ended() + TURN <= entry.at);
        if let Some(newer) = newer.filter(|_| slack.is_zero()) {
            let (old, new) = (looks[at].at, newer.at);
            self.complain("S8", format!("{what} goes to {to} by the look of {old}, and there was one at {new}"));
        }
        // What others have looked at since, and written down, counts too.
        let known = Known { looks, life: &life, reach: reach(world), until: entry.at };
        // Of the looks that come while a turn is taken, or the store is away, the last one counts alone.
        let was_taken = |look: &Look| match who {
            Who::Machine(machine) => !world.has_failed(machine, look.arrived.saturating_sub(FAULTY)),
            Who::Operator => true,
        };
        let held = |fails: bool| known.held(asker, fails, was_taken);
        let least = world.settings.iter().map(|settings| settings.check_every).min().unwrap_or_default();
        let looked = |times: u64| signed(least).saturating_mul(i32::try_from(times - 1).unwrap_or(0));
        let (counted, needed) = match (change.from, fails) {
            (Status::Unstable, true) => (known.time(self.entered(entry), None), seconds(health.settling)),
            (Status::Failing, true) => (known.time(self.entered(entry), None), seconds(health.grace)),
            (Status::Failing | Status::Failed, false) => (held(false), looked(health.recover_after)),
            (Status::Unknown | Status::Ok, true) => (held(true), looked(health.fail_after)),
            (Status::Unknown | Status::Ok | Status::Unstable, false)
            | (Status::Failed | Status::Stale | Status::Cancelled | Status::Superseded, _) => return,
        };
        if counted + slack < needed {
            self.complain("S8", format!("{what} goes to {to} after {counted:#} that is known, of {needed:#}"));
        }
    }

    /// S4: what is deleted for having failed fails still, by a fresh look of whoever deletes it; and S8: it failed for as
    /// long as it had to.
    pub(super) fn still_fails(&mut self, world: &World, object: &Object, intent: &Entry) {
        let name = &object.name;
        let Some(health) = world.scenario.health.clone() else {
            self.complain("S4", format!("`{name}` is deleted for its health, which nobody looks at"));
            return;
        };
        let (alerts, life) = (world.alerts(), life(world, &object.uid));
        let (looks, Some(life)) = (alerts.looks(), life) else { return };
        let asker = intent.actor.as_str();
        let last = looks.iter().rev().find(|look| look.asker == asker && look.at <= intent.at);
        let slack = slack(&world.scenario);
        match last {
            None => self.complain("S4", format!("`{name}` is deleted by one who never looked whether it fails")),
            Some(look) if look.says.of(name, life.created) != Some(true) => {
                let says = look.says.of(name, life.created);
                self.complain("S4", format!("`{name}` is deleted after the look of {}, which says {says:?}", look.at));
            }
            Some(look) if intent.at.duration_since(look.at) > FRESH + slack => {
                self.complain("S4", format!("`{name}` is deleted by a look of {}", look.at));
            }
            Some(_) => {}
        }
        let (began, failed) = self.downfall(&object.uid, intent.seq);
        let known = Known { looks, life: &life, reach: reach(world), until: failed };
        let (counted, needed) = (known.time(began, None), seconds(health.settling + health.grace));
        if counted + slack < needed {
            self.complain("S8", format!("`{name}` is deleted after {counted:#} that is known, of {needed:#}"));
        }
    }

    /// When the status that an entry ends was entered.
    fn entered(&self, entry: &Entry) -> Timestamp {
        let before = self.history(entry.uid.as_str()).iter().rev().find(|written| {
            matches!(written.entry.event, Event::StatusChanged(_) | Event::Adopted(_)) && written.entry.seq < entry.seq
        });
        before.map_or(entry.at, |written| written.entry.at)
    }

    /// When it became unstable, and when it had failed, as of the entry of this number.
    fn downfall(&self, uid: &str, before: u64) -> (Timestamp, Timestamp) {
        let at = |wanted: Status| {
            let mut history = self.history(uid).iter().filter(|written| written.entry.seq < before).rev();
            let is_it = |fact: &Event| matches!(fact, Event::StatusChanged(change) if change.to == wanted);
            history.find(|written| is_it(&written.entry.event)).map(|written| written.entry.at)
        };
        let failed = at(Status::Failed).unwrap_or(Timestamp::MAX);
        (at(Status::Unstable).unwrap_or(failed), failed)
    }
}

/// What is known of the health of a namespace, by all who looked.
struct Known<'a> {
    looks: &'a [Look],
    life: &'a Life,
    /// How far apart two looks may be.
    reach: SignedDuration,
    /// The last instant of it.
    until: Timestamp,
}

impl Known<'_> {
    /// How long looks have said so, for whoever took the last, if its turns were taken.
    fn held(&self, asker: &str, fails: bool, was_taken: impl Fn(&Look) -> bool) -> SignedDuration {
        let own: Vec<_> = self.looks.iter().filter(|look| look.asker == asker).collect();
        let other = own.windows(2).rev().find(|looks| {
            let lasted = looks[1].at.duration_since(looks[0].at) >= LASTS;
            self.says(looks[0]) == Some(!fails) && lasted && was_taken(looks[0])
        });
        let other = other.map(|looks| looks[0]);
        self.time(other.map_or(Timestamp::MIN, |look| look.at), Some(fails))
    }

    /// How much is known of the time since then; of `only`: for how much of it looks said so.
    fn time(&self, from: Timestamp, only: Option<bool>) -> SignedDuration {
        let counts = |look: &Look| match only {
            None => self.says(look).is_some(),
            Some(only) => self.says(look) == Some(only),
        };
        let earliest = saturating_add(from, -self.reach);
        let is_near =
            |look: &&Look| look.asker.starts_with("collector/") && look.at <= self.until && look.at >= earliest;
        let mut near: Vec<_> = self.looks.iter().filter(is_near).collect();
        // One that was answered late comes later among all, and is no newer for that.
        near.sort_by_key(|look| look.at);
        let mut spans: Vec<_> = near
            .iter()
            .enumerate()
            .filter(|(_, look)| counts(look))
            .filter_map(|(place, look)| {
                // Its own last look, if that was known; or the first after it of another that it may go on from.
                let own = near[..place].iter().rposition(|earlier| earlier.asker == look.asker).unwrap_or(0);
                let is_in_reach = |earlier: &&&Look| look.at.duration_since(earlier.at) <= self.reach;
                let earlier = near[own..place].iter().filter(is_in_reach).find(|earlier| counts(earlier))?;
                Some((earlier.at, look.at))
            })
            .map(|(begin, end)| (begin.max(from), end))
            .filter(|(begin, end)| begin < end)
            .collect();
        spans.sort_unstable();
        let mut counted = SignedDuration::ZERO;
        let mut reached = Timestamp::MIN;
        for (begin, end) in spans {
            let begin = begin.max(reached);
            if begin < end {
                counted += end.duration_since(begin);
                reached = end;
            }
        }
        counted
    }

    fn says(&self, look: &Look) -> Option<bool> {
        look.says.of(&self.life.name, self.life.created)
    }
}

/// How far apart two looks may be for the time between to count.
fn reach(world: &World) -> SignedDuration {
    let most = world.settings.iter().map(|settings| settings.check_every).max().unwrap_or_default();
    signed(most) * 2
}

/// What clocks that jump add to what they measure, each time.
fn slack(scenario: &Scenario) -> SignedDuration {
    let jumps = scenario.steps.iter().filter(|(_, step)| matches!(step, ScenarioStep::Jump(..))).count();
    // Two clocks that are off to both sides, and the last jump, back to the true time.
    if jumps == 0 { SignedDuration::ZERO } else { SKEW * 2 * (i32::try_from(jumps).unwrap_or(i32::MAX - 1) + 1) }
}

fn life(world: &World, uid: &str) -> Option<Life> {
    world.cluster().lives().get(uid).cloned()
}

fn seconds(seconds: u64) -> SignedDuration {
    signed(Duration::from_secs(seconds))
}

fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

/// How long everything may take that health has to do with, from the last fault on.
pub(super) fn patience(health: &Health, every: Duration) -> Duration {
    let looks = u32::try_from(health.fail_after + health.recover_after + 8).unwrap_or(u32::MAX);
    Duration::from_secs(health.settling + health.grace + health.told_for) + every.saturating_mul(looks)
}
