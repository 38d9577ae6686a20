//! Who is on stage: the namespaces, what each is there to show, and how it has to end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::fixture::{CI_PREFIX, JUDGED, LABEL, STRICT};

/// How long after its creation a pipeline lets one namespace expire. A policy's ttl, of 10 s at least, would have everybody wait longer.
const EXPIRES_AFTER: SignedDuration = SignedDuration::from_secs(3);
/// The ttl that one owner asks for.
const OWN_TTL: SignedDuration = SignedDuration::from_secs(4);
/// The ttl that a pipeline asks for: its second namespace comes when others have lived for seconds.
const PIPELINES_TTL: SignedDuration = SignedDuration::from_secs(1);

/// How long what fails does so before it has failed: `settling_period` and `grace_period` of the strict policy.
const FAILS_FOR: SignedDuration = SignedDuration::from_secs(2);

/// The project of all pipelines, by its number in GitLab.
pub(crate) const PROJECT: &str = "7";

/// The branch that is deployed more than once.
pub(crate) const BRANCH: &str = "main";

/// What a pipeline writes on the namespaces that it deploys a branch into, but for the number of the job.
const DEPLOYMENT: [(&str, &str); 3] = [("projectId", PROJECT), ("job", "deploy"), ("branch", BRANCH)];

/// A namespace, by its name.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// What it is there to show.
    pub(crate) story: &'static str,
    /// Under which policy it falls.
    pub(crate) under: Under,
    /// The job that deployed it, where it is one of several that deploy the same branch.
    pub(crate) job: Option<u64>,
    /// The pipeline that made it, where GitLab is asked for that.
    pub(crate) pipeline: Option<u64>,
    /// Whether a Deployment is in it whose pods are refused.
    pub(crate) broken: bool,
    /// The end that an annotation asks for, of the last of its lives.
    pub(crate) end: Option<End>,
    /// How its life has to end; of two lives under one name the first and the second.
    pub(crate) lives: &'static [Fate],
}

/// An end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An instant, so long after its creation.
    ExpiresAfter(SignedDuration),
    Ttl(SignedDuration),
}

/// A policy of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    /// Its time to live counts.
    Ttl,
    /// Its workloads and newer deployments count.
    Judged,
    /// Its workloads count, soon.
    Strict,
    None,
}

/// How a life has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// nsm warns, and deletes it: not before it is this old, and a minute after the time that was promised.
    Expires(SignedDuration),
    /// Its pipeline deletes it long before its time is over.
    Finishes,
    /// Its time is over, but its owner keeps it.
    Kept,
    /// Its time is over, but its owner protects it.
    Protected,
    /// Nobody manages it.
    Ignored,
    /// Something in it goes on failing: nsm tells its owner, and deletes it.
    Fails,
    /// Something in it fails, until its owner mends it.
    Recovers,
    /// A newer deployment of its branch replaces it: nsm tells its owner, and deletes it.
    Replaced,
    /// It replaces another, and stays.
    Replaces,
    /// The pipeline that made it is cancelled: nsm tells its owner, and deletes it.
    Cancelled,
}

const PLAIN: Member =
    Member { name: "", story: "", under: Under::Ttl, job: None, pipeline: None, broken: false, end: None, lives: &[] };

pub(crate) const CAST: [Member; 12] = [
    Member {
        name: "expiring",
        story: "expires 3 s after its creation, as an annotation says",
        end: Some(End::ExpiresAfter(EXPIRES_AFTER)),
        lives: &[Fate::Expires(EXPIRES_AFTER)],
        ..PLAIN
    },
    Member {
        name: "own-ttl",
        story: "asks for a ttl of 4 s by an annotation",
        end: Some(End::Ttl(OWN_TTL)),
        lives: &[Fate::Expires(OWN_TTL)],
        ..PLAIN
    },
    Member {
        name: "reborn",
        story: "its pipeline deletes it early and creates it again: another life, which asks for a ttl of 1 s",
        end: Some(End::Ttl(PIPELINES_TTL)),
        lives: &[Fate::Finishes, Fate::Expires(PIPELINES_TTL)],
        ..PLAIN
    },
    Member {
        name: "kept",
        story: "the policy's ttl of 10 s ends, but its owner keeps it for 4 hours",
        lives: &[Fate::Kept],
        ..PLAIN
    },
    Member {
        name: "protected",
        story: "the policy's ttl of 10 s ends, but its owner protects it",
        lives: &[Fate::Protected],
        ..PLAIN
    },
    Member {
        name: "failing",
        story: "a Deployment in it gets no pods, and nobody does anything about it",
        under: Under::Strict,
        broken: true,
        lives: &[Fate::Fails],
        ..PLAIN
    },
    Member {
        name: "mended",
        story: "a Deployment in it gets no pods, until its owner scales it down",
        under: Under::Judged,
        broken: true,
        lives: &[Fate::Recovers],
        ..PLAIN
    },
    Member {
        name: "older",
        story: "an older deployment of a branch: the newer one replaces it",
        under: Under::Judged,
        job: Some(1),
        lives: &[Fate::Replaced],
        ..PLAIN
    },
    Member {
        name: "newer",
        story: "the newest deployment of that branch",
        under: Under::Judged,
        job: Some(2),
        lives: &[Fate::Replaces],
        ..PLAIN
    },
    Member {
        name: "cancelled",
        story: "somebody cancels the pipeline that made it",
        under: Under::Judged,
        pipeline: Some(46),
        lives: &[Fate::Cancelled],
        ..PLAIN
    },
    Member {
        name: "unmatched",
        story: "no policy applies to it",
        under: Under::None,
        lives: &[Fate::Ignored],
        ..PLAIN
    },
    Member {
        name: KUBE_SYSTEM,
        story: "carries the policy's label, but is never managed",
        lives: &[Fate::Ignored],
        ..PLAIN
    },
];

/// Was there before us, and is there in every cluster.
pub(crate) const KUBE_SYSTEM: &str = "kube-system";

impl Member {
    /// What its pipeline writes on it.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let policy = match self.under {
            Under::Ttl => Some(LABEL),
            Under::Judged => Some(JUDGED),
            Under::Strict => Some(STRICT),
            Under::None => None,
        };
        let deployed = DEPLOYMENT.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let job = self.job.iter().flat_map(|job| deployed.clone().chain([("jobId", job.to_string())]));
        let pipeline =
            self.pipeline.iter().flat_map(|id| [("projectId", PROJECT.to_owned()), ("pipelineId", id.to_string())]);
        let ci = job.chain(pipeline).map(|(key, value)| (format!("{CI_PREFIX}{key}"), value));
        policy.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).chain(ci).collect()
    }
}

impl End {
    /// The annotation that asks for it, of a namespace that is created now.
    pub(crate) fn annotation(self, now: Timestamp) -> (&'static str, String) {
        match self {
            // A creation is told in whole seconds, too.
            Self::ExpiresAfter(time) => {
                let now = Timestamp::from_second(now.as_second()).expect("it is earlier than `now`");
                ("expires_at", (now + time).to_string())
            }
            Self::Ttl(ttl) => ("ttl", format!("{}s", ttl.as_secs())),
        }
    }
}

impl Fate {
    /// Whether the namespace is gone in the end.
    pub(crate) const fn ends(self) -> bool {
        self.deleted_from().is_some() || matches!(self, Self::Finishes)
    }

    /// How old it has to be when nsm deletes it, which it does not before a minute after the time that was promised; `None`:
    /// nsm does not.
    pub(crate) const fn deleted_from(self) -> Option<SignedDuration> {
        match self {
            Self::Expires(ttl) => Some(ttl),
            Self::Fails => Some(FAILS_FOR),
            Self::Replaced | Self::Cancelled => Some(SignedDuration::ZERO),
            Self::Finishes | Self::Kept | Self::Protected | Self::Ignored | Self::Recovers | Self::Replaces => None,
        }
    }

    /// What its history says of why nsm deletes it.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Fails => "failed",
            Self::Replaced => "superseded",
            Self::Cancelled => "cancelled",
            _ => "stale",
        }
    }
}
