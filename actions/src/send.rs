//! The request itself: one DELETE, tried once.

use kube::api::{DeleteParams, Preconditions};
use lifecycle::{
    Action, Policy, Record, Task,
    entry::{ActionIntended, Told},
    time::saturating_add,
};

use common::{
    cluster::{Answer, REQUEST_TIMEOUT},
    config::Settings,
    timings::signed,
};

use crate::{look::Permit, worker::Worker};

/// What is known of the request's fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// 2xx.
    Accepted,
    /// A definite no.
    No(Answer, String),
    /// It may have been carried out, or be on its way still.
    Unclear(String),
}

/// The entry that allows the request.
pub(crate) fn intent(
    worker: &Worker,
    task: &Task,
    settings: &Settings,
    policy: &Policy,
    record: &Record,
    permit: &Permit,
) -> ActionIntended {
    let told = match (&policy.warning, record.notice(record.status)) {
        (Some(_), Some(notice)) => Told::Promised(notice.promise),
        (None, _) | (Some(_), None) => Told::NoChannel,
    };
    // By the apiserver's clock, with which ours was just compared: should ours jump in this moment, the intent would be
    // its holder's until the next day.
    let clock = &worker.context.cluster.clock;
    let now = clock.now().unwrap_or_else(|| worker.context.clock.now());
    ActionIntended {
        action: Action::Delete,
        due_to: task.due_to,
        attempt: record.attempts.begun + 1,
        holder: worker.actor.to_string(),
        until: saturating_add(now, signed(settings.timings.intent_lease)),
        resource_version: permit.namespace.resource_version.clone(),
        cause: record.status,
        decision: format!("it is {}: {}", record.status, record.reason),
        evidence: permit.evidence.clone(),
        evidence_at: permit.evidence_at,
        slot: permit.slot.clone(),
        wave: permit.wave.clone(),
        config: settings.hash.clone(),
        mode: policy.mode,
        told,
    }
}

/// Sends the DELETE with the uid and the resourceVersion of the intent as its preconditions. Once.
pub(crate) async fn delete(worker: &Worker, record: &Record, intended: &ActionIntended) -> Sent {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(record.uid.to_string()),
            resource_version: Some(intended.resource_version.clone()),
        }),
        ..DeleteParams::default()
    };
    let namespaces = worker.context.cluster.namespaces();
    #[expect(clippy::disallowed_methods, reason = "the one DELETE of this program, with its preconditions")]
    let request = namespaces.delete(&record.name, &params);
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(_)) => Sent::Accepted,
        Ok(Err(error)) => match Answer::of(&error) {
            Answer::Unclear => Sent::Unclear(error.to_string()),
            definite => Sent::No(definite, error.to_string()),
        },
        Err(_) => Sent::Unclear(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())),
    }
}
