//! Its broker and its store are lost while namespaces are due: nothing is forgotten, and nothing done twice.

use std::time::Duration;

use anyhow::Result;
use testbed::{Disturbance, Server};
use tokio::time::{Instant, sleep_until};

use crate::system::actors::Actor;
use crate::system::stage::{self, Found, Stage};

/// Falling due one after the other, half of them while the server is dead, half while it is frozen.
const NAMESPACES: u64 = 4;
/// From one to the next.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

#[tokio::test]
async fn loses_its_broker() {
    stage::on("loses_its_broker", Found::Released, async |stage| {
        let (dead, frozen) = outlasts(stage, Server::Broker, "ci-unqueued").await?;
        all_die(stage, &dead, &frozen).await
    })
    .await;
}

/// Without it nothing is deleted: what falls due meanwhile lives until it is back.
#[tokio::test]
async fn loses_its_store() {
    stage::on("loses_its_store", Found::Released, async |stage| {
        let (dead, frozen) = outlasts(stage, Server::Store, "ci-unrecorded").await?;
        all_die(stage, &dead, &frozen).await
    })
    .await;
}

async fn all_die(stage: &Stage, dead: &[Actor], frozen: &[Actor]) -> Result<()> {
    for actor in dead.iter().chain(frozen) {
        actor.dies(stage).await?;
    }
    Ok(())
}

/// Makes namespaces, and takes the server away until all of them are due: first it is killed, then frozen.
async fn outlasts(stage: &Stage, server: Server, prefix: &str) -> Result<(Vec<Actor>, Vec<Actor>)> {
    let mut halves = Vec::new();
    for (half, away, back) in
        [("dead", Disturbance::Kill, Disturbance::Restart), ("frozen", Disturbance::Freeze, Disturbance::Thaw)]
    {
        let mut actors = Vec::new();
        for number in 1..=NAMESPACES {
            let ttl = format!("{}s", (RETRY_INTERVAL * u32::try_from(number)?).as_secs());
            actors.push(Actor::enter(stage, &format!("{prefix}-{half}-{number}"), &[("ttl", &ttl)]).await?);
        }
        let all_due = Instant::now() + RETRY_INTERVAL * u32::try_from(NAMESPACES)?;
        stage.home.disturb(server, away).await?;
        sleep_until(all_due).await;
        if server == Server::Store {
            // It is not told that anything is due, and cannot write down that it wants to delete it.
            actors.last().expect("there are some").lives(stage).await?;
        }
        stage.home.disturb(server, back).await?;
        halves.push(actors);
    }
    let frozen = halves.pop().unwrap_or_default();
    Ok((halves.pop().unwrap_or_default(), frozen))
}
