//! Who is on stage: the namespaces, what each is there to show, and how it has to end.

use jiff::SignedDuration;

/// The ttl in the demo's policy.
pub(crate) const TTL: SignedDuration = SignedDuration::from_secs(10);
/// The ttl that one owner asks for, as its annotation says it.
const OWN_TTL: (&str, SignedDuration) = ("6s", SignedDuration::from_secs(6));
/// The ttl that a pipeline asks for, as its annotation says it.
const PIPELINES_TTL: (&str, SignedDuration) = ("4s", SignedDuration::from_secs(4));
/// How long the pipeline lets its first namespace live.
pub(crate) const PIPELINE_TAKES: SignedDuration = SignedDuration::from_secs(1);

/// A namespace, by its name.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// What it is there to show.
    pub(crate) story: &'static str,
    /// Whether it carries the label that the policy looks for.
    pub(crate) matched: bool,
    /// Its annotation `ttl`.
    pub(crate) ttl: Option<&'static str>,
    /// How its life has to end; of two lives under one name the first and the second.
    pub(crate) lives: &'static [Fate],
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
}

pub(crate) const CAST: [Member; 7] = [
    Member {
        name: "expiring",
        story: "lives for the policy's ttl of 10 s",
        matched: true,
        ttl: None,
        lives: &[Fate::Expires(TTL)],
    },
    Member {
        name: "own-ttl",
        story: "asks for a ttl of 6 s by an annotation",
        matched: true,
        ttl: Some(OWN_TTL.0),
        lives: &[Fate::Expires(OWN_TTL.1)],
    },
    Member { name: "kept", story: "its owner keeps it for 4 hours", matched: true, ttl: None, lives: &[Fate::Kept] },
    Member { name: "protected", story: "its owner protects it", matched: true, ttl: None, lives: &[Fate::Protected] },
    Member {
        name: "reborn",
        story: "its pipeline deletes it early and creates it again: another life, with a full ttl of 4 s",
        matched: true,
        ttl: Some(PIPELINES_TTL.0),
        lives: &[Fate::Finishes, Fate::Expires(PIPELINES_TTL.1)],
    },
    Member { name: "unmatched", story: "no policy applies to it", matched: false, ttl: None, lives: &[Fate::Ignored] },
    Member {
        name: KUBE_SYSTEM,
        story: "carries the policy's label, but is never managed",
        matched: true,
        ttl: None,
        lives: &[Fate::Ignored],
    },
];

/// Was there before us, and is there in every cluster.
pub(crate) const KUBE_SYSTEM: &str = "kube-system";

impl Fate {
    /// Whether the namespace is gone in the end.
    pub(crate) const fn ends(self) -> bool {
        match self {
            Self::Expires(_) | Self::Finishes => true,
            Self::Kept | Self::Protected | Self::Ignored => false,
        }
    }
}
