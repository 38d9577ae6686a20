//! The admission probe: before anything is deleted, it sees the last guard in the apiserver at work
//! (docs/design/protocol.md section 3).
//!
//! Helm installs admission policies after Deployments, and anybody may remove them. So a worker tries what must be
//! refused: it deletes the manager's own namespace, without effect (`dryRun`). Had it an effect one day, by a mistake in
//! this file, the policy would refuse it all the same, or this program would be what is lost.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use common::{
    cluster::{ApiError, ApiOutcome, REQUEST_TIMEOUT, told, within},
    context::Context,
    process::namespace,
};
use kube::api::{DeleteParams, Preconditions};
use tokio::time::Instant;
use tracing::{info, warn};

/// How long what was seen is good for.
const VALID_FOR: Duration = Duration::from_secs(600);

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct AdmissionProbe(Mutex<Option<ProbeResult>>);

#[derive(Clone, Debug)]
struct ProbeResult {
    at: Instant,
    /// The policy that was expected.
    policy: String,
    /// Why the guard is not seen at work; `None`: it is.
    missing: Option<String>,
}

impl AdmissionProbe {
    /// Why nothing may be deleted: the guard that is configured was not seen at work. `None`: it was, or none is
    /// configured.
    pub(crate) async fn missing(&self, context: &Context) -> Option<String> {
        let policy = context.settings().guard.mark_policy.clone()?;
        let again = context.timings().admission_retry_interval;
        let known = self.seen().clone().filter(|seen| {
            let good_for = if seen.missing.is_some() { again } else { VALID_FOR };
            seen.policy == policy && seen.at.elapsed() < good_for
        });
        if let Some(seen) = known {
            return seen.missing;
        }
        let at = Instant::now();
        let missing = probe(context, &policy).await.err();
        self.tell_change(&policy, missing.as_deref());
        *self.seen() = Some(ProbeResult { at, policy, missing: missing.clone() });
        missing
    }

    /// Why nothing was deleted at the last probe.
    pub(crate) fn known(&self) -> Option<String> {
        self.seen().as_ref().and_then(|seen| seen.missing.clone())
    }

    fn tell_change(&self, policy: &str, missing: Option<&str>) {
        let before = self.seen().as_ref().map(|seen| seen.missing.is_some());
        match missing {
            Some(why) if before != Some(true) => warn!("nothing is deleted: {why}"),
            None if before != Some(false) => info!("the admission policy `{policy}` was seen at work"),
            Some(_) | None => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<ProbeResult>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries to delete our own namespace without effect, and wants to see this policy refuse it.
async fn probe(context: &Context, policy: &str) -> Result<(), String> {
    let namespaces = context.cluster.namespaces();
    let name = namespace(&context.cluster);
    let found = within("read our own namespace", context.cluster.lean_namespaces().get_metadata(&name)).await;
    let untried = |error: ApiError| format!("the guard in the apiserver cannot be tried on `{name}`: {}", error.why);
    let trial = trial(found.map_err(untried)?.metadata.uid.unwrap_or_default());
    #[expect(clippy::disallowed_methods, reason = "a deletion without effect, which has to be refused")]
    let request = namespaces.delete(&name, &trial);
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(outcome) => judge(outcome.as_ref().err(), &name, policy),
        Err(_) => Err(format!("nobody knows whether the admission policy `{policy}` is in force: no answer")),
    }
}

/// What makes a deletion one without effect is in its body: with a body the apiserver ignores the query. The uid alone
/// is a precondition, and the right one: a wrong one is refused before any policy is evaluated.
fn trial(uid: String) -> DeleteParams {
    DeleteParams {
        dry_run: true,
        preconditions: Some(Preconditions { uid: Some(uid), resource_version: None }),
        ..DeleteParams::default()
    }
}

/// The policy's own word counts, and nothing else: what RBAC refuses today it may allow tomorrow.
fn judge(error: Option<&kube::Error>, name: &str, policy: &str) -> Result<(), String> {
    let Some(error) = error else {
        return Err(format!(
            "the admission policy `{policy}` is not in force: the apiserver would let us delete `{name}`; install the \
             policies and their bindings"
        ));
    };
    let words = format!("ValidatingAdmissionPolicy '{policy}' with binding");
    let is_its_word = matches!(error, kube::Error::Api(status) if status.message.contains(&words));
    let text = told(error);
    match ApiOutcome::of(error) {
        ApiOutcome::Refused if is_its_word => Ok(()),
        ApiOutcome::Refused => {
            Err(format!("somebody else than the admission policy `{policy}` refused to delete `{name}`: {text}"))
        }
        ApiOutcome::NotFound
        | ApiOutcome::OtherUid
        | ApiOutcome::Moved
        | ApiOutcome::TooManyRequests
        | ApiOutcome::Unclear => {
            Err(format!("nobody knows whether the admission policy `{policy}` is in force: {text}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;

    fn refused(code: u16, reason: &str, message: &str) -> Result<(), String> {
        let status = Status { code, reason: reason.to_owned(), message: message.to_owned(), ..Status::default() };
        judge(Some(&kube::Error::Api(status.boxed())), "own", "nsm-mark")
    }

    #[test]
    fn the_trial_says_in_its_body_that_it_is_one() {
        let body = serde_json::to_value(trial("u".into())).unwrap();
        assert_eq!((&body["dryRun"], &body["preconditions"]), (&json!(["All"]), &json!({"uid": "u"})));
    }

    #[test]
    fn only_the_policys_own_word_counts() {
        let by = |policy: &str| {
            format!(
                "namespaces \"own\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding 'b' denied request: no"
            )
        };
        assert_eq!(refused(403, "Forbidden", &by("nsm-mark")), Ok(()));
        assert_eq!(refused(422, "Invalid", &by("nsm-mark")), Ok(()));
        assert!(refused(403, "Forbidden", &by("nsm-mark-2")).is_err(), "another policy");
        assert!(refused(403, "Forbidden", &by("nsm-stop")).is_err(), "the stop alone");
        let rbac = "namespaces \"own\" is forbidden: User \"system:serviceaccount:a:b\" cannot delete resource";
        assert!(refused(403, "Forbidden", rbac).is_err(), "RBAC");
        assert!(refused(409, "Conflict", &by("nsm-mark")).is_err());
        assert!(refused(500, "InternalError", &by("nsm-mark")).is_err());
        assert!(judge(None, "own", "nsm-mark").is_err(), "it would have been deleted");
    }

    /// It becomes part of histories, for ever.
    #[test]
    fn what_refused_instead_is_told_in_its_own_words() {
        let rbac = "namespaces \"own\" is forbidden: User \"a\" cannot delete resource \"namespaces\"";
        let told = |code: u16, reason: &str, message: &str| refused(code, reason, message).unwrap_err();
        assert_eq!(
            told(403, "Forbidden", rbac),
            format!(
                "somebody else than the admission policy `nsm-mark` refused to delete `own`: the apiserver answered 403: \
                 {rbac}"
            )
        );
        let long = told(500, "InternalError", &"x".repeat(999));
        let expected = format!("the apiserver answered 500: {}", "x".repeat(300));
        assert!(long.ends_with(&format!("is in force: {expected}")), "{long}");
    }

    /// Of a long refusal all counts, though not all is told.
    #[test]
    fn the_policys_word_counts_wherever_it_stands() {
        let late = format!("{}ValidatingAdmissionPolicy 'nsm-mark' with binding 'b' denied request", "x".repeat(999));
        assert_eq!(refused(403, "Forbidden", &late), Ok(()));
    }
}
