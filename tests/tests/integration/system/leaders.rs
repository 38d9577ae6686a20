//! Who leads, and what comes of it when nobody does.

use std::convert::Infallible;
use std::fmt;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use testbed::eventually;

use crate::system::actors::Actor;
use crate::system::stage::{self, CONTROLLERS, Found, HOME, RELEASE, SOON, Stage};

/// The pods that lead are killed without a word: the others take over, and the work goes on.
#[tokio::test]
async fn loses_its_leaders() {
    stage::on("loses_its_leaders", Found::Released, async |stage| {
        let actor = Actor::enter(stage, "ci-orphan", &[("ttl", "5s")]).await?;
        try_join_all(CONTROLLERS.map(|controller| loses_leader(stage, controller))).await?;
        actor.dies(stage).await
    })
    .await;
}

async fn loses_leader(stage: &Stage, controller: &str) -> Result<()> {
    let before = eventually(&format!("somebody leads `{controller}`"), SOON, async || {
        holder(stage, controller).await?.context("nobody does")
    })
    .await?;
    let pod = before.split('.').next().context("a holder is a pod")?;
    let kill = ["delete", "pod", "--namespace", HOME, pod, "--grace-period=0", "--force"];
    stage.home.cluster.kubectl(kill).await?;
    eventually(&format!("another leads `{controller}`"), SOON, async || {
        let now = holder(stage, controller).await?;
        ensure!(now.as_ref().is_some_and(|now| *now != before), "{now:?}");
        Ok(())
    })
    .await
}

async fn holder(stage: &Stage, controller: &str) -> Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), HOME);
    let spec = leases.get_opt(&format!("{RELEASE}-{controller}")).await?.and_then(|lease| lease.spec);
    Ok(spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty()))
}

/// For how long nobody led: a figure for people, that depends on how busy the machine is.
pub(crate) struct Vacancy<'s> {
    stage: &'s Stage,
    controller: &'static str,
    since: Option<Timestamp>,
    longest: SignedDuration,
}

impl<'s> Vacancy<'s> {
    /// Between two looks.
    const PAUSE: SignedDuration = SignedDuration::from_millis(100);

    pub(crate) const fn of(stage: &'s Stage, controller: &'static str) -> Self {
        Self { stage, controller, since: None, longest: SignedDuration::ZERO }
    }

    /// Looks all the time; never ends by itself.
    pub(crate) async fn watch(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(Self::PAUSE.unsigned_abs()).await;
            // Without an answer it is as it was.
            let Ok(holder) = holder(self.stage, self.controller).await else { continue };
            let now = Timestamp::now();
            let since = *self.since.get_or_insert(now);
            self.longest = self.longest.max(now.duration_since(since));
            if holder.is_some() {
                self.since = None;
            }
        }
    }
}

impl fmt::Display for Vacancy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nobody led `{}` for {:#} at most", self.controller, self.longest)
    }
}
