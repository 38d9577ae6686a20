//! The fence: makes a deletion that may still be on its way harmless, and finds out its outcome.

use std::collections::BTreeMap;

use lifecycle::{
    Keys, Uid,
    event::{ActionDone, ActionFailed, ActionIntended, FailReason},
    keys::FENCE,
};

use super::{ApiError, ApiOutcome, Cluster, patch_annotations};

/// What the fence's answer proves (docs/design/protocol.md section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// The namespace is terminating: a deletion was accepted.
    Terminating,
    /// The uid is no longer there.
    Gone,
    /// The namespace lives under a newer resourceVersion: the request is dead, now and for ever.
    Dead,
}

/// Moves the namespace's resourceVersion with a value never used before, so that a DELETE decided on an older one is
/// refused whenever it arrives.
///
/// # Errors
/// When it is not known whether the fence stands: the intent must stay open.
pub async fn fence(
    cluster: &Cluster,
    name: &str,
    uid: &Uid,
    keys: &Keys,
    intent: u64,
    intended: &ActionIntended,
) -> Result<Fenced, ApiError> {
    // A value used before would move nothing: the apiserver drops a PATCH that changes nothing.
    let value = format!("{intent}.{:016x}", rand::random::<u64>());
    let annotations = BTreeMap::from([(keys.ours(FENCE), Some(value))]);
    match patch_annotations(cluster, name, uid, &annotations).await.map(|object| object.metadata) {
        Ok(meta) if meta.uid.as_deref() != Some(uid.as_str()) => Ok(Fenced::Gone),
        Ok(meta) if meta.deletion_timestamp.is_some() => Ok(Fenced::Terminating),
        Ok(meta) if meta.resource_version.as_deref().is_some_and(|now| now != intended.resource_version) => {
            Ok(Fenced::Dead)
        }
        Ok(_) => Err(ApiError {
            doing: format!("fence namespace `{name}`"),
            answer: ApiOutcome::Unclear,
            why: "its resourceVersion did not move".to_owned(),
        }),
        Err(error) => match error.answer {
            ApiOutcome::NotFound | ApiOutcome::OtherUid => Ok(Fenced::Gone),
            ApiOutcome::Moved | ApiOutcome::Refused | ApiOutcome::TooManyRequests | ApiOutcome::Unclear => Err(error),
        },
    }
}

impl Fenced {
    /// The entry that closes the intent by what the fence proved.
    #[must_use]
    pub fn outcome(&self, intent: u64, intended: &ActionIntended) -> lifecycle::Event {
        match self {
            Self::Terminating | Self::Gone => lifecycle::Event::ActionDone(ActionDone { of: intent, observed: true }),
            Self::Dead => lifecycle::Event::ActionFailed(ActionFailed {
                of: intent,
                action: intended.action,
                why: FailReason::Fenced,
                detail: "no definite answer came; the namespace was fenced and lives".to_owned(),
                not_before: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use jiff::Timestamp;
    use kube::client::Body;
    use lifecycle::{Action, Mode, Status, event::NoticeState};
    use serde_json::{Value, json};

    use super::*;

    /// What a fence proves where the apiserver answers so to its PATCH; the intent was for resourceVersion 7 of uid `u`.
    async fn fenced(code: u16, answer: Value) -> Result<Fenced, ApiOutcome> {
        let service = tower::service_fn(move |_: Request<Body>| {
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            std::future::ready(Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()))
        });
        let at = Timestamp::UNIX_EPOCH;
        let intended = ActionIntended {
            action: Action::Delete,
            cause_seq: 2,
            attempt: 1,
            holder: "action/a".to_owned(),
            until: at,
            resource_version: "7".to_owned(),
            cause: Status::Stale,
            decision: String::new(),
            evidence: Vec::new(),
            evidence_at: at,
            slot: String::new(),
            unannounced: None,
            config: String::new(),
            mode: Mode::Enforce,
            notice: NoticeState::NoChannel,
        };
        let (uid, keys) = (Uid::new("u"), Keys::default());
        fence(&Cluster::through(service), "ci-1", &uid, &keys, 3, &intended).await.map_err(|error| error.answer)
    }

    fn object(uid: &str, version: &str) -> Value {
        let metadata = json!({"name": "ci-1", "uid": uid, "resourceVersion": version});
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
    }

    fn refusal(code: u16, reason: &str, field: &str) -> Value {
        let causes = json!([{"reason": "FieldValueInvalid", "message": "field is immutable", "field": field}]);
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": "Namespace \"ci-1\" is invalid", "details": {"name": "ci-1", "kind": "Namespace", "causes": causes}})
    }

    #[tokio::test]
    async fn a_name_that_came_back_proves_that_the_uid_is_gone() {
        assert_eq!(fenced(422, refusal(422, "Invalid", "metadata.uid")).await, Ok(Fenced::Gone));
        assert_eq!(fenced(404, refusal(404, "NotFound", "")).await, Ok(Fenced::Gone));
        assert_eq!(fenced(200, object("v", "8")).await, Ok(Fenced::Gone));
    }

    #[tokio::test]
    async fn what_is_refused_otherwise_proves_nothing() {
        assert_eq!(fenced(422, refusal(422, "Invalid", "metadata.annotations")).await, Err(ApiOutcome::Refused));
        assert_eq!(fenced(403, refusal(403, "Forbidden", "metadata.uid")).await, Err(ApiOutcome::Refused));
        assert_eq!(fenced(500, refusal(500, "InternalError", "")).await, Err(ApiOutcome::Unclear));
        assert_eq!(fenced(200, object("u", "7")).await, Err(ApiOutcome::Unclear), "the resourceVersion did not move");
    }

    #[tokio::test]
    async fn a_namespace_that_moved_or_is_terminating_is_told_apart() {
        assert_eq!(fenced(200, object("u", "8")).await, Ok(Fenced::Dead));
        let mut terminating = object("u", "8");
        terminating["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(fenced(200, terminating).await, Ok(Fenced::Terminating));
    }
}
