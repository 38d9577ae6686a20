//! The store's server, SecantusDB, dies, freezes and starts anew.

use anyhow::{Result, ensure};
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use testbed::{MongoOptions, MongoServer, eventually};

use super::{Server, Size, churn, disturb};
use crate::program::harness::{LATER, Plane, story_on};

const DATABASE: &str = "nsm";

impl Server for MongoServer {
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
async fn a_store_that_dies_freezes_and_comes_back_breaks_no_rule() {
    disturbed(Size::REDUCED).await;
}

#[tokio::test]
#[ignore = "takes eight minutes: make chaos"]
async fn at_length() {
    disturbed(Size::FULL).await;
}

async fn disturbed(size: Size) {
    let server = MongoServer::start(MongoOptions::default()).await.expect("the store's server starts");
    let url = server.url(DATABASE);
    let keep_there = |config: &mut serde_json::Value| config["store"]["url"] = url.as_str().into();
    story_on(Plane::own().await, keep_there, async |world| {
        let mut nsm = world.start().await?;
        let entries = server.database(DATABASE).await?.collection("entries");
        churn(world, size, disturb(world, &server, size.faults, async || goes_on(&entries).await)).await?;
        ensure!(nsm.process().exited()?.is_none(), "nsm ended by itself");
        Ok(())
    })
    .await;
}

/// Waits until something new is in the store.
async fn goes_on(entries: &Collection<Document>) -> Result<()> {
    let mut before = None;
    eventually("nsm writes again", LATER, async || {
        let there = entries.count_documents(doc! {}).await?;
        let before = *before.get_or_insert(there);
        ensure!(there > before, "{there} entries");
        Ok(())
    })
    .await
}
