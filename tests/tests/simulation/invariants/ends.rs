//! What must hold when all faults have ended (L1 to L3).

use std::time::Duration;

use lifecycle::{Event, Keys, keys};

use super::{Judge, closes, deadline, health, is_managed, pipelines, pipelines::Becomes};
use crate::{
    apiserver::{Object, STRIPS},
    scenario::{ScenarioStep, Variant},
    world::World,
};

/// Without anything that waits by rule: the slowest is what somebody tampered with, put right every ten minutes.
const BASE: Duration = Duration::from_mins(14);

/// A notice, its grace, its promise and the minute after; and its tries, which began under way and come every 5 minutes by
/// then.
const NOTICE: Duration = Duration::from_mins(15);

/// What waits for a day: five refusals, and a clock that was a day ahead when something was put off.
const A_DAY: Duration = Duration::from_hours(27);

impl Judge {
    /// How long after the last fault everything may take.
    pub(crate) fn patience(&self, world: &World) -> Duration {
        let variants = || self.variants.values().map(|(variant, _)| variant);
        let least = variants().map(|variant| variant.budget.min(variant.unannounced)).min().unwrap_or(1);
        let windows = (world.scenario.cast.len() as u64).div_ceil(least.max(1)) + 1;
        let budgets = Duration::from_mins(10).saturating_mul(u32::try_from(windows).unwrap_or(1));
        let all = || self.histories.values().flatten().map(|written| &written.entry.event);
        let put_off = |fact: &Event| match fact {
            Event::ActionFailed(failed) => failed.not_before.is_some(),
            Event::ActionSkipped(skipped) => skipped.not_before.is_some(),
            _ => false,
        };
        let refused = all().filter(|fact| put_off(fact)).count();
        let jumped =
            world.scenario.steps.iter().any(|(_, step)| matches!(step, ScenarioStep::Jump(_, by) if by.abs() > 3_600));
        let backoff = match refused {
            0 => Duration::ZERO,
            1..5 => Duration::from_mins(70),
            _ => A_DAY,
        };
        let notices = if variants().any(|variant| variant.tells) { NOTICE } else { Duration::ZERO };
        let every = world.settings.iter().map(|settings| settings.check_every).max().unwrap_or_default();
        let health = world.scenario.health.as_ref().map_or(Duration::ZERO, |terms| health::patience(terms, every));
        let pipelines = world.scenario.pipelines.as_ref().map_or(Duration::ZERO, pipelines::patience);
        BASE + health + pipelines + budgets + notices + backoff + if jumped { A_DAY } else { Duration::ZERO }
    }

    /// What is not yet as it should be.
    pub(crate) fn unsettled(&self, world: &World, variant: &Variant) -> Vec<String> {
        let mut left = Vec::new();
        for (uid, history) in &self.histories {
            let name = history.last().map_or("", |written| written.entry.name.as_str());
            if let Some(open) = self.open(uid) {
                left.push(format!("entry {} of `{name}` is open", open.entry.seq));
            }
            let has_ended = history.iter().any(|written| matches!(written.entry.event, Event::Gone(_)));
            let is_there = world.cluster().all().any(|object| object.uid == *uid);
            if !has_ended && !is_there {
                left.push(format!("`{name}` ({uid}) is gone, and its history does not say so"));
            }
        }
        let objects: Vec<_> = world.cluster().all().cloned().collect();
        for object in &objects {
            left.extend(self.unsettled_object(world, object, variant).map(|why| format!("`{}` {why}", object.name)));
        }
        left
    }

    fn unsettled_object(&self, world: &World, object: &Object, variant: &Variant) -> Option<String> {
        let keys = Keys::default();
        let shown = object.annotations.get(&keys.ours(keys::STATUS)).map(String::as_str);
        if object.deleted.is_some() {
            return Some("is terminating".to_owned());
        }
        if self.has_lost(&object.uid) || object.labels.contains_key(STRIPS) {
            // Nobody trusts the store in any story, and nobody can read what is taken off.
            return None;
        }
        if !is_managed(object) {
            return shown.map(|shown| format!("is not ours and shows `{shown}`"));
        }
        let end = deadline(object, variant);
        let now = world.now();
        let is_over = now >= end;
        let is_kept = self.keeps.get(&object.uid).is_some_and(|(_, until)| now < *until);
        let is_protected = object.annotations.keys().any(|key| key.ends_with("/protect"));
        let can_go = variant.enforces && !is_kept && !is_protected;
        let replaced = self.replaced(world, object);
        if shown == Some("superseded") {
            let deletes = world.scenario.deployments.as_ref().is_some_and(|deployments| deployments.deletes);
            return match (replaced.now, deletes) {
                (true, true) if can_go => Some("is superseded, and there still".to_owned()),
                (_, false) if is_over => Some(format!("is superseded instead of stale, after {end}")),
                _ if !replaced.perhaps => Some("is superseded, and nothing newer may replace it".to_owned()),
                _ => None,
            };
        }
        if shown == Some("cancelled") {
            return Self::unsettled_cancelled(world, object, is_over, can_go).map(str::to_owned);
        }
        if is_over && can_go {
            return Some(format!("is there still, after {end}"));
        }
        if !is_over && Self::becomes(world, object) == Becomes::Cancelled {
            return Some(format!("was abandoned, and shows {shown:?}"));
        }
        if replaced.now && !is_over {
            return Some(format!("is replaced, and shows {shown:?}"));
        }
        let fails = world.scenario.health.is_some() && world.alerts().fires(&object.name, object.created);
        let deletes = world.scenario.health.as_ref().is_some_and(|health| health.deletes);
        if fails && !is_over && deletes && can_go {
            return Some("has failed, and is there still".to_owned());
        }
        let expected = match (is_over, fails) {
            (true, _) => "stale",
            (false, true) => "failed",
            (false, false) => "ok",
        };
        (shown != Some(expected)).then(|| format!("shows {shown:?} instead of `{expected}`"))
    }

    /// Whether its history says that its mark tells of lost entries.
    pub(super) fn has_lost(&self, uid: &str) -> bool {
        self.history(uid).iter().any(|written| matches!(written.entry.event, Event::RecordMarkerMismatched(_)))
    }

    /// Everything did not end well within [`Judge::patience`].
    pub(crate) fn gave_up(&mut self, world: &World, left: &[String]) {
        self.now = world.elapsed();
        left.iter().for_each(|what| self.complain("L1-L3", what.clone()));
    }

    /// Nothing is done to another cluster by what is known of this one.
    pub(crate) fn strayed(&mut self, world: &World, what: &str) {
        self.now = world.elapsed();
        self.complain("S8", format!("another cluster was asked to {what}"));
    }

    /// Nothing panics.
    pub(crate) fn panicked(&mut self, world: &World, what: &str) {
        self.now = world.elapsed();
        self.complain("panic", what);
    }

    /// Steps without an end.
    pub(crate) fn chased(&mut self, world: &World, steps: u64) {
        self.now = world.elapsed();
        self.complain("L3", format!("{steps} steps, and no end"));
    }

    /// At the very end: each intent has its one outcome.
    pub(crate) fn close(&mut self, world: &World) {
        self.now = world.elapsed();
        let mut found = Vec::new();
        for history in self.histories.values() {
            for written in history.iter().filter(|written| matches!(written.entry.event, Event::ActionIntended(_))) {
                let seq = written.entry.seq;
                let outcomes = history.iter().filter(|other| closes(&other.entry.event) == Some(seq)).count();
                if outcomes != 1 {
                    found.push(format!("entry {seq} of `{}` has {outcomes} outcomes", written.entry.name));
                }
            }
        }
        found.into_iter().for_each(|what| self.complain("S11", what));
    }
}
