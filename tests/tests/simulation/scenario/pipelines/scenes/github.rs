//! What happens only where branches have runs of several workflows, forks run where they are to be merged into, and a run has
//! attempts.

use super::{Begin, FORK, PROJECT, Scene, Script, by, request_labels};

/// Each as often as it stands here.
pub(super) const SCENES: [(&str, Scene); 5] = [
    ("checked", checked),
    ("branches of one name", branches_of_one_name),
    ("started from elsewhere", started_from_elsewhere),
    ("fork deleted", fork_deleted),
    ("attempted again", attempted_again),
];

/// Other forks than [`FORK`]; the last one is deleted.
const OTHER_FORK: u64 = 11;
const LOST_FORK: u64 = 13;

/// A workflow that deploys nothing.
const LINT: u64 = 5;

/// A workflow that deploys nothing runs for the branch, too, and somebody cancels the run that deployed.
fn checked(script: &mut Script, at: u64) {
    let (thing, namespace) = (script.thing(), script.namespace());
    let reference = format!("feature/{}", script.number());
    let begin = |workflow| Begin { project: PROJECT, reference: reference.clone(), workflow, ..Begin::default() };
    let first = script.begins(at, begin(0));
    script.deploys(at + 5, by(first, thing), namespace, true, &[]);
    let lint = script.begins(at + 6, begin(LINT));
    let over = at + 6 + script.dice.between(1, 100);
    script.turns(over, lint, "success");
    let cancelled = over + script.dice.between(1, 100);
    script.turns(cancelled, first, "canceled");
}

/// Branches of two repositories have one name. One of them is abandoned, or is deployed as the other one was.
fn branches_of_one_name(script: &mut Script, at: u64) {
    let (branch, number) = (format!("feature-{}", script.number()), script.number());
    let of = |fork, request| Begin { project: PROJECT, reference: branch.clone(), fork, request, ..Begin::default() };
    let of_fork = |fork, number| of(Some(fork), Some((PROJECT, number)));
    let (things, namespaces) = ([script.thing(), script.thing() + 1], [script.namespace(), script.namespace()]);
    script.requests(at, (PROJECT, number), "opened", &(FORK, branch.clone()));
    let first = script.begins(at + 1, of_fork(FORK, number));
    script.replaces(at + 4, by(first, things[0]), namespaces[0], (0, ""), &branch);
    let time = at + 4 + script.dice.between(5, 150);
    let other = script.number();
    let begin = if script.dice.happens(500) { of(None, None) } else { of_fork(OTHER_FORK, other) };
    let second = script.begins(time, begin);
    script.replaces(time + 3, by(second, things[1]), namespaces[1], (0, ""), &branch);
    script.turns(time + 6, second, "success");
    let over = time + 6 + script.dice.between(5, 150);
    let status = script.dice.one_of(&["canceled", "success"]);
    script.turns(over, first, status);
}

/// Another workflow's end, a comment, or a person who says what, starts runs: each deploys something else, and all are of the default
/// branch.
fn started_from_elsewhere(script: &mut Script, at: u64) {
    let event = script.dice.one_of(&["workflow_run", "workflow_dispatch", "issue_comment", "repository_dispatch"]);
    let workflow = script.number();
    let mut time = at;
    for _ in 0..2 {
        let (thing, namespace, number) = (script.thing(), script.namespace(), script.number());
        let (request, source) = ((PROJECT, number), (FORK, format!("feature/{number}")));
        script.requests(time, request, "opened", &source);
        let reference = "main".to_owned();
        let begin = Begin { project: PROJECT, reference, workflow, event, request: Some(request), ..Begin::default() };
        let pipeline = script.begins(time + 1, begin);
        if script.dice.happens(600) {
            script.replaces(time + 4, by(pipeline, thing), namespace, (0, ""), "main");
        } else {
            let labels = request_labels(script, request, 1_000);
            script.deploys(time + 4, by(pipeline, thing), namespace, true, &labels);
        }
        script.turns(time + 8, pipeline, "success");
        let ended = time + 8 + script.dice.between(60, 300);
        if script.dice.happens(300) {
            script.requests(ended, request, "merged", &source);
        }
        time += script.dice.between(10, 200);
    }
}

/// A fork is deleted before what it asked for is closed, or its run cancelled.
fn fork_deleted(script: &mut Script, at: u64) {
    let (thing, namespace, number) = (script.thing(), script.namespace(), script.number());
    let (request, source) = ((PROJECT, number), (LOST_FORK, "main".to_owned()));
    script.requests(at, request, "opened", &source);
    let begin = Begin {
        project: PROJECT,
        reference: "main".to_owned(),
        fork: Some(LOST_FORK),
        request: Some(request),
        ..Begin::default()
    };
    let pipeline = script.begins(at + 1, begin);
    let labels = request_labels(script, request, 300);
    script.deploys(at + 4, by(pipeline, thing), namespace, true, &labels);
    let deleted = at + 4 + script.dice.between(5, 200);
    script.loses(deleted, LOST_FORK);
    let over = deleted + script.dice.between(1, 100);
    match script.dice.below(3) {
        0 => script.turns(over, pipeline, "canceled"),
        1 => script.requests(over, request, "closed", &source),
        _ => script.turns(over, pipeline, "success"),
    }
}

/// An older run is run again after a newer one deployed.
fn attempted_again(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let begin = || Begin { project: PROJECT, reference: branch.clone(), ..Begin::default() };
    let (thing, mut time, mut runs) = (script.thing(), at, Vec::new());
    for _ in 0..2 {
        let (run, namespace) = (script.begins(time, begin()), script.namespace());
        script.replaces(time + 3, by(run, thing), namespace, (0, ""), &branch);
        script.turns(time + 6, run, "success");
        runs.push(run);
        time += script.dice.between(10, 150);
    }
    let namespace = script.namespace();
    script.runs_again(time, runs[0], namespace);
    script.replaces(time + 3, by(runs[0], thing), namespace, (0, ""), &branch);
    script.turns(time + 6, runs[0], "success");
}
