//! A CI system: its pipelines, jobs and merge requests (a GitHub's workflow runs and pull requests), and who uses which
//! namespace. The judge believes this, and not what the product makes of its answers ([`gitlab`], [`github`]).
//!
//! Both are told of in GitLab's words. A namespace is *in use* while a pipeline *stands* that deployed into it, or has begun and is about to, whatever the labels
//! of the namespace say. A pipeline stands from its beginning, also after it succeeded or failed (people look at what it
//! deployed), until
//!
//! - it is cancelled: what deployed before it, or its successor that is about to deploy, stands by itself (where a successor
//!   cancels it, the successor is there first);
//! - the merge request that it is for in truth was merged or closed after the pipeline began;
//! - a person removes it while it is under way. What the server tidies up stands: nobody asked for that.
//!
//! If it runs again, or its merge request is opened again, it stands again. What a newer deployment *replaces* is another
//! question: the same thing was deployed later, by a job that began later. Whether two jobs deploy the same thing follows from
//! no name.

mod answer;
mod github;
mod gitlab;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lifecycle::pipeline::CiSystem;

use crate::scenario::{Begin, Deploy, Remover, Request, Source};

pub(crate) use self::gitlab::BY_HAND;
pub(crate) use self::{
    answer::{Answer, is_project},
    github::label_of,
};

/// The statuses of pipelines that go on by themselves.
const UNDER_WAY: [&str; 2] = ["pending", "running"];

#[derive(Debug)]
pub(crate) struct Ci {
    system: CiSystem,
    pipelines: BTreeMap<u64, Pipeline>,
    jobs: BTreeMap<u64, Job>,
    requests: BTreeMap<Request, MergeRequest>,
    /// Which pipelines use a namespace, by its uid.
    uses: BTreeMap<String, BTreeSet<u64>>,
    /// Which are about to deploy into one of this place in the cast.
    about_to: BTreeMap<usize, BTreeSet<u64>>,
    /// Since when a namespace is in use, or is not, by its uid.
    turns: BTreeMap<String, Vec<(Timestamp, bool)>>,
    /// Repositories that are no more.
    lost: BTreeSet<u64>,
    /// What was not found for a moment.
    blinked: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) begin: Begin,
    pub(crate) created: Timestamp,
    /// When its attempts began, the last one last, where those are counted; else it is one.
    began: Vec<Timestamp>,
    pub(crate) status: &'static str,
    updated: Timestamp,
    removed: Option<Removed>,
}

#[derive(Clone, Copy, Debug)]
struct Removed {
    by: Remover,
    was_under_way: bool,
}

#[derive(Clone, Debug)]
struct Job {
    deploy: Deploy,
    started: Timestamp,
}

#[derive(Clone, Debug)]
struct MergeRequest {
    state: &'static str,
    source: Source,
    ended: Option<Timestamp>,
}

impl Ci {
    pub(crate) fn new(system: CiSystem) -> Self {
        Self {
            system,
            pipelines: BTreeMap::new(),
            jobs: BTreeMap::new(),
            requests: BTreeMap::new(),
            uses: BTreeMap::new(),
            about_to: BTreeMap::new(),
            turns: BTreeMap::new(),
            lost: BTreeSet::new(),
            blinked: BTreeSet::new(),
        }
    }

    /// A pipeline begins; `namespace` is there, which it is about to deploy into.
    pub(crate) fn begin(&mut self, begin: &Begin, namespace: Option<&str>, now: Timestamp) {
        let created = now - SignedDuration::from_secs(i64::try_from(begin.age).unwrap_or(0));
        let pipeline = Pipeline {
            begin: begin.clone(),
            created,
            began: vec![created],
            status: begin.status,
            updated: now,
            removed: None,
        };
        self.pipelines.insert(begin.pipeline, pipeline);
        self.aims(begin.pipeline, begin.into, namespace);
        for cancelled in &begin.cancels {
            if self.pipelines.get(cancelled).is_some_and(Pipeline::is_under_way) {
                self.set_status(*cancelled, "canceled", now);
            }
        }
        self.note(now);
    }

    /// Whether a pipeline can deploy something: it is there, and was not cancelled.
    pub(crate) fn can_deploy(&self, pipeline: u64) -> bool {
        self.pipelines.get(&pipeline).is_some_and(|it| it.removed.is_none() && it.status != "canceled")
    }

    /// A job deployed into a namespace.
    pub(crate) fn deployed(&mut self, deploy: &Deploy, namespace: &str, now: Timestamp) {
        self.jobs.insert(deploy.job, Job { deploy: deploy.clone(), started: now });
        let about_to = self.about_to.entry(deploy.into).or_default();
        about_to.remove(&deploy.pipeline);
        let uses = self.uses.entry(namespace.to_owned()).or_default();
        uses.insert(deploy.pipeline);
        uses.extend(about_to.iter());
        self.note(now);
    }

    /// The status of a pipeline becomes another.
    pub(crate) fn turn(
        &mut self,
        pipeline: u64,
        to: &'static str,
        into: Option<usize>,
        namespace: Option<&str>,
        now: Timestamp,
    ) {
        if let Some(it) = self.pipelines.get_mut(&pipeline)
            && self.system == CiSystem::Github
            && it.is_over()
            && UNDER_WAY.contains(&to)
        {
            it.began.push(now);
        }
        self.set_status(pipeline, to, now);
        self.aims(pipeline, into, namespace);
        self.note(now);
    }

    /// A repository is deleted.
    pub(crate) fn lose(&mut self, repository: u64) {
        self.lost.insert(repository);
    }

    pub(crate) fn remove(&mut self, pipeline: u64, by: Remover, now: Timestamp) {
        if let Some(it) = self.pipelines.get_mut(&pipeline).filter(|it| it.removed.is_none()) {
            it.removed = Some(Removed { by, was_under_way: it.is_under_way() });
        }
        self.note(now);
    }

    pub(crate) fn request(&mut self, request: Request, to: &'static str, source: &Source, now: Timestamp) {
        let ended = (to != "opened").then_some(now);
        self.requests.insert(request, MergeRequest { state: to, source: source.clone(), ended });
        self.note(now);
    }

    /// Whether a namespace was in use by nobody at some instant of these.
    pub(crate) fn was_free(&self, uid: &str, from: Timestamp, until: Timestamp) -> bool {
        let Some(turns) = self.turns.get(uid) else { return false };
        let ends = turns.iter().skip(1).map(|(at, _)| *at).chain([Timestamp::MAX]);
        turns.iter().zip(ends).any(|((since, in_use), end)| !in_use && *since <= until && end >= from)
    }

    /// Whether a namespace is in use.
    pub(crate) fn is_in_use(&self, uid: &str) -> bool {
        self.turns.get(uid).and_then(|turns| turns.last()).is_some_and(|(_, in_use)| *in_use)
    }

    /// Whether the later of two jobs deployed in truth what the other did, after it, as could be known from then on.
    pub(crate) fn replaces(&self, later: u64, earlier: u64, from: Timestamp) -> bool {
        let (Some(later), Some(earlier)) = (self.jobs.get(&later), self.jobs.get(&earlier)) else { return false };
        // Of one instant nobody knows which came first.
        later.deploy.thing == earlier.deploy.thing && self.started(later, Timestamp::MAX) >= self.started(earlier, from)
    }

    /// When a job began, as was known by then. A GitHub tells that only of the whole run.
    fn started(&self, job: &Job, by: Timestamp) -> Timestamp {
        let run = self.pipelines.get(&job.deploy.pipeline).filter(|_| self.system == CiSystem::Github);
        let began = run.and_then(|run| run.began.iter().rfind(|began| **began <= by).or(run.began.first()));
        began.copied().unwrap_or(job.started)
    }

    /// Whether it tells of this job.
    pub(crate) fn tells_of_job(&self, job: u64) -> bool {
        let pipeline = self.jobs.get(&job).and_then(|job| self.pipelines.get(&job.deploy.pipeline));
        pipeline.is_some_and(|pipeline| pipeline.removed.is_none())
    }

    /// Whether the repository of its branch is no more.
    pub(crate) fn is_lost(&self, pipeline: &Pipeline) -> bool {
        self.lost.contains(&pipeline.begin.head())
    }

    /// A pipeline that it tells of.
    pub(crate) fn pipeline(&self, number: u64) -> Option<&Pipeline> {
        self.pipelines.get(&number).filter(|pipeline| pipeline.removed.is_none())
    }

    /// Whether any other pipeline goes on with what this one was for, or did: a newer one that was not cancelled, or an older
    /// one that went on after this one began. That one was tidied up meanwhile says nothing.
    pub(crate) fn goes_on(&self, number: u64) -> bool {
        let Some(own) = self.pipelines.get(&number) else { return false };
        let mut others = self.pipelines.iter().filter(|(other, _)| **other != number);
        others.any(|(other, it)| {
            let went_on = it.is_under_way() || it.updated >= own.created;
            it.status != "canceled" && (*other > number || went_on) && it.is_for_the_same(own)
        })
    }

    /// Whether the merge request of this number is the one that a pipeline is for, of the project in which it runs, and was
    /// merged or closed after it began.
    pub(crate) fn has_ended(&self, pipeline: &Pipeline, number: u64) -> bool {
        let Begin { project, request, .. } = &pipeline.begin;
        *request == Some((*project, number)) && self.ended(pipeline)
    }

    fn aims(&mut self, pipeline: u64, into: Option<usize>, namespace: Option<&str>) {
        if let Some(into) = into {
            self.about_to.entry(into).or_default().insert(pipeline);
        }
        if let Some(namespace) = namespace {
            self.uses.entry(namespace.to_owned()).or_default().insert(pipeline);
        }
    }

    fn set_status(&mut self, pipeline: u64, to: &'static str, now: Timestamp) {
        if let Some(it) = self.pipelines.get_mut(&pipeline) {
            (it.status, it.updated) = (to, now);
        }
    }

    /// Notes which namespaces are in use from now on.
    fn note(&mut self, now: Timestamp) {
        for (uid, pipelines) in &self.uses {
            let in_use = pipelines.iter().any(|pipeline| self.stands(*pipeline));
            let turns = self.turns.entry(uid.clone()).or_default();
            if turns.last().is_none_or(|(_, last)| *last != in_use) {
                turns.push((now, in_use));
            }
        }
    }

    fn stands(&self, number: u64) -> bool {
        let Some(pipeline) = self.pipelines.get(&number) else { return false };
        let was_removed = pipeline.removed.is_some_and(|it| it.by == Remover::Person && it.was_under_way);
        pipeline.status != "canceled" && !was_removed && !self.ended(pipeline)
    }

    /// Whether the merge request that it is for ended after it began.
    fn ended(&self, pipeline: &Pipeline) -> bool {
        let request = pipeline.begin.request.and_then(|request| self.requests.get(&request));
        request
            .and_then(|request| request.ended)
            .is_some_and(|ended| pipeline.began.last().is_none_or(|began| ended >= *began))
    }
}

impl Pipeline {
    fn is_under_way(&self) -> bool {
        UNDER_WAY.contains(&self.status)
    }

    /// It goes on only if somebody has it run again.
    fn is_over(&self) -> bool {
        !self.is_under_way() && self.status != "manual"
    }

    fn is_for_the_same(&self, other: &Self) -> bool {
        let what = |it: &Self| (it.begin.project, it.begin.head(), it.begin.workflow);
        what(self) == what(other) && line(&self.begin.reference) == line(&other.begin.reference)
    }
}

/// A ref; those of a merge request are one.
fn line(reference: &str) -> &str {
    let of_request = reference.strip_prefix("refs/merge-requests/");
    of_request.and_then(|rest| rest.split_once('/')).map_or(reference, |(number, _)| number)
}
