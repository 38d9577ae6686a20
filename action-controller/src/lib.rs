//! Plans what is due, hands it out, and keeps enough workers for it.
//!
//! The [`planner`] knows of every namespace when something of it falls due, and learns of changes in three ways of
//! which any two may fail: events from the queue, a look at the tail of the history every 30 s, and all snapshots at
//! the start and every ten minutes. It asks [`lifecycle::plan`] and nobody else. What it hands out is a hint to a worker, who asks again.

mod planner;
mod workers;

use std::time::Duration;

use anyhow::Context as _;
use common::{context::Context, jobs::SharedJobs, queue::Route};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{planner::Planner, workers::keep_enough};

/// How often the tail of the history is read: what no event told of is found by then.
const TAIL_EVERY: Duration = Duration::from_secs(30);

/// How often all snapshots are read again: one that lagged at the start, for longer than the tail goes back, and was put
/// right since, is told of by nothing else.
const ALL_EVERY: Duration = Duration::from_secs(600);

/// How long one wait for an event lasts at most.
const EVENT_WAIT: Duration = Duration::from_secs(30);

/// How long to rest when the store or the queue is out of reach.
const REST: Duration = Duration::from_secs(1);

/// Plans and hands out until cancelled.
///
/// # Errors
/// When the queue cannot be consumed or jobs cannot be started at all.
pub async fn run(context: Context, jobs: SharedJobs, cancel: CancellationToken) -> anyhow::Result<()> {
    let mut events = context.queue.consume(Route::Events).await.context("cannot consume events")?;
    let mut settings = context.settings.clone();
    let turns = context.vitals.watch("planner", EVENT_WAIT);
    let mut planner = Planner::new(context);
    let mut tail = interval_at(Instant::now(), TAIL_EVERY);
    tail.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all = interval_at(Instant::now() + ALL_EVERY, ALL_EVERY);
    all.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = false;
    settings.mark_unchanged();
    loop {
        turns.turned();
        let turned = async {
            planner.look_at_all_if_wanted().await?;
            planner.look_at_due().await
        }
        .await;
        if let Err(error) = &turned
            && !std::mem::replace(&mut trouble, true)
        {
            warn!("nothing new is planned while the store is out of reach: {error}");
        } else if turned.is_ok() {
            trouble = false;
        }
        keep_enough(planner.context(), &jobs).await?;
        let wait = if trouble { REST } else { planner.until_due() };
        // In this order, so that a run can be repeated.
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            Ok(()) = settings.changed() => planner.want_all(),
            _ = all.tick() => planner.want_all(),
            _ = tail.tick() => planner.want_tail(),
            () = sleep(wait) => {}
            () = jobs.changed(EVENT_WAIT) => {}
            delivery = events.next(EVENT_WAIT) => {
                if let Some(delivery) = delivery.context("cannot take the next event")? {
                    if let Some(message) = delivery.message() {
                        planner.hint(&message.about);
                    }
                    delivery.ack().await.context("cannot acknowledge an event")?;
                }
            }
        }
    }
}
