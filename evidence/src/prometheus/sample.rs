//! What one sample of Prometheus says, namespace by namespace.

use std::collections::BTreeSet;

use common::config::PrometheusSettings;
use jiff::Timestamp;
use lifecycle::{Condition, Truth};

use super::{
    alert::Failing,
    answer,
    filter::{Sifted, sift},
};

/// How many alerts a reason names.
const NAMED: usize = 3;

/// One sample of Prometheus, which speaks of all namespaces.
#[derive(Clone, Debug)]
pub struct Look {
    pub at: Timestamp,
    sifted: Result<Sifted, String>,
}

/// What a sample says of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether something fires for it.
    pub condition: Condition,
    /// What fires, in the order of its labels; at most 50.
    pub failing: Vec<Failing>,
    /// How many others fire.
    pub cut: usize,
}

impl Look {
    /// Judges the body of an answer, or why there was none.
    pub(super) fn read(settings: &PrometheusSettings, body: Result<Vec<u8>, String>, now: Timestamp) -> Self {
        let seen = body.and_then(|body| match settings.query {
            Some(_) => answer::samples(&body),
            None => answer::alerts(&body),
        });
        Self { at: now, sifted: seen.map(|seen| sift(settings, &seen, now)) }
    }

    /// What it says of the namespace of this name that was created then. What began before that is about a former one.
    #[must_use]
    pub fn of(&self, name: &str, created: Timestamp) -> Finding {
        let sifted = match &self.sifted {
            Ok(sifted) => sifted,
            Err(why) => return self.without_alerts(Truth::Unknown, why),
        };
        if let Some(alerts) = sifted.namespaces.get(name) {
            let firing = alerts.firing.iter().filter(|(since, _)| *since >= created);
            let mut failing: Vec<_> = firing.map(|(_, failing)| failing.clone()).collect();
            failing.sort_unstable();
            let cut = alerts.older.iter().filter(|since| **since >= created).count();
            if !failing.is_empty() {
                let reason = reason(&failing, cut);
                let condition = Condition { truth: Truth::True, reason, observed_at: self.at };
                return Finding { condition, failing, cut };
            }
            if let Some(why) = &alerts.unclear {
                return self.without_alerts(Truth::Unknown, why);
            }
            if alerts.pending.is_some_and(|since| since >= created) {
                let why = "an alert is pending since Prometheus was started, and may have fired before";
                return self.without_alerts(Truth::Unknown, why);
            }
        }
        match &sifted.silence {
            Ok(()) => self.without_alerts(Truth::False, "no alert fires"),
            Err(why) => self.without_alerts(Truth::Unknown, why),
        }
    }

    /// Why it knows nothing, where it knows nothing but perhaps alerts that fire: for status pages.
    #[must_use]
    pub fn outage(&self) -> Option<&str> {
        match &self.sifted {
            Ok(sifted) => sifted.silence.as_ref().err().map(String::as_str),
            Err(why) => Some(why),
        }
    }

    /// The names of namespaces for which something is kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Vec<&str> {
        self.sifted.iter().flat_map(|sifted| sifted.namespaces.keys()).map(String::as_str).collect()
    }

    fn without_alerts(&self, truth: Truth, reason: &str) -> Finding {
        let condition = Condition { truth, reason: reason.to_owned(), observed_at: self.at };
        Finding { condition, failing: Vec::new(), cut: 0 }
    }
}

fn reason(failing: &[Failing], cut: usize) -> String {
    let names: BTreeSet<_> = failing.iter().map(Failing::name).collect();
    let mut named: Vec<_> = names.iter().take(NAMED).map(|name| format!("`{}`", name.escape_debug())).collect();
    if names.len() > NAMED || cut > 0 {
        named.push("others".to_owned());
    }
    let last = named.pop().unwrap_or_default();
    let names = if named.is_empty() { last } else { format!("{} and {last}", named.join(", ")) };
    match failing.len() + cut {
        1 => format!("the alert {names} fires"),
        count => format!("{count} alerts fire: {names}"),
    }
}
