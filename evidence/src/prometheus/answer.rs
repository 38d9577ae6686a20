//! What Prometheus said, decoded. An answer that is wrong in one place is not believed in another; an alert of a state that
//! is not known makes the namespace that it names unknown, and no other.
//!
//! Why it could not be read is told without a word of the answer, which may be a login page, or anything else; but for the name of
//! an alert, where that is where it went wrong.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use prometheus_http_query::response::{Data, PromqlResult};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, error::Category, value::RawValue};

use super::alert::bounded;

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
    Unclear(Unclear),
    /// Neither.
    Inactive,
}

/// Why it is not to be told whether something fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// The alert is in a state that is not known.
    State,
    /// The value of the query is no number.
    Value,
}

/// What the API answers to everything. The crate has such a type too, which is private and leaves out the warnings.
#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    /// That something is missing in the answer, for example because another Prometheus could not be reached.
    warnings: Option<Vec<IgnoredAny>>,
}

/// The crate knows the shape of an alert too, and takes none that lacks its annotations.
#[derive(Deserialize)]
struct Alerts<'a> {
    #[serde(borrow)]
    alerts: Vec<&'a RawValue>,
}

/// An answer of `/api/v1/alerts`.
pub(super) fn alerts(body: &[u8]) -> Result<Vec<Seen>, String> {
    let alerts = open::<Alerts<'_>>(body)?.alerts;
    alerts.into_iter().enumerate().map(|(place, told)| alert(place + 1, told)).collect()
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

fn open<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
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

/// One alert, by its number in the answer.
fn alert(number: usize, told: &RawValue) -> Result<Seen, String> {
    let told: Value = serde_json::from_str(told.get()).map_err(|_| odd(number, None, "labels"))?;
    let Some(labels) = texts(&told["labels"]) else { return Err(odd(number, None, "labels")) };
    let odd = |field| odd(number, labels.get("alertname").map(String::as_str), field);
    let annotations = match &told["annotations"] {
        Value::Null => HashMap::new(),
        annotations => texts(annotations).ok_or_else(|| odd("annotations"))?,
    };
    let since = told["activeAt"].as_str().and_then(|at| at.parse().ok()).ok_or_else(|| odd("activeAt"))?;
    let state = match told["state"].as_str() {
        Some("firing") => State::Firing,
        Some("pending") => State::Pending,
        Some("inactive") => State::Inactive,
        Some(_) | None => State::Unclear(Unclear::State),
    };
    Ok(Seen { labels, annotations, state, since })
}

/// Names and texts; none where a value is no text.
fn texts(told: &Value) -> Option<HashMap<String, String>> {
    told.as_object()?.iter().map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
}

/// That a field of an alert is not as it should be.
fn odd(number: usize, name: Option<&str>, field: &str) -> String {
    let name = name.map_or_else(String::new, |name| format!(" (`{}`)", bounded(name).escape_debug()));
    format!("the answer of Prometheus has another shape than is known: field `{field}` of alert {number}{name}")
}

fn sample(labels: HashMap<String, String>, at: f64, value: f64) -> Result<Seen, String> {
    let state = match labels.get("alertstate").map(String::as_str) {
        // The series ALERTS tells of pending alerts by the same value.
        Some("pending") if value != 0.0 => State::Pending,
        None | Some("firing") if value.is_nan() => State::Unclear(Unclear::Value),
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
