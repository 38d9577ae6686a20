//! Marks on namespaces that this store did not leave there.

use anyhow::Result;

use crate::program::harness::{plain, story};

/// Otherwise whoever may annotate any namespace could stop everything, and two installations could not share a cluster.
#[tokio::test]
async fn a_mark_on_what_no_policy_matches_raises_no_doubt() {
    story(plain, async |world| -> Result<()> {
        let foreign = [("record", "1.5"), ("managed", "true")];
        let foreign = world.namespace_named(&format!("foreign-{}", world.name), &[], &foreign).await?;
        let nsm = world.start().await?;
        world.witness().await?;
        assert_eq!(foreign.kinds(), [""; 0]);
        assert_eq!(foreign.ours().await?["record"], "1.5");
        assert!(!nsm.log().contains("vouches"), "{}", nsm.log());
        Ok(())
    })
    .await;
}
