//! What a deletion rests on, checked afresh: anything but a plain yes stops it (docs/design/protocol.md section 2,
//! step 3).

use std::collections::BTreeSet;

use common::{cluster, config::Settings, context::Context, history::load};
use evidence::{
    ci::{self, Look},
    health::{self, Rounds},
};
use jiff::Timestamp;
use lifecycle::{
    Check, Condition, Namespace, Observation, Policy, Reading, Record, Status, Truth,
    event::SkipReason,
    observe,
    pipeline::{CiObjectRef, Links},
    supersession::{Deployment, DeploymentGroup, Successor, supersession},
    time::human_text,
};
use tracing::debug;

use crate::{
    permit::{Preflight, Refusal},
    worker::Worker,
};

/// What a deletion rests on besides the namespace itself.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Its health.
    rounds: Option<Rounds>,
    /// What replaced it, each in the group it belongs to now.
    successors: Vec<(DeploymentGroup, Deployment)>,
    /// What the CI system says: of the pipeline that made it and its merge request, and of its job and those of what
    /// replaced it.
    asked: Vec<(CiObjectRef, Look)>,
}

impl Gathered {
    /// What the CI system says of this.
    fn told(&self, origin: &CiObjectRef) -> Option<&Look> {
        self.asked.iter().find(|(asked, _)| asked == origin).map(|(_, look)| look)
    }
}

/// Checks what led to the deletion, afresh; at the pipeline too, where one did.
///
/// # Errors
/// When a successor or its record could not be read. That a source of health or a CI system could not is no error, but
/// Unknown.
pub(crate) async fn gather(
    worker: &Worker,
    settings: &Settings,
    record: &Record,
    namespace: &Namespace,
) -> anyhow::Result<Gathered> {
    let context = &worker.context;
    Ok(match record.status {
        Status::Failed => {
            let policy = settings.policies.for_namespace(namespace);
            let ways = (&context.cluster, &context.http);
            let rounds = health::look_at(settings, policy, namespace, ways, context.clock.now()).await;
            Gathered { rounds, ..Gathered::default() }
        }
        Status::Superseded => {
            let mut successors = Vec::new();
            for successor in &record.successors {
                successors.extend(succeeds(context, settings, successor).await?);
            }
            let asked = ask(worker, settings, jobs(settings, &successors, namespace)).await;
            Gathered { successors, asked, ..Gathered::default() }
        }
        Status::Cancelled => {
            let policy = settings.policies.for_namespace(namespace);
            let links = policy.map(|policy| Links::of(namespace, policy)).unwrap_or_default();
            Gathered { asked: ask(worker, settings, links.origins().cloned()).await, ..Gathered::default() }
        }
        Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Stale => Gathered::default(),
    })
}

/// The jobs of which it has to be proven that they deployed what replaced a namespace, and its own.
fn jobs(
    settings: &Settings,
    successors: &[(DeploymentGroup, Deployment)],
    namespace: &Namespace,
) -> BTreeSet<CiObjectRef> {
    let policies = &settings.policies;
    let terms = policies.for_namespace(namespace).and_then(|policy| policy.superseded.as_ref());
    let Some((terms, system)) = terms.and_then(|terms| Some((terms, terms.confirm?))) else { return BTreeSet::new() };
    let own =
        DeploymentGroup::of(namespace, terms, &policies.keys).zip(Deployment::new(namespace, None, &policies.keys));
    successors.iter().chain(&own).filter_map(|(group, member)| group.job(system, &member.job_id)).collect()
}

/// What the CI system says of these.
async fn ask(
    worker: &Worker,
    settings: &Settings,
    origins: impl IntoIterator<Item = CiObjectRef>,
) -> Vec<(CiObjectRef, Look)> {
    let mut asked = Vec::new();
    let Context { clock, http: web, .. } = &worker.context;
    for origin in origins {
        let Some(source) = worker.pipelines.get(settings, origin.system) else { continue };
        // Since when it is missing the collector wrote down.
        let look = match source.recall(&origin, &*worker.context.store).await {
            Ok(before) => source.look(&origin, before, clock, web).await,
            Err(error) => Look::unrecalled(clock.now(), &error),
        };
        asked.push((origin, look));
    }
    asked
}

/// A namespace that replaced another, as it is now; `None` where it is gone or belongs to no group any more.
async fn succeeds(
    context: &Context,
    settings: &Settings,
    successor: &Successor,
) -> anyhow::Result<Option<(DeploymentGroup, Deployment)>> {
    let policies = &settings.policies;
    let Some(namespace) = cluster::look(&context.cluster, &successor.name, policies).await? else { return Ok(None) };
    let terms = policies.for_namespace(&namespace).and_then(|policy| policy.superseded.as_ref());
    let Some(terms) = terms.filter(|_| namespace.uid == successor.uid) else { return Ok(None) };
    let record = load(&*context.store, &successor.uid).await?;
    let group = DeploymentGroup::of(&namespace, terms, &policies.keys);
    Ok(group.zip(Deployment::new(&namespace, Some(&record), &policies.keys)))
}

/// What is seen of a namespace that was just read, with what was gathered.
pub(crate) fn see(
    settings: &Settings,
    reading: Reading,
    policy: Option<&Policy>,
    gathered: &Gathered,
    record: &Record,
    now: Timestamp,
) -> Observation {
    let namespace = &reading.namespace;
    let health = health::checkup(policy, gathered.rounds.as_ref(), (record.status_generation, record.since), namespace);
    let replaced = policy.filter(|_| record.status == Status::Superseded).and_then(|policy| {
        let terms = policy.superseded.as_ref()?;
        let group = DeploymentGroup::of(namespace, terms, &policy.keys)?;
        let own = Deployment::new(namespace, Some(record), &policy.keys)?;
        let others = gathered.successors.iter().filter(|(other, _)| *other == group).map(|(_, member)| member.clone());
        let all: Vec<_> = std::iter::once(own.clone()).chain(others).collect();
        let prove = |newer: CiObjectRef, own: CiObjectRef| {
            ci::proof(&group, (&newer, gathered.told(&newer)), (&own, gathered.told(&own)))
        };
        Some(supersession(&own, &group, &all, terms, prove, now))
    });
    let supersession = match (replaced, policy.and_then(|policy| policy.superseded.as_ref())) {
        (Some(replaced), _) => Check::Observed(replaced),
        (None, Some(_)) if record.status != Status::Superseded => Check::Pending,
        (None, _) => Check::Disabled,
    };
    let links = policy.map(|policy| Links::of(namespace, policy)).unwrap_or_default();
    let pipeline = ci::verdict(&links, &settings.ci, |origin| gathered.told(origin));
    observe(None, Reading { health, supersession, pipeline, ..reading }, now)
}

/// Whether what led to the deletion is so now, by what was just seen: anything but True stops it
/// (docs/design/protocol.md section 2, step 3).
pub(crate) fn cause(record: &Record, seen: &Observation, now: Timestamp) -> Condition {
    let as_recorded = |truth| Condition { truth, reason: record.reason.clone(), observed_at: now };
    let unseen =
        || Condition { truth: Truth::Unknown, reason: "whether that is so is not known".to_owned(), observed_at: now };
    match record.status {
        // By our clock too it has to be over, no matter by whose clock it was over first.
        Status::Stale => {
            let is_over = record.deadline.as_ref().is_some_and(|deadline| deadline.at <= now);
            as_recorded(if is_over { Truth::True } else { Truth::False })
        }
        Status::Failed => seen.health.seen().map_or_else(unseen, |health| health.look.condition.clone()),
        Status::Superseded => seen.supersession.seen().map_or_else(unseen, |it| it.condition.clone()),
        Status::Cancelled => seen.pipeline.seen().map_or_else(unseen, Clone::clone),
        Status::Unknown | Status::Ok | Status::Unstable | Status::Failing => as_recorded(Truth::False),
    }
}

/// What speaks against a deletion: that it has its cause no more, or that the clock it rests on cannot be trusted; `None`:
/// nothing does.
///
/// A cause that is not known is what the deletion waits for, and nobody else writes that down. One that is gone is for
/// the collector that watches the namespace to write down.
pub(crate) fn objection(record: &Record, cause: &Condition, seen: &Observation) -> Option<Preflight> {
    let condition = [cause, &seen.clock].into_iter().find(|condition| !condition.is_true())?;
    debug!("namespace `{}` is not deleted now: {}", record.name, condition.reason);
    Some(match cause.truth {
        Truth::Unknown => Preflight::Skip(missing(record.status, cause)),
        Truth::True | Truth::False => Preflight::NotNow,
    })
}

/// A deletion waits until its cause can be checked. It may be at any time, so it is checked as often as it is offered.
fn missing(status: Status, cause: &Condition) -> Refusal {
    let (since, reason) = (human_text(cause.observed_at), &cause.reason);
    let detail = format!("it is not known since {since} whether it still is {status}: {reason}");
    Refusal { why: SkipReason::Evidence, detail, not_before: None }
}

#[cfg(test)]
mod tests;
