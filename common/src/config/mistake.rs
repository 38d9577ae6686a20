//! What is wrong in a configuration, said so that it can be mended.

use std::fmt;

use super::Origin;

/// One mistake: where it stands, the key, and what is wrong with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    pub origin: Origin,
    /// Such as `policies[0].ttl`; empty where it is about a file as a whole.
    pub key: String,
    pub why: String,
}

/// A configuration that is not taken, with everything that was found wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    pub mistakes: Vec<Mistake>,
}

impl Mistake {
    pub(super) fn new(origin: &Origin, key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { origin: origin.clone(), key: key.into(), why: why.into() }
    }

    /// The section it is in, by its name; empty where it is about a file as a whole.
    pub(super) fn section(&self) -> &str {
        self.key.split(['.', '[']).next().unwrap_or_default()
    }
}

impl Refused {
    /// Whether there is a mistake in this section.
    #[must_use]
    pub fn concerns(&self, section: &str) -> bool {
        self.mistakes.iter().any(|mistake| mistake.section() == section)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, why } = self;
        if key.is_empty() { write!(f, "{origin}: {why}") } else { write!(f, "{origin}: `{key}`: {why}") }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.as_slice() {
            [only] => write!(f, "the configuration is refused: {only}"),
            many => {
                write!(f, "the configuration is refused, it has {} mistakes:", many.len())?;
                many.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

impl From<Vec<Mistake>> for Refused {
    fn from(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| a.origin.cmp(&b.origin));
        mistakes.dedup();
        Self { mistakes }
    }
}
