//! What the workloads say at one instant, namespace by namespace.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lifecycle::{Condition, Truth};

use super::traces::{Failure, Kind, Trace, Traces};

/// How many resources a reason names.
const NAMED: usize = 3;

/// How many names of a namespace are told.
const MOST: usize = 50;

/// One look at the workloads of all namespaces.
#[derive(Clone, Debug)]
pub struct Look {
    at: Timestamp,
    failing: BTreeMap<String, Vec<Failing>>,
    unknown: Option<String>,
}

/// What a look says of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether something in it fails.
    pub condition: Condition,
    /// The names of what fails, each once, in their order; at most 50.
    pub failing: Vec<String>,
    /// How many others fail.
    pub cut: usize,
}

#[derive(Clone, Debug)]
struct Failing {
    kind: Kind,
    name: String,
    created: Timestamp,
    why: String,
}

impl Look {
    /// What is kept says this at that instant.
    #[must_use]
    pub fn of_all(traces: &Traces, at: Timestamp) -> Self {
        let waiting: BTreeSet<_> = traces.of(Kind::Class).map(|(_, name, ..)| name).collect();
        let mut last_good: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for (.., trace) in traces.of(Kind::Job) {
            if let Trace::Ran { of, at, failure: None } = trace {
                let last = last_good.entry(of).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        let mut held: BTreeMap<(&str, Kind, &str), i32> = BTreeMap::new();
        for (namespace, .., trace) in traces.of(Kind::Pod) {
            if let Trace::Held { of: (kind, name), until } = trace
                && at < *until
            {
                *held.entry((namespace, *kind, name)).or_default() += 1;
            }
        }
        let failure = |trace: &'_ Trace| -> Option<Failure> {
            let failure = match trace {
                Trace::Fails(failure) => Some(failure),
                Trace::Pends(failure, class) => {
                    (!class.as_deref().is_some_and(|class| waiting.contains(class))).then_some(failure)
                }
                // Of a CronJob's runs a later one that went well makes up for it.
                Trace::Ran { of, at, failure } => {
                    failure.as_ref().filter(|_| last_good.get(of.as_str()).is_none_or(|good| good < at))
                }
                Trace::Held { .. } | Trace::WaitsForPod => None,
            };
            failure.filter(|failure| failure.holds(at)).cloned()
        };
        let mut failing: BTreeMap<String, Vec<Failing>> = BTreeMap::new();
        for kind in Kind::ALL {
            for (namespace, name, created, trace) in traces.of(kind) {
                let Some(Failure { why, lacks, .. }) = failure(trace) else { continue };
                let held = held.get(&(namespace, kind, name)).copied().unwrap_or(0);
                if held > 0 && lacks.is_some_and(|lacks| lacks <= held) {
                    continue;
                }
                let found = Failing { kind, name: name.to_owned(), created, why };
                failing.entry(namespace.to_owned()).or_default().push(found);
            }
        }
        Self { at, failing, unknown: traces.unknown() }
    }

    /// Nothing is known, for this reason.
    #[must_use]
    pub const fn unknown(why: String, at: Timestamp) -> Self {
        Self { at, failing: BTreeMap::new(), unknown: Some(why) }
    }

    /// What it says of the namespace of this name that was created then. What is older was in a former one.
    #[must_use]
    pub fn of(&self, name: &str, created: Timestamp) -> Finding {
        let all = self.failing.get(name).map(Vec::as_slice).unwrap_or_default();
        let failing: Vec<_> = all.iter().filter(|it| it.created == Timestamp::MIN || it.created >= created).collect();
        let (truth, reason) = match (failing.is_empty(), &self.unknown) {
            // Who cannot see everything knows neither that nothing fails nor that what failed does so still.
            (_, Some(why)) => (Truth::Unknown, why.clone()),
            (true, None) => (Truth::False, "nothing in it fails".to_owned()),
            (false, None) => (Truth::True, reason(&failing)),
        };
        let condition = Condition { truth, reason, observed_at: self.at };
        if truth != Truth::True {
            return Finding { condition, failing: Vec::new(), cut: 0 };
        }
        let names: BTreeSet<_> = failing.iter().map(|it| it.name.as_str()).collect();
        let cut = names.len().saturating_sub(MOST);
        Finding { condition, failing: names.into_iter().take(MOST).map(str::to_owned).collect(), cut }
    }

    /// Why it knows nothing, if so.
    #[must_use]
    pub fn outage(&self) -> Option<&str> {
        self.unknown.as_deref()
    }
}

fn reason(failing: &[&Failing]) -> String {
    let mut named: Vec<_> =
        failing.iter().take(NAMED).map(|it| format!("{} `{}` {}", it.kind, it.name, it.why)).collect();
    match failing.len() - named.len() {
        0 => {}
        1 => named.push("and one other fails".to_owned()),
        others => named.push(format!("and {others} others fail")),
    }
    named.join("; ")
}
