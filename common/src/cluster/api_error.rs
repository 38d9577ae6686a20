//! What an answer of the apiserver proves, and what it does not.

use std::{error::Error, future::Future};

use kube::{core::Status, runtime::watcher};
use tracing::instrument;

use super::REQUEST_TIMEOUT;

/// What a 422 names where a PATCH carried the uid of another object: the apiserver takes it for an attempt to change a
/// field that never changes.
const UID_FIELD: &str = "metadata.uid";

/// Why a request brought nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {doing}: {why}")]
pub struct ApiError {
    pub doing: String,
    pub answer: ApiOutcome,
    pub why: String,
}

/// What an error says about the outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiOutcome {
    /// A live apiserver answered that there is no such object.
    NotFound,
    /// A live apiserver refused because the uid is another one: the object that was meant is gone.
    OtherUid,
    /// A live apiserver refused because the object changed.
    Moved,
    /// A live apiserver refused for want of rights or by a rule: 401, 403, 422.
    Refused,
    /// Turned away before anything was done.
    TooManyRequests,
    /// Nobody knows whether it was or will be carried out.
    Unclear,
}

impl ApiOutcome {
    /// Reads an error. Whatever is not surely the apiserver's own word is [`Answer::Unclear`]: a page of a proxy with
    /// the status 404 proves nothing.
    #[must_use]
    pub fn of(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unclear;
        };
        match (status.code, status.reason.as_str()) {
            (429, _) => Self::TooManyRequests,
            (404, "NotFound") => Self::NotFound,
            (409, "Conflict") if status.message.contains("UID in precondition") => Self::OtherUid,
            (422, "Invalid") if names_field(status, UID_FIELD) => Self::OtherUid,
            (409, "Conflict") if status.message.contains("ResourceVersion in precondition") => Self::Moved,
            (401, "Unauthorized") | (403, "Forbidden") | (422, "Invalid") => Self::Refused,
            _ => Self::Unclear,
        }
    }
}

/// Whether a refusal gives this field as a cause. Its text is not read: an admission policy answers 422 too, and says
/// what it likes.
fn names_field(status: &Status, field: &str) -> bool {
    status.details.as_ref().is_some_and(|details| details.causes.iter().any(|cause| cause.field == field))
}

impl ApiError {
    pub(crate) fn of(doing: impl Into<String>, error: &kube::Error) -> Self {
        Self { doing: doing.into(), answer: ApiOutcome::of(error), why: told(error) }
    }

    pub(crate) fn timed_out(doing: impl Into<String>) -> Self {
        let why = format!("the apiserver did not answer within {} s", REQUEST_TIMEOUT.as_secs());
        Self { doing: doing.into(), answer: ApiOutcome::Unclear, why }
    }
}

/// Carries out one request within [`REQUEST_TIMEOUT`].
///
/// # Errors
/// When it is not known to have been carried out.
#[instrument(name = "request", level = "debug", skip_all, fields(doing))]
pub async fn within<T>(doing: &str, request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ApiError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ApiError::of(doing, &error)),
        Err(_) => Err(ApiError::timed_out(doing)),
    }
}

/// What an error of the client library says, in one line for people: of a refusal the apiserver's own words. By itself the
/// library tells the whole answer as its debug output.
#[must_use]
pub fn told(error: &(dyn Error + 'static)) -> String {
    match refusal(error) {
        Some(status) => format!("the apiserver answered {}: {}", status.code, first_line(&status.message)),
        None => chain(error),
    }
}

/// The refusal that an error is, or is due to.
fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kube::Error::Api(status)) = error.downcast_ref() {
            return Some(status);
        }
        if let Some(watcher::Error::WatchError(status)) = error.downcast_ref() {
            return Some(status);
        }
        next = error.source();
    }
    None
}

/// An error with its causes, each once, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(code: u16, reason: &str, message: &str, expected: ApiOutcome) {
        let status = Status { code, reason: reason.to_owned(), message: message.to_owned(), ..Status::default() };
        assert_eq!(ApiOutcome::of(&kube::Error::Api(status.boxed())), expected, "{code} {reason}");
    }

    #[test]
    fn only_the_apiservers_own_word_is_definite() {
        check(404, "NotFound", "namespaces \"a\" not found", ApiOutcome::NotFound);
        check(404, "Failed to parse error data", "<html>", ApiOutcome::Unclear);
        check(404, "", "", ApiOutcome::Unclear);
        check(403, "Forbidden", "", ApiOutcome::Refused);
        check(422, "Invalid", "", ApiOutcome::Refused);
        check(401, "Unauthorized", "", ApiOutcome::Refused);
        check(503, "ServiceUnavailable", "", ApiOutcome::Unclear);
        check(500, "InternalError", "", ApiOutcome::Unclear);
        check(429, "Failed to parse error data", "Too many requests", ApiOutcome::TooManyRequests);
    }

    fn forbidden() -> Box<Status> {
        let message = format!("deployments.apps is forbidden{}\nand more", "!".repeat(400));
        Status { code: 403, reason: "Forbidden".to_owned(), message, ..Status::default() }.boxed()
    }

    #[test]
    fn a_refusal_is_told_in_the_apiservers_words_wherever_it_is_hidden() {
        let expected = format!("the apiserver answered 403: deployments.apps is forbidden{}", "!".repeat(271));
        let refusals: [Box<dyn Error>; 5] = [
            Box::new(kube::Error::Api(forbidden())),
            Box::new(watcher::Error::InitialListFailed(kube::Error::Api(forbidden()))),
            Box::new(watcher::Error::WatchStartFailed(kube::Error::Api(forbidden()))),
            Box::new(watcher::Error::WatchError(forbidden())),
            Box::new(watcher::Error::WatchFailed(kube::Error::Api(forbidden()))),
        ];
        for refusal in &refusals {
            assert_eq!(told(&**refusal), expected);
        }
        assert_eq!(ApiError::of("list", &kube::Error::Api(forbidden())).why, expected);
    }

    #[test]
    fn whatever_else_went_wrong_is_told_with_its_causes() {
        let broken = std::io::Error::other("connection reset");
        let told = told(&watcher::Error::WatchFailed(kube::Error::ReadEvents(broken)));
        assert_eq!(told, "watch stream failed: Error reading events stream: connection reset");
    }

    #[test]
    fn a_conflict_counts_only_when_it_says_which() {
        check(
            409,
            "Conflict",
            "Precondition failed: UID in precondition: a, UID in object meta: b",
            ApiOutcome::OtherUid,
        );
        check(409, "Conflict", "Precondition failed: ResourceVersion in precondition: 1, ...", ApiOutcome::Moved);
        check(409, "Conflict", "please apply your changes to the latest version", ApiOutcome::Unclear);
    }

    #[test]
    fn what_is_invalid_is_another_object_only_where_the_cause_is_the_uid() {
        let words = "Namespace \"a\" is invalid: metadata.uid: Invalid value: \"b\": field is immutable";
        let answer = |reason: &str, fields: &[&str]| {
            let causes: Vec<_> =
                fields.iter().map(|field| json!({"message": "Invalid value", "field": field})).collect();
            let status = json!({"code": 422, "reason": reason, "message": words, "details": {"causes": causes}});
            ApiOutcome::of(&kube::Error::Api(serde_json::from_value::<Status>(status).unwrap().boxed()))
        };
        assert_eq!(answer("Invalid", &["metadata.uid"]), ApiOutcome::OtherUid);
        assert_eq!(answer("Invalid", &["metadata.labels", "metadata.uid"]), ApiOutcome::OtherUid);
        assert_eq!(answer("Invalid", &[]), ApiOutcome::Refused, "the words of an admission policy prove nothing");
        assert_eq!(answer("Invalid", &["metadata.labels"]), ApiOutcome::Refused);
        assert_eq!(answer("", &["metadata.uid"]), ApiOutcome::Unclear);
    }
}
