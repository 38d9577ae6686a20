//! A machine: a process with all roles, that dies and is started again.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{
    clock::Clock,
    config::Settings,
    context::Context,
    controls, heartbeat,
    http_client::HttpClient,
    identity,
    jobs::{LocalJobs, PerKind, Program, SharedJobs},
    liveness::Liveness,
};
use futures::future::BoxFuture;
use lifecycle::Actor;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    chance::Dice,
    fault_injection::{Edge, elsewhere, jobs::JobsEdge, network, queue::QueueEdge, store::StoreEdge, web::web},
    pods::Pods,
    world::{Who, World, lock},
};

/// What a quota lets in: three shards, their successors, and one more.
const MAX_COLLECTORS: usize = 7;

/// Lives, dies, and lives again, as long as the story lasts.
pub(crate) async fn run(world: Arc<World>, number: usize) {
    for life in 0_u64.. {
        let name = Who::Machine(number).name();
        world.tell(&name, "starts");
        let token = world.be_born(number);
        let end = live(&world, number, life, &token).await;
        token.cancel();
        world.tell(&name, &format!("ends: {end}"));
        let mut dice = Dice::new(world.scenario.seed, ("rest", number, life));
        sleep(Duration::from_millis(dice.between(500, 20_000))).await;
    }
}

async fn live(world: &Arc<World>, number: usize, life: u64, token: &CancellationToken) -> String {
    let edge = Edge::new(world.clone(), Who::Machine(number), token.clone());
    let mut configured = world.configured[number].subscribe();
    let first = world.settings[*configured.borrow_and_update()].clone();
    // A store that knows no cluster would be the other one's from then on.
    let is_claimed = matches!(controls::cluster(&*world.store).await, Ok(Some(_)));
    let away_until = world.is_away(number).filter(|_| is_claimed);
    let context = Context {
        store: Arc::new(StoreEdge { edge: edge.clone(), inner: world.store.clone() }),
        queue: Arc::new(QueueEdge { edge: edge.clone(), inner: world.queue.clone() }),
        cluster: if away_until.is_some() { elsewhere::cluster(edge.clone()) } else { network::cluster(edge.clone()) },
        clock: Clock::from_fn({
            let world = world.clone();
            move || world.clock(number)
        }),
        http: web(edge.clone(), "nobody"),
        liveness: Liveness::default(),
        settings: watch::channel(first.clone()).1,
        instance: format!("machine-{number}.{life}"),
    };
    if world.scenario.moves() {
        // As each program begins.
        let Context { store, cluster, clock, .. } = &context;
        let actor = Actor::role("machine", &context.instance);
        let begins = identity::belong_together(&**store, cluster, &actor, clock, token);
        tokio::select! {
            biased;
            () = token.cancelled() => return "killed".to_owned(),
            belongs = begins => if let Err(error) = belongs {
                if away_until.is_some() {
                    world.count("another cluster was refused");
                }
                return format!("it does not begin: {error:#}");
            },
        }
    }
    let settings = Arc::new(Channels::new(first));
    let web_of = as_each(edge.clone());
    let own = || Context { settings: settings.another(), ..context.clone() };
    let (collect, act, keep, plan) = (own(), own(), own(), own());
    let pods = Arc::new(Pods::new(world, &context.instance));
    let programs = PerKind {
        collector: program({
            let (pods, settings, web_of) = (pods.clone(), settings.clone(), web_of.clone());
            move |args, cancel| {
                let (pod, what) = (pods.next(), args.first().cloned().unwrap_or_default());
                let instance = pod.instance();
                let web = web_of(heartbeat::COLLECTOR, &instance);
                let context = Context { instance, http: web, settings: settings.another(), ..collect.clone() };
                let work = collectors::run_job(context, args, cancel);
                Box::pin(pod.lives(what, work))
            }
        }),
        action: program({
            let worker = AtomicU64::new(0);
            move |_, cancel| {
                let instance = format!("{}.{}", act.instance, worker.fetch_add(1, Ordering::Relaxed));
                let web = web_of(heartbeat::WORKER, &instance);
                let work = actions::run(Context { instance, http: web, ..act.clone() }, cancel);
                Box::pin(pods.next().lives("work".to_owned(), work))
            }
        }),
    };
    let jobs: SharedJobs = if world.scenario.pods.is_some() {
        let limits = PerKind { collector: MAX_COLLECTORS, action: 2 };
        Arc::new(JobsEdge { edge, inner: Arc::new(LocalJobs::new(limits, programs)) })
    } else {
        Arc::new(LocalJobs::new(PerKind { collector: 1, action: 2 }, programs))
    };
    let mut roles = JoinSet::new();
    roles.spawn(collect_controller::run(keep, jobs.clone(), CancellationToken::new()));
    roles.spawn(action_controller::run(plan, jobs, CancellationToken::new()));
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return "killed".to_owned(),
            () = passes(away_until) => return "it comes back".to_owned(),
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
                settings.send(&world.settings[*configured.borrow_and_update()]);
            }
        }
    }
}

/// Until this instant has passed, if there is one.
async fn passes(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The web as each role reaches it, so that it is known who asks.
fn as_each(edge: Edge) -> impl Fn(&str, &str) -> HttpClient + Clone + Send + Sync {
    move |role, instance| web(edge.clone(), Actor::role(role, instance).as_str())
}

fn program(
    run: impl Fn(Vec<String>, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
) -> Program {
    Arc::new(run)
}

/// How each reader learns of a configuration, by a channel of its own: one for all would wake its readers in an order
/// that nobody can repeat.
struct Channels(Mutex<Configured>);

struct Configured {
    now: Arc<Settings>,
    readers: Vec<watch::Sender<Arc<Settings>>>,
}

impl Channels {
    fn new(first: Arc<Settings>) -> Self {
        Self(Mutex::new(Configured { now: first, readers: Vec::new() }))
    }

    fn another(&self) -> watch::Receiver<Arc<Settings>> {
        let mut configured = lock(&self.0);
        configured.readers.retain(|reader| !reader.is_closed());
        let (reader, receiver) = watch::channel(configured.now.clone());
        configured.readers.push(reader);
        receiver
    }

    fn send(&self, newer: &Arc<Settings>) {
        let mut configured = lock(&self.0);
        configured.now.clone_from(newer);
        configured.readers.iter().for_each(|reader| drop(reader.send_replace(newer.clone())));
    }
}
