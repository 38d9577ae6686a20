//! Plans what is due, hands it out, and keeps enough workers for it.
//!
//! The [`planner`] knows of every namespace when something of it falls due, and learns of changes in three ways of
//! which any two may fail: events from the queue, a read of the tail of the history every 30 s, and all snapshots at
//! the start and every ten minutes. It
//! asks [`lifecycle::plan`] and nothing else. What it hands out is a hint to a worker, which asks again.
//!
//! Neither the queue nor the jobs can end it: without the queue it plans from the history, without jobs it says why.

mod autoscaler;
mod deletions;
mod events;
mod holding;
mod metrics;
mod planner;
pub mod program;
mod retry;

#[cfg(test)]
mod tests;

use std::time::Duration;

use common::{
    context::Context,
    heartbeat::{self, ControllerBody, Publisher},
    jobs::SharedJobs,
    process,
    store::StoreError,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{autoscaler::Workers, events::Events, metrics::Metrics, planner::Planner};

/// The role, as in its heartbeats.
pub const ROLE: &str = "action-controller";

/// How often all snapshots are read again: one that lagged at the start, for longer than the tail goes back, and was put
/// right since, is told of by nothing else.
const ALL_EVERY: Duration = Duration::from_secs(600);

/// How long one wait for a job's end lasts at most.
const JOBS_WAIT: Duration = Duration::from_secs(30);

/// Interval of heartbeats while there is something new to tell: deletions are shown within seconds, and those that come
/// together are told together.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// How long to rest when the store is out of reach.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// Plans and hands out until cancelled.
///
/// # Errors
/// None so far: whatever is out of reach is waited for.
pub async fn run(context: Context, jobs: SharedJobs, cancel: CancellationToken) -> anyhow::Result<()> {
    let metrics = Metrics::new(&context);
    let mut events = Events::new();
    let mut settings = context.settings.clone();
    let mut publisher = Publisher::new(ROLE, &context);
    let mut workers = Workers::new(jobs.clone(), metrics.clone());
    let mut planner = Planner::new(context.clone(), metrics.clone());
    // It finds what no event announced.
    let mut tail = interval_at(Instant::now(), context.timings().tail_interval);
    tail.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all = interval_at(Instant::now() + ALL_EVERY, ALL_EVERY);
    all.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    // The deletions that the last heartbeat told of that the store took.
    let mut told = metrics.deletions();
    // Messages of an earlier leader may wait.
    let mut may_wait = true;
    settings.mark_unchanged();
    loop {
        planner.turned();
        let turn = async {
            let listed = planner.check_all_if_wanted().await;
            if listed.as_ref().is_err_and(StoreError::is_worth_another_try) {
                return listed;
            }
            let checked = planner.check_due().await;
            // Whatever could not be read: no history of one keeps the others from holding the rest, or from releasing it.
            let held = planner.hold_or_release().await;
            listed.and(checked).and(held)
        };
        // It may wait for the store many times: a controller that is to end does not wait for that.
        let Some(turned) = cancel.run_until_cancelled(turn).await else {
            publisher.end(&context).await;
            return Ok(());
        };
        if let Err(error) = &turned
            && !std::mem::replace(&mut is_failing, true)
        {
            warn!("not everything is planned while the store cannot be read: {error}");
        } else if turned.is_ok() {
            is_failing = false;
        }
        let outstanding = planner.outstanding();
        may_wait |= planner.has_handed_out() || outstanding > 0;
        let again = workers.keep_enough(&context, may_wait).await;
        may_wait = false;
        metrics.outstanding.set(i64::try_from(outstanding).unwrap_or(i64::MAX));
        metrics.stalled.set(i64::try_from(planner.stalled()).unwrap_or(i64::MAX));
        metrics.damaged.set(i64::try_from(planner.damaged()).unwrap_or(i64::MAX));
        metrics.recreated.set(i64::try_from(planner.recreated()).unwrap_or(i64::MAX));
        let interval = context.timings().heartbeat_interval;
        publisher.every(if metrics.deletions() == told { interval } else { TELL_INTERVAL.min(interval) });
        let wait = if is_failing { RETRY_BACKOFF } else { planner.until_due().min(again.unwrap_or(Duration::MAX)) };
        // In this order, so that a run can be repeated.
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                publisher.end(&context).await;
                return Ok(());
            }
            Ok(()) = settings.changed() => planner.want_all(),
            _ = all.tick() => {
                planner.want_all();
                if let Err(error) = heartbeat::remove_dead(&*context.store, common::heartbeat::WORKER, context.clock.now()).await {
                    debug!("workers that died long ago are still listed: {error}");
                }
            }
            _ = tail.tick() => planner.want_tail(),
            () = publisher.due() => {
                let body = body(&mut workers, &metrics, outstanding, &context);
                let deletions = metrics.deletions();
                if publisher.heartbeat(&context, body).await {
                    told = deletions;
                }
            }
            () = sleep(wait) => {}
            () = jobs.changed(JOBS_WAIT) => {}
            about = events.next(&context) => about.iter().for_each(|about| planner.hint(about)),
        }
    }
}

/// What it tells of itself.
fn body(workers: &mut Workers, metrics: &Metrics, outstanding: usize, context: &Context) -> serde_json::Value {
    let (backlog, running, wanted) = workers.numbers();
    let body = ControllerBody {
        backlog,
        outstanding: Some(outstanding as u64),
        running,
        wanted,
        retries: workers.retries(context.clock.now()),
        deleted: metrics.deletions(),
        installation: Some(process::installation(context)),
    };
    serde_json::to_value(body).expect("plain data serializes")
}
