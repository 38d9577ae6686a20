//! The judge of a run: what the program did to namespaces, by the apiserver's own log and the history it left, held
//! against the rules of safety (its design's S1 to S12).
//!
//! It shares nothing with the program but the format of the record. The histories are read as JSON, the status
//! machine, the budget and what counts as foretold are told here once more: a mistake in the program's own functions
//! must not hide itself.
//!
//! A deletion is one that the audit log shows accepted, by the program's user and no dry run.

mod budgets;
mod deletions;
mod foretold;
mod histories;
mod ledger;
mod notices;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use jiff::SignedDuration;

use crate::{NamespaceDelete, timing};
pub use ledger::{Claim, Entry, History, Ledger};

/// What is to be judged.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the store says.
    pub ledger: Ledger,
    /// Every accepted deletion of the run's namespaces, whoever asked.
    pub deletes: Vec<NamespaceDelete>,
    /// As whom the program asks the apiserver.
    pub user: String,
    /// The uids that live: they exist, and no deletion of them was accepted.
    pub alive: BTreeSet<String>,
    /// What was done to the apiserver.
    pub faults: Faults,
    /// Those of the program.
    pub timings: Timings,
}

/// What the rules leave to the program: how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// From what an owner was promised to the deletion, at least.
    pub promise_margin: SignedDuration,
    /// The length of a window of the budget.
    pub budget_window: SignedDuration,
}

impl Timings {
    /// Those of a release.
    pub const RELEASE: Self =
        Self { promise_margin: SignedDuration::from_secs(60), budget_window: SignedDuration::from_mins(10) };

    /// Those of the programs that tests start ([`crate::program`]).
    #[must_use]
    pub fn of_tests() -> Self {
        Self { promise_margin: timing("promise_margin"), budget_window: timing("budget_window") }
    }
}

/// What was done to the apiserver, so that its log tells less than it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// For how long it was frozen: a request that waits in its socket meanwhile is received that much later.
    pub frozen: SignedDuration,
    /// Whether it was killed: what it answered last may be missing in the log.
    pub killed: bool,
}

/// One rule that was broken, and how it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Such as `S3`.
    pub rule: &'static str,
    pub what: String,
}

/// Everything that is wrong; nothing is when the run kept the rules.
#[must_use]
pub fn judge(run: &Run) -> Vec<Violation> {
    let mut found = Vec::new();
    deletions::judge(run, &mut found);
    notices::judge(run, &mut found);
    budgets::judge(run, &mut found);
    histories::judge(run, &mut found);
    found
}

impl Run {
    /// The deletions that are the program's.
    fn own(&self) -> impl Iterator<Item = &NamespaceDelete> {
        self.deletes.iter().filter(|delete| delete.user == self.user)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// Where violations are gathered.
trait Complain {
    fn complain(&mut self, rule: &'static str, what: String);
}

impl Complain for Vec<Violation> {
    fn complain(&mut self, rule: &'static str, what: String) {
        self.push(Violation { rule, what });
    }
}
