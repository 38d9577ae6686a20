//! How a scene is written: one act after another, each at its second.

use std::time::Duration;

use lifecycle::pipeline::CiSystem;

use super::{Act, Begin, Deploy, Remover, Request, Source};
use crate::{chance::Dice, ci::label_of, scenario::Member};

/// What is written down so far.
pub(super) struct Script {
    pub(super) system: CiSystem,
    pub(super) dice: Dice,
    begin: usize,
    cast: Vec<Member>,
    acts: Vec<(Duration, Act)>,
    last: u64,
}

/// A deployment: by which job, of which pipeline, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct By {
    pub(super) pipeline: u64,
    pub(super) project: u64,
    pub(super) thing: usize,
}

impl Script {
    pub(super) const fn new(system: CiSystem, dice: Dice, begin: usize) -> Self {
        Self { system, dice, begin, cast: Vec::new(), acts: Vec::new(), last: 100 }
    }

    /// All namespaces, and all acts in the order in which they happen.
    pub(super) fn end(mut self) -> (Vec<Member>, Vec<(Duration, Act)>) {
        self.acts.sort_by_key(|(at, _)| *at);
        (self.cast, self.acts)
    }

    /// A number that nothing else has, greater than those before.
    pub(super) const fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A namespace that is not there yet.
    pub(super) fn namespace(&mut self) -> usize {
        let name = format!("ci-p{}", self.cast.len());
        self.cast.push(Member { name, comes_later: true, ..Member::default() });
        self.begin + self.cast.len() - 1
    }

    /// Something to be deployed again and again, known by the place of its first namespace.
    pub(super) fn thing(&self) -> usize {
        self.cast.len()
    }

    /// A pipeline begins. Returns its number.
    pub(super) fn begins(&mut self, at: u64, mut begin: Begin) -> u64 {
        begin.pipeline = self.number();
        if begin.sha.is_empty() {
            begin.sha = format!("{:040x}", 0xa9_1957_u64 * begin.pipeline);
        }
        if begin.status.is_empty() {
            begin.status = "running";
        }
        if begin.event.is_empty() {
            begin.event = if begin.request.is_some() { "pull_request" } else { "push" };
        }
        let number = begin.pipeline;
        self.act(at, Act::Begin(begin));
        number
    }

    pub(super) fn turns(&mut self, at: u64, pipeline: u64, to: &'static str) {
        self.act(at, Act::Turn { pipeline, to, into: None });
    }

    /// One that is over runs again, and deploys there.
    pub(super) fn runs_again(&mut self, at: u64, pipeline: u64, into: usize) {
        self.act(at, Act::Turn { pipeline, to: "running", into: Some(into) });
    }

    pub(super) fn removes(&mut self, at: u64, pipeline: u64, by: Remover) {
        self.act(at, Act::Remove { pipeline, by });
    }

    pub(super) fn requests(&mut self, at: u64, request: Request, to: &'static str, source: &Source) {
        self.act(at, Act::Request { request, to, source: source.clone() });
    }

    /// A job deploys, with these labels besides those of its pipeline.
    pub(super) fn deploys(&mut self, at: u64, by: By, into: usize, anew: bool, more: &[(&'static str, String)]) {
        let mut labels = self.labels(by);
        labels.extend(more.iter().cloned());
        let (job, name) = (self.number(), "deploy");
        let By { pipeline, thing, .. } = by;
        self.act(at, Act::Deploy(Deploy { job, name, pipeline, thing, into, labels, anew }));
    }

    /// The same, as a job of this name and number that may replace others of a branch. A GitHub names the run alone.
    pub(super) fn replaces(&mut self, at: u64, by: By, into: usize, (job, name): (u64, &'static str), branch: &str) {
        let job = match self.system {
            CiSystem::Gitlab => job,
            CiSystem::Github => by.pipeline,
        };
        let mut labels = self.labels(by);
        labels.extend([("job", "deploy".to_owned()), ("jobId", job.to_string()), ("branch", branch.to_owned())]);
        let By { pipeline, thing, .. } = by;
        self.act(at, Act::Deploy(Deploy { job, name, pipeline, thing, into, labels, anew: true }));
    }

    /// A repository is deleted.
    pub(super) fn loses(&mut self, at: u64, repository: u64) {
        self.act(at, Act::Lose { repository });
    }

    /// The labels of a pipeline.
    fn labels(&self, by: By) -> Vec<(&'static str, String)> {
        let mut labels = vec![("projectId", by.project.to_string()), ("pipelineId", by.pipeline.to_string())];
        if self.system == CiSystem::Github {
            labels.push(("projectPath", label_of(by.project)));
        }
        labels
    }

    fn act(&mut self, at: u64, act: Act) {
        // Of one second what is written down first comes first.
        let at = Duration::from_millis(at * 1_000 + 3 * self.acts.len() as u64);
        self.acts.push((at, act));
    }
}
