//! The store's server, SecantusDB, dies, freezes and starts anew.

use std::time::Duration;

use anyhow::{Result, ensure};
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use testbed::{MongoOptions, MongoServer, eventually};
use tokio::time::sleep;

use super::{Size, churn, stop_for_a_while};
use crate::harness::{Plane, World, story_on};

const DATABASE: &str = "nsm";

/// For nsm to write again: a driver looks for its server once a second, and what waits for a lease of its own waits for
/// less than this.
const BACK: Duration = Duration::from_secs(60);

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

#[tokio::test]
async fn a_store_that_dies_freezes_and_comes_back_breaks_no_rule() {
    disturbed(Size::REDUCED).await;
}

#[tokio::test]
#[ignore = "takes a quarter of an hour: make chaos"]
async fn at_length() {
    disturbed(Size::FULL).await;
}

async fn disturbed(size: Size) {
    let server = MongoServer::start(MongoOptions::default()).await.expect("the store's server starts");
    let url = server.url(DATABASE);
    let keep_there = |config: &mut serde_json::Value| config["store"]["url"] = url.as_str().into();
    story_on(Plane::own().await, keep_there, async |world| {
        churn(world, size, async |world| disturb(world, &server, size.faults).await).await
    })
    .await;
}

async fn disturb(world: &World, server: &MongoServer, times: usize) -> Result<()> {
    let entries = server.database(DATABASE).await?.collection("entries");
    goes_on(&entries).await?;
    for time in 0..times {
        for fault in FAULTS {
            inject(server, fault).await?;
            goes_on(&entries).await?;
        }
        if time == times / 2 {
            stop_for_a_while(world).await?;
        }
    }
    Ok(())
}

async fn inject(server: &MongoServer, fault: Fault) -> Result<()> {
    // Longer than the deadline of a call, or shorter.
    let time = Duration::from_millis(rand::random_range(500..7_000));
    eprintln!("the store is {fault:?}, for {time:?}");
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

/// Waits until something new is in the store.
async fn goes_on(entries: &Collection<Document>) -> Result<()> {
    let mut before = None;
    eventually("nsm writes again", BACK, async || {
        let there = entries.count_documents(doc! {}).await?;
        let before = *before.get_or_insert(there);
        ensure!(there > before, "{there} entries");
        Ok(())
    })
    .await
}
