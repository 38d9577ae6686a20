//! What happens only where pipelines have children, and jobs of their own start later than they do.

use crate::ci::BY_HAND;

use super::{Begin, PROJECT, Scene, Script, by};

/// Each as often as it stands here.
pub(super) const SCENES: [(&str, Scene); 4] = [
    ("pushed by a parent", pushed_by_a_parent),
    ("siblings", siblings),
    ("overtaken", overtaken),
    ("started by hand", started_by_hand),
];

/// Somebody pushes again where what deploys is a child, and that of the newer pipeline is yet to come.
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

/// Two children of one pipeline, or of those of two commits, deploy two parts of a repository by jobs of one name.
fn siblings(script: &mut Script, at: u64) {
    let branch = format!("feature-{}", script.number());
    let parent = Begin { project: PROJECT, reference: branch.clone(), sha: "b".repeat(40), ..Begin::default() };
    let shas = ["b".repeat(40), script.dice.one_of(&["b", "c"]).repeat(40)];
    script.begins(at, Begin { status: "success", ..parent.clone() });
    let mut time = at + 2;
    for (thing, sha) in [script.thing(), script.thing() + 1].into_iter().zip(shas) {
        let namespace = script.namespace();
        let pipeline = script.begins(time, Begin { is_child: true, sha, ..parent.clone() });
        let job = (script.number(), "deploy");
        script.replaces(time + 3, by(pipeline, thing), namespace, job, &branch);
        script.turns(time + 6, pipeline, "success");
        time += script.dice.between(20, 200);
    }
}

/// People start pipelines of one branch, and say by variables what each deploys.
fn started_by_hand(script: &mut Script, at: u64) {
    let event = script.dice.one_of(&BY_HAND);
    let mut time = at;
    for thing in [script.thing(), script.thing() + 1] {
        let namespace = script.namespace();
        let begin = Begin { project: PROJECT, reference: "main".to_owned(), event, ..Begin::default() };
        let pipeline = script.begins(time, begin);
        let job = (script.number(), "deploy");
        script.replaces(time + 3, by(pipeline, thing), namespace, job, "main");
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
