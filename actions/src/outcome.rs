//! Closing an intent: by the definite answer to its only request, or by a fence, and never otherwise.

use anyhow::Context as _;
use common::{
    cluster::{ApiOutcome, Fenced, fence},
    events::News,
    history::{Appended, append, load},
    identity,
};
use lifecycle::{
    Event, Record,
    backoff::{after_conflict, after_refusal},
    event::{ActionDone, ActionFailed, ActionIntended, ActionSkipped, FailReason, SkipReason},
    time::human_text,
};
use tracing::{info, warn};

use crate::{apply::Sent, worker::Worker};

/// How often an outcome is written again under the next number when somebody else's entry came first.
const MAX_ATTEMPTS: usize = 16;

/// What was found of an intent that the record held open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntentState {
    NothingOpen,
    /// It ran out, was fenced, and is closed: read everything again.
    Closed,
    /// Its holder has time left.
    SomebodyIsAtIt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    Ended,
    /// The object had moved: it may be tried again at once.
    Busy,
}

/// Fences and closes an intent that ran out, no matter whose it was.
///
/// # Errors
/// When the fence is not known to stand, or the outcome could not be written: the intent stays open.
pub(crate) async fn settle_open(worker: &Worker, record: &mut Record) -> anyhow::Result<IntentState> {
    let Some(open) = record.open.clone() else {
        return Ok(IntentState::NothingOpen);
    };
    if worker.context.clock.now() < open.intended.until {
        return Ok(IntentState::SomebodyIsAtIt);
    }
    info!(namespace.name = %record.name, "the attempt of entry {} on namespace `{}` ran out and is fenced", open.seq, record.name);
    let event = fenced(worker, record, open.seq, &open.intended).await?;
    write(worker, record, open.seq, event).await?;
    Ok(IntentState::Closed)
}

/// Closes an intent by what became of its request.
///
/// # Errors
/// As [`settle_open`].
pub(crate) async fn close(
    worker: &Worker,
    record: &mut Record,
    intent: u64,
    intended: &ActionIntended,
    sent: Sent,
) -> anyhow::Result<Closed> {
    let now = worker.context.clock.now();
    let action = intended.action;
    let failed =
        |why, detail, not_before| Event::ActionFailed(ActionFailed { of: intent, action, why, detail, not_before });
    let event = match sent {
        Sent::Accepted => Event::ActionDone(ActionDone { of: intent, observed: false }),
        Sent::No(ApiOutcome::Moved, detail) => Event::ActionSkipped(ActionSkipped {
            of: Some(intent),
            action,
            why: SkipReason::Busy,
            detail,
            not_before: after_conflict(record, now),
        }),
        Sent::No(ApiOutcome::NotFound | ApiOutcome::OtherUid, detail) => failed(FailReason::Gone, detail, None),
        Sent::No(ApiOutcome::Refused, detail) => {
            warn!(namespace.name = %record.name, "the deletion of namespace `{}` was refused: {detail}", record.name);
            failed(FailReason::Refused, detail, Some(after_refusal(record, now)))
        }
        Sent::No(ApiOutcome::TooManyRequests, detail) => failed(FailReason::TooManyRequests, detail, None),
        Sent::No(ApiOutcome::Unclear, detail) | Sent::Unclear(detail) => {
            warn!(namespace.name = %record.name, "the outcome of the deletion of namespace `{}` is unknown, so it is fenced: {detail}", record.name);
            fenced(worker, record, intent, intended).await?
        }
    };
    let refusal = refusal(record, &event);
    let busy = matches!(&event, Event::ActionSkipped(skipped) if skipped.not_before.is_none());
    let is_written = write(worker, record, intent, event).await?;
    if let Some(news) = refusal.filter(|_| is_written) {
        worker.events.tell(&record.name, &record.uid, news).await;
    }
    Ok(if busy { Closed::Busy } else { Closed::Ended })
}

/// What people are told of a refusal that is another than the last: it is tried again, and mostly refused in the same words.
fn refusal(record: &Record, event: &Event) -> Option<News> {
    let Event::ActionFailed(ActionFailed { why: FailReason::Refused, detail, not_before, .. }) = event else {
        return None;
    };
    let name = &record.name;
    let again = not_before.map_or(String::new(), |at| format!(", and tried again at {}", human_text(at)));
    let note = format!(
        "it is not deleted{again}: {detail}; the administrator who runs that admission, or grants the rights, can let the \
         manager delete it; to keep it instead, run `nsm protect {name}`"
    );
    (record.attempts.refusal.as_ref() != Some(detail)).then(|| News::warning("DeletionRefused", note))
}

async fn fenced(worker: &Worker, record: &Record, intent: u64, intended: &ActionIntended) -> anyhow::Result<Event> {
    let keys = &worker.context.settings().policies.keys;
    let proof = fence(&worker.context.cluster, &record.name, &record.uid, keys, intent, intended)
        .await
        .with_context(|| format!("entry {intent} of namespace `{}` stays open", record.name))?;
    if proof == Fenced::Gone {
        // In another cluster it never was.
        identity::still_answers(&*worker.context.store, &worker.context.cluster).await?;
    }
    Ok(proof.outcome(intent, intended))
}

/// Writes an outcome, unless another has closed the intent meanwhile; returns whether it did. An entry of somebody else in
/// between (an owner override, the namespace's end) changes nothing about what is known of the request.
async fn write(worker: &Worker, record: &mut Record, intent: u64, event: Event) -> anyhow::Result<bool> {
    let store = &*worker.context.store;
    for _ in 0..MAX_ATTEMPTS {
        if record.open.as_ref().is_none_or(|open| open.seq != intent) {
            return Ok(false);
        }
        match append(store, record, &worker.actor, event.clone(), worker.context.clock.now()).await? {
            Appended::Written => return Ok(true),
            Appended::Conflict => *record = load(store, &record.uid).await?,
        }
    }
    anyhow::bail!("the outcome of entry {intent} could not be written: others kept writing")
}

#[cfg(test)]
mod tests;
