//! The store file: removed, emptied, locked, destroyed.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use serde_json::json;
use testbed::{MongoOptions, MongoServer, Process, eventually, program};

use crate::program::harness::{LATER, SOON, World, plain, story};

/// The files of a store, those that are there.
fn files(world: &World) -> Vec<PathBuf> {
    let name = |suffix: &str| PathBuf::from(format!("{}{suffix}", world.store().display()));
    ["", "-wal", "-shm"].map(name).into_iter().filter(|file| file.exists()).collect()
}

#[tokio::test]
async fn removed_while_it_runs_the_store_is_missed_and_nothing_is_deleted_until_it_is_back() {
    story(plain, async |world| {
        let crowd = world.crowd(3, &[("ttl", "1h")]).await?;
        let nsm = world.start().await?;
        for demo in &crowd {
            demo.shows("status", "ok").await?;
        }
        let files = files(world);
        let kept = |file: &PathBuf| file.with_file_name(format!("kept-{}", file.file_name().unwrap().display()));
        for file in &files {
            std::fs::hard_link(file, kept(file))?;
            std::fs::remove_file(file)?;
        }
        for demo in &crowd {
            demo.expire().await?;
        }
        nsm.says("the file was removed or replaced").await?;
        // Whatever it does to a namespace of which it can remember nothing, it has done by then.
        let unseen = world.namespace(&[("ttl", "1s")]).await?;
        world.is_over(std::slice::from_ref(&unseen), 2).await?;
        ensure!(!world.store().exists(), "it made another store");
        for demo in &crowd {
            demo.lives().await?;
        }
        for file in &files {
            std::fs::rename(kept(file), file)?;
        }
        world.are_deleted(&crowd, LATER).await?;
        unseen.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn after_its_store_was_lost_nothing_is_deleted_until_somebody_trusts_it() {
    story(plain, async |world| {
        let crowd = world.crowd(5, &[("ttl", "1h")]).await?;
        let mut nsm = world.start().await?;
        for demo in &crowd {
            demo.shows("status", "ok").await?;
        }
        nsm.process().terminate(SOON).await?;
        for file in files(world) {
            std::fs::remove_file(file)?;
        }
        for demo in &crowd {
            demo.expire().await?;
        }
        let nsm = world.start().await?;
        for demo in &crowd {
            demo.records("RecordMarkerMismatched", |_| true).await?;
            demo.lives().await?;
        }
        nsm.says("nsm approve --store").await?;
        world.nsm_ok(&["approve", "--store"]).await?;
        world.are_deleted(&crowd, LATER).await
    })
    .await;
}

#[tokio::test]
async fn locked_by_another_program_the_store_is_waited_for() {
    story(plain, async |world| {
        let nsm = world.start().await?;
        let before = world.namespace(&[("ttl", "1h")]).await?;
        before.shows("status", "ok").await?;
        let lock = Connection::open(world.store())?;
        lock.busy_timeout(SOON)?;
        lock.execute_batch("BEGIN EXCLUSIVE")?;
        before.expire().await?;
        let during = world.namespace(&[("ttl", "1s")]).await?;
        nsm.says("while the store is out of reach").await?;
        world.is_over(std::slice::from_ref(&during), 1).await?;
        for demo in [&before, &during] {
            demo.lives().await?;
        }
        lock.execute_batch("ROLLBACK")?;
        drop(lock);
        world.are_deleted(&[before, during], LATER).await
    })
    .await;
}

#[tokio::test]
async fn a_store_file_that_is_none_is_refused_by_name() {
    story(plain, async |world| -> Result<()> {
        std::fs::write(world.store(), "once upon a time ".repeat(1_000))?;
        let mut nsm = world.spawn(&[])?;
        let (code, log) = nsm.ends().await?;
        ensure!(code.context("an exit code")? != 0, "{log}");
        ensure!(log.contains(&world.store().display().to_string()), "{log}");
        ensure!(std::fs::read_to_string(world.store())?.starts_with("once upon"), "it wrote into the file");
        std::fs::remove_file(world.store())?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_store_file_with_a_hole_is_told_of_and_nothing_is_deleted() {
    story(plain, async |world| -> Result<()> {
        let crowd = world.crowd(3, &[("ttl", "1h")]).await?;
        let mut nsm = world.start().await?;
        for demo in &crowd {
            demo.shows("status", "ok").await?;
        }
        nsm.process().terminate(SOON).await?;
        // All but the first page, which says what the file is.
        let mut bytes = std::fs::read(world.store())?;
        bytes[4_096..].fill(0xAA);
        std::fs::write(world.store(), bytes)?;
        for demo in &crowd {
            demo.expire().await?;
        }

        let mut nsm = world.spawn(&[])?;
        let (code, log) = nsm.ends().await?;
        ensure!(code.context("an exit code")? != 0, "{log}");
        ensure!(log.contains(&world.store().display().to_string()), "{log}");
        for demo in &crowd {
            demo.lives().await?;
        }
        std::fs::remove_file(world.store())?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_person_waits_for_a_store_that_answers_late() {
    let server = MongoServer::start(MongoOptions::default()).await.expect("it starts");
    let url = server.fresh_url();
    story(
        |config| config["store"] = json!({"url": url}),
        async |world| {
            server.freeze()?;
            let mut command = program("nsm")?;
            command.args(["ls", "--config"]).arg(world.config()).env("NO_COLOR", "1");
            let mut nsm = Process::spawn("nsm", &mut command)?;
            let waits = eventually("it says that it waits", SOON, async || {
                let log = nsm.log();
                ensure!(log.contains("note: the store does not answer yet"), "{log}");
                Ok(())
            });
            let waits = waits.await;
            server.thaw()?;
            waits?;
            let ended = nsm.wait(SOON).await?;
            ensure!(ended.success(), "{ended}: {}", nsm.log());
            Ok(())
        },
    )
    .await;
}
