//! What happens to namespaces that pipelines make: each is something that was taken, or could be taken, for something else.
//! Those here happen in every CI system.

mod github;
mod gitlab;

use lifecycle::pipeline::CiSystem;

use super::{
    Begin, Remover,
    script::{By, Script},
};
use crate::ci::label_of;

/// The project of most pipelines, and a fork of it.
const PROJECT: u64 = 7;
const FORK: u64 = 9;

/// From which age on the server removes pipelines, in seconds.
const RETENTION: u64 = 86_400;

/// Writes what happens in a scene that begins then.
type Scene = fn(&mut Script, u64);

/// Those of every CI system, each as often as it stands here.
const SCENES: [(&str, Scene); 15] = [
    ("abandoned", abandoned),
    ("pushed", pushed),
    ("pushed", pushed),
    ("outlived", outlived),
    ("merged", merged),
    ("of a fork", of_a_fork),
    ("left over", left_over),
    ("reused", reused),
    ("retention", retention),
    ("tidied up", tidied_up),
    ("removed", removed),
    ("run again", run_again),
    ("slugs", slugs),
    ("monorepo", monorepo),
    ("replaced", replaced),
];

/// Writes one that begins then. Returns its name.
pub(super) fn write(script: &mut Script, at: u64) -> &'static str {
    let more: &[(&str, Scene)] = match script.system {
        CiSystem::Gitlab => &gitlab::SCENES,
        CiSystem::Github => &github::SCENES,
    };
    let (name, scene) = script.dice.one_of(&[&SCENES, more].concat());
    scene(script, at);
    name
}

/// A pipeline for a branch, or for a merge request in one of its forms.
struct Line {
    reference: String,
    request: Option<(u64, u64)>,
    is_child: bool,
    /// Where its branch is, if that is a fork.
    fork: Option<u64>,
}

impl Line {
    /// One that nothing else is for.
    fn any(script: &mut Script) -> Self {
        let number = script.number();
        let branch = Self { reference: format!("feature/{number}"), request: None, is_child: false, fork: None };
        match (script.system, script.dice.below(5)) {
            (_, 0 | 1) => branch,
            (CiSystem::Gitlab, 2) => Self { is_child: true, ..branch },
            (CiSystem::Gitlab, _) => Self::request(number, "head"),
            (CiSystem::Github, 2) => Self { request: Some((PROJECT, number)), ..branch },
            (CiSystem::Github, _) => Self { request: Some((PROJECT, number)), fork: Some(FORK), ..branch },
        }
    }

    fn request(number: u64, form: &str) -> Self {
        let reference = format!("refs/merge-requests/{number}/{form}");
        Self { reference, request: Some((PROJECT, number)), is_child: false, fork: None }
    }

    /// Its next pipeline, which may be in another form.
    fn begin(&self, script: &mut Script) -> Begin {
        let reference = match self.request {
            Some((_, number)) if script.system == CiSystem::Gitlab => {
                let form = script.dice.one_of(&["head", "merge", "train"]);
                format!("refs/merge-requests/{number}/{form}")
            }
            _ => self.reference.clone(),
        };
        let Self { request, is_child, fork, .. } = *self;
        Begin { project: PROJECT, reference, request, is_child, fork, ..Begin::default() }
    }

    /// What its merge request brings in.
    fn source(&self) -> (u64, String) {
        (self.fork.unwrap_or(PROJECT), self.reference.clone())
    }

    /// Its merge request is there, where it has one.
    fn opens(&self, script: &mut Script, at: u64) {
        if let Some(request) = self.request {
            script.requests(at, request, "opened", &self.source());
        }
    }
}

const fn by(pipeline: u64, thing: usize) -> By {
    By { pipeline, project: PROJECT, thing }
}

/// Somebody cancels a pipeline, and may have it run again.
fn abandoned(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let begin = line.begin(script);
    let pipeline = script.begins(at, begin);
    let deployed = at + script.dice.between(1, 50);
    script.deploys(deployed, by(pipeline, thing), namespace, true, &[]);
    let cancelled = deployed + script.dice.between(5, 200);
    script.turns(cancelled, pipeline, "canceled");
    if script.dice.happens(400) {
        let again = cancelled + script.dice.between(1, 200);
        script.runs_again(again, pipeline, namespace);
    }
}

/// Somebody pushes again: the newer pipeline cancels the older one and deploys into its namespace, mostly without new labels.
fn pushed(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let begin = line.begin(script);
    let first = script.begins(at, begin);
    let deployed = at + script.dice.between(1, 50);
    script.deploys(deployed, by(first, thing), namespace, true, &[]);
    let pushed = deployed + script.dice.between(5, 250);
    let begin = Begin { into: Some(namespace), cancels: vec![first], ..line.begin(script) };
    let second = script.begins(pushed, begin);
    let deployed = pushed + script.dice.between(10, 300);
    let anew = script.dice.happens(250);
    script.deploys(deployed, by(second, thing), namespace, anew, &[]);
    let over = deployed + script.dice.between(5, 200);
    match script.dice.below(4) {
        0 | 1 => script.turns(over, second, "success"),
        2 => script.turns(over, second, "canceled"),
        _ => {}
    }
}

/// The same, and the server tidies up both pipelines. What the newer one deployed stays in use.
fn outlived(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let left = script.dice.between(200, 400);
    let begin = Begin { age: RETENTION - left, ..line.begin(script) };
    let first = script.begins(at, begin);
    script.deploys(at + 5, by(first, thing), namespace, true, &[]);
    let pushed = at + 5 + script.dice.between(5, 60);
    let begin = Begin { age: RETENTION - left, into: Some(namespace), cancels: vec![first], ..line.begin(script) };
    let second = script.begins(pushed, begin);
    script.deploys(pushed + 10, by(second, thing), namespace, false, &[]);
    script.turns(pushed + 20, second, "success");
    let removed = at + left + script.dice.between(60, 200);
    script.removes(removed, first, Remover::Retention);
    let removed = removed.max(pushed + left + 5) + script.dice.between(0, 60);
    script.removes(removed, second, Remover::Retention);
}

/// The merge request that a pipeline is for is merged, or closed and maybe opened again.
fn merged(script: &mut Script, at: u64) {
    let (thing, namespace, number) = (script.thing(), script.namespace(), script.number());
    let source = (PROJECT, format!("feature/{number}"));
    let of_branch = Line { reference: source.1.clone(), request: Some((PROJECT, number)), is_child: false, fork: None };
    let (line, source) = match (script.system, script.dice.happens(500)) {
        (CiSystem::Gitlab, true) => (Line::request(number, "head"), source),
        (CiSystem::Github, true) => (Line { fork: Some(FORK), ..of_branch }, (FORK, source.1)),
        (_, false) => (of_branch, source),
    };
    let request = (PROJECT, number);
    script.requests(at, request, "opened", &source);
    let begin = Begin { reference: line.reference.clone(), ..line.begin(script) };
    let pipeline = script.begins(at + 1, begin);
    let deployed = at + script.dice.between(2, 50);
    let labels = request_labels(script, request, 300);
    script.deploys(deployed, by(pipeline, thing), namespace, true, &labels);
    script.turns(deployed + 5, pipeline, "success");
    let ended = deployed + script.dice.between(10, 300);
    let state = script.dice.one_of(&["merged", "merged", "closed"]);
    script.requests(ended, request, state, &source);
    if script.dice.happens(250) {
        let again = ended + script.dice.between(1, 200);
        script.requests(again, request, "opened", &source);
    }
}

/// A merge request of a fork: its number counts in the project it is for, and the fork has one of that number, too.
fn of_a_fork(script: &mut Script, at: u64) {
    let (thing, namespace, number) = (script.thing(), script.namespace(), script.number());
    let (source, other) = ((FORK, format!("feature/{number}")), (FORK, format!("other/{number}")));
    script.requests(at, (PROJECT, number), "opened", &source);
    script.requests(at, (FORK, number), "opened", &other);
    let begin =
        Begin { project: FORK, reference: source.1.clone(), request: Some((PROJECT, number)), ..Begin::default() };
    let pipeline = script.begins(at + 1, begin);
    let deployed = at + script.dice.between(2, 50);
    let labels = request_labels(script, (PROJECT, number), 350);
    script.deploys(deployed, By { project: FORK, ..by(pipeline, thing) }, namespace, true, &labels);
    script.turns(deployed + 5, pipeline, "success");
    let ended = deployed + script.dice.between(10, 200);
    script.requests(ended, (FORK, number), "merged", &other);
    if script.dice.happens(400) {
        let ended = ended + script.dice.between(60, 300);
        script.requests(ended, (PROJECT, number), "merged", &source);
    }
}

/// The label names a merge request that the branch had before.
fn left_over(script: &mut Script, at: u64) {
    let (thing, namespace) = (script.thing(), script.namespace());
    // Not while namespaces arrive, where everything that is due happens at once.
    let at = at.max(150);
    let (before, now) = (script.number(), script.number());
    let source = (PROJECT, format!("feature/{now}"));
    script.requests(at, (PROJECT, before), "merged", &source);
    script.requests(at + 2, (PROJECT, now), "opened", &source);
    let begin =
        Begin { project: PROJECT, reference: source.1.clone(), request: Some((PROJECT, now)), ..Begin::default() };
    let pipeline = script.begins(at + 3, begin);
    // A label that names its project is believed also where the pipeline was never seen.
    let labels = request_labels(script, (PROJECT, before), 0);
    let deployed = at + script.dice.between(4, 50);
    script.deploys(deployed, by(pipeline, thing), namespace, true, &labels);
    script.turns(deployed + 5, pipeline, "success");
}

/// A namespace is deployed into for something else, and the label of the merge request that it was for stays on it.
fn reused(script: &mut Script, at: u64) {
    let (first_thing, namespace) = (script.thing(), script.namespace());
    let (before, number) = (script.number(), script.number());
    let source = |number: u64| (PROJECT, format!("feature/{number}"));
    script.requests(at, (PROJECT, before), "opened", &source(before));
    let begin = |number: u64| Begin { project: PROJECT, reference: source(number).1, ..Begin::default() };
    let first = script.begins(at + 1, Begin { request: Some((PROJECT, before)), ..begin(before) });
    let labels = request_labels(script, (PROJECT, before), 0);
    script.deploys(at + 5, by(first, first_thing), namespace, true, &labels);
    script.turns(at + 8, first, "success");
    let again = at + 8 + script.dice.between(10, 200);
    let second = script.begins(again, Begin { into: Some(namespace), ..begin(number) });
    script.deploys(again + 5, by(second, first_thing), namespace, true, &[]);
    script.turns(again + 10, second, "success");
    let ended = again + 20 + script.dice.between(0, 200);
    script.requests(ended, (PROJECT, before), "merged", &source(before));
}

/// The labels of a merge request; so often in a thousand one names its project.
fn request_labels(script: &mut Script, (project, number): (u64, u64), named: u64) -> Vec<(&'static str, String)> {
    let project = script.dice.happens(named).then(|| match script.system {
        CiSystem::Gitlab => ("mrProjectId", project.to_string()),
        CiSystem::Github => ("mrProjectPath", label_of(project)),
    });
    std::iter::once(("mrId", number.to_string())).chain(project).collect()
}

/// A pipeline of yesterday deploys by a job that somebody starts, and the server tidies it up.
fn retention(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let left = script.dice.between(100, 400);
    let status = script.dice.one_of(&["success", "manual", "running"]);
    let begin = Begin { age: RETENTION - left, status, ..line.begin(script) };
    let pipeline = script.begins(at, begin);
    script.deploys(at + 5, by(pipeline, thing), namespace, true, &[]);
    let removed = at + left + script.dice.between(120, 300);
    script.removes(removed, pipeline, Remover::Retention);
}

/// A pipeline that was over, or waits for a person, is removed by a script that keeps the last ones alone.
fn tidied_up(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let status = script.dice.one_of(&["success", "success", "failed", "manual"]);
    let begin = Begin { age: script.dice.between(60, 3_600), status, ..line.begin(script) };
    let pipeline = script.begins(at, begin);
    script.deploys(at + 5, by(pipeline, thing), namespace, true, &[]);
    let removed = at + script.dice.between(60, 300);
    script.removes(removed, pipeline, Remover::Retention);
}

/// Somebody removes a pipeline that is under way.
fn removed(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let begin = line.begin(script);
    let pipeline = script.begins(at, begin);
    script.deploys(at + 5, by(pipeline, thing), namespace, true, &[]);
    let removed = at + script.dice.between(60, 300);
    script.removes(removed, pipeline, Remover::Person);
}

/// Somebody goes back: cancels the newest pipeline, and has the one before run again.
fn run_again(script: &mut Script, at: u64) {
    let (thing, namespace, line) = (script.thing(), script.namespace(), Line::any(script));
    line.opens(script, at);
    let begin = Begin { status: "success", ..line.begin(script) };
    let first = script.begins(at, begin);
    let begin = line.begin(script);
    let second = script.begins(at + 5, begin);
    let deployed = at + script.dice.between(6, 60);
    script.deploys(deployed, by(second, thing), namespace, true, &[]);
    let again = deployed + script.dice.between(10, 200);
    script.runs_again(again, first, namespace);
    script.turns(again, second, "canceled");
    let over = again + script.dice.between(60, 300);
    match script.dice.below(10) {
        0..3 => script.turns(over, first, "canceled"),
        3..8 => script.turns(over, first, "success"),
        _ => {}
    }
}

/// Two branches have one slug.
fn slugs(script: &mut Script, at: u64) {
    let number = script.number();
    let (slug, branches) = (format!("feature-{number}"), [format!("feature/{number}"), format!("feature-{number}")]);
    let things = [script.thing(), script.thing() + 1];
    let mut time = at;
    for place in [0, 1, script.dice.one_of(&[0, 1, 1])] {
        let namespace = script.namespace();
        let begin = Begin { project: PROJECT, reference: branches[place].clone(), ..Begin::default() };
        let pipeline = script.begins(time, begin);
        let job = script.number();
        script.replaces(time + 3, by(pipeline, things[place]), namespace, (job, "deploy"), &slug);
        script.turns(time + 6, pipeline, "success");
        time += script.dice.between(20, 200);
    }
}

/// A pipeline deploys only what changed, and the label of the job does not tell what. A GitHub has a workflow for each.
fn monorepo(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let things = [script.thing(), script.thing() + 1];
    let mut time = at;
    for place in [0, 1, script.dice.one_of(&[0, 1, 1])] {
        let namespace = script.namespace();
        let workflow = place as u64;
        let begin = Begin { project: PROJECT, reference: branch.clone(), workflow, ..Begin::default() };
        let pipeline = script.begins(time, begin);
        let job = (script.number(), ["deploy web", "deploy api"][place]);
        script.replaces(time + 3, by(pipeline, things[place]), namespace, job, &branch);
        script.turns(time + 6, pipeline, "success");
        time += script.dice.between(20, 200);
    }
}

/// Each pipeline deploys anew, and may cancel the one before.
fn replaced(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let (thing, mut time, mut before) = (script.thing(), at, None);
    for _ in 0..script.dice.between(2, 3) {
        let namespace = script.namespace();
        let cancels = before.filter(|_| script.dice.happens(400)).into_iter().collect();
        let begin = Begin { project: PROJECT, reference: branch.clone(), cancels, ..Begin::default() };
        let pipeline = script.begins(time, begin);
        let job = script.number();
        let deployed = time + script.dice.between(1, 50);
        script.replaces(deployed, by(pipeline, thing), namespace, (job, "deploy"), &branch);
        if script.dice.happens(500) {
            script.turns(deployed + 2, pipeline, "success");
        }
        before = Some(pipeline);
        time = deployed + script.dice.between(3, 250);
    }
}
