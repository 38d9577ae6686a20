//! The outcome of a job, or of a try to start one: what a controller counts, and tells the reason of.

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Started,
    /// It ended by itself, in its time or before.
    Complete,
    Failed,
    Refused,
    Unreachable,
    /// Its program did not begin in time.
    Pending,
}

impl Outcome {
    /// Every one, so that a series of each can be there before it happens.
    pub const ALL: [Self; 6] =
        [Self::Started, Self::Complete, Self::Failed, Self::Refused, Self::Unreachable, Self::Pending];

    /// Its name, as in metrics and for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Pending => "pending",
        }
    }

    /// The labels of what counts it.
    #[must_use]
    pub fn labels(self) -> Vec<(&'static str, String)> {
        vec![("outcome", self.as_str().to_owned())]
    }
}
