//! Intervals and timeouts that are constants in a release, as one value.
//!
//! They are no settings: a release has [`Timings::default`], and nothing changes it. Only the program for tests
//! (`nsm-test-timings`, behind the cargo feature `test-timings` of `cli`) parses other values, none below its floor.

use std::time::Duration;

use jiff::SignedDuration;
use lifecycle::{
    duration::{self, NonNegativeDuration, NotADuration},
    guards::PROMISE_MARGIN,
    stalled::STALLED_AFTER,
};

/// How long an answer may take, and each further piece of it; a watch may take longer for what follows.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time from an intent to its request (docs/design/protocol.md S4).
const MAX_HAND_OVER: Duration = Duration::from_secs(20);

/// Intervals and timeouts, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Time from what the owner was promised to the deletion. Default: 60 s, for clocks may differ
    /// (docs/design/protocol.md S9).
    pub promise_margin: Duration,
    /// Time for which an intent is its holder's. Default: 45 s: [`Timings::hand_over`], [`REQUEST_TIMEOUT`], and some to
    /// write down the outcome (docs/design/protocol.md S4).
    pub intent_lease: Duration,
    /// Interval of the planner's reads of the tail of the history. Default: 30 s, the longest delay of what no event
    /// announced (ARCHITECTURE.md "One namespace, start to finish").
    pub tail_interval: Duration,
    /// Interval between two offers of a task that is still due. Default: 30 s, longer than a task takes.
    pub reoffer_interval: Duration,
    /// Length of a window of the budget and of its limit for unannounced deletions. Default: 600 s
    /// (docs/design/protocol.md S6, S7).
    pub budget_window: Duration,
    /// Time for run loops to begin before anything else is scheduled. Default: 60 s, longer than a pod takes to start.
    pub schedule_grace: Duration,
    /// Length of a watch, after which it is resumed. Default: 60 s: a dead watch is noticed within about a minute.
    pub watch_timeout: Duration,
    /// Time for which a run loop stays beyond its slot. Default: 60 s, in which its successor begins and lists.
    pub hand_over_overlap: Duration,
    /// Interval of heartbeats at rest. Default: 30 s, a third of the time after which somebody counts as dead.
    pub heartbeat_interval: Duration,
    /// Interval of a collector's checks of what nothing announces: clock, open intent, missed namespace. Default: 10 s.
    pub recheck_interval: Duration,
    /// Interval of a collector's checks whether its configuration is in force. Default: 30 s.
    pub config_retry_interval: Duration,
    /// Time from a probe that found no admission policy to the next. Default: 15 s.
    pub admission_retry_interval: Duration,
    /// Time for a pod to start before its failure is looked up. Default: 20 s, in which images are pulled.
    pub pod_start_grace: Duration,
    /// Time from a deletion's acceptance to when it counts as stalled, and is checked for what holds it. Default: 900 s
    /// (docs/design/protocol.md L3).
    pub stalled_after: Duration,
}

/// A timing as tests set it.
struct Field {
    name: &'static str,
    /// The least it may be set to, in seconds.
    floor: u64,
    of: fn(&mut Timings) -> &mut Duration,
}

/// Every timing with its floor. Below it, a rule of the product no longer holds, or a busy machine is too slow.
const FIELDS: [Field; 14] = [
    Field { name: "promise_margin", floor: 1, of: |it| &mut it.promise_margin },
    // REQUEST_TIMEOUT, and a second and more before and after it.
    Field { name: "intent_lease", floor: 13, of: |it| &mut it.intent_lease },
    Field { name: "tail_interval", floor: 1, of: |it| &mut it.tail_interval },
    Field { name: "reoffer_interval", floor: 1, of: |it| &mut it.reoffer_interval },
    Field { name: "budget_window", floor: 10, of: |it| &mut it.budget_window },
    Field { name: "schedule_grace", floor: 1, of: |it| &mut it.schedule_grace },
    Field { name: "watch_timeout", floor: 5, of: |it| &mut it.watch_timeout },
    Field { name: "hand_over_overlap", floor: 2, of: |it| &mut it.hand_over_overlap },
    Field { name: "heartbeat_interval", floor: 1, of: |it| &mut it.heartbeat_interval },
    Field { name: "recheck_interval", floor: 1, of: |it| &mut it.recheck_interval },
    Field { name: "config_retry_interval", floor: 1, of: |it| &mut it.config_retry_interval },
    Field { name: "admission_retry_interval", floor: 1, of: |it| &mut it.admission_retry_interval },
    Field { name: "pod_start_grace", floor: 1, of: |it| &mut it.pod_start_grace },
    Field { name: "stalled_after", floor: 1, of: |it| &mut it.stalled_after },
];

/// Why a text is not timings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimings {
    #[error("`{0}` sets nothing; write NAME=DURATION, such as `promise_margin=2s`, with commas in between")]
    NoSetting(String),
    #[error("`{name}` is not a timing; use one of {}", names())]
    Unknown { name: String },
    #[error("`{name}` is set twice; remove one")]
    Twice { name: &'static str },
    #[error("`{name}={value}`: {why}")]
    NotADuration { name: &'static str, value: String, why: NotADuration },
    #[error("`{name}={value}`: it is not a number of whole seconds; round it up")]
    NotWhole { name: &'static str, value: String },
    #[error("`{name}={value}`: it is below the floor; use at least `{floor}s`")]
    BelowFloor { name: &'static str, value: String, floor: u64 },
}

impl Default for Timings {
    /// Those of a release.
    fn default() -> Self {
        Self {
            promise_margin: PROMISE_MARGIN.unsigned_abs(),
            intent_lease: Duration::from_secs(45),
            tail_interval: Duration::from_secs(30),
            reoffer_interval: Duration::from_secs(30),
            budget_window: Duration::from_secs(600),
            schedule_grace: Duration::from_secs(60),
            watch_timeout: Duration::from_secs(60),
            hand_over_overlap: Duration::from_secs(60),
            heartbeat_interval: Duration::from_secs(30),
            recheck_interval: Duration::from_secs(10),
            config_retry_interval: Duration::from_secs(30),
            admission_retry_interval: Duration::from_secs(15),
            pod_start_grace: Duration::from_secs(20),
            stalled_after: STALLED_AFTER.unsigned_abs(),
        }
    }
}

impl Timings {
    /// Parses `NAME=DURATION,…`; what is not named is as in a release.
    ///
    /// # Errors
    /// When a name is not known or comes twice, or a value is not whole seconds or below its floor.
    pub fn parse(text: &str) -> Result<Self, InvalidTimings> {
        let mut timings = Self::default();
        let mut set = Vec::new();
        for setting in text.split(',').map(str::trim) {
            let (name, value) = setting.split_once('=').ok_or_else(|| InvalidTimings::NoSetting(setting.to_owned()))?;
            let (name, value) = (name.trim(), value.trim().to_owned());
            let field = FIELDS.iter().find(|field| field.name == name);
            let &Field { name, floor, of } = field.ok_or_else(|| InvalidTimings::Unknown { name: name.to_owned() })?;
            if set.contains(&name) {
                return Err(InvalidTimings::Twice { name });
            }
            set.push(name);
            let parsed = match NonNegativeDuration::parse(&value) {
                Ok(parsed) => parsed.get().unsigned_abs(),
                Err(why) => return Err(InvalidTimings::NotADuration { name, value, why }),
            };
            if parsed < Duration::from_secs(floor) {
                return Err(InvalidTimings::BelowFloor { name, value, floor });
            }
            if parsed.subsec_nanos() > 0 {
                return Err(InvalidTimings::NotWhole { name, value });
            }
            *of(&mut timings) = parsed;
        }
        Ok(timings)
    }

    /// The longest time from an intent to the handing over of its request. The request and its answer take
    /// [`REQUEST_TIMEOUT`] more, and three quarters of this are left to write down the outcome while the intent is its
    /// holder's still.
    #[must_use]
    pub fn hand_over(&self) -> Duration {
        (self.intent_lease.saturating_sub(REQUEST_TIMEOUT) * 4 / 7).min(MAX_HAND_OVER)
    }

    /// The length of a budget window in words: `ten minutes`.
    #[must_use]
    pub fn budget_window_text(&self) -> String {
        if self.budget_window == Self::default().budget_window {
            "ten minutes".to_owned()
        } else {
            duration::text(signed(self.budget_window))
        }
    }
}

/// A span that may be added to an instant.
#[must_use]
pub fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

fn names() -> String {
    FIELDS.map(|field| field.name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, words: &[&str]) {
        let error = Timings::parse(text).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "no `{word}` in: {error}");
        }
    }

    #[test]
    fn what_is_named_is_set_and_the_rest_is_as_in_a_release() {
        let second = Duration::from_secs;
        let parsed = Timings::parse("promise_margin=2s, budget_window = 1m").unwrap();
        assert_eq!(parsed, Timings { promise_margin: second(2), budget_window: second(60), ..Timings::default() });
    }

    #[test]
    fn each_timing_takes_its_floor_and_nothing_below() {
        for Field { name, floor, of } in FIELDS {
            let mut parsed = Timings::parse(&format!("{name}={floor}s")).unwrap();
            assert_eq!(*of(&mut parsed), Duration::from_secs(floor), "{name}");
            *of(&mut parsed) = *of(&mut Timings::default());
            assert_eq!(parsed, Timings::default(), "{name} sets another");
            let floor_text = format!("use at least `{floor}s`");
            refused(&format!("{name}={}s", floor - 1), &[name, &floor_text]);
            refused(&format!("{name}=0.999s"), &[name, "=0.999s`", &floor_text]);
        }
    }

    #[test]
    fn a_release_is_above_every_floor() {
        for Field { name, floor, of } in FIELDS {
            assert!(*of(&mut Timings::default()) >= Duration::from_secs(floor), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_do() {
        refused(
            "promise_margins=2s",
            &["`promise_margins` is not a timing", "promise_margin, intent_lease, tail_interval"],
        );
        refused("promise_margin", &["`promise_margin` sets nothing", "`promise_margin=2s`"]);
        refused("", &["`` sets nothing"]);
        refused("promise_margin=2s,", &["`` sets nothing"]);
        refused("promise_margin=2", &["`promise_margin=2`", "has no unit", "write for example `2h`"]);
        refused("promise_margin=soon", &["`promise_margin=soon`", "is not a number"]);
        refused("promise_margin=0", &["`promise_margin=0`", "below the floor", "at least `1s`"]);
        refused("promise_margin=-2s", &["`promise_margin=-2s`", "is not a number"]);
        refused("promise_margin=1.5s", &["`promise_margin=1.5s`", "whole seconds"]);
        refused("tail_interval=2s,tail_interval=3s", &["`tail_interval` is set twice"]);
    }

    /// Hand over, wait for the answer, write it down: all of it within the lease, whatever the lease is
    /// (docs/design/protocol.md S4).
    #[test]
    fn an_intent_is_its_holders_until_its_outcome_can_be_written() {
        assert_eq!(Timings::default().hand_over(), Duration::from_secs(20));
        for lease in (13..=300).map(Duration::from_secs) {
            let timings = Timings { intent_lease: lease, ..Timings::default() };
            let slack = Duration::from_secs(1);
            assert!(timings.hand_over() + REQUEST_TIMEOUT + slack <= lease, "{lease:?}");
            assert!((slack..=MAX_HAND_OVER).contains(&timings.hand_over()), "{lease:?}");
        }
    }

    #[test]
    fn a_window_is_told_by_its_length() {
        assert_eq!(Timings::default().budget_window_text(), "ten minutes");
        assert_eq!(Timings::parse("budget_window=90s").unwrap().budget_window_text(), "1 minute and 30 seconds");
    }
}
