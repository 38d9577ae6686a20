//! How a story is written.
//!
//! ```text
//! # The rule, in one sentence.
//! config enforce channel former=old.example/ exclude=infra-.*
//! policy review ttl=1h max_ttl=1d
//! namespace review-1 created=@-10m ttl=2h
//!
//! +0s   turn
//! +1h   owner keep_until=@4h
//! +1s   expect guard keep waits
//! ```
//!
//! `+1h` lets an hour go by, in which everybody who asked to be woken is; `@4h` is the instant four hours after the
//! beginning. The configuration can change on the timeline too. A policy without `names` matches `review-.*`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Action, Mode, Namespace, Policies, Status, Truth, Verdict,
    channel::{Delivery, Failure, FailureScope},
    duration::NonNegativeDuration,
    event::SkipReason,
    pipeline::CiSystem,
    plan::is_foretold,
    policy::{OnUndeliverable, RawPolicy},
    stalled,
    time::{annotation_text, saturating_add},
};
use serde_json::{Value, json};

use crate::world::{Settings, Step, World, dawn, namespace};

pub(super) struct Story {
    policies: Arc<Policies>,
    namespace: Namespace,
    pub(super) timeline: Vec<Line>,
}

pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) after: SignedDuration,
    step: ScenarioStep,
}

enum ScenarioStep {
    /// Nothing but the turn that every line brings.
    Turn,
    Steps(Vec<Step>),
    Status(Status),
    Offered(Option<Action>),
    Guard {
        name: String,
        verdict: String,
    },
    Foretold(bool),
    /// Nothing was appended since the entry of this number.
    Head(u64),
    /// A worker that tried now would turn back.
    TurnsBack,
    /// It waits for nothing that it names.
    Stalled(bool),
    /// The state of the channel.
    Channel(String),
}

type Parsed<T> = Result<T, String>;

impl Story {
    pub(super) fn parse(text: &str) -> Parsed<Self> {
        let (mut settings, mut raw) = (Settings::default(), Vec::new());
        let (mut policies, mut born) = (None, None);
        let mut timeline = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let failed = |why: String| format!("line {number}: {why}");
            if !line.starts_with('+') {
                let named = header(line, &mut settings, &mut raw).map_err(failed)?;
                born = named.or(born);
                continue;
            }
            policies.get_or_insert_with(|| settings.policies(&raw));
            let (after, text) = line[1..].split_once(' ').ok_or_else(|| failed("nothing is done".to_owned()))?;
            let after = length(after).map_err(failed)?;
            let step = step(text.trim(), &mut settings, &mut raw).map_err(failed)?;
            timeline.push(Line { number, text: line.to_owned(), after, step });
        }
        Ok(Self { policies: policies.ok_or("no timeline")?, namespace: born.ok_or("no namespace")?, timeline })
    }

    pub(super) fn begin(&self) -> World {
        World::new(self.policies.clone(), self.namespace.clone(), dawn())
    }
}

impl Line {
    /// Lets time go by, does what the line says, and what follows at once.
    pub(super) fn play(&self, world: &mut World) -> Result<(), String> {
        if !self.after.is_zero() {
            world.pass(self.after);
        }
        if let ScenarioStep::Steps(steps) = &self.step {
            steps.iter().try_for_each(|step| world.apply(step))?;
        }
        world.turn();
        let found = match &self.step {
            ScenarioStep::Turn | ScenarioStep::Steps(_) => return Ok(()),
            ScenarioStep::Status(status) => (world.record.status == *status, world.record.status.to_string()),
            ScenarioStep::Offered(None) => (world.plan().tasks.is_empty(), format!("{:?}", world.plan().tasks)),
            ScenarioStep::Offered(Some(action)) => {
                (world.offers(*action).is_some(), format!("{:?}", world.plan().tasks))
            }
            ScenarioStep::Guard { name, verdict } => {
                let guard = world.guards().into_iter().find(|guard| guard.name == name).ok_or("no such guard")?;
                let found = match guard.verdict {
                    Verdict::Clear => "clear",
                    Verdict::Waits(_) => "waits",
                    Verdict::Refuses => "refuses",
                };
                (found == verdict, format!("{found}: {}", guard.why))
            }
            ScenarioStep::Foretold(foretold) => (
                world.standing().is_some_and(|policy| is_foretold(policy, &world.record)) == *foretold,
                "the contrary".to_owned(),
            ),
            ScenarioStep::Head(head) => (world.record.head == *head, format!("entry {}", world.record.head)),
            ScenarioStep::Stalled(expected) => {
                let stalled = stalled(world.standing(), &world.record);
                let is_stalled = stalled.as_ref().is_some_and(|stalled| stalled.from <= world.now);
                (is_stalled == *expected, format!("{stalled:?}"))
            }
            ScenarioStep::Channel(state) => {
                let found = world.channel.state.as_str();
                (found == state, found.to_owned())
            }
            ScenarioStep::TurnsBack => {
                let held_for = SignedDuration::from_secs(45);
                let tried = world.clone().apply(&Step::Intend { held_for });
                (tried.is_err(), "it writes its intent".to_owned())
            }
        };
        if found.0 { Ok(()) } else { Err(format!("found {}", found.1)) }
    }
}

/// A line before the timeline.
fn header(line: &str, settings: &mut Settings, raw: &mut Vec<RawPolicy>) -> Parsed<Option<Namespace>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let Some(rest) = (word == "namespace").then_some(rest) else {
        return if configure(line, settings, raw)? { Ok(None) } else { Err(format!("`{word}` is no word")) };
    };
    let (name, pairs) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut born = namespace(name, dawn());
    for pair in pairs.split_whitespace() {
        let (key, value) = pair.split_once('=').ok_or(format!("`{pair}` is no pair"))?;
        match key.strip_prefix("label:") {
            Some(label) => {
                born.labels.insert(label.to_owned(), value.to_owned());
            }
            None if key == "created" => born.created = instant(value)?,
            None => {
                born.annotations.insert(lifecycle::Keys::default().ours(key), meant(value)?);
            }
        }
    }
    Ok(Some(born))
}

/// Takes in a line about the configuration; false where it is about something else.
fn configure(line: &str, settings: &mut Settings, raw: &mut Vec<RawPolicy>) -> Parsed<bool> {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("config") => {
            for word in words {
                match word.split_once('=').unwrap_or((word, "")) {
                    ("enforce", "") => settings.mode = Mode::Enforce,
                    ("observe", "") => settings.mode = Mode::Observe,
                    ("channel", "") => settings.has_channel = true,
                    ("no-channel", "") => settings.has_channel = false,
                    ("undeliverable_after", after) => settings.undeliverable.after = length(after)?,
                    ("on_undeliverable", "wait") => settings.undeliverable.then = OnUndeliverable::Wait,
                    ("on_undeliverable", "proceed") => settings.undeliverable.then = OnUndeliverable::Proceed,
                    ("former", prefix) => settings.former = vec![prefix.to_owned()],
                    ("prometheus", every) => settings.prometheus_every = Some(length(every)?),
                    ("no-prometheus", "") => settings.prometheus_every = None,
                    ("gitlab", "") => settings.ci = vec![CiSystem::Gitlab],
                    ("no-gitlab", "") => settings.ci = Vec::new(),
                    ("exclude", pattern) => settings.exclude = vec![pattern.to_owned()],
                    _ => return Err(format!("`{word}` is no setting")),
                }
            }
        }
        Some("policy") => {
            let policy = policy(words)?;
            raw.retain(|other| other.name != policy.name);
            raw.push(policy);
        }
        Some("no-policy") => raw.clear(),
        _ => return Ok(false),
    }
    Ok(true)
}

fn policy<'a>(mut words: impl Iterator<Item = &'a str>) -> Parsed<RawPolicy> {
    let name = words.next().ok_or("a policy has a name")?;
    let mut policy = json!({ "name": name, "match": { "names": ["review-.*"] } });
    for word in words {
        let (key, value) = word.split_once('=').ok_or(format!("`{word}` is no pair"))?;
        match key {
            "names" => policy["match"]["names"] = json!([value]),
            "label" => {
                let (key, value) = value.split_once(':').ok_or("a label has a value")?;
                policy["match"] = json!({ "all": [{ "labels": { key: value } }] });
            }
            "grace" => policy["on"]["stale"]["grace"] = json!(value),
            "require-visible" => policy["on"]["stale"]["require_visible"] = Value::Bool(value == "yes"),
            "delete" => policy["on"]["stale"]["delete"] = Value::Bool(value == "yes"),
            "superseded" => policy["checks"]["superseded"] = json!({ "when": value }),
            "superseded-grace" => policy["on"]["superseded"]["grace"] = json!(value),
            "delete-superseded" => policy["on"]["superseded"]["delete"] = Value::Bool(value == "yes"),
            "failed-grace" => policy["on"]["failed"]["grace"] = json!(value),
            "delete-failed" => policy["on"]["failed"]["delete"] = Value::Bool(value == "yes"),
            "cancelled-grace" => policy["on"]["cancelled"]["grace"] = json!(value),
            "delete-cancelled" => policy["on"]["cancelled"]["delete"] = Value::Bool(value == "yes"),
            "health" | "settling_period" | "grace_period" | "pipeline" => policy["checks"][key] = json!(value),
            "merged" => policy["checks"]["merged"] = Value::Bool(value == "yes"),
            "fail_after" | "recover_after" => {
                policy["checks"][key] = json!(value.parse::<u32>().map_err(|error| error.to_string())?);
            }
            _ => policy[key] = json!(value),
        }
    }
    serde_json::from_value(policy).map_err(|error| error.to_string())
}

fn step(text: &str, settings: &mut Settings, raw: &mut Vec<RawPolicy>) -> Parsed<ScenarioStep> {
    if configure(text, settings, raw)? {
        return Ok(ScenarioStep::Steps(vec![Step::Configure(settings.policies(raw))]));
    }
    let words: Vec<_> = text.split_whitespace().collect();
    let step = match words[..] {
        ["turn"] => return Ok(ScenarioStep::Turn),
        ["expect", ref words @ ..] => return expectation(words),
        ["owner", "removes", key] => Step::Annotate(key.to_owned(), None),
        ["owner", ..] => {
            // The rest of the line is the value, spaces and all.
            let (key, value) = text["owner".len()..].trim().split_once('=').ok_or("an annotation has a value")?;
            Step::Annotate(key.to_owned(), Some(meant(value)?))
        }
        ["label", pair] => {
            let (key, value) = pair.split_once('=').ok_or("a label has a value")?;
            Step::Label(key.to_owned(), (!value.is_empty()).then(|| value.to_owned()))
        }
        ["clock", "known"] => Step::Clock(Truth::True),
        ["clock", "off"] => Step::Clock(Truth::False),
        ["clock", "unknown"] => Step::Clock(Truth::Unknown),
        ["health", "fails"] => Step::Health(Some(Truth::True)),
        ["health", "is", "fine"] => Step::Health(Some(Truth::False)),
        ["health", "is", "unknown"] => Step::Health(Some(Truth::Unknown)),
        ["a", "newer", "deployment", "is", "ok"] => Step::Replaced(Some((true, true))),
        ["a", "still", "newer", "deployment", "is", "ok", "instead"] => Step::Successor(3),
        ["the", "newer", "deployment", "is", "unstable"] => Step::Replaced(Some((false, true))),
        ["the", "newer", "deployment", "fails"] => Step::Replaced(Some((false, false))),
        ["the", "pipeline", "is", "cancelled"] => Step::Pipeline(Some(Truth::True)),
        ["the", "merge", "request", "is", "merged"] => Step::Merged(Some(Truth::True)),
        ["the", "merge", "request", "is", "open"] => Step::Merged(Some(Truth::False)),
        ["the", "merge", "request", "is", "unknown"] => Step::Merged(Some(Truth::Unknown)),
        ["the", "pipeline", "runs"] => Step::Pipeline(Some(Truth::False)),
        ["the", "pipeline", "is", "unknown"] => Step::Pipeline(Some(Truth::Unknown)),
        ["nobody", "checks", "the", "pipeline"] => Step::Pipeline(None),
        ["nobody", "checks", "deployments"] => Step::Replaced(None),
        ["nobody", "checks", "health"] => Step::Health(None),
        ["clock", "jumps", by] => Step::Jump(signed(by)?),
        ["clock", "jumps", by, "and", "is", "off"] => {
            return Ok(ScenarioStep::Steps(vec![Step::Jump(signed(by)?), Step::Clock(Truth::False)]));
        }
        ["somebody", "deletes", "it"] => Step::Terminate,
        ["it", "is", "gone"] => Step::Vanish,
        ["a", "notice", "is", "intended"] => Step::IntendNotice,
        ["the", "notice", "is", "sent"] => Step::NoticeSent,
        ["the", "notice", "is", "undeliverable"] => Step::NoticeUndeliverable,
        ["a", "try", "is", "accepted"] => Step::Try(Delivery::Accepted),
        ["a", "try", ref what @ ..] => Step::Try(failed(what)?),
        ["another", "notice", "is", "accepted"] => Step::TryAnother(Delivery::Accepted),
        ["another", "notice", ref what @ ..] => Step::TryAnother(failed(what)?),
        ["the", "same", "other", "notice", ref what @ ..] => Step::TrySame(failed(what)?),
        ["a", "worker", "waits", "for", why] => {
            let whys = [SkipReason::Stopped, SkipReason::Budget, SkipReason::Unannounced, SkipReason::Evidence];
            let why = *whys.iter().find(|known| known.as_str() == why).ok_or("what does it wait for?")?;
            Step::Wait { why }
        }
        ["a", "worker", "intends"] => Step::Intend { held_for: SignedDuration::from_secs(45) },
        ["it", "is", "done"] => Step::Done,
        ["it", "is", "refused", "until", by] => Step::Refused { not_before: signed(by)? },
        ["it", "is", "skipped", why, ref until @ ..] => {
            let whys = [SkipReason::Stopped, SkipReason::Budget, SkipReason::Busy, SkipReason::Changed];
            let why = *whys.iter().find(|known| known.as_str() == why).ok_or("why is it skipped?")?;
            let not_before = until.last().map(|by| signed(by)).transpose()?;
            Step::Skip { why, not_before }
        }
        ["it", "is", "fenced"] => Step::Fence,
        ["a", "worker", "would", "have"] => Step::DryRun,
        ["a", "later", "version", "writes"] => Step::Foreign,
        ["an", "entry", "is", "lost"] => Step::Lose,
        ["its", "marker", "is", "beyond", "its", "history"] => Step::Mismatch,
        ["it", "is", "there", "again"] => Step::Return,
        ["others", "refuse", "our", "annotations"] => Step::Refuse(true),
        ["others", "allow", "our", "annotations"] => Step::Refuse(false),
        ["somebody", "trusts", "the", "store"] => Step::Trust,
        _ => return Err(format!("nobody knows how to do `{text}`")),
    };
    Ok(ScenarioStep::Steps(vec![step]))
}

/// A try that came to nothing.
fn failed(what: &[&str]) -> Parsed<Delivery> {
    let (scope, why) = match what {
        ["is", "refused", "by", "the", "channel"] => (FailureScope::Channel, "it answered 401 Unauthorized"),
        ["is", "refused", "for", "its", "form"] => (FailureScope::Message, "it answered 400 Bad Request"),
        ["finds", "no", "recipient"] => (FailureScope::Recipient, "it answered 410 Gone"),
        ["is", "not", "answered"] => (FailureScope::Attempt, "no answer came"),
        _ => return Err(format!("nobody knows what `{}` is", what.join(" "))),
    };
    Ok(Delivery::Failed(Failure { scope, why: why.to_owned(), answer: None, wait: None }))
}

fn expectation(words: &[&str]) -> Parsed<ScenarioStep> {
    Ok(match words {
        ["no", "task"] => ScenarioStep::Offered(None),
        ["task", "delete"] => ScenarioStep::Offered(Some(Action::Delete)),
        ["task", "notify"] => ScenarioStep::Offered(Some(Action::Notify)),
        ["foretold"] => ScenarioStep::Foretold(true),
        ["unforetold"] => ScenarioStep::Foretold(false),
        ["worker", "turns", "back"] => ScenarioStep::TurnsBack,
        ["stalled"] => ScenarioStep::Stalled(true),
        ["not", "stalled"] => ScenarioStep::Stalled(false),
        ["nothing", "after", head] => ScenarioStep::Head(head.parse().map_err(|_| "not the number of an entry")?),
        ["channel", state] => ScenarioStep::Channel((*state).to_owned()),
        ["guard", name, verdict] => ScenarioStep::Guard { name: (*name).to_owned(), verdict: (*verdict).to_owned() },
        [name] => ScenarioStep::Status(
            Status::ALL.into_iter().find(|status| status.as_str() == *name).ok_or(format!("`{name}` is no status"))?,
        ),
        _ => return Err(format!("`{}` cannot be expected", words.join(" "))),
    })
}

fn length(text: &str) -> Parsed<SignedDuration> {
    NonNegativeDuration::parse(text).map(NonNegativeDuration::get).map_err(|why| format!("`{text}`: {why}"))
}

/// `+1h`, `-1h` or `1h`.
fn signed(text: &str) -> Parsed<SignedDuration> {
    match text.strip_prefix('-') {
        Some(text) => length(text).map(|length| -length),
        None => length(text.trim_start_matches('+')),
    }
}

/// `@1h`: an hour after the beginning.
fn instant(text: &str) -> Parsed<Timestamp> {
    let after = text.strip_prefix('@').ok_or(format!("`{text}` is no instant"))?;
    Ok(saturating_add(dawn(), signed(after)?))
}

/// An annotation's value: instants may be written as `@1h`.
fn meant(value: &str) -> Parsed<String> {
    if value.starts_with('@') { instant(value).map(annotation_text) } else { Ok(value.to_owned()) }
}
