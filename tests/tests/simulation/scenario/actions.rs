//! What people do in a story, and what else befalls.

use std::time::Duration;

use super::{Moment, When};
use crate::chance::Dice;

/// What people do, and what else befalls. Members are named by their place in the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScenarioStep {
    Protect(usize),
    Unprotect(usize),
    Keep(usize, u64),
    Unkeep(usize),
    /// Asks for so long a life in all.
    Live(usize, u64),
    LiveAsPolicySays(usize),
    /// Asks to live until so many seconds from now.
    Expire(usize, u64),
    /// Something that is none of ours changes on it.
    Touch(usize),
    /// Takes our annotations off, and puts the mark of another namespace on it.
    Tamper(usize),
    /// From now on admission of others takes our statuses off it.
    Strip(usize),
    /// Writes a mark of an entry that it never had.
    Forge(usize),
    /// Comes under the other policy, or back.
    Repaint(usize),
    /// Its owner deletes it.
    Remove(usize),
    /// Its owner deletes it and makes another of the name at once.
    Remake(usize),
    Stop,
    Resume,
    Approve,
    /// The configuration of all, or of one machine alone for a while.
    Reconfigure(Option<usize>, usize),
    /// A clock jumps, in seconds.
    Jump(usize, i64),
    /// The apiserver forgets the past.
    Compact,
    /// Watches hear of nothing for so many seconds; whoever asks is answered.
    Lag(u64),
    /// A process is killed.
    Kill(usize),
    /// A process stands still.
    Freeze(usize, u64),
    /// A process is started again against another cluster, for so many seconds.
    Elsewhere(usize, u64),
    /// An alert fires for it, from now on.
    Break(usize),
    /// No alert fires for it any more.
    Mend(usize),
    /// A pipeline deploys it.
    Deploy(usize),
    /// Something happens in GitLab: the act of this place.
    Act(usize),
}

/// In a step at a step: the member that the step is about.
pub(crate) const IT: usize = usize::MAX;

impl ScenarioStep {
    /// The step, with [`IT`] named.
    pub(crate) fn about(mut self, it: usize) -> Self {
        match &mut self {
            Self::Protect(who)
            | Self::Unprotect(who)
            | Self::Keep(who, _)
            | Self::Unkeep(who)
            | Self::Live(who, _)
            | Self::LiveAsPolicySays(who)
            | Self::Expire(who, _)
            | Self::Touch(who)
            | Self::Tamper(who)
            | Self::Strip(who)
            | Self::Forge(who)
            | Self::Repaint(who)
            | Self::Remove(who)
            | Self::Remake(who)
            | Self::Break(who)
            | Self::Mend(who)
                if *who == IT =>
            {
                *who = it;
            }
            _ => {}
        }
        self
    }
}

pub(super) fn steps(dice: &mut Dice, cast: usize, machines: usize, faulty_for: Duration) -> Vec<(When, ScenarioStep)> {
    let mut steps = Vec::new();
    for _ in 0..dice.one_of(&[0, 1, 2, 4, 8]) {
        let when = when(dice, faulty_for);
        let step = step(dice, cast, machines, !matches!(when, When::At(_)));
        // What is stopped, frozen or changed on one machine alone does not stay so: there would be no story.
        match step {
            ScenarioStep::Stop => {
                let until = Duration::from_secs(dice.between(10, faulty_for.as_secs()));
                steps.push((When::At(until), ScenarioStep::Resume));
            }
            ScenarioStep::Repaint(_) => {
                let then = Duration::from_secs(dice.between(10, faulty_for.as_secs()));
                steps.push((When::At(then), ScenarioStep::Repaint(cast - 2)));
            }
            ScenarioStep::Reconfigure(Some(_), to) => {
                let until = Duration::from_secs(dice.between(10, faulty_for.as_secs()));
                steps.push((When::At(until), ScenarioStep::Reconfigure(None, to)));
            }
            _ => {}
        }
        steps.push((when, step));
    }
    steps
}

/// A process that stands still after it took something, while somebody throws the stop: what it knew by then is out of date when it goes
/// on. Chance alone brings the two together too seldom. Thrown apart, as [`Pods::of`] is.
pub(super) fn pause(seed: u64, machines: usize) -> Vec<(When, ScenarioStep)> {
    let mut dice = Dice::new(seed, "pause");
    if crate::REMEMBERED.contains(&seed) || !dice.happens(150) {
        return Vec::new();
    }
    let when = When::After(Moment::Claim, dice.between(1, 16));
    let machine = usize::try_from(dice.below(machines as u64)).unwrap_or(0);
    let resume = When::At(Duration::from_secs(dice.between(200, 400)));
    vec![
        (when, ScenarioStep::Freeze(machine, dice.one_of(&[8, 20]))),
        (when, ScenarioStep::Stop),
        (resume, ScenarioStep::Resume),
    ]
}

/// What only the last look can know: an owner asks for more time while somebody looks at the namespace, maybe for the last
/// time before its deletion; and a worker stands still for longer than a window, with a slot that is good in that window
/// alone. Chance brings such together too seldom. Thrown apart, as [`Pods::of`] is.
pub(super) fn late(seed: u64, machines: usize) -> Vec<(When, ScenarioStep)> {
    let mut dice = Dice::new(seed, "late");
    if crate::REMEMBERED.contains(&seed) || !dice.happens(400) {
        return Vec::new();
    }
    if dice.happens(250) {
        let machine = usize::try_from(dice.below(machines as u64)).unwrap_or(0);
        return vec![(When::After(Moment::Claim, dice.between(1, 8)), ScenarioStep::Freeze(machine, 650))];
    }
    let steps = |dice: &mut Dice| {
        let nth = dice.between(1, 12);
        let when = if dice.happens(750) { When::Before(Moment::Look, nth) } else { When::After(Moment::Look, nth) };
        let step = match dice.below(8) {
            0..3 => ScenarioStep::Live(IT, dice.one_of(&[1_000, 2_000])),
            3..6 => ScenarioStep::Expire(IT, dice.one_of(&[1_000, 2_000])),
            6 => ScenarioStep::Keep(IT, 600),
            _ => ScenarioStep::Protect(IT),
        };
        // Whoever watches would write it down at once, and whoever looks would have to start over for that.
        [(when, ScenarioStep::Lag(30)), (when, step)]
    };
    (0..dice.between(1, 3)).flat_map(|_| steps(&mut dice)).collect()
}

/// Somebody forges a mark. One alone holds back its own namespace; thrown apart, as [`pause`] is.
pub(super) fn forge(seed: u64, faulty_for: Duration) -> Option<(When, ScenarioStep)> {
    let mut dice = Dice::new(seed, "forge");
    if crate::REMEMBERED.contains(&seed) || !dice.happens(80) {
        return None;
    }
    Some((when(&mut dice, faulty_for), ScenarioStep::Forge(0)))
}

/// Somebody installs admission that takes annotations off one of them, likewise.
pub(super) fn strip(seed: u64, faulty_for: Duration) -> Option<(When, ScenarioStep)> {
    let mut dice = Dice::new(seed, "strip");
    if crate::REMEMBERED.contains(&seed) || !dice.happens(80) {
        return None;
    }
    Some((When::At(Duration::from_secs(dice.below(faulty_for.as_secs()))), ScenarioStep::Strip(0)))
}

/// Somebody starts a process against another cluster, with the store of this one, likewise.
pub(super) fn elsewhere(seed: u64, machines: usize, faulty_for: Duration) -> Option<(When, ScenarioStep)> {
    let mut dice = Dice::new(seed, "elsewhere");
    if crate::REMEMBERED.contains(&seed) || !dice.happens(60) {
        return None;
    }
    let machine = usize::try_from(dice.below(machines as u64)).unwrap_or(0);
    let at = Duration::from_secs(dice.between(60, faulty_for.as_secs()));
    Some((When::At(at), ScenarioStep::Elsewhere(machine, dice.one_of(&[60, 200, 400]))))
}

fn when(dice: &mut Dice, faulty_for: Duration) -> When {
    if dice.happens(300) {
        return When::At(Duration::from_secs(dice.below(faulty_for.as_secs())));
    }
    let moment = dice.one_of(&[
        Moment::Any,
        Moment::Delete,
        Moment::Delete,
        Moment::Fence,
        Moment::Annotate,
        Moment::Intent,
        Moment::Intent,
        Moment::Outcome,
        Moment::Append,
        Moment::Claim,
        Moment::Post,
    ]);
    let nth = if moment == Moment::Any { dice.between(1, 250) } else { dice.between(1, 5) };
    if dice.happens(600) { When::Before(moment, nth) } else { When::After(moment, nth) }
}

fn step(dice: &mut Dice, cast: usize, machines: usize, at_a_step: bool) -> ScenarioStep {
    let who = usize::try_from(dice.below(cast as u64)).unwrap_or(0);
    let who = if at_a_step && dice.happens(800) { IT } else { who };
    let machine = usize::try_from(dice.below(machines as u64)).unwrap_or(0);
    match dice.below(22) {
        0 | 1 => ScenarioStep::Protect(who),
        2 => ScenarioStep::Unprotect(who),
        3 | 4 => ScenarioStep::Keep(who, dice.one_of(&[10, 60, 300, 2_000])),
        5 => ScenarioStep::Unkeep(who),
        6 | 7 => ScenarioStep::Live(who, dice.one_of(&[20, 100, 400, 1_000])),
        8 => ScenarioStep::LiveAsPolicySays(who),
        9 => ScenarioStep::Touch(who),
        10 => ScenarioStep::Tamper(who),
        // What no policy names comes under one, and is let go again.
        11 => ScenarioStep::Repaint(if dice.happens(500) { cast - 2 } else { who }),
        12 => ScenarioStep::Remove(who),
        13 | 14 => ScenarioStep::Remake(who),
        15 | 16 => ScenarioStep::Stop,
        17 => ScenarioStep::Approve,
        18 => ScenarioStep::Reconfigure(dice.happens(500).then_some(machine), 1),
        19 => ScenarioStep::Jump(machine, dice.one_of(&[-86_400, -45, -20, 20, 45, 86_400])),
        20 if dice.happens(500) => ScenarioStep::Compact,
        20 => ScenarioStep::Kill(machine),
        _ => ScenarioStep::Freeze(machine, dice.one_of(&[5, 30, 120, 3_600])),
    }
}
