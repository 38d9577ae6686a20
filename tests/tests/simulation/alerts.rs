//! A Prometheus: what fires, whom it told what, and when. The judge believes this log, and not what was made of it.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How old the alert that always fires is, in seconds: old enough.
const A_DAY: i64 = 86_400;

/// Who asks gives up after so long.
const GIVEN_UP: SignedDuration = SignedDuration::from_secs(10);

/// By the name of a namespace: since when something fires for it.
type Firing = BTreeMap<String, Timestamp>;

#[derive(Debug, Default)]
pub(crate) struct Prometheus {
    firing: Firing,
    looks: Vec<Look>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// As who asked signs what it writes.
    pub(crate) asker: String,
    /// When it asked, by its clock.
    pub(crate) at: Timestamp,
    /// When its request arrived.
    pub(crate) arrived: Duration,
    /// When it was answered, by its clock; `None`: it was not.
    pub(crate) answered: Option<Timestamp>,
    pub(crate) says: Says,
}

/// What can be known from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Nothing,
    /// That these fire; of all else nothing.
    TheseFire(Firing),
    /// That these fire, and nothing else.
    OnlyTheseFire(Firing),
}

/// What an answer looks like, with the status 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Whole,
    /// Without the alert that always fires.
    Unwatched,
    /// Of a Prometheus that began a moment ago.
    Young,
    /// Without any alert.
    Empty,
    /// With a warning that something is missing.
    Warned,
    /// An error.
    Error,
    /// A web page.
    Html,
    /// Broken off.
    Cut,
    /// JSON of something else.
    Other,
}

impl Prometheus {
    /// Something fires for the namespace of this name; it may do so already.
    pub(crate) fn fire(&mut self, name: &str, now: Timestamp) {
        self.firing.entry(name.to_owned()).or_insert(now);
    }

    /// Nothing fires for it.
    pub(crate) fn rest(&mut self, name: &str) {
        self.firing.remove(name);
    }

    /// Whether something fires for the namespace of this name that was created then.
    pub(crate) fn fires(&self, name: &str, created: Timestamp) -> bool {
        is_about(&self.firing, name, created)
    }

    /// A request arrived; who asked will learn nothing unless it is answered. Returns its number.
    pub(crate) fn arrived(&mut self, asker: &str, at: Timestamp, arrived: Duration) -> usize {
        self.looks.push(Look { asker: asker.to_owned(), at, arrived, answered: None, says: Says::Nothing });
        self.looks.len() - 1
    }

    /// Request `number` is answered with this page. Returns its body.
    pub(crate) fn answer(&mut self, number: usize, page: Page, now: Timestamp, clock: Timestamp) -> String {
        let (body, says) = self.write(page, now);
        let look = &mut self.looks[number];
        (look.answered, look.says) = (Some(clock), says);
        body
    }

    /// Every request that arrived, in that order.
    pub(crate) fn looks(&self) -> &[Look] {
        &self.looks
    }

    fn write(&self, page: Page, now: Timestamp) -> (String, Says) {
        let watchdog = |age: i64| {
            alert(
                json!({ "alertname": "Watchdog", "severity": "none" }),
                "firing",
                now - SignedDuration::from_secs(age),
            )
        };
        let firing = || self.firing.clone();
        match page {
            Page::Whole => (self.told(Some(watchdog(A_DAY)), now), Says::OnlyTheseFire(firing())),
            Page::Unwatched => (self.told(None, now), Says::TheseFire(firing())),
            Page::Young => (self.told(Some(watchdog(20)), now), Says::TheseFire(firing())),
            Page::Empty => (envelope(&[]).to_string(), Says::Nothing),
            Page::Warned => {
                let mut page = envelope(&[watchdog(A_DAY)]);
                page["warnings"] = json!(["a part of it cannot be reached"]);
                (page.to_string(), Says::Nothing)
            }
            Page::Error => {
                let error =
                    json!({ "status": "error", "errorType": "internal", "error": "no", "data": { "alerts": [] } });
                (error.to_string(), Says::Nothing)
            }
            Page::Html => ("<html>please log in</html>".to_owned(), Says::Nothing),
            Page::Cut => {
                let mut whole = self.told(Some(watchdog(A_DAY)), now);
                whole.truncate(whole.len() / 2);
                (whole, Says::Nothing)
            }
            Page::Other => (json!({ "status": "success", "data": { "groups": [] } }).to_string(), Says::Nothing),
        }
    }

    /// All that fires, and what is none of anybody's business.
    fn told(&self, watchdog: Option<Value>, now: Timestamp) -> String {
        let of = |(name, since): (&String, &Timestamp)| {
            alert(json!({ "alertname": "Down", "namespace": name, "severity": "critical" }), "firing", *since)
        };
        let noise = [
            alert(json!({ "alertname": "Chatty", "namespace": "ci-0", "severity": "info" }), "firing", now),
            alert(json!({ "alertname": "Down", "namespace": "ci-1" }), "pending", now),
            alert(json!({ "alertname": "Down", "namespace": "elsewhere" }), "firing", now),
            alert(json!({ "alertname": "NodeDown" }), "firing", now),
        ];
        let all: Vec<_> = watchdog.into_iter().chain(noise).chain(self.firing.iter().map(of)).collect();
        envelope(&all).to_string()
    }
}

impl Look {
    /// When whoever asked knew, or gave up.
    pub(crate) fn ended(&self) -> Timestamp {
        self.answered.unwrap_or(self.at + GIVEN_UP)
    }
}

impl Says {
    /// Whether something fires for the namespace of this name that was created then; `None`: that is not known.
    pub(crate) fn of(&self, name: &str, created: Timestamp) -> Option<bool> {
        match self {
            Self::Nothing => None,
            Self::TheseFire(firing) => is_about(firing, name, created).then_some(true),
            Self::OnlyTheseFire(firing) => Some(is_about(firing, name, created)),
        }
    }
}

/// What began before a namespace was there is about another of its name.
fn is_about(firing: &Firing, name: &str, created: Timestamp) -> bool {
    firing.get(name).is_some_and(|since| *since >= created)
}

fn alert(labels: Value, state: &str, since: Timestamp) -> Value {
    json!({ "labels": labels, "annotations": {}, "state": state, "activeAt": since, "value": "1e+00" })
}

fn envelope(alerts: &[Value]) -> Value {
    json!({ "status": "success", "data": { "alerts": alerts } })
}
