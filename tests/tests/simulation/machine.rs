//! A machine: a process with all roles, that dies and is started again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{
    clock::Clock,
    config::Settings,
    context::Context,
    jobs::{LocalJobs, PerKind, Program, SharedJobs},
    vitals::Vitals,
};
use futures::future::BoxFuture;
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    chance::Dice,
    edges::{Edge, network, owners, queue::QueueEdge, store::StoreEdge},
    world::{Who, World},
};

/// Lives, dies, and lives again, as long as the story lasts.
pub(crate) async fn run(world: Arc<World>, number: usize) {
    for life in 0_u64.. {
        let name = Who::Machine(number).name();
        world.tell(&name, "starts");
        let token = world.be_born(number);
        let end = live(&world, number, life, &token).await;
        token.cancel();
        world.tell(&name, &format!("ends: {end}"));
        let mut dice = Dice::new(world.plot.seed, ("rest", number, life));
        sleep(Duration::from_millis(dice.between(500, 20_000))).await;
    }
}

async fn live(world: &Arc<World>, number: usize, life: u64, token: &CancellationToken) -> String {
    let edge = Edge::new(world.clone(), Who::Machine(number), token.clone());
    let mut configured = world.configured[number].subscribe();
    let first = world.settings[*configured.borrow_and_update()].clone();
    let context = Context {
        store: Arc::new(StoreEdge { edge: edge.clone(), inner: world.store.clone() }),
        queue: Arc::new(QueueEdge { edge: edge.clone(), inner: world.queue.clone() }),
        cluster: network::cluster(edge.clone()),
        clock: Clock::told({
            let world = world.clone();
            move || world.clock(number)
        }),
        web: owners::web(edge),
        vitals: Vitals::default(),
        settings: watch::channel(first.clone()).1,
        instance: format!("machine-{number}.{life}"),
    };
    // A channel each: one for all would wake its readers in an order that nobody can repeat.
    let mut channels: Vec<watch::Sender<Arc<Settings>>> = Vec::new();
    let mut own = || {
        let (sender, settings) = watch::channel(first.clone());
        channels.push(sender);
        Context { settings, ..context.clone() }
    };
    let (collect, act, keep, plan) = (own(), own(), own(), own());
    let programs = PerKind {
        collector: program(move |args, cancel| Box::pin(collectors::run_job(collect.clone(), args, cancel))),
        action: program({
            let worker = AtomicU64::new(0);
            move |_, cancel| {
                let instance = format!("{}.{}", act.instance, worker.fetch_add(1, Ordering::Relaxed));
                Box::pin(actions::run(Context { instance, ..act.clone() }, cancel))
            }
        }),
    };
    let jobs: SharedJobs = Arc::new(LocalJobs::new(PerKind { collector: 1, action: 2 }, programs));
    let mut roles = JoinSet::new();
    roles.spawn(collect_controller::run(keep, jobs.clone(), CancellationToken::new()));
    roles.spawn(action_controller::run(plan, jobs, CancellationToken::new()));
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return "killed".to_owned(),
            Some(ended) = roles.join_next() => return match ended {
                Ok(Ok(())) => "a role ended without being asked".to_owned(),
                Ok(Err(error)) => format!("a role failed: {error:#}"),
                Err(error) if error.is_panic() => {
                    world.judge().panicked(world, &error.to_string());
                    format!("a role panicked: {error}")
                }
                Err(error) => error.to_string(),
            },
            Ok(()) = configured.changed() => {
                let settings = world.settings[*configured.borrow_and_update()].clone();
                channels.iter().for_each(|channel| drop(channel.send_replace(settings.clone())));
            }
        }
    }
}

fn program(
    run: impl Fn(Vec<String>, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
) -> Program {
    Arc::new(run)
}
