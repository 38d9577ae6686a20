//! Namespaces come and go by the hundred while something is done to a server that nsm rests on. Afterwards everything
//! is as if nothing had been: what was to be deleted is, what was not lives, and nothing is left half done.

mod broker;
mod store;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use testbed::{accepted_namespace_deletes, eventually};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::program::harness::{Demo, LATER, World, now, until};

/// A guard against a hang, for everything that is due after the last fault. How soon it is deleted (the design's L1) is told by the
/// simulation.
const AFTERWARDS: Duration = LATER;

/// How often deleted namespaces are ended, as a controller manager would.
const FINISH_EVERY: Duration = Duration::from_secs(2);

/// Requests at a time.
const CONCURRENCY: usize = 8;

/// S13: so long after a stop was acknowledged a deletion may still arrive.
const STOP_MAY_TAKE: SignedDuration = SignedDuration::from_secs(5);

/// How much happens.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Namespaces, at least.
    namespaces: usize,
    /// A new one so often.
    every: Duration,
    /// How often each fault is injected.
    faults: usize,
}

impl Size {
    /// In the test command: a minute or two.
    const REDUCED: Self = Self { namespaces: 300, every: Duration::from_millis(250), faults: 3 };
    /// For `make chaos`.
    const FULL: Self = Self { namespaces: 300, every: Duration::from_secs(1), faults: 20 };
}

/// What its owner does with a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nothing: it is deleted when its time is over.
    Leaves,
    /// Protects it from the beginning.
    Protects,
    /// Keeps it for longer than this takes.
    Keeps,
    /// Deletes it, at about the time when nsm would.
    Deletes,
}

impl Owner {
    const fn of(number: usize) -> Self {
        match number % 10 {
            3 => Self::Protects,
            6 => Self::Keeps,
            9 => Self::Deletes,
            _ => Self::Leaves,
        }
    }
}

/// What can be the matter with a server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL, and nobody is there for a while.
    Killed,
    /// SIGSTOP: connections stay, nothing answers.
    Frozen,
    /// SIGKILL, and at once there again.
    Restarted,
}

const FAULTS: [Fault; 3] = [Fault::Killed, Fault::Frozen, Fault::Restarted];

/// A server that something can be the matter with.
trait Server {
    fn kill(&self);
    fn freeze(&self) -> Result<()>;
    fn thaw(&self) -> Result<()>;
    async fn restart(&self) -> Result<()>;
}

/// Disturbs a server so many times in each way, and waits each time until `goes_on` says that nsm works again. In the
/// middle somebody throws the stop.
async fn disturb(
    world: &World,
    server: &impl Server,
    times: usize,
    goes_on: impl AsyncFn() -> Result<()>,
) -> Result<()> {
    goes_on().await?;
    for time in 0..times {
        for fault in FAULTS {
            inject(server, fault).await?;
            goes_on().await?;
        }
        if time == times / 2 {
            stop_for_a_while(world).await?;
        }
    }
    Ok(())
}

async fn inject(server: &impl Server, fault: Fault) -> Result<()> {
    // Longer than the deadline of a call, or shorter.
    let time = Duration::from_millis(rand::random_range(500..7_000));
    eprintln!("the server is {fault:?}, for {time:?}");
    match fault {
        Fault::Killed => {
            server.kill();
            sleep(time).await;
            server.restart().await
        }
        Fault::Frozen => {
            server.freeze()?;
            sleep(time).await;
            server.thaw()
        }
        Fault::Restarted => {
            server.kill();
            server.restart().await
        }
    }
}

/// Lets namespaces come and go, while nsm runs and `disturb` does what it does, and sees that all ends well. What the
/// audit checker says comes after, as with every story.
async fn churn(world: &World, size: Size, disturb: impl Future<Output = Result<()>>) -> Result<()> {
    let (disturbed, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let disturbing = async {
        let outcome = disturb.await;
        disturbed.store(true, Ordering::Relaxed);
        outcome.context("while the server was disturbed")
    };
    let living = async {
        let (made, ()) = tokio::try_join!(create(world, size, &disturbed), disturbing)?;
        let outcome = settle(world, &made).await;
        ended.store(true, Ordering::Relaxed);
        outcome
    };
    tokio::try_join!(living, finish(world, &ended))?;
    world.witness().await
}

/// Namespaces that come one after the other for as long as the server is disturbed, and what becomes of each.
async fn create(world: &World, size: Size, disturbed: &AtomicBool) -> Result<Vec<(Owner, Demo)>> {
    let mut made = Vec::new();
    let mut ticks = interval(size.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while made.len() < size.namespaces || !disturbed.load(Ordering::Relaxed) {
        // What is left when nobody disturbs any more need not come slowly.
        if !disturbed.load(Ordering::Relaxed) {
            ticks.tick().await;
        }
        let owner = Owner::of(made.len());
        let ttl = format!("{}s", 2 + made.len() * 7 % 40);
        let later = (now() + SignedDuration::from_hours(48)).to_string();
        let mut overrides = vec![("ttl", ttl.as_str())];
        match owner {
            Owner::Leaves | Owner::Deletes => {}
            Owner::Protects => overrides.push(("protect", "yes")),
            Owner::Keeps => overrides.push(("keep_until", later.as_str())),
        }
        let demo = world.namespace(&overrides).await?;
        // Some time before, whose time comes about now.
        if let Some((Owner::Deletes, earlier)) = made.len().checked_sub(20).map(|before: usize| &made[before]) {
            Demo::delete(earlier).await?;
        }
        made.push((owner, demo));
    }
    Ok(made)
}

/// Waits until everything is as it would be had nothing happened.
async fn settle(world: &World, made: &[(Owner, Demo)]) -> Result<()> {
    let lives = |owner: Owner| matches!(owner, Owner::Protects | Owner::Keeps);
    let uids = |living: bool| -> BTreeSet<_> {
        made.iter().filter(|(owner, _)| lives(*owner) == living).map(|(_, demo)| demo.uid.clone()).collect()
    };
    let (living, dying, began) = (uids(true), uids(false), now());
    eventually("all whose time is over are deleted", AFTERWARDS, async || {
        let alive = alive(world).await?;
        let left: Vec<_> = alive.intersection(&dying).collect();
        ensure!(left.is_empty(), "{} of {} are left: {left:?}", left.len(), dying.len());
        Ok(())
    })
    .await?;
    eprintln!("after the last fault everything that was due was deleted within {:#}", now().duration_since(began));
    let alive = alive(world).await?;
    let lost: Vec<_> = living.difference(&alive).collect();
    ensure!(lost.is_empty(), "they were to live: {lost:?}");
    eventually("nothing is left half done", AFTERWARDS, async || {
        let ledger = world.whole_ledger().await?;
        for (owner, demo) in made.iter().filter(|(owner, _)| !lives(*owner)) {
            let history = ledger.history(&demo.uid);
            // Who comes and goes while the store is away is never heard of.
            let is_unknown = *owner == Owner::Deletes && history.0.is_empty();
            let is_gone = history.of_kind("Gone").count() > 0;
            ensure!(is_unknown || is_gone, "`{}` is not known to be gone: {:?}", demo.name, history.0.last());
        }
        for (uid, history) in &ledger.histories {
            let mut open = history.0.iter().filter(|entry| entry.is_intent());
            let is_open = |intent: &&testbed::audit_checker::Entry| {
                !history.0.iter().any(|entry| entry.outcome_of() == Some(intent.seq))
            };
            ensure!(!open.any(|intent| is_open(&intent)), "`{uid}` has an open intent: {:?}", history.0.last());
        }
        Ok(())
    })
    .await
}

/// Throws the stop and takes it back: in between nothing is deleted, whatever falls due.
async fn stop_for_a_while(world: &World) -> Result<()> {
    let answer = world.nsm(&["stop", "--reason", "a test"]).await?;
    let acknowledged = now();
    // It fails, and holds for all that, where a deletion had been accepted before and its outcome was not yet known.
    ensure!(answer.code == Some(0) || answer.err.contains("the stop holds"), "{answer:?}");
    until(acknowledged + STOP_MAY_TAKE + SignedDuration::from_secs(5)).await?;
    world.log_is_complete().await?;
    let late: Vec<_> = accepted_namespace_deletes(&world.requests()?)
        .into_iter()
        .filter(|delete| delete.user == world.user() && delete.received_at > acknowledged + STOP_MAY_TAKE)
        // What could not be cut off any more is named.
        .filter(|delete| !answer.err.contains(&delete.namespace))
        .collect();
    ensure!(late.is_empty(), "S13: stopped at {acknowledged}, and yet {late:?}");
    world.nsm_ok(&["resume"]).await.map(drop)
}

/// Ends deleted namespaces until it is told that it is over.
async fn finish(world: &World, ended: &AtomicBool) -> Result<()> {
    while !ended.load(Ordering::Relaxed) {
        let terminating =
            own(world).await?.into_iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_some());
        let namespaces = world.namespaces();
        stream::iter(terminating)
            .for_each_concurrent(CONCURRENCY, |mut namespace| {
                let namespaces = namespaces.clone();
                async move {
                    namespace.spec.get_or_insert_default().finalizers = Some(Vec::new());
                    let name = namespace.name_any();
                    // Whoever changed it meanwhile lets it be ended the next time.
                    let _ = namespaces.replace_subresource("finalize", &name, &PostParams::default(), &namespace).await;
                }
            })
            .await;
        sleep(FINISH_EVERY).await;
    }
    Ok(())
}

/// The story's namespaces, as they are.
async fn own(world: &World) -> Result<Vec<Namespace>> {
    let (key, value) = world.label();
    Ok(world.namespaces().list(&ListParams::default().labels(&format!("{key}={value}"))).await?.items)
}

/// The uids of those of which no deletion was accepted.
async fn alive(world: &World) -> Result<BTreeSet<String>> {
    let own = own(world).await?.into_iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
    Ok(own.filter_map(|namespace| namespace.uid()).collect())
}
