//! What is kept of workloads: a trace of each that fails, or that tells something about one that does.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use lifecycle::time::saturating_add;

/// A kind of objects that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    CronJob,
    Pod,
    Claim,
    Class,
}

/// What is kept of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// It fails.
    Fails(Failure),
    /// A claim of storage that fails unless this class waits for the first pod that uses it.
    Pends(Failure, Option<String>),
    /// A run of the CronJob of this uid that ended.
    Ran { of: String, at: Timestamp, failure: Option<Failure> },
    /// A pod that says something of the workload that made it.
    Part { of: (Kind, String), part: Part },
    /// A class of storage that is provided once a pod uses it.
    WaitsForPod,
    /// A CronJob of this uid that somebody suspended: no later run makes up for one that failed.
    Suspended(String),
}

/// What a pod says of the workload that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It waits on purpose: so long the workload need not have it.
    Held,
    /// It is not ready since it got its node, or was made. One that got its node late need not be there for so long.
    Unready { since: Timestamp, is_late: bool },
    /// It is ready, and was made then.
    Ready { made: Timestamp },
    /// It is being deleted, and another may be wanted in its place from then on.
    Going { until: Timestamp },
}

/// Why something fails, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) begins: Begins,
    /// The first instant at which it counts no more.
    pub(super) until: Timestamp,
    /// The pods it lacks, where it fails for want of them.
    pub(super) lacks: Option<Lack>,
    /// Without full stop, for people.
    pub(super) why: String,
}

/// From when on a failure counts; before, it may still come to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// Whatever a policy says of how long something may be not ready.
    At(Timestamp),
    /// It is not ready since then, for which it has this time of its own, unless a policy says another.
    Unready { since: Timestamp, own: SignedDuration },
}

/// Pods that are lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// So many, of a workload that knows the time of its rollout; `is_over`: pods that became unready since tell since when.
    OfRollout { lacks: i32, is_over: bool },
    /// So many of those wanted, of one that does not: its pods tell since when.
    OfCount { lacks: i32, wanted: i32 },
}

/// Traces by namespace and name, with when each object was created.
type Named = BTreeMap<String, BTreeMap<String, (Timestamp, Trace)>>;

/// Where objects of one kind stand.
#[derive(Clone, Debug, Default)]
struct MemoryStore {
    traces: Named,
    /// What a list that is being read has brought so far.
    listed: Option<Named>,
    /// Why it is not known what there is, if so.
    unknown: Option<String>,
    /// It was read whole, or could not be.
    is_settled: bool,
}

/// What is known of all workloads.
#[derive(Clone, Debug)]
pub struct WorkloadStates {
    kinds: BTreeMap<Kind, MemoryStore>,
}

/// What a watch brought.
#[derive(Debug)]
pub struct Event {
    pub(super) kind: Kind,
    pub(super) change: Change,
}

#[derive(Debug)]
pub(super) enum Change {
    /// A list begins.
    Begins,
    /// It has this.
    Listed(Place),
    /// It came through whole.
    Complete,
    /// This is so from now on.
    Now(Place),
    /// What there is is not known until another list came through.
    Broke(String),
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Job,
        Self::CronJob,
        Self::Pod,
        Self::Claim,
        Self::Class,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Pod => "Pod",
            Self::Claim => "PersistentVolumeClaim",
            Self::Class => "StorageClass",
        })
    }
}

impl Failure {
    /// It fails at every check.
    pub(super) fn now(why: impl Into<String>) -> Self {
        Self::from(Timestamp::MIN, why)
    }

    /// It fails unless it changes before then.
    pub(super) fn from(from: Timestamp, why: impl Into<String>) -> Self {
        Self { begins: Begins::At(from), until: Timestamp::MAX, lacks: None, why: why.into() }
    }

    /// It is not ready since then, and fails when it is so for longer than this, or than a policy says.
    pub(super) fn unready(since: Timestamp, own: SignedDuration, why: impl Into<String>) -> Self {
        Self { begins: Begins::Unready { since, own }, ..Self::now(why) }
    }

    /// It fails for want of pods.
    pub(super) fn lacking(self, lacks: Lack) -> Self {
        Self { lacks: Some(lacks), ..self }
    }

    /// The same, where it is not ready since then.
    pub(super) fn since(&self, since: Timestamp, own: SignedDuration) -> Self {
        Self { begins: Begins::Unready { since, own }, ..self.clone() }
    }

    /// Whether it counts at that instant, where a policy says how long something may be not ready.
    pub(super) fn holds(&self, at: Timestamp, not_ready_after: Option<SignedDuration>) -> bool {
        let from = match self.begins {
            Begins::At(from) => from,
            Begins::Unready { since, own } => saturating_add(since, not_ready_after.unwrap_or(own)),
        };
        from <= at && at < self.until
    }
}

impl Default for WorkloadStates {
    fn default() -> Self {
        Self { kinds: Kind::ALL.into_iter().map(|kind| (kind, MemoryStore::default())).collect() }
    }
}

impl WorkloadStates {
    /// Takes in what a watch brought.
    pub fn take(&mut self, event: Event) {
        let memory_store = self.kinds.entry(event.kind).or_default();
        match event.change {
            Change::Begins => memory_store.listed = Some(Named::new()),
            Change::Listed(place) => put(memory_store.listed.get_or_insert_default(), place),
            Change::Complete => {
                memory_store.traces = memory_store.listed.take().unwrap_or_default();
                (memory_store.unknown, memory_store.is_settled) = (None, true);
            }
            Change::Now(place) => put(&mut memory_store.traces, place),
            Change::Broke(why) => {
                memory_store.listed = None;
                (memory_store.unknown, memory_store.is_settled) = (Some(why), true);
            }
        }
    }

    /// Whether each kind was read whole, or could not be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.kinds.values().all(|memory_store| memory_store.is_settled)
    }

    /// Why it is not known what there is, if so.
    pub(super) fn unknown(&self) -> Option<String> {
        self.kinds.iter().find_map(|(kind, memory_store)| match &memory_store.unknown {
            Some(why) => Some(format!("{kind}s cannot be read: {why}")),
            None if !memory_store.is_settled => Some(format!("{kind}s were not read yet")),
            None => None,
        })
    }

    /// What is kept of a kind: the namespace and the name of each, when it was created, and its trace.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &str, Timestamp, &Trace)> {
        self.kinds.get(&kind).into_iter().flat_map(|memory_store| &memory_store.traces).flat_map(
            |(namespace, named)| {
                named.iter().map(|(name, (created, trace))| (namespace.as_str(), name.as_str(), *created, trace))
            },
        )
    }
}

/// An object's place in a kind's cache, and what is kept there of it: nothing, if it is gone or well.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) trace: Option<(Timestamp, Trace)>,
}

fn put(traces: &mut Named, place: Place) {
    match place.trace {
        Some(trace) => {
            traces.entry(place.namespace).or_default().insert(place.name, trace);
        }
        None => {
            if let Some(named) = traces.get_mut(&place.namespace) {
                named.remove(&place.name);
                if named.is_empty() {
                    traces.remove(&place.namespace);
                }
            }
        }
    }
}
