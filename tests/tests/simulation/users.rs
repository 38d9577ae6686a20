//! What owners and the operator do, and what befalls machines.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common::{
    clock::Clock,
    cluster::Cluster,
    controls::{self, Stop},
    stop::{EmergencyStop, gone},
    store::SharedStore,
};
use jiff::SignedDuration;
use lifecycle::{Actor, Keys};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    apiserver::{Object, STRIPS},
    builders,
    fault_injection::{Edge, network, store::StoreEdge},
    scenario::{Member, ScenarioStep},
    world::{Who, World},
};

/// How long the operator waits before the next try.
const RETRY_BACKOFF: Duration = Duration::from_secs(2);

/// A mark that was cut off.
const UNREADABLE: &str = "1.";

/// Does something, at a step that is about the namespace of this name, or none.
pub(crate) fn perform(world: &Arc<World>, about: &str, step: ScenarioStep) {
    let it = world.scenario.cast.iter().position(|member| member.name == about).unwrap_or(0);
    let step = step.about(it);
    world.count(&format!("step: {}", format!("{step:?}").split('(').next().unwrap_or_default()));
    match step {
        ScenarioStep::Protect(who) => annotate(world, who, "protect", Some("yes".to_owned())),
        ScenarioStep::Unprotect(who) => annotate(world, who, "protect", None),
        ScenarioStep::Keep(who, seconds) => keep(world, who, Some(seconds)),
        ScenarioStep::Unkeep(who) => keep(world, who, None),
        ScenarioStep::Live(who, seconds) => live(world, who, seconds),
        ScenarioStep::LiveAsPolicySays(who) => annotate(world, who, "ttl", None),
        ScenarioStep::Expire(who, seconds) => {
            let at = whole(world) + SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
            annotate(world, who, "expires_at", Some(at.to_string()));
        }
        ScenarioStep::Touch(who) => {
            let turn = world.turn();
            change(world, who, "touches", |object| {
                object.labels.insert("touched".to_owned(), turn.to_string());
            });
        }
        ScenarioStep::Tamper(who) => change(world, who, "takes our annotations off", |object| {
            let keys = Keys::default();
            for key in [lifecycle::keys::STATUS, lifecycle::keys::MANAGED] {
                object.annotations.remove(&keys.ours(key));
            }
            object.annotations.insert(keys.ours(lifecycle::keys::RECORD), "1.99.another".to_owned());
        }),
        ScenarioStep::Forge(who) => forge(world, who),
        ScenarioStep::Strip(who) => change(world, who, "has our statuses taken off", |object| {
            object.labels.insert(STRIPS.to_owned(), "yes".to_owned());
        }),
        ScenarioStep::Repaint(who) => change(world, who, "repaints", |object| {
            if object.labels.remove("paint").is_none() {
                object.labels.insert("paint".to_owned(), "blue".to_owned());
            }
        }),
        ScenarioStep::Remove(who) => remove(world, who),
        ScenarioStep::Remake(who) => remake(world, who),
        ScenarioStep::Stop => operate(world, Order::Stop),
        ScenarioStep::Resume => operate(world, Order::Resume),
        ScenarioStep::Approve => operate(world, Order::Approve),
        ScenarioStep::Reconfigure(machine, to) => {
            world.tell("operator", &format!("reconfigures {machine:?} to variant {to}"));
            for (number, configured) in world.configured.iter().enumerate() {
                if machine.is_none_or(|only| only == number) {
                    configured.send_replace(to);
                }
            }
        }
        ScenarioStep::Jump(machine, by) => {
            world.tell("world", &format!("the clock of machine-{machine} is off by {by} s"));
            world.set_clock(machine, by);
        }
        ScenarioStep::Compact => {
            world.tell("world", "the apiserver forgets the past");
            world.cluster().compact();
        }
        ScenarioStep::Lag(seconds) => {
            world.tell("world", &format!("watches hear of nothing for {seconds} s"));
            world.lag(Duration::from_secs(seconds));
        }
        ScenarioStep::Kill(machine) => {
            world.tell("world", &format!("machine-{machine} is killed"));
            world.kill(machine);
        }
        ScenarioStep::Freeze(machine, seconds) => {
            world.tell("world", &format!("machine-{machine} stands still for {seconds} s"));
            world.freeze(machine, Duration::from_secs(seconds));
        }
        ScenarioStep::Elsewhere(machine, seconds) => {
            world.tell("world", &format!("machine-{machine} is started against another cluster for {seconds} s"));
            world.move_away(machine, Duration::from_secs(seconds));
            world.kill(machine);
        }
        ScenarioStep::Break(who) => {
            let name = &world.scenario.cast[who].name;
            world.tell("world", &format!("an alert fires for `{name}`"));
            world.alerts().fire(name, world.now());
        }
        ScenarioStep::Mend(who) => {
            let name = &world.scenario.cast[who].name;
            world.tell("world", &format!("no alert fires for `{name}`"));
            world.alerts().rest(name);
        }
        ScenarioStep::Deploy(who) => create(world, who),
        ScenarioStep::Act(place) => builders::perform(world, place),
    }
}

/// Makes a member of the cast.
pub(crate) fn create(world: &World, who: usize) {
    let member = &world.scenario.cast[who];
    let age = SignedDuration::from_secs(i64::try_from(member.age).unwrap_or(0));
    let created = whole(world) - age;
    if let Ok(uid) = world.cluster().create(&member.name, created, labels(member)) {
        world.tell("owner", &format!("creates `{}` ({uid}), as of {created}", member.name));
    }
    world.changed.notify_waiters();
}

/// What stands on a member from the beginning.
fn labels(member: &Member) -> BTreeMap<String, String> {
    let keys = Keys::default();
    let ci = member.ci.iter().map(|(key, value)| (keys.of_ci(key), value.clone()));
    ci.chain(member.blue.then(|| ("paint".to_owned(), "blue".to_owned()))).collect()
}

/// A deleted namespace goes when its content is gone.
pub(crate) fn finish_later(world: &Arc<World>, uid: String) {
    let (world, after) = (world.clone(), world.scenario.ends_after);
    world.clone().tasks.spawn(async move {
        sleep(after).await;
        world.cluster().finish(&uid);
        world.changed.notify_waiters();
    });
}

/// The true time, as an apiserver tells it.
pub(crate) fn whole(world: &World) -> jiff::Timestamp {
    jiff::Timestamp::from_second(world.now().as_second()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn change(world: &World, who: usize, what: &str, change: impl FnOnce(&mut Object)) {
    let name = &world.scenario.cast[who].name;
    world.tell("owner", &format!("{what} `{name}`"));
    let _ = world.cluster().change(name, change);
    world.changed.notify_waiters();
}

fn annotate(world: &World, who: usize, key: &str, value: Option<String>) {
    let key = Keys::default().ours(key);
    change(world, who, &format!("sets {key} to {value:?} on"), |object| match value {
        Some(value) => drop(object.annotations.insert(key, value)),
        None => drop(object.annotations.remove(&key)),
    });
}

fn keep(world: &World, who: usize, seconds: Option<u64>) {
    let uid = world.cluster().get(&world.scenario.cast[who].name).map(|object| object.uid.clone());
    let Ok(uid) = uid else { return };
    let until = seconds.map(|seconds| whole(world) + SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0)));
    match until {
        Some(until) => world.judge().requested(&uid, world.now(), until),
        None => world.judge().unwished(&uid, world.now()),
    }
    annotate(world, who, "keep_until", until.map(|until| until.to_string()));
}

/// Writes a mark of this very namespace that only a lost entry could explain, or one that nobody can read.
fn forge(world: &World, who: usize) {
    let name = &world.scenario.cast[who].name;
    let Ok(uid) = world.cluster().get(name).map(|object| object.uid.clone()) else { return };
    world.judge().forged(&uid);
    let marker = if world.scenario.seed.is_multiple_of(2) { format!("1.999.{uid}") } else { UNREADABLE.to_owned() };
    annotate(world, who, lifecycle::keys::RECORD, Some(marker));
}

/// Asks for so long a life from now on.
fn live(world: &World, who: usize, seconds: u64) {
    let created = world.cluster().get(&world.scenario.cast[who].name).map(|object| object.created);
    let Ok(created) = created else { return };
    let age = world.now().duration_since(created).as_secs().max(0);
    let ttl = age.saturating_add(i64::try_from(seconds).unwrap_or(0));
    annotate(world, who, "ttl", Some(format!("{ttl}s")));
}

fn remove(world: &Arc<World>, who: usize) {
    let name = &world.scenario.cast[who].name;
    world.tell("owner", &format!("deletes `{name}`"));
    let deleted = world.cluster().delete(name, None, None, world.now());
    world.changed.notify_waiters();
    if let Ok(deleted) = deleted {
        finish_later(world, deleted.uid);
    }
}

/// The worst case: the same name belongs to another namespace at once.
fn remake(world: &Arc<World>, who: usize) {
    let member = &world.scenario.cast[who];
    if member.name == "kube-system" {
        return;
    }
    let uid = world.cluster().get(&member.name).map(|object| object.uid.clone());
    let marker = Keys::default().ours(lifecycle::keys::RECORD);
    let former = world.cluster().get(&member.name).ok().and_then(|object| object.annotations.get(&marker).cloned());
    if let Ok(uid) = uid {
        world.tell("owner", &format!("deletes `{}` ({uid}), and it is gone", member.name));
        let _ = world.cluster().delete(&member.name, None, None, world.now());
        world.cluster().finish(&uid);
    }
    let created = whole(world);
    // Bound first: the cluster stays locked for as long as a scrutinee lives.
    let made = world.cluster().create(&member.name, created, labels(member));
    if let Ok(uid) = made {
        world.tell("owner", &format!("creates `{}` anew ({uid})", member.name));
        if let Some(former) = former {
            if former == UNREADABLE {
                // It names no other namespace, either.
                world.judge().forged(&uid);
            }
            // As a backup brings it back: with the annotations that it had.
            let _ = world.cluster().change(&member.name, |object| drop(object.annotations.insert(marker, former)));
        }
    }
    world.changed.notify_waiters();
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Stop,
    Resume,
    Approve,
}

/// The operator does it, through the same weather as everybody, until it is done.
pub(crate) fn operate(world: &Arc<World>, order: Order) {
    world.tell("operator", &format!("{order:?}"));
    let edge = Edge::new(world.clone(), Who::Operator, CancellationToken::new());
    let store: SharedStore = Arc::new(StoreEdge { edge: edge.clone(), inner: world.store.clone() });
    let (cluster, world) = (network::cluster(edge), world.clone());
    world.clone().tasks.spawn(async move {
        while let Err(error) = obey(&world, &store, &cluster, order).await {
            world.tell("operator", &format!("{order:?} failed: {error:#}"));
            sleep(RETRY_BACKOFF).await;
        }
    });
}

async fn obey(world: &Arc<World>, store: &SharedStore, cluster: &Cluster, order: Order) -> anyhow::Result<()> {
    let me = Actor::person("operator");
    match order {
        Order::Stop => {
            let clock = Clock::from_fn({
                let world = world.clone();
                move || world.now()
            });
            let (keys, actor) = (&Keys::default(), &me);
            let (store, cluster) = (gone(Ok(store.clone())), gone(Ok(cluster.clone())));
            let switched = CancellationToken::new();
            let board = EmergencyStop { store, cluster, keys, policy: None, actor, clock: &clock, switched };
            let activated = board.activate(None).await?;
            anyhow::ensure!(activated.failed.is_empty(), "{:?}", activated.failed);
            world.tell(
                "operator",
                &format!("it is stopped, fenced: {:?}, not fenced: {:?}", activated.fenced, activated.unfenced),
            );
            world.count("stop acknowledged");
            // Somebody may have taken it back meanwhile.
            if controls::stopped(&*world.store).await?.is_some() {
                world.judge().stopped(world, activated.unfenced.into_iter().map(|(name, _)| name).collect());
            }
        }
        Order::Resume => {
            controls::set_stop(&**store, &me, &Stop { on: false, reason: None }, world.now()).await?;
        }
        Order::Approve => {
            controls::approve(&**store, &me, SignedDuration::from_mins(5), world.now()).await?;
        }
    }
    Ok(())
}
