//! What a deletion rests on, looked at afresh: anything but a plain yes stops it (safety.md section 2, step 3).

use common::{cluster, config::Settings, context::Context, history::load};
use evidence::health::{self, Rounds};
use jiff::Timestamp;
use lifecycle::{
    Checked, Condition, Namespace, Observation, Policy, Reading, Record, Status, Truth, absorb,
    supersession::{Group, Member, Successor, succession},
};
use tracing::debug;

/// What a deletion rests on besides the namespace itself.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Its health.
    rounds: Option<Rounds>,
    /// What replaced it, each in the group it belongs to now.
    successors: Vec<(Group, Member)>,
}

/// Looks at what led to the deletion, afresh.
///
/// # Errors
/// When a successor or its record could not be read. That a source of health could not is no error, but Unknown.
pub(crate) async fn gather(
    context: &Context,
    settings: &Settings,
    record: &Record,
    namespace: &Namespace,
) -> anyhow::Result<Gathered> {
    Ok(match record.status {
        Status::Failed => {
            let policy = settings.policies.for_namespace(namespace);
            let rounds = health::look_at(settings, policy, namespace, &context.cluster, context.clock.now()).await;
            Gathered { rounds, ..Gathered::default() }
        }
        Status::Superseded => {
            let mut successors = Vec::new();
            for successor in &record.successors {
                successors.extend(succeeds(context, settings, successor).await?);
            }
            Gathered { successors, ..Gathered::default() }
        }
        Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Stale | Status::Cancelled => {
            Gathered::default()
        }
    })
}

/// A namespace that replaced another, as it is now; `None` where it is gone or belongs to no group any more.
async fn succeeds(
    context: &Context,
    settings: &Settings,
    successor: &Successor,
) -> anyhow::Result<Option<(Group, Member)>> {
    let policies = &settings.policies;
    let Some(namespace) = cluster::look(&context.cluster, &successor.name, policies).await? else { return Ok(None) };
    let superseded = policies.for_namespace(&namespace).and_then(|policy| policy.superseded.as_ref());
    let Some(superseded) = superseded.filter(|_| namespace.uid == successor.uid) else { return Ok(None) };
    let record = load(&*context.store, &successor.uid).await?;
    let group = Group::of(&namespace, &superseded.by, &policies.keys);
    Ok(group.zip(Member::new(&namespace, Some(&record), &policies.keys)))
}

/// What is seen of a namespace that was just read, with what was gathered.
pub(crate) fn see(
    reading: Reading,
    policy: Option<&Policy>,
    gathered: &Gathered,
    record: &Record,
    now: Timestamp,
) -> Observation {
    let namespace = &reading.namespace;
    let health = health::checkup(policy, gathered.rounds.as_ref(), record, namespace);
    let replaced = policy.filter(|_| record.status == Status::Superseded).and_then(|policy| {
        let superseded = policy.superseded.as_ref()?;
        let group = Group::of(namespace, &superseded.by, &policy.keys)?;
        let own = Member::new(namespace, Some(record), &policy.keys)?;
        let others = gathered.successors.iter().filter(|(other, _)| *other == group).map(|(_, member)| member.clone());
        let all: Vec<_> = std::iter::once(own.clone()).chain(others).collect();
        Some(succession(&own, &group, &all, superseded.when, now))
    });
    let succession = match (replaced, policy.and_then(|policy| policy.superseded.as_ref())) {
        (Some(replaced), _) => Checked::Seen(replaced),
        (None, Some(_)) if record.status != Status::Superseded => Checked::Unseen,
        (None, _) => Checked::Off,
    };
    absorb(None, Reading { health, succession, ..reading }, now)
}

/// Whether what led to the deletion is so now, by what was just seen: anything but True stops it (safety.md section 2,
/// step 3).
pub(crate) fn cause(record: &Record, seen: &Observation, now: Timestamp) -> Condition {
    let as_recorded = |truth| Condition { truth, reason: record.reason.clone(), observed_at: now };
    let unseen =
        || Condition { truth: Truth::Unknown, reason: "whether that is so is not known".to_owned(), observed_at: now };
    match record.status {
        // By our clock too it has to be over, whoever's clock it was over by first.
        Status::Stale => {
            let is_over = record.deadline.as_ref().is_some_and(|deadline| deadline.at <= now);
            as_recorded(if is_over { Truth::True } else { Truth::False })
        }
        Status::Failed => seen.health.seen().map_or_else(unseen, |health| health.look.condition.clone()),
        Status::Superseded => seen.succession.seen().map_or_else(unseen, |it| it.condition.clone()),
        Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Cancelled => {
            as_recorded(Truth::False)
        }
    }
}

/// Whether a deletion still has its cause, and the clock that it rests on can be trusted; says why where not.
pub(crate) fn holds(record: &Record, cause: &Condition, seen: &Observation) -> bool {
    match [cause, &seen.clock].into_iter().find(|condition| !condition.is_true()) {
        None => true,
        Some(condition) => {
            debug!("namespace `{}` is not deleted now: {}", record.name, condition.reason);
            false
        }
    }
}
