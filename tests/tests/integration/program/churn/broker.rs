//! The broker, RabbitMQ, dies, freezes and starts anew between the processes of a cluster.

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::{Broker, BrokerOptions, eventually};

use super::{Server, Size, churn, disturb};
use crate::program::harness::{Fleet, LATER, fleet_on};

impl Server for Broker {
    fn kill(&self) {
        Self::kill(self);
    }

    fn freeze(&self) -> Result<()> {
        Self::freeze(self)
    }

    fn thaw(&self) -> Result<()> {
        Self::thaw(self)
    }

    async fn restart(&self) -> Result<()> {
        Self::restart(self).await
    }
}

#[tokio::test]
#[ignore = "takes minutes: make chaos"]
async fn a_broker_that_dies_freezes_and_comes_back_breaks_no_rule() {
    disturbed(Size::REDUCED).await;
}

#[tokio::test]
#[ignore = "takes eight minutes: make chaos"]
async fn at_length() {
    disturbed(Size::FULL).await;
}

async fn disturbed(size: Size) {
    let broker = Broker::start(BrokerOptions::default()).await.expect("the broker starts");
    // The same workers from the first fault to the last.
    let patient = |config: &mut serde_json::Value| config["workers"] = json!({"idle_for": "30m", "min": 2, "max": 2});
    fleet_on(&broker, patient, async |fleet| {
        let mut workers = [fleet.worker().await?, fleet.worker().await?];
        let world = fleet.world;
        churn(world, size, disturb(world, &broker, size.faults, async || goes_on(fleet).await)).await?;
        for process in workers.iter_mut().chain(fleet.others().iter_mut()) {
            ensure!(process.exited()?.is_none(), "a role ended by itself: {}", process.log_tail());
        }
        Ok(())
    })
    .await;
}

/// Waits until another task was handed out and carried out.
async fn goes_on(fleet: &Fleet<'_>) -> Result<()> {
    let mut before = None;
    eventually("a worker carries out tasks again", LATER, async || {
        let ledger = fleet.world.ledger()?;
        let done: usize = ledger.histories.values().map(|history| history.of_kind("ActionDone").count()).sum();
        let before = *before.get_or_insert(done);
        ensure!(done > before, "{done} are done");
        Ok(())
    })
    .await
}
