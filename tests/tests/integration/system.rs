//! The whole program as its users have it: installed by helm on a real node, from the image, in pods, with a broker and a
//! store that speaks MongoDB's protocol, both behind a password and TLS. What it did is judged by the oracle, from the
//! apiserver's audit log and the store.
//!
//! It is one story, because an installation is one: every step finds what the one before left.

mod cast;
mod failing;
mod hold;
mod rights;
mod stage;
mod steps;

use anyhow::{Context, Result};
use testbed::Installation;

use crate::system::stage::Stage;

#[tokio::test]
async fn an_installation_lives_from_its_first_to_its_last_day() {
    let stage = Stage { home: Installation::prepare().await.unwrap() };
    if let Err(error) = story(&stage).await {
        // Whoever sees no more than the end of a log is to see why.
        panic!("{}\n{error:#}", stage.home.describe().await);
    }
}

async fn story(stage: &Stage) -> Result<()> {
    steps::observes_by_default(stage).await.context("in observe mode")?;
    steps::lives_and_dies(stage).await.context("in enforce mode")?;
    failing::is_deleted(stage).await.context("with workloads that fail")?;
    steps::is_asked_by_people(stage).await.context("asked by people")?;
    steps::is_asked_by_a_pod(stage).await.context("asked by a pod")?;
    steps::is_restarted_during_work(stage).await.context("restarted during work")?;
    steps::loses_its_leaders(stage).await.context("without its leaders")?;
    steps::is_stopped_and_upgraded(stage).await.context("stopped and upgraded")?;
    steps::sweeps_by_cron(stage).await.context("swept by CronJobs")?;
    steps::is_refused_its_jobs(stage).await.context("refused its Jobs")?;
    steps::is_refused_its_pods(stage).await.context("refused its pods")?;
    steps::is_rolled_back(stage).await.context("rolled back")?;
    steps::a_second_release_is_refused(stage).await.context("a second release")?;
    stage.verdict().await.context("before the oracle")?;
    rights::are_all_used_and_none_is_missing(stage).await.context("rights")?;
    steps::is_uninstalled(stage).await.context("uninstalled")
}
