//! What holds through any life that owners, workers, operators and clocks can lead a namespace.

use jiff::SignedDuration;
use lifecycle::{Action, Entry, Fact, Guard, Mode, Record, entry::MovedBy, time::saturating_add};
use proptest::prelude::*;

use crate::{
    any::{cases, is_in_order, walk},
    world::{Step, World},
};

/// The latest promise that binds at the end of this history (safety.md S9).
fn promised(history: &[Entry]) -> Option<jiff::Timestamp> {
    let mut end = None;
    history.iter().fold(None, |promised, entry| match &entry.fact {
        Fact::NoticeIntended(notice) => promised.max(Some(notice.promise)),
        Fact::Adopted(adopted) => {
            end = adopted.deadline.clone();
            promised
        }
        Fact::DeadlineMoved(moved) => {
            let before = std::mem::replace(&mut end, moved.deadline.clone());
            let is_earlier = end.as_ref().is_some_and(|end| before.is_none_or(|before| end.at < before.at));
            if moved.why == MovedBy::Owner && is_earlier { None } else { promised }
        }
        _ => promised,
    })
}

/// What must be true whenever an intent was just written: safety.md S1, S2, S3, S5 and S9.
fn is_rightful(world: &World, before: &Record) -> Result<(), TestCaseError> {
    let policy = world.applies().expect("it matches a policy");
    prop_assert_eq!(policy.mode, Mode::Enforce);
    prop_assert!(policy.deletes(before.status));
    prop_assert!(before.open.is_none() && before.done.is_none() && before.damage.is_none());
    prop_assert!(!world.namespace.annotations.keys().any(|key| key.ends_with("/protect") && policy.keys.is_ours(key)));
    let due = world.record.open.as_ref().expect("it is open").intended.due_to;
    prop_assert_eq!(due, before.episode);
    if let Some(promised) = promised(&world.history) {
        prop_assert!(world.now >= saturating_add(promised, SignedDuration::from_secs(60)));
    } else {
        prop_assert!(policy.warning.is_none(), "nobody was told");
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_life_breaks_no_rule((_, mut world, moves) in walk()) {
        world.turn();
        for made in &moves {
            let before = world.record.clone();
            made.make(&mut world);
            let after = &world.history[usize::try_from(before.head).unwrap()..];
            let intends = matches!(made, crate::any::Move::Do(Step::Intend { .. }));
            if intends && after.iter().any(|entry| matches!(entry.fact, Fact::ActionIntended(_))) {
                is_rightful(&world, &before)?;
            }
            // S4: no recovery before the intent is closed.
            let recovers = after.iter().take_while(|entry| !matches!(entry.fact, Fact::ActionDone(_) | Fact::ActionFailed(_) | Fact::ActionSkipped(_)))
                .any(|entry| matches!(entry.fact, Fact::StatusChanged(_) | Fact::Released(_) | Fact::Adopted(_)));
            prop_assert!(before.open.is_none() || !recovers, "{after:?}");
        }
        let history = &world.history;
        prop_assert!(is_in_order(history));
        prop_assert!(world.record.damage.is_none());
        for (entry, status) in history.iter().filter_map(|entry| match &entry.fact {
            Fact::StatusChanged(change) => Some((entry, change)),
            _ => None,
        }) {
            let before = Record::of(entry.uid.clone(), history.iter().take_while(|other| other.seq < entry.seq));
            prop_assert_eq!(before.status, status.from);
            prop_assert!(status.from.may_become(status.to));
        }
        let ends = history.iter().filter(|entry| matches!(entry.fact, Fact::ActionDone(_))).count();
        prop_assert!(ends <= 1, "it was deleted twice");
    }

    #[test]
    fn a_life_comes_to_what_is_due_when_nobody_interferes((_, mut world, moves) in walk()) {
        world.turn();
        moves.iter().for_each(|made| made.make(&mut world));
        // The owner takes everything back, whoever was at it is through, the clock is right, and a month goes by.
        for key in ["protect", "keep_until", "expires_at", "old.example/protect", "old.example/keep_until"] {
            world.apply(&Step::Annotate(key.to_owned(), None)).unwrap();
        }
        world.apply(&Step::Annotate("ttl".to_owned(), Some("1h".to_owned()))).unwrap();
        world.apply(&Step::Clock(lifecycle::Truth::True)).unwrap();
        let _nothing_open = world.apply(&Step::Fence);
        world.pass(SignedDuration::from_hours(24 * 30));
        let _nobody_to_tell = world.apply(&Step::IntendNotice).and_then(|()| world.apply(&Step::NoticeSent));
        world.pass(SignedDuration::from_hours(24));
        let Some(policy) = world.standing().cloned() else { return Ok(()) };
        let is_over = world.record.done.is_some() || !policy.deletes(lifecycle::Status::Stale) || !world.record.is_managed();
        let is_recorded = policy.mode == Mode::Observe && world.record.would_have == Some(world.record.episode);
        let blocking: Vec<_> = world.guards().into_iter().filter(|guard| !Guard::is_clear(guard)).collect();
        prop_assert!(
            is_over || is_recorded || world.offers(Action::Delete).is_some(),
            "{:?}: {blocking:?}", world.record,
        );
    }
}
