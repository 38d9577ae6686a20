//! How health is checked in a story, and what fails.

use std::time::Duration;

use super::{Member, Moment, Outage, OutageKind, ScenarioStep, Way, When, actions::IT};
use crate::chance::Dice;

/// How health is checked: spans are in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) check_every: u64,
    pub(crate) settling: u64,
    pub(crate) grace: u64,
    pub(crate) fail_after: u64,
    pub(crate) recover_after: u64,
    /// Whether what has failed is deleted.
    pub(crate) deletes: bool,
    /// How long its owner has from the notice on.
    pub(crate) told_for: u64,
    /// How often, in a thousand, Prometheus does not answer as it should.
    pub(crate) rate: u64,
    /// When it never does.
    pub(super) outages: Vec<Outage>,
}

impl Health {
    pub(super) fn of(seed: u64, faulty_for: Duration) -> Option<Self> {
        let mut dice = Dice::new(seed, "health");
        if !dice.happens(400) {
            return None;
        }
        let mut outages = Vec::new();
        for _ in 0..dice.one_of(&[0, 1, 2, 3]) {
            let from = Duration::from_secs(dice.below(faulty_for.as_secs()));
            outages.push(Outage {
                way: Way::Alerts,
                from,
                until: from + Duration::from_secs(dice.one_of(&[5, 30, 120, 400])),
                how: dice.one_of(&[OutageKind::Refuses, OutageKind::Hangs]),
            });
        }
        Some(Self {
            check_every: dice.one_of(&[5, 10, 15, 30]),
            settling: dice.one_of(&[0, 20, 60, 150]),
            grace: dice.one_of(&[0, 20, 60, 150]),
            fail_after: dice.one_of(&[1, 1, 2, 3]),
            recover_after: dice.one_of(&[1, 2, 2, 3]),
            deletes: dice.happens(850),
            told_for: dice.one_of(&[0, 30, 120]),
            rate: dice.one_of(&[0, 50, 150, 300, 500]),
            outages,
        })
    }
}

/// Alerts come and go, for a while or for good; and some go while something is done about them.
pub(super) fn steps(seed: u64, faulty_for: Duration, cast: &[Member]) -> Vec<(When, ScenarioStep)> {
    let mut dice = Dice::new(seed, "illness");
    let mut steps = Vec::new();
    for who in 0..cast.len() {
        if !dice.happens(700) {
            continue;
        }
        let mut at = Duration::from_millis(dice.below(faulty_for.as_secs() * 600));
        for _ in 0..dice.between(1, 4) {
            steps.push((When::At(at), ScenarioStep::Break(who)));
            at += Duration::from_millis(dice.one_of(&[3_100, 20_000, 60_700, 120_000, 300_000, 2_000_000]));
            if at >= faulty_for {
                break;
            }
            steps.push((When::At(at), ScenarioStep::Mend(who)));
            at += Duration::from_millis(dice.one_of(&[2_900, 15_000, 40_300, 120_000]));
        }
    }
    for _ in 0..dice.below(3) {
        let moment = dice.one_of(&[Moment::Intent, Moment::Post, Moment::Annotate, Moment::Append, Moment::Delete]);
        let nth = dice.between(1, 12);
        let when = if dice.happens(500) { When::Before(moment, nth) } else { When::After(moment, nth) };
        steps.push((when, if dice.happens(800) { ScenarioStep::Mend(IT) } else { ScenarioStep::Break(IT) }));
    }
    steps
}
