//! The request itself: one DELETE, tried once.

use kube::api::{DeleteParams, Preconditions};
use lifecycle::{
    Action, Policy, Record, Task,
    event::{ActionIntended, NoticeState},
    time::saturating_add,
};

use common::{
    cluster::{ApiError, ApiOutcome, within},
    config::Settings,
    timings::signed,
};

use crate::{permit::Permit, worker::Worker};

/// What is known of the request's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// 2xx.
    Accepted,
    /// A definite no.
    No(ApiOutcome, String),
    /// It may have been carried out, or be on its way still.
    Unclear(String),
}

/// What the owner was told of the deletion; `None`: nothing, though there is a channel. Then there must be no intent: it
/// would record what is not so.
pub(crate) fn told(policy: &Policy, record: &Record) -> Option<NoticeState> {
    match &policy.warning {
        None => Some(NoticeState::NoChannel),
        Some(_) => record.notice(record.status).map(|notice| {
            if notice.is_delivered() {
                NoticeState::Promised(notice.promise)
            } else {
                NoticeState::Undelivered(notice.promise)
            }
        }),
    }
}

/// The entry that allows the request.
pub(crate) fn intent(
    worker: &Worker,
    task: &Task,
    settings: &Settings,
    policy: &Policy,
    record: &Record,
    permit: &Permit,
    told: NoticeState,
) -> ActionIntended {
    // By the apiserver's clock, with which ours was just compared: should ours jump in this moment, the intent would be
    // its holder's until the next day.
    let clock = &worker.context.cluster.clock;
    let now = clock.now().unwrap_or_else(|| worker.context.clock.now());
    ActionIntended {
        action: Action::Delete,
        cause_seq: task.cause_seq,
        attempt: record.attempts.begun + 1,
        holder: worker.actor.to_string(),
        until: saturating_add(now, signed(settings.timings.intent_lease)),
        resource_version: permit.namespace.resource_version.clone(),
        cause: record.status,
        decision: format!("it is {}: {}", record.status, record.reason),
        evidence: permit.evidence.clone(),
        evidence_at: permit.evidence_at,
        slot: permit.slot.clone(),
        unannounced: permit.unannounced.clone(),
        config: settings.hash.clone(),
        mode: policy.mode,
        notice: told,
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
    match within("delete it", request).await {
        Ok(_) => Sent::Accepted,
        Err(ApiError { answer: ApiOutcome::Unclear, why, .. }) => Sent::Unclear(why),
        Err(ApiError { answer, why, .. }) => Sent::No(answer, why),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use lifecycle::{
        Actor, Entry, Event, Status, Uid,
        event::{NoticeIntended, NoticeSent},
    };

    use super::*;
    use crate::fixture::policies;

    /// The record of a namespace after this many steps of telling its owner of its end: intended, sent.
    fn record(steps: usize) -> Record {
        let (uid, at) = (Uid::new("u"), Timestamp::UNIX_EPOCH);
        let (about, channel) = (Status::Unknown, "webhook".to_owned());
        let intended = Event::NoticeIntended(NoticeIntended { about, deadline: at, promise: at, channel });
        let entry = |(seq, event)| {
            let (actor, name, token) = (Actor::role("action", "a"), "ci-1".to_owned(), String::new());
            Entry { uid: Uid::new("u"), seq, at, actor, name, token, event }
        };
        let entries: Vec<_> =
            (1..).zip([intended, Event::NoticeSent(NoticeSent { of: 1, promise: None })]).map(entry).collect();
        Record::of(uid, &entries[..steps])
    }

    #[test]
    fn no_intent_says_that_there_is_no_channel_where_there_is_one() {
        let told = |has_channel, steps| told(policies("1h", has_channel).iter().next().unwrap(), &record(steps));
        assert_eq!(told(false, 0), Some(NoticeState::NoChannel));
        assert_eq!(told(true, 2), Some(NoticeState::Promised(Timestamp::UNIX_EPOCH)));
        assert_eq!(told(true, 1), Some(NoticeState::Undelivered(Timestamp::UNIX_EPOCH)));
        assert_eq!(told(true, 0), None);
    }
}
