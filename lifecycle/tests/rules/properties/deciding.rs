//! What holds of `decide` and `observe`, whatever is recorded and seen.

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Decision, Entry, Event, Observation, Policies, Policy, Reading, Record, Status, Truth, Uid,
    decide,
    event::{Adopted, MAX_ENTRY_BYTES},
    health::{HealthCheck, HealthSample},
    observe,
    record::Phase,
};
use proptest::{prelude::*, sample::select};

use crate::{
    any::{any_history, cases, entries, instant, long, near, observation, policies},
    world::{SETTLES_WITHIN, World, dawn, namespace},
};

/// Everything a decision depends on.
#[derive(Clone, Debug)]
struct Case {
    policies: std::sync::Arc<Policies>,
    record: Record,
    seen: Observation,
    now: Timestamp,
}

impl Case {
    fn decide_at(&self, now: Timestamp) -> Decision {
        decide(self.policies.for_namespace(&self.seen.namespace), &self.record, &self.seen, now)
    }

    fn decide(&self) -> Decision {
        self.decide_at(self.now)
    }

    fn fold(&mut self, event: Event) {
        let Entry { uid, actor, name, token, .. } = entries([(self.now, event.clone())]).remove(0);
        let seq = self.record.head + 1;
        self.record.fold(&Entry { uid, seq, at: self.now, actor, name, token, event });
    }

    /// Folds what is decided until nothing is.
    fn settle(&mut self) -> usize {
        (0..SETTLES_WITHIN)
            .find(|_| match self.decide().entry {
                Some(event) => {
                    self.fold(event);
                    false
                }
                None => true,
            })
            .unwrap_or(SETTLES_WITHIN)
    }
}

fn case() -> impl Strategy<Value = Case> {
    (any_history(), observation(), instant()).prop_map(|((policies, history), seen, now)| {
        let record = Record::of(Uid::new("uid-1"), &history);
        Case { policies, record, seen, now }
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_status_takes_an_edge_of_the_machine_from_where_it_is(mut case in case()) {
        for _ in 0..SETTLES_WITHIN {
            let Some(event) = case.decide().entry else { break };
            if let Event::StatusChanged(change) = &event {
                prop_assert_eq!(change.from, case.record.status);
                prop_assert!(change.from.may_become(change.to), "{} -> {}", change.from, change.to);
            }
            case.fold(event);
        }
    }

    #[test]
    fn a_decision_depends_on_what_is_given_alone(case in case()) {
        prop_assert_eq!(case.decide(), case.clone().decide());
    }

    #[test]
    fn what_is_decided_settles(mut case in case()) {
        prop_assert!(case.settle() < SETTLES_WITHIN, "{:?}", case.record);
        let settled = case.decide();
        prop_assert_eq!(case.settle(), 0);
        prop_assert_eq!(case.decide(), settled);
    }

    #[test]
    fn nothing_changes_before_it_is_due_and_then_something_does(
        mut case in case(), later in instant(), share in 0.0..1.0,
    ) {
        case.settle();
        let at_rest = case.decide();
        match at_rest.due {
            None => prop_assert_eq!(&at_rest, &case.decide_at(later.max(case.now))),
            Some(due) => {
                prop_assert!(case.now < due, "it was due already");
                let wait = lifecycle::time::between(case.now, due).mul_f64(share);
                let between = lifecycle::time::saturating_add(case.now, wait).min(due);
                if between < due {
                    prop_assert_eq!(&at_rest, &case.decide_at(between));
                }
                prop_assert_ne!(&at_rest, &case.decide_at(due));
            }
        }
    }

    #[test]
    fn without_a_trusted_clock_only_what_needs_none_is_written(mut case in case(), is_off in any::<bool>()) {
        case.seen.clock.truth = if is_off { Truth::False } else { Truth::Unknown };
        let decision = case.decide();
        let is_timeless = match &decision.entry {
            None | Some(Event::Protected(_) | Event::Released(_)) => true,
            Some(Event::Kept(kept)) => kept.requested.is_none(),
            Some(_) => false,
        };
        prop_assert!(is_timeless, "{decision:?}");
    }

    #[test]
    fn what_is_not_known_of_the_health_moves_nothing(mut case in case(), is_pending in any::<bool>()) {
        // docs/design/protocol.md S8. The clock may move it all the same.
        match &mut case.seen.health {
            Check::Observed(health) if !is_pending => health.streak.is_known = false,
            health => *health = Check::Pending,
        }
        let is_checked = case.policies.for_namespace(&case.seen.namespace).is_some_and(|policy| policy.health.is_some());
        let decision = case.decide();
        if let Some(Event::StatusChanged(change)) = &decision.entry && is_checked {
            let may = matches!(change.to, Status::Stale | Status::Unknown | Status::Superseded | Status::Cancelled);
            prop_assert!(may, "{decision:?}");
        }
        prop_assert_eq!(decision.look, None);
    }

    #[test]
    fn what_is_not_known_of_newer_deployments_moves_nothing(mut case in case()) {
        case.seen.supersession = Check::Pending;
        let is_checked = case.policies.for_namespace(&case.seen.namespace).is_some_and(|it| it.superseded.is_some());
        if let Some(Event::StatusChanged(change)) = case.decide().entry && is_checked {
            prop_assert_ne!(change.to, Status::Superseded);
            prop_assert!(change.from != Status::Superseded || change.to == Status::Stale, "{change:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_the_pipeline_moves_nothing(mut case in case(), is_pending in any::<bool>()) {
        match &mut case.seen.pipeline {
            Check::Observed(condition) if !is_pending => condition.truth = Truth::Unknown,
            pipeline => *pipeline = Check::Pending,
        }
        let is_checked = case.policies.for_namespace(&case.seen.namespace).is_some_and(Policy::asks_ci);
        for _ in 0..SETTLES_WITHIN {
            let Some(event) = case.decide().entry else { break };
            if let Event::StatusChanged(change) = &event && is_checked {
                prop_assert_ne!(change.to, Status::Cancelled);
                prop_assert!(change.from != Status::Cancelled || change.to == Status::Stale, "{change:?}");
            }
            case.fold(event);
        }
    }

    #[test]
    fn no_check_of_the_health_can_make_it_panic(
        seen in observation(), checked_at in instant(), truth in select(vec![Truth::True, Truth::False, Truth::Unknown]),
        status_generation in (0..9_u64, instant()), now in instant(), mut case in case(),
    ) {
        let condition = Condition { truth, reason: "a sample".to_owned(), observed_at: checked_at };
        let checkup = HealthCheck {
            look: HealthSample { condition, failing: Vec::new() },
            status_generation,
            every: jiff::SignedDuration::from_secs(30),
        };
        let reading = Reading {
            namespace: seen.namespace.clone(), clock: seen.clock.clone(), health: Check::Observed(checkup), supersession: Check::Disabled,
            pipeline: Check::Pending,
        };
        case.seen = observe(Some(seen), reading.clone(), now);
        let _decision = case.decide();
        // And the same sample once more says nothing new.
        let again = observe(Some(case.seen.clone()), reading, now);
        prop_assert_eq!(again.health.seen().map(|health| &health.streak), case.seen.health.seen().map(|health| &health.streak));
    }

    #[test]
    fn while_an_intent_is_open_only_owner_overrides_are_written(case in case()) {
        let decision = case.decide();
        if case.record.open.is_some() {
            prop_assert!(matches!(decision.entry, None | Some(Event::Kept(_) | Event::Protected(_))), "{decision:?}");
        }
    }

    #[test]
    fn nothing_is_written_on_top_of_damage_or_an_end(case in case()) {
        let record = &case.record;
        // What is there after it was recorded as gone is adopted again, whatever happened before.
        let is_back = record.phase == Phase::Gone;
        let is_over = record.damage.is_some()
            || record.done.is_some() && !is_back
            || case.seen.namespace.deleted.is_some()
            || case.seen.namespace.uid != record.uid;
        let decision = case.decide();
        if is_over {
            prop_assert_eq!(decision, Decision::default());
        } else if is_back {
            prop_assert!(
                matches!(&decision.entry, None | Some(Event::Adopted(Adopted { again: true, .. }))),
                "{decision:?}"
            );
        }
    }

    #[test]
    fn an_entry_is_bounded_whatever_strangers_write(policies in policies(), texts in [long(), long(), long(), long()]) {
        let mut born = namespace("review-1", dawn());
        for (key, text) in ["ttl", "keep_until", "keep_by", "keep_reason"].into_iter().zip(texts) {
            born.annotations.insert(policies.keys.ours(key), text);
        }
        let mut world = World::new(policies, born, dawn());
        world.turn();
        world.pass(SignedDuration::from_hours(4));
        prop_assert!(world.history.len() >= 3);
        for entry in &world.history {
            let weight = serde_json::to_vec(entry).unwrap().len();
            prop_assert!(weight <= MAX_ENTRY_BYTES / 2, "{weight}: {entry:?}");
        }
    }

    #[test]
    fn an_observation_from_the_future_counts_for_nothing(
        seen in observation(), again in observation(), checked_at in near(), before in near(), now in near(),
    ) {
        let (mut seen, mut again) = (seen, again);
        (seen.clock.observed_at, again.clock.observed_at) = (before, checked_at);
        let health = Check::Disabled;
        let reading = Reading { namespace: again.namespace.clone(), clock: again.clock.clone(), health, supersession: Check::Disabled, pipeline: Check::Disabled };
        let found = observe(Some(seen.clone()), reading, now);
        prop_assert_eq!(&found.namespace, &again.namespace, "the metadata is the watch's");
        let is_same = seen.namespace.uid == again.namespace.uid;
        let expected = if is_same && checked_at < before && before <= now {
            seen.clock
        } else if checked_at <= now {
            again.clock
        } else {
            Condition { truth: Truth::Unknown, reason: found.clock.reason.clone(), observed_at: now }
        };
        prop_assert_eq!(found.clock, expected);
    }
}
