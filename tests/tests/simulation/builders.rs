//! What pipelines and people do in a CI system, and so to namespaces.

use std::sync::Arc;

use lifecycle::Keys;

use crate::{
    scenario::{Act, Deploy},
    users::whole,
    world::World,
};

/// Lets the act of this place happen.
pub(crate) fn perform(world: &Arc<World>, place: usize) {
    let Some(asked) = &world.scenario.pipelines else { return };
    let Some(act) = asked.acts.get(place) else { return };
    world.tell(asked.system.as_str(), &format!("{act:?}"));
    let now = world.now();
    match act {
        Act::Begin(begin) => {
            let namespace = uid(world, begin.into);
            world.ci().begin(begin, namespace.as_deref(), now);
        }
        Act::Deploy(deploy) => self::deploy(world, deploy),
        Act::Turn { pipeline, to, into } => {
            let namespace = uid(world, *into);
            world.ci().turn(*pipeline, to, *into, namespace.as_deref(), now);
        }
        Act::Remove { pipeline, by } => world.ci().remove(*pipeline, *by, now),
        Act::Request { request, to, source } => world.ci().request(*request, to, source, now),
        Act::Lose { repository } => world.ci().lose(*repository),
    }
}

/// The namespace of this place in the cast, as it is there now.
fn uid(world: &World, who: Option<usize>) -> Option<String> {
    let name = &world.scenario.cast.get(who?)?.name;
    world.cluster().get(name).ok().map(|object| object.uid.clone())
}

/// A job makes the namespace, or deploys into the one that is there.
fn deploy(world: &Arc<World>, deploy: &Deploy) {
    if !world.ci().can_deploy(deploy.pipeline) {
        return;
    }
    let keys = Keys::default();
    let labels = || deploy.labels.iter().map(|(key, value)| (keys.of_ci(key), value.clone()));
    let name = &world.scenario.cast[deploy.into].name;
    let there = world.cluster().get(name).ok().cloned();
    let uid = match there {
        // Nothing can be made in one that is going away.
        Some(object) if object.deleted.is_some() => return,
        Some(object) => {
            if deploy.anew {
                let _ = world.cluster().change(name, |object| object.labels.extend(labels()));
            }
            object.uid
        }
        None => match world.cluster().create(name, whole(world), labels().collect()) {
            Ok(uid) => uid,
            Err(_) => return,
        },
    };
    world.ci().deployed(deploy, &uid, world.now());
    world.changed.notify_waiters();
}
