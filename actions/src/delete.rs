//! The deletion of a namespace, from a task's id to its outcome.

use common::{
    history::{Appended, append, load},
    publish,
    timings::signed,
};
use lifecycle::{
    Event, Mode, Record, Task,
    event::{ActionSkipped, DryRun, SkipReason},
    plan,
};
use tokio::time::{Duration, Instant};
use tracing::info;

use crate::{
    apply::{self, Sent},
    outcome::{self, IntentState},
    permit::Preflight,
    preflight, switches,
    worker::Worker,
};

/// How often one delivery of a task starts over after a conflict before it is left to the next.
const MAX_ROUNDS: usize = 4;

/// The most time between the preflight and the writing of the intent: evidence is at most a minute old when the intent
/// is durable (docs/design/protocol.md S4), and one that took longer to become so than [`hand_over`] is not used.
///
/// [`hand_over`]: common::timings::Timings::hand_over
const FRESH: Duration = Duration::from_secs(40);

/// Carries out one deletion as far as it can be now: to its end, to an entry that says why not, or not at all where
/// it is no longer due.
///
/// # Errors
/// When the store or the cluster did not let it: the planner offers the task again.
pub(crate) async fn carry_out(worker: &Worker, task: &Task) -> anyhow::Result<()> {
    for _ in 0..MAX_ROUNDS {
        let mut record = load(&*worker.context.store, &task.uid).await?;
        worker.is_about(&record.name);
        let known = record.head;
        let round = round(worker, task, &mut record).await;
        // Only where something is new: the planner, told of nothing, would offer the same task again at once, and
        // planner and worker would chase each other for as long as something waits.
        if record.head != known {
            // It shows in lists from here on, also where the round broke off.
            let _ = worker.context.store.put_snapshot(&record).await;
            publish::event(&*worker.context.queue, &record).await;
        }
        if round? == Round::Over {
            break;
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Round {
    Over,
    /// Somebody else wrote, or the object moved: read everything again.
    Again,
}

async fn round(worker: &Worker, task: &Task, record: &mut Record) -> anyhow::Result<Round> {
    match outcome::settle_open(worker, record).await? {
        IntentState::NothingOpen => {}
        IntentState::Closed => return Ok(Round::Again),
        IntentState::SomebodyIsAtIt => return Ok(Round::Over),
    }
    let settings = worker.context.settings();
    let now = worker.context.clock.now();
    let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
    let Some(policy) = policy.filter(|policy| plan(Some(policy), record, now).tasks.contains(task)) else {
        return Ok(Round::Over);
    };
    if policy.mode == Mode::Observe {
        // The one place where a deletion is only recorded.
        let decision = format!("delete namespace `{}`: {}", record.name, record.reason);
        let event = Event::DryRun(DryRun { action: task.action, decision });
        return append_or_again(worker, record, event).await;
    }
    if let Some(refusal) = switches::refusal(worker, &settings).await? {
        return skip(worker, record, None, refusal.why, refusal.detail, None).await;
    }
    let permit = match preflight::prepare(worker, &settings, policy, record).await? {
        Preflight::Go(permit) => permit,
        Preflight::NotNow => return Ok(Round::Over),
        Preflight::Skip(refusal) => {
            return skip(worker, record, None, refusal.why, refusal.detail, refusal.not_before).await;
        }
    };

    // From here on the request is allowed, for a short time, and by this entry alone. Who recovers the namespace and
    // who deletes it append to the same history: this insert decides.
    if permit.checked_at.elapsed() > FRESH {
        return Ok(Round::Over);
    }
    let Some(told) = apply::told(policy, record) else {
        anyhow::bail!(
            "the owner of namespace `{}` was not told of its deletion, though there is a channel",
            record.name
        );
    };
    let intended = apply::intent(worker, task, &settings, policy, record, &permit, told);
    let handed_over_by = Instant::now() + settings.timings.hand_over();
    let event = Event::ActionIntended(Box::new(intended.clone()));
    if append(&*worker.context.store, record, &worker.actor, event, worker.context.clock.now()).await?
        == Appended::Conflict
    {
        return Ok(Round::Again);
    }
    let intent = record.head;
    if let Some(refusal) = switches::refusal(worker, &settings).await? {
        return skip(worker, record, Some(intent), refusal.why, refusal.detail, None).await;
    }
    // A machine that is put to sleep stops the one clock, and not the other.
    let age = worker.context.clock.now().duration_since(permit.evidence_at);
    if Instant::now() >= handed_over_by || age > signed(FRESH + settings.timings.hand_over()) {
        let detail = "the time to send the request ran out before it was sent".to_owned();
        return skip(worker, record, Some(intent), SkipReason::Abandoned, detail, None).await;
    }
    let sent = apply::delete(worker, record, &intended).await;
    if sent == Sent::Accepted {
        info!(namespace.name = %record.name, "namespace `{}` is deleted: {}", record.name, intended.decision);
    }
    outcome::close(worker, record, intent, &intended, sent)
        .await
        .map(|closed| if closed == outcome::Closed::Busy { Round::Again } else { Round::Over })
}

/// Records why an attempt was not made, where that is not on record, or closes the intent that was not used.
async fn skip(
    worker: &Worker,
    record: &mut Record,
    of: Option<u64>,
    why: SkipReason,
    detail: String,
    not_before: Option<jiff::Timestamp>,
) -> anyhow::Result<Round> {
    if of.is_none() && record.attempts.is_news(why, worker.context.clock.now()) {
        return Ok(Round::Over);
    }
    info!(namespace.name = %record.name, "namespace `{}` is not deleted now: {detail}", record.name);
    let action = lifecycle::Action::Delete;
    append_or_again(worker, record, Event::ActionSkipped(ActionSkipped { of, action, why, detail, not_before })).await
}

async fn append_or_again(worker: &Worker, record: &mut Record, event: Event) -> anyhow::Result<Round> {
    let now = worker.context.clock.now();
    match append(&*worker.context.store, record, &worker.actor, event, now).await? {
        Appended::Written => Ok(Round::Over),
        Appended::Conflict => Ok(Round::Again),
    }
}

#[cfg(test)]
mod tests;
