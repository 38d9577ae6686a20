//! The hold of deletions that cannot end: when several that were accepted are held by one reason, and that reason holds
//! every namespace, the rest waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Action, Record, Uid,
    model::termination::{SharedCause, quoted},
    record::Phase,
    time::saturating_add,
};

/// So many accepted deletions that do not end for one reason hold the rest.
pub const HELD_FROM: usize = 5;

/// The most namespaces that a hold names. Where any ends, those do: their reason is one.
const MAX_NAMED: usize = 20;

/// A deletion that was accepted and does not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedDeletion {
    pub name: String,
    pub accepted: Timestamp,
    /// What holds it and every other namespace.
    pub causes: BTreeSet<SharedCause>,
    /// What it says of that, by condition.
    messages: BTreeMap<String, String>,
}

/// The last word about the hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub cause: SharedCause,
    /// What the first namespace says of it.
    pub message: String,
    /// The namespaces it stands on, the first of them.
    pub namespaces: Vec<HeldBy>,
    /// Why it stands no more; `None`: it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<HoldEnd>,
}

/// A namespace that a hold stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    pub uid: Uid,
    pub name: String,
}

/// Why a hold stands no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldEnd {
    /// This namespace, of those it stood on, is gone.
    Gone(String),
    /// This one is not held by that reason any more.
    Cleared(String),
}

impl UnfinishedDeletion {
    /// The deletion of a namespace that did not end in time; `None`: there is none.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let done = record.done.as_ref().filter(|done| done.action == Action::Delete && record.phase != Phase::Gone)?;
        let stalled = &record.stalled.as_ref()?.what;
        let causes = stalled.shared_causes();
        let told = |cause: &SharedCause| Some((cause.condition.clone(), stalled.message(&cause.condition)?.to_owned()));
        let messages = causes.iter().filter_map(told).collect();
        Some(Self { name: record.name.clone(), accepted: done.at, causes, messages })
    }
}

impl Hold {
    /// Whether it holds.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.ended.is_none()
    }
}

/// The next word about the hold, by the last and when that was; `None`: nothing is new. `unended` are all deletions that
/// were accepted and did not end in time.
///
/// It is released as soon as one of those it stands on is gone, or is not held by that reason any more. From then on the
/// time of all others, `timeout`, begins anew: what was tried meanwhile shows whether they end.
#[must_use]
pub fn next(
    last: Option<(&Hold, Timestamp)>,
    unended: &BTreeMap<Uid, UnfinishedDeletion>,
    timeout: SignedDuration,
    now: Timestamp,
) -> Option<Hold> {
    match last {
        Some((hold, _)) if hold.stands() => ended(hold, unended).map(|end| Hold { ended: Some(end), ..hold.clone() }),
        last => {
            let taken_back = last.map_or(Timestamp::MIN, |(_, at)| at);
            begun(unended, |it| saturating_add(it.accepted.max(taken_back), timeout) <= now)
        }
    }
}

fn ended(hold: &Hold, unended: &BTreeMap<Uid, UnfinishedDeletion>) -> Option<HoldEnd> {
    hold.namespaces.iter().find_map(|by| match unended.get(&by.uid) {
        None => Some(HoldEnd::Gone(by.name.clone())),
        Some(it) => (!it.causes.contains(&hold.cause)).then(|| HoldEnd::Cleared(by.name.clone())),
    })
}

/// The hold by the reason that holds most of those that count, where that is enough.
fn begun(unended: &BTreeMap<Uid, UnfinishedDeletion>, counts: impl Fn(&UnfinishedDeletion) -> bool) -> Option<Hold> {
    let mut by_cause: BTreeMap<&SharedCause, Vec<(&Uid, &UnfinishedDeletion)>> = BTreeMap::new();
    for (uid, it) in unended.iter().filter(|(_, it)| counts(it)) {
        it.causes.iter().for_each(|cause| by_cause.entry(cause).or_default().push((uid, it)));
    }
    // Of two that hold as many, the first by name.
    let (cause, held) = by_cause.into_iter().rev().max_by_key(|(_, held)| held.len())?;
    let (_, first) = held.first().filter(|_| held.len() >= HELD_FROM)?;
    let message = first.messages.get(&cause.condition).cloned().unwrap_or_default();
    let by = |(uid, it): &(&Uid, &UnfinishedDeletion)| HeldBy { uid: (*uid).clone(), name: it.name.clone() };
    let namespaces = held.iter().take(MAX_NAMED).map(by).collect();
    Some(Hold { cause: cause.clone(), message, namespaces, ended: None })
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMED: usize = 3;
        let names: Vec<_> = self.namespaces.iter().take(NAMED).map(|it| format!("`{}`", it.name)).collect();
        let more = self.namespaces.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        write!(
            f,
            "the deletions of {}{more} were accepted and do not end, for a reason that holds every namespace: {}: {}; \
             deletions go on by themselves once one of these ends or that is over",
            names.join(", "),
            self.cause,
            quoted(&self.message)
        )
    }
}

impl fmt::Display for HoldEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(name) => write!(f, "namespace `{name}` came to its end"),
            Self::Cleared(name) => write!(f, "namespace `{name}` is not held by that any more"),
        }
    }
}

#[cfg(test)]
mod tests;
