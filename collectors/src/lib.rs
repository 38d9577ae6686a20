//! Watches namespaces, judges them at the moment things fall due, and writes their history.
//!
//! One long-running collector serves thousands of namespaces: a single watch fills its [`cache`], a turn is taken for a
//! namespace when it changed or when something of it falls due, and at rest nothing is read and nothing is written.
//! A turn ([`reconcile`]) takes no hint: it decides on the whole of what is known and seen.
//!
//! Where many share the namespaces out, each has a [`Shard`]; where none is to stay, a sweep takes a turn for all and
//! ends. Two collectors at once are harmless: they contend for entry numbers, and the later one loads again.

mod args;
mod cache;
mod ci_events;
mod ci_poller;
mod collector;
#[cfg(test)]
mod fixture;
mod health;
mod health_poller;
mod kube_events;
mod log;
mod metrics;
mod pipelines;
pub mod program;
mod prune;
mod reconcile;
mod record_markers;
mod recreated;
mod resync;
mod run_loop;
mod shard;
mod terminations;
mod watch;

use common::context::Context;
use tokio_util::sync::CancellationToken;

use self::run_loop::Stays;
pub use self::{
    args::{Arguments, Work},
    shard::Shard,
};

/// Does what a collector is started for, until it is through or cancelled. Turns that were begun are brought to their
/// end.
///
/// # Errors
/// When the store cannot be read at the start, later it is waited for; or what need not be remembered cannot be removed.
pub async fn run(context: Context, work: Work, cancel: CancellationToken) -> anyhow::Result<()> {
    match work {
        Work::Resident { shard, slot: None } => run_loop::run(context, shard, Stays::UntilAsked, cancel).await,
        Work::Resident { shard, slot: Some(slot) } => run_loop::run(context, shard, Stays::ForSlot(slot), cancel).await,
        Work::Sweep { shard } => run_loop::run(context, shard, Stays::ForOneLook, cancel).await,
        Work::Prune => tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(()),
            pruned = prune::prune(&context) => pruned,
        },
    }
}

/// Does what a job's arguments say.
///
/// # Errors
/// As [`run`], and when they are none of a collector's.
pub async fn run_job(context: Context, args: Vec<String>, cancel: CancellationToken) -> anyhow::Result<()> {
    run(context, Work::of(&args)?, cancel).await
}
