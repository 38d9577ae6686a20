//! The preflight: fresh evidence, a slot in the budget, and the namespace itself (docs/design/protocol.md section 2,
//! steps 3 to 5).

use common::{
    budget::{Slot, Window},
    cluster,
    config::{RateLimit, Settings},
    controls, identity,
    store::ClaimKind,
};
use jiff::Timestamp;
use lifecycle::{
    Condition, LiveObject, Policy, Record, Truth, decide, event::SkipReason, guards, object_guards, plan::is_foretold,
    time::human_text,
};
use tokio::time::Instant;
use tracing::debug;

use crate::{
    fresh_evidence::{cause, gather, objection, see},
    permit::{Permit, Preflight, Refusal},
    worker::Worker,
};

/// Checks everything once more, the namespace itself last.
///
/// # Errors
/// When the store or the cluster did not answer: that is a no.
pub(crate) async fn prepare(
    worker: &Worker,
    settings: &Settings,
    policy: &Policy,
    record: &Record,
) -> anyhow::Result<Preflight> {
    let context = &worker.context;
    let (cluster, policies) = (&context.cluster, &settings.policies);

    // What waits for a slot is offered again and again: it costs the apiserver nothing.
    if let Some(refusal) = known_to_wait(worker, policy, record).await? {
        return Ok(Preflight::Skip(refusal));
    }

    let reading = evidence::namespace::read(cluster, &record.name, policies, context.clock.now()).await?;
    let Some(reading) = reading else {
        return Ok(Preflight::NotNow);
    };
    let gathered = gather(worker, settings, record, &reading.namespace).await?;
    let now = context.clock.now();
    let applies = policies.for_namespace(&reading.namespace);
    let seen = see(settings, reading, applies, &gathered, record, now);
    if let Some(other) = decide(applies, record, &seen, now).entry {
        debug!("namespace `{}` is not what it was: {} is due first", record.name, other.kind());
        return Ok(Preflight::NotNow);
    }
    if let Some(objection) = objection(record, &cause(record, &seen, now), &seen) {
        return Ok(objection);
    }
    let window = window(worker);
    let slot = match claim(worker, ClaimKind::Slots, settings.budget, window, record).await? {
        Ok(slot) => slot,
        Err(refusal) => return Ok(Preflight::Skip(refusal)),
    };
    let unannounced = match unannounced_slot(worker, settings, window, policy, record).await? {
        Ok(unannounced) => unannounced,
        Err(refusal) => return Ok(Preflight::Skip(refusal)),
    };

    // The claims may have taken long: what counts as evidence is what is seen from here on.
    let (checked_at, evidence_at) = (Instant::now(), context.clock.now());
    let gathered = gather(worker, settings, record, &seen.namespace).await?;
    identity::still_answers(&*context.store, cluster).await?;
    let Some(namespace) = cluster::look(cluster, &record.name, policies).await? else {
        return Ok(Preflight::NotNow);
    };
    let store_identity = controls::store_identity(&*context.store).await?;
    let fresh = LiveObject {
        namespace: &namespace,
        policy: policies.for_namespace(&namespace),
        store_identity: &store_identity,
    };
    if let Some(why) = in_the_way(policy, record, &fresh, context.clock.now()) {
        debug!("namespace `{}` is not deleted now: {why}", record.name);
        return Ok(Preflight::NotNow);
    }
    // Its owner may have asked for more time since the evidence was read.
    let now = context.clock.now();
    let reading = evidence::namespace::reading(namespace.clone(), cluster, now);
    let last = see(settings, reading, fresh.policy, &gathered, record, now);
    if let Some(other) = decide(fresh.policy, record, &last, now).entry {
        debug!("namespace `{}` changed at the last moment: {} is due first", record.name, other.kind());
        return Ok(Preflight::NotNow);
    }
    let cause = cause(record, &last, now);
    if let Some(objection) = objection(record, &cause, &last) {
        return Ok(objection);
    }
    if self::window(worker) != window {
        // The slot was good in its own window only.
        return Ok(Preflight::NotNow);
    }
    let told = Condition { truth: Truth::True, reason: record.reason.clone(), observed_at: evidence_at };
    let evidence = if cause.reason == told.reason { vec![told, last.clock] } else { vec![told, cause, last.clock] };
    Ok(Preflight::Go(Box::new(Permit { namespace, evidence, evidence_at, checked_at, slot, unannounced })))
}

/// What the first guard says that is not clear, of those on the record and those on the object.
fn in_the_way(policy: &Policy, record: &Record, fresh: &LiveObject<'_>, now: Timestamp) -> Option<String> {
    let on_record = guards(policy, record, now).into_iter().find(|guard| !guard.is_clear()).map(|guard| guard.why);
    on_record.or_else(|| {
        let on_object = object_guards(policy, record, fresh, now);
        on_object.into_iter().find(|guard| !guard.is_clear()).map(|guard| guard.why)
    })
}

/// The window of now by the apiserver's clock, which the caller has just compared with ours.
fn window(worker: &Worker) -> Window {
    let context = &worker.context;
    let now = context.cluster.clock.now().unwrap_or_else(|| context.clock.now());
    Window::of(now, context.timings().budget_window)
}

/// Whether this window is known to have no slot left for it.
async fn known_to_wait(worker: &Worker, policy: &Policy, record: &Record) -> anyhow::Result<Option<Refusal>> {
    let known = |kind| match worker.claims.known(kind, window(worker), &record.uid) {
        Some(Slot::Exhausted { limit, next }) => Some(exhausted(worker, kind, limit, next)),
        Some(Slot::Claimed(_)) | None => None,
    };
    if let Some(refusal) = known(ClaimKind::Slots) {
        return Ok(Some(refusal));
    }
    let Some(refusal) = known(ClaimKind::Unannounced).filter(|_| !is_foretold(policy, record)) else {
        return Ok(None);
    };
    let approval = controls::approval(&*worker.context.store, worker.context.clock.now()).await?;
    Ok(approval.is_none().then_some(refusal))
}

/// What was not announced needs a place within `budget.unannounced`, or somebody's approval.
async fn unannounced_slot(
    worker: &Worker,
    settings: &Settings,
    window: Window,
    policy: &Policy,
    record: &Record,
) -> anyhow::Result<Result<Option<String>, Refusal>> {
    if is_foretold(policy, record) {
        return Ok(Ok(None));
    }
    if let Some(approval) = controls::approval(&*worker.context.store, worker.context.clock.now()).await? {
        return Ok(Ok(Some(format!("approved by {} ({})", approval.actor, approval.number))));
    }
    Ok(claim(worker, ClaimKind::Unannounced, settings.unannounced, window, record).await?.map(Some))
}

async fn claim(
    worker: &Worker,
    kind: ClaimKind,
    rate_limit: RateLimit,
    window: Window,
    record: &Record,
) -> anyhow::Result<Result<String, Refusal>> {
    let store = &*worker.context.store;
    Ok(match worker.claims.claim(store, kind, rate_limit, window, &record.uid, &worker.actor).await? {
        Slot::Claimed(slot) => Ok(slot),
        Slot::Exhausted { limit, next } => Err(exhausted(worker, kind, limit, next)),
    })
}

fn exhausted(worker: &Worker, kind: ClaimKind, limit: u64, next: Timestamp) -> Refusal {
    let (from, window) = (human_text(next), worker.context.timings().budget_window_text());
    match kind {
        ClaimKind::Unannounced => Refusal {
            why: SkipReason::Unannounced,
            detail: format!(
                "{limit} unannounced deletions were allowed in these {window}; the next are from {from} on, or at once \
                 after `nsm approve`"
            ),
            // An approval may come at any time.
            not_before: None,
        },
        ClaimKind::Slots | ClaimKind::Controls => Refusal {
            why: SkipReason::Budget,
            detail: format!("{limit} deletions were allowed in these {window}; the next are from {from} on"),
            not_before: Some(next),
        },
    }
}

#[cfg(test)]
mod tests;
