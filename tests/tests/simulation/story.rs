//! A story, from its seed to its judgement.

use std::{sync::Arc, time::Duration};

use common::{
    config::{Settings, Source},
    controls, queue, store,
    store::SharedStore,
};
use lifecycle::pipeline::CiSystem;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    chance::Dice,
    counts::Tally,
    fault_injection::{alerts, ci},
    invariants::Violation,
    machine,
    memory_store::MemoryStore,
    scenario::Scenario,
    users,
    world::{World, lock},
};

/// How often it is looked whether everything is as it should be.
const LOOK: Duration = Duration::from_secs(15);

/// More steps than any story has that comes to an end.
const MAX_STEPS: u64 = 400_000;

/// What the store of a story is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelved {
    InMemory,
    /// The embedded adapter. Its threads answer in an order of their own: such a story cannot be told again.
    InSqlite,
}

/// What came of a story.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) scenario: Scenario,
    pub(crate) violations: Vec<Violation>,
    pub(crate) log: Vec<String>,
    pub(crate) tally: Tally,
    pub(crate) steps: u64,
}

/// Tells the story of a seed.
pub(crate) fn tell(seed: u64, shelved: Shelved) -> Told {
    // The client library's watch waits with jitter after an error.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without sockets can be built");
    runtime.block_on(play(Scenario::of(seed), shelved))
}

async fn play(scenario: Scenario, shelved: Shelved) -> Told {
    let settings = (0..scenario.variants.len()).map(|place| configure(&scenario, place)).collect();
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store: SharedStore = match shelved {
        Shelved::InMemory => Arc::new(MemoryStore::default()),
        Shelved::InSqlite => {
            let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
            store::open(&url).await.expect("a new store can be made")
        }
    };
    let queue = queue::open("memory:").await.expect("a queue in memory can be made");
    let world = Arc::new(World::new(scenario, settings, store, queue));
    world.tell("world", &format!("{:?}", world.scenario));
    for scene in world.scenario.pipelines.iter().flat_map(|pipelines| &pipelines.scenes) {
        world.count(&format!("scene: {scene}"));
    }
    for who in 0..world.scenario.cast.len() {
        if world.scenario.cast[who].age > 0 {
            users::create(&world, who);
        }
    }
    for number in 0..world.scenario.machines {
        world.tasks.spawn(machine::run(world.clone(), number));
    }
    for who in (0..world.scenario.cast.len()).filter(|who| !world.scenario.cast[*who].comes_later) {
        sleep(Duration::from_secs(Dice::new(world.scenario.seed, ("arrival", who)).below(20))).await;
        users::create(&world, who);
    }
    inject_faults(&world).await;
    calm(&world).await;
    let (violations, log) = (world.judge().violations().to_vec(), world.take_log());
    let tally = lock(&world.tally).clone();
    Told { scenario: world.scenario.clone(), violations, log, tally, steps: world.turn() }
}

/// The part in which things go wrong.
async fn inject_faults(world: &Arc<World>) {
    loop {
        let elapsed = world.elapsed();
        let Some(left) = world.scenario.faulty_for.checked_sub(elapsed).filter(|left| !left.is_zero()) else {
            return;
        };
        if is_chase(world) {
            return;
        }
        let next = world.next_step().map_or(left, |at| at.saturating_sub(elapsed).min(left));
        sleep(next.clamp(Duration::from_millis(1), LOOK)).await;
        world.perform_due();
    }
}

/// All faults have ended; everything comes to its end.
async fn calm(world: &Arc<World>) {
    world.tell("world", "all faults end");
    world.calm();
    world.thaw();
    (0..world.scenario.machines).for_each(|machine| world.set_clock(machine, 0));
    let variant = *world.configured[0].borrow();
    for configured in &world.configured {
        configured.send_replace(variant);
    }
    let variant = world.scenario.variants[variant].clone();
    let patience = world.judge().patience(world);
    let settled = timeout(patience, async {
        loop {
            if controls::stopped(&*world.store).await.is_ok_and(|stop| stop.is_some()) {
                users::operate(world, users::Order::Resume);
            }
            sleep(LOOK).await;
            if is_chase(world) || world.judge().unsettled(world, &variant).is_empty() {
                return;
            }
        }
    });
    if settled.await.is_err() {
        let left = world.judge().unsettled(world, &variant);
        world.judge().gave_up(world, &left);
    }
    world.judge().close(world);
}

fn is_chase(world: &World) -> bool {
    let steps = world.turn();
    if steps > MAX_STEPS {
        world.judge().chased(world, steps);
    }
    steps > MAX_STEPS
}

/// The configuration at a place, as the product reads it.
fn configure(scenario: &Scenario, place: usize) -> Arc<Settings> {
    let variant = &scenario.variants[place];
    let mut checks = json!({});
    let mut on = json!({ "stale": { "delete": true, "grace": format!("{}s", variant.grace) } });
    if let Some(health) = &scenario.health {
        checks["settling_period"] = json!(format!("{}s", health.settling));
        checks["grace_period"] = json!(format!("{}s", health.grace));
        checks["fail_after"] = json!(health.fail_after);
        checks["recover_after"] = json!(health.recover_after);
        on["failed"] = json!({ "delete": health.deletes, "grace": format!("{}s", health.told_for) });
    }
    if let Some(deployments) = &scenario.deployments {
        checks["superseded"] = json!({ "when": if deployments.are_ready { "newer-ready" } else { "newer-exists" } });
        on["superseded"] = json!({ "delete": deployments.deletes, "grace": format!("{}s", deployments.told_for) });
    }
    if let Some(asked) = &scenario.pipelines {
        checks["merged"] = json!(asked.merged);
        on["cancelled"] = json!({ "delete": asked.deletes, "grace": format!("{}s", asked.told_for) });
    }
    let policy = |name: &str, applies_to: serde_json::Value, ttl: u64| {
        json!({
            "name": name,
            "match": applies_to,
            "ttl": format!("{ttl}s"),
            "visible_for": format!("{}s", variant.visible_for),
            "warn_before": format!("{}s", variant.warn_before),
            "max_keep": format!("{}s", variant.max_keep),
            "checks": checks,
            "on": on,
        })
    };
    let policies = json!([
        policy("ci", json!({ "names": ["ci-.*"] }), variant.ttl),
        policy("blue", json!({ "any": [{ "labels": { "paint": "blue" } }] }), variant.ttl * 2),
    ]);
    let mut variables = vec![
        ("NSM__STORE__URL", "sqlite:/nowhere".to_owned()),
        ("NSM__MODE", if variant.enforces { "enforce" } else { "observe" }.to_owned()),
        ("NSM__POLICIES", policies.to_string()),
        ("NSM__BUDGET__AT_LEAST", variant.budget.to_string()),
        ("NSM__BUDGET__SHARE", "0".to_owned()),
        ("NSM__BUDGET__UNANNOUNCED__AT_LEAST", variant.unannounced.to_string()),
        ("NSM__BUDGET__UNANNOUNCED__SHARE", "0".to_owned()),
        ("NSM__HEALTH__KUBERNETES", "false".to_owned()),
    ];
    if variant.tells {
        let on_undeliverable = if scenario.undeliverable.waits { "wait" } else { "proceed" };
        variables.extend([
            ("NSM__NOTICES__WEBHOOK__URL", "http://owners.test/hook".to_owned()),
            ("NSM__NOTICES__UNDELIVERABLE_AFTER", format!("{}s", scenario.undeliverable.after)),
            ("NSM__NOTICES__ON_UNDELIVERABLE", on_undeliverable.to_owned()),
        ]);
    }
    if let Some(health) = &scenario.health {
        variables.extend([
            ("NSM__PROMETHEUS__URL", format!("http://{}", alerts::HOST)),
            ("NSM__HEALTH__CHECK_EVERY", format!("{}s", health.check_every)),
        ]);
    }
    if let Some(asked) = &scenario.pipelines {
        let [url, token, every, gone, paced] = match asked.system {
            CiSystem::Gitlab => [
                "NSM__GITLAB__URL",
                "NSM__GITLAB__TOKEN_FILE",
                "NSM__GITLAB__CHECK_EVERY",
                "NSM__GITLAB__GONE_CONFIRM_AFTER",
                "NSM__GITLAB__REQUESTS_PER_MINUTE",
            ],
            CiSystem::Github => [
                "NSM__GITHUB__URL",
                "NSM__GITHUB__TOKEN_FILE",
                "NSM__GITHUB__CHECK_EVERY",
                "NSM__GITHUB__GONE_CONFIRM_AFTER",
                "NSM__GITHUB__REQUESTS_PER_MINUTE",
            ],
        };
        variables.extend([
            (url, format!("http://{}", ci::host(asked.system))),
            (token, "/nowhere".to_owned()),
            (every, format!("{}s", asked.check_every)),
            (gone, format!("{}s", asked.gone_after)),
            (paced, asked.per_minute.to_string()),
        ]);
    }
    if let Some(pods) = &scenario.pods {
        variables.extend([
            ("NSM__JOBS__SHARDS", pods.shards[place].to_string()),
            ("NSM__JOBS__SWEEP", if pods.sweeps[place] { "cron" } else { "resident" }.to_owned()),
            ("NSM__JOBS__SWEEP_EVERY", "1m".to_owned()),
            ("NSM__JOBS__RESIDENT_FOR", format!("{}s", pods.resident_for)),
        ]);
    }
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    Arc::new(Source::new(None, variables).load().expect("the story's configuration is one"))
}
