//! What holds through any life that owners, workers, operators and clocks can lead a namespace.

use jiff::SignedDuration;
use lifecycle::{Action, Entry, Event, Mode, Record, Status, event::MovedBy, time::saturating_add};
use proptest::prelude::*;

use crate::{
    any::{cases, is_in_order, walk},
    world::{Step, World},
};

/// The latest promise that binds at the end of this history (docs/design/protocol.md S9).
fn promised(history: &[Entry]) -> Option<jiff::Timestamp> {
    let mut end = None;
    history.iter().fold(None, |promised, entry| match &entry.event {
        Event::NoticeIntended(notice) => promised.max(Some(notice.promise)),
        Event::NoticeSent(sent) => promised.max(sent.promise),
        Event::NoticeUndeliverable(failed) => promised.max(failed.promise),
        Event::Adopted(adopted) => {
            end = adopted.deadline.clone();
            promised
        }
        Event::DeadlineMoved(moved) => {
            let before = std::mem::replace(&mut end, moved.deadline.clone());
            let is_earlier = end.as_ref().is_some_and(|end| before.is_none_or(|before| end.at < before.at));
            if moved.why == MovedBy::Owner && is_earlier { None } else { promised }
        }
        _ => promised,
    })
}

/// What must be true whenever an intent was just written: docs/design/protocol.md S1, S2, S3, S5 and S9.
fn is_rightful(world: &World, before: &Record) -> Result<(), TestCaseError> {
    let policy = world.applies().expect("it matches a policy");
    prop_assert_eq!(policy.mode, Mode::Enforce);
    prop_assert!(policy.deletes(before.status));
    prop_assert!(before.open.is_none() && before.done.is_none() && before.damage.is_none());
    for (key, text) in world.namespace.annotations.iter().filter(|(key, _)| policy.keys.is_ours(key)) {
        prop_assert!(!key.ends_with("/protect") && !key.ends_with("/Protected"));
        if (key.ends_with("/keep_until") || key.ends_with("/keep-until")) && !text.is_empty() {
            // What was requested for longer was recorded, and its cap is over.
            let is_requested = lifecycle::time::parse(text).is_none_or(|until| world.now < until);
            let is_over = before.kept.as_ref().and_then(|kept| kept.until).is_some_and(|until| until <= world.now);
            prop_assert!(!is_requested || is_over, "{text}");
        }
    }
    let due = world.record.open.as_ref().expect("it is open").intended.cause_seq;
    prop_assert_eq!(due, before.status_generation);
    if let Some(promised) = promised(&world.history) {
        prop_assert!(world.now >= saturating_add(promised, SignedDuration::from_secs(60)));
    } else {
        prop_assert!(policy.warning.is_none(), "nobody was told");
    }
    Ok(())
}

/// docs/design/protocol.md S4: whether a recovery is recorded before the intent is closed.
fn recovers_first(after: &[Entry]) -> bool {
    let closes =
        |event: &Event| matches!(event, Event::ActionDone(_) | Event::ActionFailed(_) | Event::ActionSkipped(_));
    let recovers = |event: &Event| matches!(event, Event::StatusChanged(_) | Event::Released(_) | Event::Adopted(_));
    after.iter().map(|entry| &entry.event).take_while(|event| !closes(event)).any(recovers)
}

/// docs/design/protocol.md S2 and S10: no gap, every edge one of the machine, and at most one deletion.
fn is_a_history(history: &[Entry]) -> Result<(), TestCaseError> {
    prop_assert!(is_in_order(history));
    let (mut status, mut deletions) = (Status::Unknown, 0);
    for entry in history {
        match &entry.event {
            Event::Adopted(_) => status = Status::Unknown,
            Event::StatusChanged(change) => {
                prop_assert_eq!(change.from, status);
                prop_assert!(status.may_become(change.to), "{status} -> {}", change.to);
                status = change.to;
            }
            Event::ActionDone(_) => deletions += 1,
            _ => {}
        }
    }
    prop_assert!(deletions <= 1, "it was deleted {deletions} times");
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
            if after.iter().any(|entry| matches!(entry.event, Event::ActionIntended(_))) {
                is_rightful(&world, &before)?;
            }
            prop_assert!(before.open.is_none() || !recovers_first(after), "{after:?}");
        }
        is_a_history(&world.history)?;
    }

    #[test]
    fn a_life_comes_to_what_is_due_when_nobody_interferes((_, mut world, moves) in walk()) {
        world.turn();
        moves.iter().for_each(|made| made.make(&mut world));
        // The owner withdraws everything, the worker that was at it is through, the clock is right, and a month goes by.
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
        let record = &world.record;
        let is_over = record.done.is_some() || !policy.deletes(Status::Stale) || !record.is_managed();
        let is_recorded = policy.mode == Mode::Observe && record.dry_run == Some(record.status_generation);
        let blocking: Vec<_> = world.guards().into_iter().filter(|guard| !guard.is_clear()).collect();
        prop_assert!(
            is_over || is_recorded || world.offers(Action::Delete).is_some(),
            "{record:?}: {blocking:?}",
        );
    }
}
