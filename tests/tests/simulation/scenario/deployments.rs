//! Deployments of a story that replace each other.

use std::time::Duration;

use super::{Member, Moment, ScenarioStep, When, actions::IT};
use crate::chance::Dice;

/// How newer deployments replace older ones.
#[derive(Clone, Debug)]
pub(crate) struct Deployments {
    /// Whether they have to be `ok` for that.
    pub(crate) are_ready: bool,
    /// Whether what is superseded is deleted.
    pub(crate) deletes: bool,
    /// How long its owner has from the notice on, in seconds.
    pub(crate) told_for: u64,
}

impl Deployments {
    pub(super) fn of(seed: u64) -> Option<Self> {
        let mut dice = Dice::new(seed, "deployments");
        dice.happens(300).then(|| Self {
            are_ready: dice.happens(750),
            deletes: dice.happens(900),
            told_for: dice.one_of(&[0, 0, 30, 120]),
        })
    }
}

/// The namespaces that pipelines deploy, whose places in the cast begin there, and what becomes of them.
pub(super) fn play(seed: u64, faulty_for: Duration, begin: usize) -> (Vec<Member>, Vec<(When, ScenarioStep)>) {
    let mut dice = Dice::new(seed, "pipelines");
    let (mut cast, mut steps) = (Vec::new(), Vec::new());
    let faulty = faulty_for.as_secs();
    for group in 0..dice.one_of(&[1, 1, 2]) {
        let (of, named) =
            if dice.happens(400) { ("mrId", format!("{group}")) } else { ("branch", format!("b{group}")) };
        let project = dice.one_of(&["7", "8"]);
        let jobs = dice.between(2, 4);
        for job in 0..jobs {
            let comes_at = match dice.below(100) {
                // Pipelines overtake each other, and may all be there before us.
                0..15 => dice.below(faulty),
                15..30 => 0,
                _ => faulty * 6 * job / (10 * jobs) + dice.below(60),
            };
            for _ in 0..dice.one_of(&[1, 1, 1, 1, 1, 2]) {
                let who = begin + cast.len();
                let ci = vec![
                    ("projectId", project.to_owned()),
                    ("job", "deploy".to_owned()),
                    // Such that numbers and texts are not in the same order.
                    ("jobId", format!("{}", 9 + job)),
                    (of, named.clone()),
                ];
                let name = format!("ci-d{}", cast.len());
                cast.push(Member { name, ci, comes_later: comes_at > 0, ..Member::default() });
                if comes_at > 0 {
                    steps.push((When::At(Duration::from_secs(comes_at)), ScenarioStep::Deploy(who)));
                }
            }
        }
        // The newest may go while another is deleted for it.
        let newest = begin + cast.len() - 1;
        let when = match dice.below(3) {
            0 => When::At(Duration::from_secs(dice.below(faulty))),
            1 => When::Before(dice.one_of(&[Moment::Intent, Moment::Claim, Moment::Delete]), dice.between(1, 6)),
            _ => When::After(dice.one_of(&[Moment::Append, Moment::Annotate]), dice.between(5, 30)),
        };
        match dice.below(5) {
            0 | 1 => steps.push((when, ScenarioStep::Remove(newest))),
            2 => steps.push((when, ScenarioStep::Remake(newest))),
            3 => steps.push((when, ScenarioStep::Protect(IT))),
            _ => {}
        }
    }
    (cast, steps)
}
