//! What Prometheus said, decoded. An answer that is wrong in one place is not believed in another.
//!
//! Why it could not be read is told without a word of the answer: that may be a login page, or anything else.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use prometheus_http_query::response::{Alert, Data, PromqlResult};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::error::Category;

/// How far back an expression looks for a value, unless Prometheus is told otherwise (`--query.lookback-delta`).
const LOOKBACK: SignedDuration = SignedDuration::from_mins(5);

/// An alert, or the value of an expression that counts as one.
pub(super) struct Seen {
    pub(super) labels: HashMap<String, String>,
    pub(super) annotations: HashMap<String, String>,
    pub(super) state: State,
    /// Since when it has been in what is its state, at the latest: before a namespace was created, it is not about that.
    pub(super) since: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Firing,
    /// It will fire if what it is about lasts.
    Pending,
    /// Not to be told.
    Unclear,
    /// Neither.
    Inactive,
}

/// What the API answers to everything. The crate has such a type too, which is private and leaves out the warnings.
#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    /// That something is missing in the answer, for example because another Prometheus could not be reached.
    warnings: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<Alert>,
}

/// An answer of `/api/v1/alerts`.
pub(super) fn alerts(body: &[u8]) -> Result<Vec<Seen>, String> {
    open::<Alerts>(body)?.alerts.into_iter().map(|told| alert(&told)).collect()
}

/// An answer of `/api/v1/query`.
pub(super) fn samples(body: &[u8]) -> Result<Vec<Seen>, String> {
    match open::<PromqlResult>(body)?.into_inner().0 {
        Data::Vector(series) => {
            let series = series.into_iter().map(|series| {
                let (labels, value) = series.into_inner();
                sample(labels, value.timestamp(), value.value())
            });
            series.collect()
        }
        Data::Matrix(_) | Data::Scalar(_) => Err("the query of Prometheus gives no instant vector".to_owned()),
    }
}

fn open<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let envelope: Envelope<T> = serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            _ if body.trim_ascii_start().starts_with(b"<") => "is a web page",
            Category::Eof => "broke off",
            Category::Syntax | Category::Io => "is not JSON",
            Category::Data => "has another shape than is known",
        };
        format!("the answer of Prometheus {what}")
    })?;
    if envelope.status != "success" {
        return Err("Prometheus answered with an error".to_owned());
    }
    if envelope.warnings.is_some_and(|warnings| !warnings.is_empty()) {
        return Err("Prometheus warned that its answer is not complete".to_owned());
    }
    envelope.data.ok_or_else(|| "the answer of Prometheus is empty".to_owned())
}

fn alert(alert: &Alert) -> Result<Seen, String> {
    let since = Timestamp::from_nanosecond(alert.active_at().unix_timestamp_nanos());
    Ok(Seen {
        labels: alert.labels().clone(),
        annotations: alert.annotations().clone(),
        state: match alert.state() {
            state if state.is_firing() => State::Firing,
            state if state.is_pending() => State::Pending,
            _ => State::Inactive,
        },
        since: since.map_err(|_| no_time())?,
    })
}

fn sample(labels: HashMap<String, String>, at: f64, value: f64) -> Result<Seen, String> {
    let state = match labels.get("alertstate").map(String::as_str) {
        // The series ALERTS tells of pending alerts by the same value.
        Some("pending") if value != 0.0 => State::Pending,
        None | Some("firing") if value.is_nan() => State::Unclear,
        None | Some("firing") if value != 0.0 => State::Firing,
        None | Some(_) => State::Inactive,
    };
    let at = SignedDuration::try_from_secs_f64(at).ok().and_then(|at| Timestamp::from_duration(at).ok());
    // The value may be as old as that, and be about a namespace of this name that is gone.
    let since = at.and_then(|at| at.checked_sub(LOOKBACK).ok()).ok_or_else(no_time)?;
    Ok(Seen { labels, annotations: HashMap::new(), state, since })
}

fn no_time() -> String {
    "the answer of Prometheus tells a time that cannot be".to_owned()
}
