//! How jobs are run in a story where each is a pod.

use crate::chance::Dice;

/// How jobs are run where each is a pod: residents relieve each other, collectors share the namespaces out, or only look
/// now and then.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    /// How many collectors share the namespaces out, by the configuration's place.
    pub(crate) shards: [u64; 2],
    /// Whether collectors sweep, by the configuration's place.
    pub(crate) sweeps: [bool; 2],
    /// How long a resident stays, in seconds.
    pub(crate) resident_for: u64,
    /// How long a pod lives at most, in seconds; `None`: as long as it likes.
    pub(crate) die_within: Option<u64>,
}

impl Pods {
    /// Thrown apart from all else: what the story of a seed was before there were pods, it still is without them.
    pub(super) fn of(seed: u64) -> Option<Self> {
        let mut dice = Dice::new(seed, "pods");
        if crate::REMEMBERED.contains(&seed) || !dice.happens(400) {
            return None;
        }
        let shards = dice.one_of(&[1, 1, 2, 3]);
        let sweeps = dice.happens(250);
        // The second configuration may share out and look in another way.
        let changes = dice.happens(500);
        Some(Self {
            shards: [shards, if changes { dice.between(1, 3) } else { shards }],
            sweeps: [sweeps, if changes { dice.happens(300) } else { sweeps }],
            resident_for: dice.one_of(&[120, 180, 300]),
            die_within: dice.one_of(&[None, None, Some(30), Some(200)]),
        })
    }
}
