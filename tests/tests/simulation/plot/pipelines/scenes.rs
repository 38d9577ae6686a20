//! What happens to namespaces that pipelines make: each is something that was taken, or could be taken, for something else.

use super::{
    Begin, Remover,
    script::{By, Script},
};

/// The project of most pipelines, and a fork of it.
const PROJECT: u64 = 7;
const FORK: u64 = 9;

/// From which age on the server removes pipelines, in seconds.
const RETENTION: u64 = 86_400;

/// Writes what happens in a scene that begins then.
type Scene = fn(&mut Script, u64);

/// Writes one that begins then. Returns its name.
pub(super) fn write(script: &mut Script, at: u64) -> &'static str {
    /// Each as often as it stands here.
    const SCENES: [(&str, Scene); 16] = [
        ("abandoned", abandoned),
        ("pushed", pushed),
        ("pushed", pushed),
        ("pushed by a parent", pushed_by_a_parent),
        ("merged", merged),
        ("of a fork", of_a_fork),
        ("left over", left_over),
        ("retention", retention),
        ("tidied up", tidied_up),
        ("removed", removed),
        ("run again", run_again),
        ("slugs", slugs),
        ("monorepo", monorepo),
        ("siblings", siblings),
        ("overtaken", overtaken),
        ("replaced", replaced),
    ];
    let (name, scene) = script.dice.one_of(&SCENES);
    scene(script, at);
    name
}

/// A pipeline for a branch, or for a merge request in one of its forms.
struct Line {
    reference: String,
    request: Option<(u64, u64)>,
    is_child: bool,
}

impl Line {
    /// One that nothing else is for.
    fn any(script: &mut Script) -> Self {
        let number = script.number();
        let branch = Self { reference: format!("feature/{number}"), request: None, is_child: false };
        match script.dice.below(5) {
            0 | 1 => branch,
            2 => Self { is_child: true, ..branch },
            _ => Self::request(number, "head"),
        }
    }

    fn request(number: u64, form: &str) -> Self {
        let reference = format!("refs/merge-requests/{number}/{form}");
        Self { reference, request: Some((PROJECT, number)), is_child: false }
    }

    /// Its next pipeline, which may be in another form.
    fn begin(&self, script: &mut Script) -> Begin {
        let reference = match self.request {
            Some((_, number)) => {
                let form = script.dice.one_of(&["head", "merge", "train"]);
                format!("refs/merge-requests/{number}/{form}")
            }
            None => self.reference.clone(),
        };
        Begin { project: PROJECT, reference, request: self.request, is_child: self.is_child, ..Begin::default() }
    }

    /// Its merge request is there, where it has one.
    fn opens(&self, script: &mut Script, at: u64) {
        if let Some(request) = self.request {
            script.requests(at, request, "opened", &(PROJECT, format!("of-{}", request.1)));
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

/// The same, where what deploys is a child, and that of the newer pipeline is yet to come.
fn pushed_by_a_parent(script: &mut Script, at: u64) {
    let (thing, namespace) = (script.thing(), script.namespace());
    let reference = format!("feature/{}", script.number());
    let parent = || Begin { project: PROJECT, reference: reference.clone(), ..Begin::default() };
    let child = || Begin { is_child: true, ..parent() };
    let first = script.begins(at, parent());
    let first_child = script.begins(at + 2, child());
    script.deploys(at + 10, by(first_child, thing), namespace, true, &[]);
    let pushed = at + 10 + script.dice.between(10, 250);
    let cancels = vec![first_child, first];
    let second = script.begins(pushed, Begin { into: Some(namespace), cancels, ..parent() });
    let begun = pushed + script.dice.between(5, 250);
    let second_child = script.begins(begun, Begin { into: Some(namespace), ..child() });
    let anew = script.dice.happens(300);
    script.deploys(begun + 20, by(second_child, thing), namespace, anew, &[]);
    script.turns(begun + 60, second_child, "success");
    script.turns(begun + 65, second, "success");
}

/// The merge request that a pipeline is for is merged, or closed and maybe opened again.
fn merged(script: &mut Script, at: u64) {
    let (thing, namespace, number) = (script.thing(), script.namespace(), script.number());
    let source = (PROJECT, format!("feature/{number}"));
    let line = if script.dice.happens(500) {
        Line::request(number, "head")
    } else {
        Line { reference: source.1.clone(), request: Some((PROJECT, number)), is_child: false }
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

/// The labels of a merge request; so often in a thousand one names its project.
fn request_labels(script: &mut Script, (project, number): (u64, u64), named: u64) -> Vec<(&'static str, String)> {
    let project = script.dice.happens(named).then(|| ("mrProjectId", project.to_string()));
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
    if script.dice.happens(300) {
        let given_up = again + script.dice.between(60, 300);
        script.turns(given_up, first, "canceled");
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

/// A pipeline deploys only what changed, and the label of the job does not tell what.
fn monorepo(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let things = [script.thing(), script.thing() + 1];
    let mut time = at;
    for place in [0, 1, script.dice.one_of(&[0, 1, 1])] {
        let namespace = script.namespace();
        let begin = Begin { project: PROJECT, reference: branch.clone(), ..Begin::default() };
        let pipeline = script.begins(time, begin);
        let job = (script.number(), ["deploy web", "deploy api"][place]);
        script.replaces(time + 3, by(pipeline, things[place]), namespace, job, &branch);
        script.turns(time + 6, pipeline, "success");
        time += script.dice.between(20, 200);
    }
}

/// Two children of one pipeline deploy, by jobs of one name.
fn siblings(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let parent = Begin { project: PROJECT, reference: branch.clone(), sha: "b".repeat(40), ..Begin::default() };
    let child = Begin { is_child: true, ..parent.clone() };
    script.begins(at, Begin { status: "success", ..parent });
    let mut time = at + 2;
    for thing in [script.thing(), script.thing() + 1] {
        let namespace = script.namespace();
        let pipeline = script.begins(time, child.clone());
        let job = (script.number(), "deploy");
        script.replaces(time + 3, by(pipeline, thing), namespace, job, &branch);
        script.turns(time + 6, pipeline, "success");
        time += script.dice.between(20, 200);
    }
}

/// A job of an older pipeline deploys later.
fn overtaken(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let (thing, earlier, later) = (script.thing(), script.namespace(), script.namespace());
    let begin = |status| Begin { project: PROJECT, reference: branch.clone(), status, ..Begin::default() };
    let old = script.begins(at, begin("manual"));
    let old_job = script.number();
    let new = script.begins(at + 1, begin("success"));
    let new_job = script.number();
    script.replaces(at + 4, by(new, thing), earlier, (new_job, "deploy"), &branch);
    let started = at + script.dice.between(6, 200);
    script.replaces(started, by(old, thing), later, (old_job, "deploy"), &branch);
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
