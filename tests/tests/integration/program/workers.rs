//! Workers as processes of their own: killed, stopped while they are at it, many, told the same again and again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use common::queue::{Message, Route};
use futures::future::try_join_all;
use rusqlite::Connection;
use serde_json::json;
use testbed::audit_checker::{Entry, Ledger};
use testbed::{Process, eventually};
use tokio::time::sleep;

use crate::program::harness::{Demo, Fleet, LATER, SOON, fleet, plain};

/// How often it is tried to stop a worker in the middle before there is a look at how much is left for it.
const TRIES: usize = 50;

#[tokio::test]
async fn workers_killed_again_and_again_delete_each_namespace_once() {
    fleet(patient, async |fleet| {
        let crowd = fleet.world.crowd(40, &[("ttl", "1s")]).await?;
        let mut killed = 0;
        while killed < 24 && !fleet.world.left_of(&crowd).await?.is_empty() {
            let mut worker = fleet.worker().await?;
            // A start takes some 100 ms, and many times that beside others.
            sleep(Duration::from_millis(rand::random_range(300..1_500))).await;
            worker.kill();
            killed += 1;
        }
        let left = fleet.world.left_of(&crowd).await?.len();
        let open = fleet.world.ledger()?.histories.values().filter_map(|history| open(&history.0)).count();
        eprintln!("killed {killed} times: {left} of {} are left, {open} intents are open", crowd.len());

        let _worker = fleet.worker().await?;
        fleet.world.are_deleted(&crowd, LATER).await?;
        each_is_done_once(fleet, &crowd).await
    })
    .await;
}

#[tokio::test]
async fn what_a_stopped_worker_had_begun_is_brought_to_its_end_by_another() {
    fleet(patient, async |fleet| {
        let mut crowd = fleet.world.crowd(60, &[("ttl", "1s")]).await?;
        let mut first = fleet.worker().await?;
        let begun = stop_in_the_middle(fleet, &mut first, &mut crowd).await?;
        let of = |demo: &&Demo| demo.uid == begun.uid;
        let demo = crowd.iter().find(of).context("it is one of the crowd")?;
        eprintln!("stopped before its outcome was written; deleted by then: {}", demo.is_deleted_now().await?);

        let _second = fleet.worker().await?;
        let closed = eventually("another closes what it had begun", LATER, async || {
            let history = demo.history()?;
            let closed = history.0.iter().find(|entry| entry.outcome_of() == Some(begun.seq)).cloned();
            closed.with_context(|| format!("{:#?}", history.0))
        })
        .await?;
        ensure!(closed.actor != begun.actor, "{closed:?}");
        let until = begun.instant("until").context("an intent ends")?;
        ensure!(closed.at >= until, "it was closed at {}, and was its holder's until {until}", closed.at);
        fleet.world.are_deleted(&crowd, LATER).await?;

        // It may have had the request in its hand. What it says now comes too late.
        first.thaw()?;
        each_is_done_once(fleet, &crowd).await?;
        let history = demo.history()?;
        let outcomes = history.0.iter().filter(|entry| entry.outcome_of() == Some(begun.seq)).count();
        ensure!(outcomes == 1, "{:#?}", history.0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn three_hundred_tasks_are_for_four_workers() {
    let soon_over = |config: &mut serde_json::Value| config["workers"] = json!({"max": 4, "idle_for": "60s"});
    fleet(soon_over, async |fleet| {
        let mut crowd = fleet.world.crowd(200, &[("ttl", "1s")]).await?;
        fleet.asks_for(4).await?;
        let mut workers = try_join_all([fleet.worker(), fleet.worker(), fleet.worker(), fleet.worker()]).await?;
        fleet.world.are_deleted(&crowd, LATER).await?;
        // One that began late may have found nothing left to do: of these each has its share.
        eventually("all four wait for more", LATER, async || {
            let consuming = fleet.consumers().await?;
            ensure!(consuming == 4, "{consuming} do");
            Ok(())
        })
        .await?;
        let more = fleet.world.crowd(100, &[("ttl", "1s")]).await?;
        fleet.world.are_deleted(&more, LATER).await?;
        crowd.extend(more);
        each_is_done_once(fleet, &crowd).await?;
        fleet.asks_for(4).await?;
        let ledger = fleet.world.ledger()?;
        let done = ledger.histories.values().flat_map(|history| history.of_kind("ActionDone"));
        let by: BTreeSet<_> = done.map(|entry| entry.actor.clone()).collect();
        ensure!(by.len() == 4, "only {by:?} worked");
        for worker in &mut workers {
            let status = worker.wait(LATER).await?;
            ensure!(status.success(), "{status}: {}", worker.log_tail());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_workers_delete_each_namespace_once_and_share_the_budget() {
    let budget = |config: &mut serde_json::Value| {
        config["budget"] = json!({"at_least": 10, "share": 0.0, "unannounced": {"at_least": 1000, "share": 1.0}});
        patient(config);
    };
    fleet(budget, async |fleet| {
        fleet.world.fresh_window().await?;
        let crowd = fleet.world.crowd(16, &[("ttl", "3s")]).await?;
        let _two = try_join_all([fleet.worker(), fleet.worker()]).await?;
        eventually("ten are deleted and the others wait for the budget", LATER, async || {
            let mut waiting = 0;
            let left = fleet.world.left_of(&crowd).await?;
            for demo in &left {
                let history = demo.history()?;
                let waits = history.of_kind("ActionSkipped").any(|entry| entry.text("why") == Some("budget"));
                waiting += usize::from(waits);
            }
            ensure!(left.len() == 6 && waiting == 6, "{} are left, {waiting} wait", left.len());
            Ok(())
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn the_same_task_told_many_times_is_carried_out_once_and_forged_ones_never() {
    fleet(plain, async |fleet| {
        let crowd = fleet.world.crowd(20, &[("ttl", "1s")]).await?;
        let safe = fleet.world.namespace(&[]).await?;
        safe.records("StatusChanged", |entry| entry.text("to") == Some("ok")).await?;
        let mut tasks = Vec::new();
        for demo in &crowd {
            let due = demo.records("StatusChanged", |entry| entry.text("to") == Some("stale")).await?;
            tasks.push(format!("{}/delete/{}", demo.uid, due.seq));
        }
        let queue = fleet.queue().await?;
        let forged = (0..9).map(|number| format!("{}/delete/{number}", safe.uid));
        let told: Vec<_> = (0..4).flat_map(|_| tasks.clone()).chain(forged).collect();
        for task in &told {
            queue.publish(Route::Tasks, &Message::about(task.clone())).await?;
        }
        let _workers = try_join_all([fleet.worker(), fleet.worker(), fleet.worker(), fleet.worker()]).await?;
        fleet.world.are_deleted(&crowd, LATER).await?;
        // And once more, when all is over.
        for task in &told {
            queue.publish(Route::Tasks, &Message::about(task.clone())).await?;
        }
        eventually("all messages are taken", SOON, async || {
            let left = queue.backlog(Route::Tasks).await?;
            ensure!(left == 0, "{left} wait");
            Ok(())
        })
        .await?;
        each_is_done_once(fleet, &crowd).await?;
        safe.lives().await
    })
    .await;
}

/// The last worker is there still when the intents of the others have run out: nobody starts another here.
fn patient(config: &mut serde_json::Value) {
    config["workers"] = json!({"idle_for": "5m"});
}

/// Waits until the history of each says that it was deleted, once, and shows by another one that all goes on.
pub(crate) async fn each_is_done_once(fleet: &Fleet<'_>, crowd: &[Demo]) -> Result<()> {
    fleet.world.are_done(crowd).await?;
    fleet.world.witness().await?;
    let ledger = fleet.world.ledger()?;
    for demo in crowd {
        let history = ledger.history(&demo.uid);
        ensure!(history.of_kind("ActionDone").count() == 1, "{:#?}", history.0);
    }
    Ok(())
}

/// Stops a worker between its intent and its outcome, while it holds no lock of the store. Returns the intent. There is always more for it
/// to do, so that it cannot be too fast for this.
async fn stop_in_the_middle(fleet: &Fleet<'_>, worker: &mut Process, crowd: &mut Vec<Demo>) -> Result<Entry> {
    let store = fleet.world.store();
    eventually("a worker is stopped while it is at it", LATER, async || {
        if fleet.world.left_of(crowd).await?.len() < 20 {
            crowd.extend(fleet.world.crowd(20, &[("ttl", "1s")]).await?);
        }
        for _ in 0..TRIES {
            if is_at_it(&store)?.is_none() {
                continue;
            }
            worker.freeze()?;
            if let Some(begun) = is_at_it(&store)?
                && is_free(&store)
            {
                return Ok(begun);
            }
            worker.thaw()?;
        }
        bail!("it was through with it each time")
    })
    .await
}

/// An intent without an outcome.
fn is_at_it(store: &Path) -> Result<Option<Entry>> {
    Ok(Ledger::read(store)?.histories.values().find_map(|history| open(&history.0)).cloned())
}

fn open(history: &[Entry]) -> Option<&Entry> {
    history.last().filter(|entry| entry.is_intent())
}

/// Whether anybody can write to the store: who is stopped in the middle of that keeps its lock, as on no server.
fn is_free(store: &Path) -> bool {
    Connection::open(store).and_then(|connection| connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")).is_ok()
}
