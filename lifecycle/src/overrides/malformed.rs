//! What owners wrote and nobody can read, or only guess, in words: what it counts as, until when, and how it is mended.

use std::fmt;

use jiff::Timestamp;

use super::{OnRecord, Resembling, cap, deadline, resembling, shorten};
use crate::{
    Keys, Namespace,
    duration::PositiveDuration,
    keys::{EXPIRES_AT, KEEP_UNTIL, PROTECT, TTL},
    policy::Policy,
    time::{human_text, parse, saturating_add},
};

const WRITE_DURATION: &str = "write a duration such as `4h` or `2d`";
const WRITE_INSTANT: &str = "write an instant such as `2026-08-17T09:00:00Z`, or a date";

/// An annotation of an owner, or about one, that could not be read, or whose key is not quite the one that was meant; and
/// what it counts as meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub key: String,
    pub text: String,
    /// It is a label, and should be an annotation.
    pub is_label: bool,
    /// The full key that was probably meant; `None`: the key is right, and the value cannot be read.
    pub resembles: Option<String>,
    pub counts_as: String,
    pub mend: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, text, is_label, resembles, counts_as, mend } = self;
        // It is shown at terminals.
        let text = shorten(text).replace(char::is_control, "\u{fffd}");
        let text = shorten(&text);
        match resembles {
            None => write!(f, "annotation `{key}: {text}` cannot be read and counts as {counts_as}; {mend}"),
            Some(right) if *is_label => {
                write!(f, "label `{key}: {text}` stands for the annotation `{right}` and counts as {counts_as}; {mend}")
            }
            Some(right) => {
                write!(f, "annotation `{key}: {text}` resembles `{right}` and counts as {counts_as}; {mend}")
            }
        }
    }
}

/// Every override that could not be read, in the order of the page, and then every key that resembles one. `policy` is the one
/// that applies, and says until when; `None`: nobody knows it.
#[must_use]
pub fn malformed(
    namespace: &Namespace,
    keys: &Keys,
    policy: Option<&Policy>,
    recorded: OnRecord<'_>,
    now: Timestamp,
) -> Vec<Malformed> {
    let known = Known { namespace, keys, policy, recorded, now };
    let mut found = Vec::new();
    let mut complain = |key: String, text: &str, counts_as, mend: &str| {
        found.push(Malformed {
            key,
            text: text.to_owned(),
            is_label: false,
            resembles: None,
            counts_as,
            mend: mend.to_owned(),
        });
    };
    if let Some(text) = keys.read(namespace, TTL).filter(|text| PositiveDuration::parse(text).is_err()) {
        complain(keys.ours(TTL), text, known.ttl(), WRITE_DURATION);
    }
    if let Some(text) = keys.read(namespace, EXPIRES_AT).filter(|text| parse(text).is_none()) {
        complain(keys.ours(EXPIRES_AT), text, known.expires_at(), WRITE_INSTANT);
    }
    for prefix in std::iter::once(&keys.prefix).chain(&keys.former) {
        let key = format!("{prefix}{KEEP_UNTIL}");
        if let Some(text) = namespace.annotation(&key).filter(|text| parse(text).is_none()) {
            complain(key.clone(), text, known.keep(text), WRITE_INSTANT);
        }
    }
    found.extend(resembling(namespace, keys).map(|it| known.resembling(it)));
    found
}

/// What a mistake is judged by.
struct Known<'a> {
    namespace: &'a Namespace,
    keys: &'a Keys,
    policy: Option<&'a Policy>,
    recorded: OnRecord<'a>,
    now: Timestamp,
}

impl Known<'_> {
    fn ttl(&self) -> String {
        if self.keys.read(self.namespace, EXPIRES_AT).is_some() {
            return format!("nothing beside `{EXPIRES_AT}`");
        }
        let Some(policy) = self.policy else { return "the longest allowed ttl".to_owned() };
        cap(self.namespace, policy).map_or_else(
            || format!("no end, which is for ever, for policy `{}` has no `max_ttl`", policy.name),
            |cap| format!("the longest allowed ttl, until {}", human_text(cap)),
        )
    }

    fn expires_at(&self) -> String {
        let Some(policy) = self.policy else { return "the longest allowed end".to_owned() };
        let Some(end) = deadline(self.namespace, policy, self.keys, self.recorded.deadline, self.now) else {
            return "no end, as without it".to_owned();
        };
        let why = match &end.unreadable {
            None => "the longest allowed ttl".to_owned(),
            Some(run) if saturating_add(run.since, policy.max_keep) == end.at => {
                format!("`max_keep` of policy `{}` from when it was first seen", policy.name)
            }
            Some(run) if run.before == Some(end.at) => "the one before it".to_owned(),
            Some(_) => "as without it".to_owned(),
        };
        format!("an end at {}, {why}", human_text(end.at))
    }

    fn keep(&self, text: &str) -> String {
        let Some(policy) = self.policy else { return "a request to keep for the longest allowed".to_owned() };
        let longest = saturating_add(self.recorded.kept_since.unwrap_or(self.now), policy.max_keep);
        match parse(text) {
            Some(until) => format!("a request to keep until {}", human_text(until.min(longest))),
            None => format!("a request to keep until {}, the longest allowed", human_text(longest)),
        }
    }

    fn resembling(&self, it: Resembling<'_>) -> Malformed {
        let Resembling { key, resembles, is_label, text } = it;
        let right = self.keys.ours(resembles);
        let write = if is_label {
            format!("write it as an annotation `{right}`, and take the label off")
        } else {
            format!("write it as `{right}`")
        };
        let (counts_as, mend) = match resembles {
            PROTECT if is_label => ("a protection".to_owned(), write),
            PROTECT => ("a protection".to_owned(), format!("{write}, or take it off")),
            KEEP_UNTIL if parse(text).is_none() => (self.keep(text), format!("{write}, and {WRITE_INSTANT}")),
            KEEP_UNTIL => (self.keep(text), write),
            _ => ("nothing".to_owned(), write),
        };
        Malformed { key: key.to_owned(), text: text.to_owned(), is_label, resembles: Some(right), counts_as, mend }
    }
}
