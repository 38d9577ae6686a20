//! One event in a namespace's history. What is written here is read for ever: fields are only ever added.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    condition::Condition, deadline::Deadline, mode::Mode, namespace::Uid, status::Status, termination::DeletionStalled,
};

/// The most that one entry may weigh as JSON, in bytes (ARCHITECTURE.md "What always holds").
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;

/// Entry `seq` of the history of `uid`. The pair is its identity; the first insert has the number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub uid: Uid,
    /// From 1, without gaps.
    pub seq: u64,
    /// UTC, cut to milliseconds. For people and queries: the order is that of `seq`.
    pub at: Timestamp,
    pub actor: Actor,
    /// The namespace's name, so that a history is found by it.
    pub name: String,
    /// Random, chosen by the writer: tells its own write from another's when a reply was lost.
    pub token: String,
    #[serde(flatten)]
    pub event: Event,
}

/// Who wrote an entry: `role/instance`, or `person/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Actor(String);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum Event {
    /// A policy took the namespace under management.
    Adopted(Adopted),
    /// Another policy applies, or the same one says something else now.
    PolicyChanged(PolicyRef),
    StatusChanged(StatusChanged),
    /// The status was seen on the namespace, where a deletion waits for that.
    StatusShown(StatusShown),
    /// The status could not be written on the namespace, where a deletion waits for it to be seen; once per status generation.
    StatusNotShown(StatusNotShown),
    DeadlineMoved(DeadlineMoved),
    /// The owner's keep request appeared, changed or went.
    Kept(Kept),
    /// The owner's protection appeared or went.
    Protected(Protected),
    /// A notice is about to be sent; its promise binds from here on (docs/design/protocol.md S9).
    NoticeIntended(NoticeIntended),
    NoticeSent(NoticeSent),
    NoticeUndeliverable(NoticeUndeliverable),
    NoticeSkipped(NoticeSkipped),
    /// A destructive request is about to be sent (docs/design/protocol.md section 2, step 6).
    ActionIntended(Box<ActionIntended>),
    ActionDone(ActionDone),
    ActionSkipped(ActionSkipped),
    ActionFailed(ActionFailed),
    /// Its deletion was accepted and does not end; written again where something else holds it.
    DeletionStalled(DeletionStalled),
    /// What would have been done, had the mode been `enforce`; once per status generation.
    DryRun(DryRun),
    /// The record marker on the namespace does not agree with this history: entries may be lost, or it is another store's.
    RecordMarkerMismatched(RecordMarkerMismatched),
    /// A person trusted the store, and so this history.
    RecordMarkerTrusted(RecordMarkerTrusted),
    /// The namespace is no longer in the cluster.
    Gone(Gone),
    /// No policy applies any more.
    Released(Released),
    /// An entry of a later version of this program, or a damaged one. Nothing destructive follows from a history
    /// that holds one.
    #[serde(untagged)]
    Unrecognised {
        kind: String,
        #[serde(default)]
        data: Value,
    },
}

/// The policy a namespace is under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    pub policy: String,
    pub policy_hash: String,
    pub mode: Mode,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    #[serde(flatten)]
    pub terms: PolicyRef,
    /// The namespace's creation.
    pub created: Timestamp,
    pub ci: Vec<Pair>,
    pub deadline: Option<Deadline>,
    /// It had been recorded as gone, and is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// How many namespaces of its name were deleted within [`super::record::RECREATED_WITHIN`] before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub deleted_before: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(crate) const fn is_none(number: &u32) -> bool {
    *number == 0
}

/// A label. Lists of pairs, because a key with a dot or a dollar is not portable between stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    pub k: String,
    pub v: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChanged {
    pub from: Status,
    pub to: Status,
    pub reason: String,
    pub evidence: Vec<Condition>,
    /// When the next step falls due, if time alone brings one.
    pub finalize_at: Option<Timestamp>,
    /// What replaces it, where it is superseded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<Successor>,
}

/// A namespace that replaces another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Successor {
    pub uid: Uid,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusShown {
    /// The number of the entry that brought the status.
    pub of: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusNotShown {
    /// The number of the entry that brought the status.
    pub of: u64,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineMoved {
    pub deadline: Option<Deadline>,
    pub why: MovedBy,
}

/// Who moved a deadline: a promise never gives way to anybody but the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovedBy {
    Owner,
    Policy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The annotation's text; `None`: the request was withdrawn.
    pub requested: Option<String>,
    /// Until when it holds, after the cap.
    pub until: Option<Timestamp>,
    /// When this run of keep requests began; the cap counts from here.
    pub first_seen: Option<Timestamp>,
    pub by: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    pub on: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeIntended {
    /// The status whose deletion is announced.
    pub about: Status,
    /// The deletion that is announced: when it falls due.
    pub deadline: Timestamp,
    /// Not before this instant will it be carried out.
    pub promise: Timestamp,
    pub channel: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeSent {
    /// The number of its `NoticeIntended`.
    pub of: u64,
    /// What this try promised, where it left so late that this is later than was intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeUndeliverable {
    /// The number of its `NoticeIntended`.
    pub of: u64,
    /// What the last try promised, as in [`NoticeSent`]: nobody knows whether an earlier one arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Timestamp>,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeSkipped {
    /// The number of its `NoticeIntended`, where there is one.
    pub of: Option<u64>,
    pub about: Status,
    pub deadline: Timestamp,
    pub why: String,
}

/// What is done to a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Notify,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionIntended {
    pub action: Action,
    /// The number of the entry that made it due.
    pub cause_seq: u64,
    /// From 1, per task.
    pub attempt: u32,
    pub holder: String,
    /// From here on anybody may fence and close it.
    pub until: Timestamp,
    /// The state of the namespace it was decided on; the request carries it as its precondition.
    pub resource_version: String,
    pub cause: Status,
    /// Why, in words.
    pub decision: String,
    pub evidence: Vec<Condition>,
    pub evidence_at: Timestamp,
    /// The budget slot, `<window>/<number>`.
    pub slot: String,
    /// The slot of the limit of unannounced deletions, or the approval that stood for it; `None` where the deletion was foretold.
    pub unannounced: Option<String>,
    /// The hash of the configuration it was decided under.
    pub config: String,
    pub mode: Mode,
    pub notice: NoticeState,
}

/// What the owner was told of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// No channel is configured: there was nobody to tell.
    NoChannel,
    /// The latest promise given for this cause.
    Promised(Timestamp),
    /// The same, of which nobody was told: the notice could not be delivered.
    Undelivered(Timestamp),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDone {
    /// The number of its `ActionIntended`.
    pub of: u64,
    /// Not answered by a 2xx, but seen: the uid is terminating or gone.
    pub observed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSkipped {
    /// The number of its `ActionIntended`; `None` where no attempt was begun.
    pub of: Option<u64>,
    pub action: Action,
    pub why: SkipReason,
    pub detail: String,
    pub not_before: Option<Timestamp>,
}

/// Why an action was not tried, or a try ended without a request that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The stop switch.
    Stopped,
    /// No slot is left in this window's budget.
    Budget,
    /// No slot is left in this window's unannounced, and nobody approved.
    Unannounced,
    /// The object changed between the preflight and the request.
    Busy,
    /// Whether what led to it still is so cannot be checked: a source does not answer.
    Evidence,
    /// Checked again, a guard or the evidence says otherwise.
    Changed,
    /// The configuration is not the newest, the record marker is not of this store, or the clock is off.
    Unverified,
    /// Another holder's attempt ran out before it sent anything.
    Abandoned,
    /// Others were accepted and do not end, for a reason that holds every namespace.
    Held,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFailed {
    /// The number of its `ActionIntended`.
    pub of: u64,
    pub action: Action,
    pub why: FailReason,
    pub detail: String,
    pub not_before: Option<Timestamp>,
}

/// Why an action failed; each is proof that its request was and will not be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// 401, 403 or 422 of a live apiserver. Counts towards the five attempts.
    Refused,
    /// 429.
    TooManyRequests,
    /// No definite answer; a fence proved that the request is dead.
    Fenced,
    /// The uid was no longer there when the request arrived.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    pub action: Action,
    pub decision: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMarkerMismatched {
    /// The record marker as it stood on the namespace.
    pub marker: String,
    /// A sentence without full stop.
    pub why: String,
    /// The store's epoch at the time: a later trust of the store answers this.
    pub epoch: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMarkerTrusted {
    /// The record marker that stands against this history no more.
    pub marker: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub why: String,
}

impl Actor {
    /// A part of this program.
    #[must_use]
    pub fn role(role: &str, instance: &str) -> Self {
        Self(format!("{role}/{instance}"))
    }

    /// Somebody.
    #[must_use]
    pub fn person(name: &str) -> Self {
        Self(format!("person/{name}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Action {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl SkipReason {
    /// Whether it names what has to end before it can be tried again, so that somebody waits for it knowingly.
    #[must_use]
    pub const fn is_waited_for(self) -> bool {
        match self {
            Self::Stopped | Self::Budget | Self::Unannounced | Self::Evidence | Self::Unverified | Self::Held => true,
            Self::Busy | Self::Changed | Self::Abandoned => false,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Budget => "budget",
            Self::Unannounced => "unannounced",
            Self::Busy => "busy",
            Self::Evidence => "evidence",
            Self::Changed => "changed",
            Self::Unverified => "unverified",
            Self::Abandoned => "abandoned",
            Self::Held => "held",
        }
    }
}

impl SkipReason {
    /// What it means, half a sentence for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stopped => "all deletions are stopped",
            Self::Budget => "the budget is used up",
            Self::Unannounced => "the limit of unannounced deletions is reached",
            Self::Busy => "it was changed meanwhile",
            Self::Evidence => "evidence is missing",
            Self::Changed => "it is not due any more",
            Self::Unverified => "it is not known to be safe",
            Self::Abandoned => "its worker was lost",
            Self::Held => "other deletions do not end",
        }
    }
}

impl FailReason {
    /// What it means, half a sentence for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Refused => "the apiserver refused it",
            Self::TooManyRequests => "the apiserver had too many requests",
            Self::Fenced => "it got no clear answer and was cut off",
            Self::Gone => "the namespace was gone already",
        }
    }
}

impl Event {
    /// The name of the kind, as stored.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Adopted(_) => "Adopted",
            Self::PolicyChanged(_) => "PolicyChanged",
            Self::StatusChanged(_) => "StatusChanged",
            Self::StatusShown(_) => "StatusShown",
            Self::StatusNotShown(_) => "StatusNotShown",
            Self::DeadlineMoved(_) => "DeadlineMoved",
            Self::Kept(_) => "Kept",
            Self::Protected(_) => "Protected",
            Self::NoticeIntended(_) => "NoticeIntended",
            Self::NoticeSent(_) => "NoticeSent",
            Self::NoticeUndeliverable(_) => "NoticeUndeliverable",
            Self::NoticeSkipped(_) => "NoticeSkipped",
            Self::ActionIntended(_) => "ActionIntended",
            Self::ActionDone(_) => "ActionDone",
            Self::ActionSkipped(_) => "ActionSkipped",
            Self::ActionFailed(_) => "ActionFailed",
            Self::DeletionStalled(_) => "DeletionStalled",
            Self::DryRun(_) => "DryRun",
            Self::RecordMarkerMismatched(_) => "RecordMarkerMismatched",
            Self::RecordMarkerTrusted(_) => "RecordMarkerTrusted",
            Self::Gone(_) => "Gone",
            Self::Released(_) => "Released",
            Self::Unrecognised { kind, .. } => kind,
        }
    }
}
