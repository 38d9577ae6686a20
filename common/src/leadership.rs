//! Who leads among the replicas of a controller, by a Lease.
//!
//! The crate that writes the Lease does not fence: it patches without a resourceVersion, so that of many candidates at
//! once each is told that it won; its calls have no deadline; and it compares the Lease's time with our clock alone. So
//! it is wrapped. Who won leads only after the Lease still named it a while later; every answer must name us, and in
//! time by the monotonic clock; and a leader that is not sure any more stops at once and ends the process.
//!
//! **Nothing that must not happen twice rests on this.** Where clocks differ by more than a lease, or somebody deletes
//! the Lease, two may lead for a moment: that costs work and breaks no rule.

mod controller;
mod lease;
mod watchdog;

use std::{future::Future, time::Duration};

use anyhow::{Context as _, bail};
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tracing::{info, warn};

pub use self::controller::controller;
use self::{
    lease::{Answer, Election},
    watchdog::Watchdog,
};
use crate::{
    liveness::{Liveness, Ticker},
    process::Running,
};

/// How often in the length of a lease it is read, by the leader and by those who wait.
const MAX_READS: u32 = 5;

/// The part of a lease for which who acquired it waits before it leads. A candidate that saw the Lease expired when we
/// did, and whose patch comes later than this, knows by its own watch that it was late.
const SETTLING: u32 = 10;

/// Takes part in the election of a role's leader, and does its work while leading.
///
/// When the process is asked to end, the Lease is released after the work, so that another leads at once.
///
/// # Errors
/// When leadership was lost, or the work ended without being asked to. The work is cut off then, and the process is to
/// end: the next start begins as a candidate.
pub async fn lead<F, Fut>(role: &'static str, running: Running, work: F) -> anyhow::Result<()>
where
    F: FnOnce(Running) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let leads = Gauge::<i64>::default();
    let liveness = running.context.liveness.clone();
    liveness.register(|registry| {
        registry.register("namespace_manager_leader", "Whether this process leads", leads.clone());
    });
    let cancel = running.cancel.clone();
    let mut election = Election::new(role, &running.context);
    let turns = liveness.watch("election", election.lease);
    let won = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        won = win(&mut election, &turns) => Some(won),
    };
    let Some(won) = won else {
        election.release().await;
        return Ok(());
    };
    info!("`{}` leads by lease `{}`", election.holder, election.name);
    leads.set(1);

    let mut tasks = JoinSet::new();
    tasks.spawn(work(running));
    let ended = tokio::select! {
        biased;
        ended = tasks.join_next() => ended,
        why = keep(&mut election, won, &turns, &liveness) => {
            leads.set(0);
            bail!("`{}` no longer leads: {why}", election.holder);
        }
    };
    match ended {
        Some(Ok(outcome)) => outcome?,
        Some(Err(error)) => return Err(error).context("the work of the leader panicked"),
        None => {}
    }
    if !cancel.is_cancelled() {
        bail!("the work of the leader ended without being asked to");
    }
    election.release().await;
    Ok(())
}

/// Waits until we lead. Returns since when, at the latest, others know that.
async fn win(election: &mut Election, turns: &Ticker) -> Instant {
    // Since when the lease names us, and how long it must.
    let mut ours: Option<(Instant, Duration)> = None;
    let mut is_out_of_reach = false;
    loop {
        turns.tick();
        let asked = Instant::now();
        let answer = election.ask().await;
        let (settling, took) = (election.lease / SETTLING, asked.elapsed());
        if !matches!(answer, Answer::Ours) {
            ours = None;
        }
        let was_out_of_reach = std::mem::replace(&mut is_out_of_reach, matches!(answer, Answer::Unknown(_)));
        let wait = match answer {
            Answer::Ours => {
                // A story of two: both saw it expired; the other's patch came first, was confirmed, and ours wrote over
                // it later. Then the other learns of it at its next read, and we lead when it has.
                let needed = if took <= settling { settling } else { election.lease };
                let (since, needed) = *ours.get_or_insert((Instant::now(), needed));
                if since.elapsed() >= needed {
                    return asked;
                }
                settling
            }
            Answer::Theirs { holder } => {
                if holder.is_empty() {
                    settling / 2
                } else {
                    election.lease / MAX_READS
                }
            }
            Answer::Unknown(why) => {
                if !was_out_of_reach {
                    warn!("lease `{}` cannot be read, so nobody here leads: {why}", election.name);
                }
                election.lease / MAX_READS
            }
        };
        sleep(wait).await;
    }
}

/// Keeps the lease, until it is lost: returns why.
async fn keep(election: &mut Election, won: Instant, turns: &Ticker, liveness: &Liveness) -> String {
    let lease = election.lease;
    let mut until = won + lease;
    let watchdog = Watchdog::start(until, lease / SETTLING);
    let mut is_out_of_reach = false;
    loop {
        turns.tick();
        sleep_until(until.min(Instant::now() + lease / MAX_READS)).await;
        if let Some(stalled) = liveness.stuck() {
            return stalled.to_string();
        }
        let asked = Instant::now();
        match timeout_at(until, election.ask()).await {
            Ok(Answer::Ours) => {
                if std::mem::replace(&mut is_out_of_reach, false) {
                    info!("lease `{}` is kept again", election.name);
                }
                until = asked + lease;
                watchdog.feed(until);
            }
            Ok(Answer::Theirs { holder }) if holder.is_empty() => return "its lease was taken from it".to_owned(),
            Ok(Answer::Theirs { holder }) => return format!("`{holder}` does"),
            Ok(Answer::Unknown(why)) => {
                if !std::mem::replace(&mut is_out_of_reach, true) {
                    warn!("lease `{}` could not be kept, which is tried again: {why}", election.name);
                }
            }
            Err(_) => return format!("its lease could not be kept for {} s", lease.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests;
