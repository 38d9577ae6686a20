//! Any life of a namespace that the loop itself could lead: what owners, workers and operators do, in any order.

use std::sync::Arc;

use jiff::SignedDuration;
use lifecycle::{Policies, Truth, event::SkipReason};
use proptest::{collection::vec, option::weighted, prelude::*, sample::select};

use super::{OLD, minutes, policies, text};
use crate::world::{Step, World, namespace};

/// One line of a life.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Pass(SignedDuration),
    Do(Step),
}

impl Move {
    /// Makes the move and takes the turn; what makes no sense as things are is left undone.
    pub(crate) fn make(&self, world: &mut World) {
        match self {
            Self::Pass(by) => world.pass(*by),
            Self::Do(step) => {
                let _left_undone = world.apply(step);
                world.turn();
            }
        }
    }
}

fn length() -> impl Strategy<Value = SignedDuration> {
    select(vec![0, 1, 30, 59, 60, 61, 600, 1_799, 1_800, 3_599, 3_600, 7_200, 36_000])
        .prop_map(SignedDuration::from_secs)
}

fn step() -> impl Strategy<Value = Step> {
    let pause = || weighted(0.5, length());
    let skips = vec![SkipReason::Stopped, SkipReason::Budget, SkipReason::Busy];
    let key = select(vec!["ttl", "expires_at", "keep_until", "protect", "status", "old.example/protect"]);
    let annotate = |(key, value): (&str, Option<String>)| Step::Annotate(key.to_owned(), value);
    prop_oneof![
        5 => (key, weighted(0.6, text())).prop_map(annotate),
        1 => weighted(0.5, Just("a".to_owned())).prop_map(|value| Step::Label("team".to_owned(), value)),
        2 => select(vec![Truth::True, Truth::True, Truth::False, Truth::Unknown]).prop_map(Step::Clock),
        3 => weighted(0.9, select(vec![Truth::True, Truth::True, Truth::False, Truth::Unknown])).prop_map(Step::Health),
        1 => select(vec![None, Some((true, true)), Some((false, true)), Some((false, false))]).prop_map(Step::Replaced),
        1 => (length(), any::<bool>()).prop_map(|(by, back)| Step::Jump(if back { -by } else { by })),
        2 => policies().prop_map(Step::Configure),
        4 => Just(Step::IntendNotice),
        4 => select(vec![Step::NoticeSent, Step::NoticeUndeliverable]),
        8 => length().prop_map(|held_for| Step::Intend { held_for }),
        1 => Just(Step::Done),
        1 => (select(skips), pause()).prop_map(|(why, not_before)| Step::Skip { why, not_before }),
        1 => select(vec![SkipReason::Unannounced, SkipReason::Evidence]).prop_map(|why| Step::Wait { why }),
        1 => length().prop_map(|not_before| Step::Refused { not_before }),
        2 => Just(Step::Fence),
        1 => Just(Step::DryRun),
    ]
}

/// A life: how it begins, and what happens.
pub(crate) fn walk() -> impl Strategy<Value = (Arc<Policies>, World, Vec<Move>)> {
    let moves = prop_oneof![1 => length().prop_map(Move::Pass), 1 => step().prop_map(Move::Do)];
    let kept = weighted(0.2, text());
    (policies(), -120_i64..=30, kept, vec(moves, 1..25)).prop_map(|(policies, created, kept, moves)| {
        let mut born = namespace("review-1", minutes(created));
        born.annotations.extend(kept.map(|text| (format!("{OLD}keep_until"), text)));
        let world = World::new(policies.clone(), born, minutes(0));
        (policies, world, moves)
    })
}
