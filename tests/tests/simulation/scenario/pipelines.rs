//! The pipelines of a story: what a GitLab or a GitHub does in it, and how it is asked.

mod scenes;
mod script;

use std::time::Duration;

use lifecycle::pipeline::CiSystem;

use self::script::Script;
use super::{Deployments, Member, Outage, OutageKind, ScenarioStep, Way, When};
use crate::chance::Dice;

/// How a CI system is asked, and what happens in it.
#[derive(Clone, Debug)]
pub(crate) struct Pipelines {
    pub(crate) system: CiSystem,
    /// In seconds, as the next two.
    pub(crate) check_every: u64,
    pub(crate) gone_after: u64,
    /// How long an owner has from the notice on.
    pub(crate) told_for: u64,
    pub(crate) per_minute: u64,
    /// Whether merge requests count.
    pub(crate) merged: bool,
    /// Whether what is cancelled is deleted.
    pub(crate) deletes: bool,
    /// Whether it lists pipelines of other refs too, whatever it is asked for.
    pub(crate) lists_all: bool,
    /// How often, in a thousand, it does not answer as it should.
    pub(crate) rate: u64,
    /// When it never does.
    pub(super) outages: Vec<Outage>,
    /// What the story is about, to be counted.
    pub(crate) scenes: Vec<&'static str>,
    /// What happens, in no order: a [`ScenarioStep::Act`] names one by its place.
    pub(crate) acts: Vec<Act>,
}

/// What happens in a CI system. Pipelines, jobs and merge requests are named by their numbers, namespaces by their place in the
/// cast.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Begin(Begin),
    Deploy(Deploy),
    /// The status of a pipeline becomes another; where it runs again it is about to deploy there again.
    Turn {
        pipeline: u64,
        to: &'static str,
        into: Option<usize>,
    },
    /// The record of a pipeline is removed.
    Remove {
        pipeline: u64,
        by: Remover,
    },
    /// A merge request is opened, or its state becomes another.
    Request {
        request: Request,
        to: &'static str,
        source: Source,
    },
    /// A repository is deleted.
    Lose {
        repository: u64,
    },
}

/// A merge request: its project, and its number there.
pub(crate) type Request = (u64, u64);

/// A branch: its project, and its name.
pub(crate) type Source = (u64, String);

/// A pipeline begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begin {
    pub(crate) pipeline: u64,
    pub(crate) project: u64,
    pub(crate) reference: String,
    /// The repository that `reference` is of, where it is a fork of the project.
    pub(crate) fork: Option<u64>,
    /// Of a GitHub, whose branches have pipelines of several workflows; and what it was started by.
    pub(crate) workflow: u64,
    pub(crate) event: &'static str,
    pub(crate) sha: String,
    /// Another pipeline starts it.
    pub(crate) is_child: bool,
    /// The merge request that it is for in truth, whatever labels say.
    pub(crate) request: Option<Request>,
    /// How long ago it was created, in seconds.
    pub(crate) age: u64,
    pub(crate) status: &'static str,
    /// Where it is about to deploy.
    pub(crate) into: Option<usize>,
    /// Those that it cancels, as their successor.
    pub(crate) cancels: Vec<u64>,
}

/// A job of a pipeline deploys into a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Deploy {
    pub(crate) job: u64,
    pub(crate) name: &'static str,
    pub(crate) pipeline: u64,
    /// What it deploys in truth: of the same thing the later deployment replaces the earlier one.
    pub(crate) thing: usize,
    pub(crate) into: usize,
    /// The labels of a namespace that it makes.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// Whether it writes them on one that is there, too.
    pub(crate) anew: bool,
}

/// Who removes the record of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remover {
    /// Somebody who is done with it.
    Person,
    /// The server tidies up.
    Retention,
}

impl Begin {
    /// The repository that its branch is of.
    pub(crate) fn head(&self) -> u64 {
        self.fork.unwrap_or(self.project)
    }
}

impl Pipelines {
    /// How a CI system is asked in the story of a seed, if there is one, and by which rules newer deployments replace older
    /// ones then. Thrown apart from all else, and where newer deployments do so already none is asked.
    pub(super) fn of(seed: u64, faulty_for: Duration, has_health: bool) -> Option<(Self, Deployments)> {
        if crate::RARE.contains(&seed) {
            return None;
        }
        let (gitlab, github) = if has_health { (150, 100) } else { (450, 350) };
        let mut dice = Dice::new(seed, "gitlab");
        if dice.happens(gitlab) {
            return Some(Self::asked(CiSystem::Gitlab, dice, faulty_for));
        }
        let mut dice = Dice::new(seed, "github");
        dice.happens(github).then(|| Self::asked(CiSystem::Github, dice, faulty_for))
    }

    fn asked(system: CiSystem, mut dice: Dice, faulty_for: Duration) -> (Self, Deployments) {
        let mut outages = Vec::new();
        for _ in 0..dice.one_of(&[0, 1, 1, 2, 3]) {
            let from = Duration::from_secs(dice.below(faulty_for.as_secs()));
            outages.push(Outage {
                way: Way::Ci,
                from,
                until: from + Duration::from_secs(dice.one_of(&[5, 30, 120, 400])),
                how: dice.one_of(&[OutageKind::Refuses, OutageKind::Hangs, OutageKind::Forbids, OutageKind::Forbids]),
            });
        }
        let deployments = Deployments {
            are_ready: dice.happens(650),
            deletes: dice.happens(900),
            told_for: dice.one_of(&[0, 0, 30, 120]),
        };
        let asked = Self {
            system,
            check_every: dice.one_of(&[10, 15, 30]),
            gone_after: dice.one_of(&[0, 20, 60]),
            told_for: dice.one_of(&[0, 0, 30, 120]),
            per_minute: dice.one_of(&[20, 120, 120]),
            merged: dice.happens(750),
            deletes: dice.happens(900),
            lists_all: dice.happens(300),
            rate: dice.one_of(&[0, 0, 50, 150, 400]),
            outages,
            scenes: Vec::new(),
            acts: Vec::new(),
        };
        (asked, deployments)
    }

    /// Writes down what happens. Returns the namespaces that it happens to, whose places in the cast begin there, and when it
    /// does.
    pub(super) fn play(
        &mut self,
        seed: u64,
        faulty_for: Duration,
        begin: usize,
    ) -> (Vec<Member>, Vec<(When, ScenarioStep)>) {
        let mut dice = Dice::new(seed, "scenes");
        let count = dice.between(2, 4);
        let mut script = Script::new(self.system, dice, begin);
        for _ in 0..count {
            let at = script.dice.below(faulty_for.as_secs() * 2 / 5);
            self.scenes.push(scenes::write(&mut script, at));
        }
        let (cast, acts) = script.end();
        let steps = acts.iter().enumerate().map(|(place, (at, _))| (When::At(*at), ScenarioStep::Act(place))).collect();
        self.acts = acts.into_iter().map(|(_, act)| act).collect();
        (cast, steps)
    }
}
