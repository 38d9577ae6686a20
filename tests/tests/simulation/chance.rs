//! Chance that can be told again: every choice follows from the story's seed and what is chosen.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use fastrand::Rng;

/// Dice for one choice. The same seed and the same `about` fall the same way, whatever was thrown before: a story that
/// differs in one step differs in that step alone.
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u64, about: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, about).hash(&mut hasher);
        Self(Rng::with_seed(hasher.finish()))
    }

    /// From 0 to `below`, exclusive.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0.u64(0..below.max(1))
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.u64(from..=to.max(from))
    }

    /// Whether something happens that happens so often in a thousand.
    pub(crate) fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        let at = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices[at].clone()
    }
}
